/** Numbers of a group that change with every command; kept in memory, written with the applied index. */
export const COUNTER_NAMES = [
  'ledgerHead',
  'ledgerTail',
  'tombstoneHead',
  'tombstoneTail',
  'outboxSequence',
  'repairEntries',
  'missingShards',
  'garbageEntries',
  'restripeEntries',
  'lastPgId',
  'mapVersion',
  'identityRevision',
  'identityBytes',
  'configurationBytes',
  'ledgerPageHead',
  'ledgerPageTail',
] as const;

export type Counters = Record<(typeof COUNTER_NAMES)[number], number>;

export function newCounters(): Counters {
  return countersOf([]);
}

export function countersOf(values: readonly number[]): Counters {
  const pairs = COUNTER_NAMES.map((name, position) => [name, values[position] ?? 0]);
  return Object.fromEntries(pairs) as Counters;
}

export function counterValues(counters: Counters): number[] {
  return COUNTER_NAMES.map((name) => counters[name]);
}
