import { StoreError } from '@azimuth/common';

import { absorptionOf } from './absorbing-chain';
import type { Absorption, AbsorbingChain } from './absorbing-chain';
import type { Profile } from './cluster-map';

/** Where the shards of one object are: only numbers matter. */
export interface ObjectLayout {
  readonly profile: Profile;
  /** Shards in each zone that has some. */
  readonly shardsPerZone: readonly number[];
  /** The most shards that one node has: 1 where there are nodes enough. */
  readonly shardsPerNode: number;
}

/**
 * All for each year; times between events are exponential. docs/durability-model.md has where the
 * numbers come from and what they leave out.
 */
export interface LossRates {
  /** Disks that fail for good, each. */
  readonly diskFailures: number;
  /** Nodes that are lost with their disks, each. */
  readonly nodeLosses: number;
  /** Zones that are lost with everything, each. */
  readonly zoneLosses: number;
  /** Outages of a zone, each; each disk comes back or is lost then. */
  readonly zoneOutages: number;
  /** Probability that a disk does not come back from an outage of its zone. */
  readonly lostInOutage: number;
  /** A page of one shard of the object goes bad without anyone noticing. */
  readonly rot: number;
  /** Rebuilding one shard of a group: 1 / mean time. A group has one under way at a time. */
  readonly repairs: number;
  /** Rebuilding everything of a lost zone, elsewhere or in a new one: 1 / mean time. */
  readonly zoneRebuilds: number;
  /** Finding and mending a bad page: 1 / mean time, half of a scrub tour. */
  readonly rotRepairs: number;
}

/** What the last blow was and what it met. `zone`: a zone was lost in it; `rot`: a bad page was. */
export type LossCause = 'disks' | 'zone outage' | 'rot' | 'zone loss' | 'zone loss and rot';

export interface LossForecast {
  readonly meanYearsToLoss: number;
  /** Losses a year, by cause. */
  readonly rateByCause: ReadonlyMap<LossCause, number>;
  /** Probability that the object is lost within a year. */
  readonly lossPerYear: number;
}

const STATES_MAX = 4_000;

/**
 * The chance that an object is lost, or, without rot, a whole placement group. Zones alike are
 * interchangeable, so a state is how many shards are lost and how many rotten in each zone, sorted,
 * and which zones are gone; more than m of n bad is the end.
 *
 * @throws StoreError INVALID_ARGUMENT for a layout with too many states.
 */
export function forecastLoss(layout: ObjectLayout, rates: LossRates): LossForecast {
  const { meanTime, rateByCause } = absorptionOf(lossChain(layout, rates)) as Absorption & {
    readonly rateByCause: ReadonlyMap<LossCause, number>;
  };
  return { meanYearsToLoss: meanTime, rateByCause, lossPerYear: -Math.expm1(-1 / meanTime) };
}

/** One zone: its shards, how many of them are lost, and how many rotten. */
interface ZoneState {
  readonly shards: number;
  readonly lost: number;
  readonly rotten: number;
  /** Lost as a whole, to be rebuilt as a whole. */
  readonly isGone: boolean;
}

type GroupState = readonly ZoneState[];

interface Transition {
  readonly rate: number;
  readonly to: GroupState;
  readonly event: 'disk' | 'outage' | 'zone' | 'rot' | 'repair';
}

function lossChain({ profile, ...layout }: ObjectLayout, rates: LossRates): AbsorbingChain {
  const start = layout.shardsPerZone.map((shards) => ({
    ...{ shards, lost: 0, rotten: 0, isGone: false },
  }));
  const states: GroupState[] = [start];
  const numberOf = new Map([[keyOf(start), 0]]);
  const rows: Map<number, number>[] = [];
  const endings: Map<string, number>[] = [];
  for (let from = 0; from < states.length; from += 1) {
    const state = states[from] as GroupState;
    const row = new Map<number, number>();
    const ends = new Map<string, number>();
    for (const { rate, to, event } of transitions(state, layout.shardsPerNode, rates)) {
      if (rate === 0) continue;
      if (badShards(to) > profile.m) {
        const cause = causeOf(state, event);
        ends.set(cause, (ends.get(cause) ?? 0) + rate);
        continue;
      }
      const key = keyOf(to);
      const number = numberOf.get(key) ?? states.push(to) - 1;
      numberOf.set(key, number);
      row.set(number, (row.get(number) ?? 0) + rate);
    }
    if (states.length > STATES_MAX) {
      throw new StoreError('INVALID_ARGUMENT', { reason: 'layout too large for the model' });
    }
    rows.push(row);
    endings.push(ends);
  }
  return { rates: rows, endings };
}

