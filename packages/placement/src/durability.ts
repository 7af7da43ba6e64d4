import type { ClusterMap, PlacementGroup } from './cluster-map';

/** What a blob of a group still survives, given the shards that are there. */
export interface Survival {
  readonly shardsPresent: number;
  readonly shardsTotal: number;
  /** Shards that may still be lost; negative when the blob cannot be read. */
  readonly spareShards: number;
  /** Any this many zones may be lost. */
  readonly zones: number;
  /** Any this many nodes may be lost. */
  readonly nodes: number;
  /** Any one zone, and then any this many nodes of the others; null when no zone may be lost. */
  readonly nodesBesideZone: number | null;
  readonly risk: 'none' | 'degraded' | 'at-risk' | 'lost';
  readonly text: string;
}

/**
 * Worst case arithmetic over where the present shards are. `degraded`: shards are missing.
 * `at-risk`: no further shard may be lost. `lost`: fewer than k shards.
 */
export function blobSurvival(
  map: ClusterMap,
  group: Pick<PlacementGroup, 'slots' | 'profile'>,
  presentSlots: Iterable<number>,
): Survival {
  const { k, m } = group.profile;
  const disks = [...new Set(presentSlots)]
    .map((slot) => map.disks.get(group.slots[slot] ?? ''))
    .filter((disk) => disk !== undefined);
  const spareShards = disks.length - k;
  const zones = worstLosses(countBy(disks.map(({ zone }) => zone)), spareShards);
  const nodes = worstLosses(countBy(disks.map(({ nodeId }) => nodeId)), spareShards);
  const besideZone = [...new Set(disks.map(({ zone }) => zone))].map((lostZone) => {
    const left = disks.filter(({ zone }) => zone !== lostZone);
    return worstLosses(countBy(left.map(({ nodeId }) => nodeId)), left.length - k);
  });
  const nodesBesideZone = zones >= 1 ? Math.min(...besideZone) : null;
  const numbers = { shardsPresent: disks.length, shardsTotal: k + m, spareShards };
  const risk = riskOf(spareShards, m);
  const survival = { ...numbers, zones, nodes, nodesBesideZone, risk } as const;
  return { ...survival, text: describe(group, survival) };
}

/** How many of the largest domains fit into `spareShards`; all of them never count as survived. */
function worstLosses(shardsPerDomain: readonly number[], spareShards: number): number {
  let left = spareShards;
  let losses = 0;
  for (const shards of [...shardsPerDomain].sort((a, b) => b - a)) {
    left -= shards;
    if (left < 0) break;
    losses += 1;
  }
  return losses;
}

function riskOf(spareShards: number, m: number): Survival['risk'] {
  if (spareShards < 0) return 'lost';
  if (spareShards === 0) return 'at-risk';
  return spareShards < m ? 'degraded' : 'none';
}

function describe(
  group: Pick<PlacementGroup, 'profile'>,
  survival: Omit<Survival, 'text'>,
): string {
  const { shardsPresent, shardsTotal, zones, nodes, nodesBesideZone, risk } = survival;
  const state = `${group.profile.k}+${group.profile.m}, ${shardsPresent} of ${shardsTotal} shards`;
  if (risk === 'lost') return `${state}: cannot be read`;
  const survived: string[] = [];
  if (zones > 0) {
    const beside = (nodesBesideZone ?? 0) > 0 ? ` plus ${count(nodesBesideZone ?? 0, 'node')}` : '';
    survived.push(`any ${count(zones, 'zone')}${beside}`);
  }
  if (nodes > 0) survived.push(`any ${count(nodes, 'node')}`);
  if (survived.length === 0) return `${state}: survives no further loss`;
  return `${state}: survives the loss of ${survived.join(', or of ')}`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

function countBy(keys: readonly string[]): number[] {
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return [...counts.values()];
}
