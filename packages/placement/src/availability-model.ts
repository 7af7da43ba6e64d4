import { binomial } from './loss-model';

/** What of a cluster takes part in serving one object; every zone is like every other. */
export interface ServiceLayout {
  readonly profile: { readonly k: number; readonly m: number };
  /** Of zones with storage nodes; entries may be 0. One alone that is not: all is in that zone. */
  readonly shardsPerZone: readonly number[];
  readonly shardsPerNode: number;
  readonly nodesPerZone: number;
  readonly disksPerNode: number;
  readonly votersPerZone: readonly number[];
}

/** Fractions of the time, and what a failover costs. Outages of different zones are independent. */
export interface OutageRates {
  readonly nodeDown: number;
  readonly zoneDown: number;
  /** A disk is failed and not yet rebuilt. */
  readonly diskDown: number;
  readonly zoneOutagesPerYear: number;
  /** P3: how long at most after the loss of a zone. */
  readonly readFailoverSeconds: number;
  readonly writeFailoverSeconds: number;
}

/** Fractions of the time that it is not there: 1e-5 is 99.999 %. */
export interface AvailabilityForecast {
  readonly readsDown: number;
  /** With the declared reduced profile during outages. */
  readonly writesDown: number;
  /** For buckets that refuse reduced writes. */
  readonly strictWritesDown: number;
}

const SECONDS_PER_YEAR = 365.25 * 86_400;

/**
 * Exact over independent outages of zones and of nodes. An object is readable with k shards and a
 * majority of voters; writable with two live failure domains and a majority, as the reduced profile
 * goes down to two copies; strictly writable when a group of the full profile fits the live nodes.
 * What is all in one of several zones is written as long as anything is, and strictly while such a
 * group fits the live nodes of some zone.
 */
export function forecastAvailability(
  layout: ServiceLayout,
  rates: OutageRates,
): AvailabilityForecast {
  const { profile, shardsPerZone, votersPerZone, nodesPerZone, disksPerNode } = layout;
  const majority = Math.floor(sum(votersPerZone) / 2) + 1;
  const fraction = (
    amountOfZone: (zone: number) => ReadonlyMap<number, number>,
    needed: number,
  ): number => {
    const zones = shardsPerZone.map((_shards, zone) =>
      zoneOutcomes(amountOfZone(zone), votersPerZone[zone] ?? 0, rates),
    );
    return missProbability(zones, { voters: majority, amount: needed });
  };
  const live = distribution(nodesPerZone, 1 - rates.nodeDown);
  const isOnlyZone = shardsPerZone.length === 1;
  const failovers = (rates.zoneOutagesPerYear * shardsPerZone.length) / SECONDS_PER_YEAR;
  const reads = fraction((zone) => readableShards(layout, zone, rates), profile.k);
  const writes = fraction(
    () => mapped(live, (nodes) => (isOnlyZone ? nodes : Math.min(nodes, 1))),
    2,
  );
  const strict = isInOneZone(layout)
    ? fraction(() => mapped(live, (nodes) => (fitsInZone(layout, nodes) ? 1 : 0)), 1)
    : fraction(
        () => mapped(live, (nodes) => Math.min(nodes * disksPerNode, profile.m)),
        profile.k + profile.m,
      );
  return {
    readsDown: reads + failovers * rates.readFailoverSeconds,
    writesDown: writes + failovers * rates.writeFailoverSeconds,
    strictWritesDown: strict + failovers * rates.writeFailoverSeconds,
  };
}

/** Of several zones one alone has shards: the object is lost with it (class ONEZONE_IA). */
export function isInOneZone({ shardsPerZone }: Pick<ServiceLayout, 'shardsPerZone'>): boolean {
  return shardsPerZone.length > 1 && shardsPerZone.filter((shards) => shards > 0).length === 1;
}

/** At most m shards on a node; the disks of an only node stand for themselves. */
function fitsInZone(
  { profile, nodesPerZone, disksPerNode }: ServiceLayout,
  nodes: number,
): boolean {
  const perNode = nodesPerZone === 1 ? disksPerNode : Math.min(disksPerNode, profile.m);
  return nodes * perNode >= profile.k + profile.m;
}

interface Outcome {
  readonly probability: number;
  readonly voters: number;
  readonly amount: number;
}

function zoneOutcomes(
  amounts: ReadonlyMap<number, number>,
  voters: number,
  rates: OutageRates,
): Outcome[] {
  const outcomes: Outcome[] = [{ probability: rates.zoneDown, voters: 0, amount: 0 }];
  for (const [liveVoters, ofVoters] of distribution(voters, 1 - rates.nodeDown)) {
    for (const [amount, ofAmount] of amounts) {
      const probability = (1 - rates.zoneDown) * ofVoters * ofAmount;
      outcomes.push({ probability, voters: liveVoters, amount });
    }
  }
  return outcomes;
}

/** Sums what falls short, instead of one minus the rest, which would lose the small numbers. */
function missProbability(
  zones: readonly (readonly Outcome[])[],
  needed: { readonly voters: number; readonly amount: number },
): number {
  let joint = new Map<string, Outcome>([['start', { probability: 1, voters: 0, amount: 0 }]]);
  for (const zone of zones) {
    const next = new Map<string, Outcome>();
    for (const before of joint.values()) {
      for (const outcome of zone) {
        const voters = Math.min(needed.voters, before.voters + outcome.voters);
        const amount = Math.min(needed.amount, before.amount + outcome.amount);
        const key = `${voters},${amount}`;
        const known = next.get(key)?.probability ?? 0;
        const probability = known + before.probability * outcome.probability;
        next.set(key, { probability, voters, amount });
      }
    }
    joint = next;
  }
  let missed = 0;
  for (const { probability, voters, amount } of joint.values()) {
    if (voters < needed.voters || amount < needed.amount) missed += probability;
  }
  return missed;
}

/** Shards of one zone that can be read while the zone is up. */
function readableShards(
  { shardsPerZone, shardsPerNode }: ServiceLayout,
  zone: number,
  rates: OutageRates,
): ReadonlyMap<number, number> {
  let total: ReadonlyMap<number, number> = new Map([[0, 1]]);
  for (let left = shardsPerZone[zone] ?? 0; left > 0; left -= shardsPerNode) {
    const disks = distribution(Math.min(left, shardsPerNode), 1 - rates.diskDown);
    const node = new Map([...disks].map(([up, chance]) => [up, chance * (1 - rates.nodeDown)]));
    node.set(0, (node.get(0) ?? 0) + rates.nodeDown);
    total = added(total, node);
  }
  return total;
}

function distribution(count: number, chance: number): ReadonlyMap<number, number> {
  return new Map(Array.from({ length: count + 1 }, (_, i) => [i, binomial(count, i, chance)]));
}

function mapped(
  chances: ReadonlyMap<number, number>,
  amountOf: (value: number) => number,
): ReadonlyMap<number, number> {
  const result = new Map<number, number>();
  for (const [value, chance] of chances) {
    result.set(amountOf(value), (result.get(amountOf(value)) ?? 0) + chance);
  }
  return result;
}

function added(
  first: ReadonlyMap<number, number>,
  second: ReadonlyMap<number, number>,
): ReadonlyMap<number, number> {
  const result = new Map<number, number>();
  for (const [a, chanceA] of first) {
    for (const [b, chanceB] of second) {
      result.set(a + b, (result.get(a + b) ?? 0) + chanceA * chanceB);
    }
  }
  return result;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