function* transitions(
  state: GroupState,
  shardsPerNode: number,
  rates: LossRates,
): Generator<Transition> {
  for (const [index, zone] of state.entries()) {
    if (zone.isGone) {
      const rebuilt = { ...zone, lost: 0, isGone: false };
      yield { rate: rates.zoneRebuilds, to: state.with(index, rebuilt), event: 'repair' };
      continue;
    }
    const gone = { ...zone, lost: zone.shards, rotten: 0, isGone: true };
    yield { rate: rates.zoneLosses, to: state.with(index, gone), event: 'zone' };
    for (const [rate, to, event] of zoneTransitions(zone, shardsPerNode, rates)) {
      yield { rate, to: state.with(index, to), event };
    }
  }
  const worst = mostLost(state);
  if (worst === -1) return;
  const zone = state[worst] as ZoneState;
  const repaired = state.with(worst, { ...zone, lost: zone.lost - 1 });
  yield { rate: rates.repairs, to: repaired, event: 'repair' };
}

/** A shard is rebuilt where most are lost; -1 when there is nothing to rebuild one by one. */
function mostLost(state: GroupState): number {
  let worst = -1;
  for (const [index, zone] of state.entries()) {
    if (zone.isGone || zone.lost === 0) continue;
    if (worst === -1 || zone.lost > (state[worst] as ZoneState).lost) worst = index;
  }
  return worst;
}

type ZoneTransition = readonly [rate: number, to: ZoneState, event: Transition['event']];

function* zoneTransitions(
  zone: ZoneState,
  shardsPerNode: number,
  rates: LossRates,
): Generator<ZoneTransition> {
  const { shards, lost, rotten } = zone;
  const whole = shards - lost - rotten;
  yield [rates.diskFailures * whole, withLost(zone, 1, 0), 'disk'];
  yield [rates.diskFailures * rotten, withLost(zone, 0, 1), 'disk'];
  // A node takes up to `shardsPerNode` shards along; good ones first, which is the worse case.
  const nodes = Math.ceil((whole + rotten) / shardsPerNode);
  const fromWhole = Math.min(shardsPerNode, whole);
  const fromRotten = Math.min(shardsPerNode - fromWhole, rotten);
  const ofWhole = whole + rotten === 0 ? 0 : whole / (whole + rotten);
  if (shardsPerNode === 1) {
    yield [rates.nodeLosses * nodes * ofWhole, withLost(zone, 1, 0), 'disk'];
    yield [rates.nodeLosses * nodes * (1 - ofWhole), withLost(zone, 0, 1), 'disk'];
  } else {
    yield [rates.nodeLosses * nodes, withLost(zone, fromWhole, fromRotten), 'disk'];
  }
  for (let a = 0; a <= whole; a += 1) {
    for (let b = a === 0 ? 1 : 0; b <= rotten; b += 1) {
      const chance =
        binomial(whole, a, rates.lostInOutage) * binomial(rotten, b, rates.lostInOutage);
      yield [rates.zoneOutages * chance, withLost(zone, a, b), 'outage'];
    }
  }
  yield [rates.rot * whole, { ...zone, rotten: rotten + 1 }, 'rot'];
  yield [rates.rotRepairs * rotten, { ...zone, rotten: rotten - 1 }, 'repair'];
}

function withLost(zone: ZoneState, fromWhole: number, fromRotten: number): ZoneState {
  return {
    ...zone,
    lost: zone.lost + fromWhole + fromRotten,
    rotten: zone.rotten - fromRotten,
  };
}

/** P(X = `count`) of `trials` with probability `chance` each. */
export function binomial(trials: number, count: number, chance: number): number {
  let ways = 1;
  for (let i = 0; i < count; i += 1) ways = (ways * (trials - i)) / (i + 1);
  return ways * chance ** count * (1 - chance) ** (trials - count);
}

function badShards(state: GroupState): number {
  return state.reduce((sum, { lost, rotten }) => sum + lost + rotten, 0);
}

function causeOf(state: GroupState, event: Transition['event']): LossCause {
  const isZone = event === 'zone' || state.some(({ isGone }) => isGone);
  const isRot = event === 'rot' || state.some(({ rotten }) => rotten > 0);
  if (isZone) return isRot ? 'zone loss and rot' : 'zone loss';
  if (isRot) return 'rot';
  return event === 'outage' ? 'zone outage' : 'disks';
}

function keyOf(state: GroupState): string {
  return state
    .map(({ shards, lost, rotten, isGone }) => `${shards}:${isGone ? 'gone' : lost}:${rotten}`)
    .sort()
    .join(' ');
}
