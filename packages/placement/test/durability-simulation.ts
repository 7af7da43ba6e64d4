import type { Random } from '@azimuth/common';

import type { LossRates, ObjectLayout } from '../src/index';

type ShardState = 'good' | 'rotten' | 'lost';

export interface SimulatedLosses {
  readonly meanYears: number;
  /** Part of the losses in which a zone was lost. */
  readonly zoneShare: number;
}

/** How long a repair takes: as the model has it, or always the mean. */
export type RepairTimes = 'exponential' | 'constant';

/**
 * Plays the lives of single objects, shard by shard on numbered nodes, with a clock for everything
 * that may happen. It shares nothing with the model but the rates.
 */
export function simulateLosses(
  layout: ObjectLayout,
  rates: LossRates,
  { trials, random, repairTimes = 'exponential' }: SimulationOptions,
): SimulatedLosses {
  let years = 0;
  let byZone = 0;
  for (let trial = 0; trial < trials; trial += 1) {
    const life = new ObjectLife(layout, rates, random, repairTimes);
    years += life.run();
    if (life.isZoneGone()) byZone += 1;
  }
  return { meanYears: years / trials, zoneShare: byZone / trials };
}

export interface SimulationOptions {
  readonly trials: number;
  readonly random: Random;
  readonly repairTimes?: RepairTimes;
}

interface Timer {
  atYears: number;
  readonly fire: () => void;
}

class ObjectLife {
  readonly #layout: ObjectLayout;
  readonly #rates: LossRates;
  readonly #random: Random;
  readonly #repairTimes: RepairTimes;
  readonly #zoneOf: number[] = [];
  readonly #nodeOf: string[] = [];
  readonly #states: ShardState[] = [];
  readonly #gone: Set<number> = new Set();
  /** Endless processes; an event that meets nothing to break is spent. */
  readonly #timers: Timer[] = [];
  readonly #rotMends = new Map<number, number>();
  readonly #zoneMends = new Map<number, number>();
  #repairAt: number | null = null;
  #now = 0;

  constructor(layout: ObjectLayout, rates: LossRates, random: Random, repairTimes: RepairTimes) {
    this.#layout = layout;
    this.#rates = rates;
    this.#random = random;
    this.#repairTimes = repairTimes;
    layout.shardsPerZone.forEach((shards, zone) => {
      for (let i = 0; i < shards; i += 1) {
        this.#zoneOf.push(zone);
        this.#nodeOf.push(`${zone}/${Math.floor(i / layout.shardsPerNode)}`);
        this.#states.push('good');
      }
    });
    this.#states.forEach((_state, shard) => {
      this.#repeat(rates.diskFailures, () => this.#lose(shard));
      this.#repeat(rates.rot, () => this.#rot(shard));
    });
    for (const node of new Set(this.#nodeOf)) {
      this.#repeat(rates.nodeLosses, () =>
        this.#nodeOf.forEach((each, shard) => each === node && this.#lose(shard)),
      );
    }
    layout.shardsPerZone.forEach((_shards, zone) => {
      this.#repeat(rates.zoneLosses, () => this.#loseZone(zone));
      this.#repeat(rates.zoneOutages, () => {
        this.#shardsOf(zone).forEach((shard) => {
          if (random.next() < rates.lostInOutage) this.#lose(shard);
        });
      });
    });
  }

  /** Years until more than m shards are bad. */
  run(): number {
    while (this.#states.filter((state) => state !== 'good').length <= this.#layout.profile.m) {
      this.#step();
    }
    return this.#now;
  }

  isZoneGone(): boolean {
    return this.#gone.size > 0;
  }

  #step(): void {
    let next: { readonly at: number; readonly fire: () => void } | null = null;
    const offer = (at: number, fire: () => void): void => {
      if (next === null || at < next.at) next = { at, fire };
    };
    for (const timer of this.#timers) offer(timer.atYears, timer.fire);
    for (const [shard, at] of this.#rotMends) offer(at, () => this.#mendRot(shard));
    for (const [zone, at] of this.#zoneMends) offer(at, () => this.#mendZone(zone));
    if (this.#repairAt !== null) offer(this.#repairAt, () => this.#mendShard());
    const due = next as { readonly at: number; readonly fire: () => void } | null;
    if (due === null) throw new Error('nothing can happen');
    this.#now = due.at;
    due.fire();
    if (this.#worstZone() === null) this.#repairAt = null;
    else this.#repairAt ??= this.#now + this.#repairYears();
  }

  #repeat(ratePerYear: number, happen: () => void): void {
    if (ratePerYear === 0) return;
    const timer: Timer = {
      atYears: this.#after(ratePerYear),
      fire: () => {
        timer.atYears = this.#now + this.#after(ratePerYear);
        happen();
      },
    };
    this.#timers.push(timer);
  }

  #after(ratePerYear: number): number {
    return -Math.log(1 - this.#random.next()) / ratePerYear;
  }

  #repairYears(): number {
    const { repairs } = this.#rates;
    return this.#repairTimes === 'constant' ? 1 / repairs : this.#after(repairs);
  }

  #lose(shard: number): void {
    if (this.#gone.has(this.#zoneOf[shard]!)) return;
    this.#states[shard] = 'lost';
    this.#rotMends.delete(shard);
  }

  #rot(shard: number): void {
    if (this.#states[shard] !== 'good') return;
    this.#states[shard] = 'rotten';
    this.#rotMends.set(shard, this.#now + this.#after(this.#rates.rotRepairs));
  }

  #loseZone(zone: number): void {
    if (this.#gone.has(zone)) return;
    this.#shardsOf(zone).forEach((shard) => this.#lose(shard));
    this.#gone.add(zone);
    this.#zoneMends.set(zone, this.#now + this.#after(this.#rates.zoneRebuilds));
  }

  #mendRot(shard: number): void {
    this.#rotMends.delete(shard);
    this.#states[shard] = 'good';
  }

  #mendZone(zone: number): void {
    this.#zoneMends.delete(zone);
    this.#gone.delete(zone);
    for (const shard of this.#shardsOf(zone)) this.#states[shard] = 'good';
  }

  #mendShard(): void {
    this.#repairAt = null;
    const zone = this.#worstZone()!;
    this.#states[this.#shardsOf(zone).find((shard) => this.#states[shard] === 'lost')!] = 'good';
  }

  /** The zone with most lost shards that are rebuilt one by one. */
  #worstZone(): number | null {
    let worst: number | null = null;
    let most = 0;
    this.#layout.shardsPerZone.forEach((_shards, zone) => {
      if (this.#gone.has(zone)) return;
      const lost = this.#shardsOf(zone).filter((shard) => this.#states[shard] === 'lost').length;
      if (lost > most) [worst, most] = [zone, lost];
    });
    return worst;
  }

  #shardsOf(zone: number): number[] {
    return this.#states.flatMap((_state, shard) => (this.#zoneOf[shard] === zone ? [shard] : []));
  }
}
