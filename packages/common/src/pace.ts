import type { Clock } from './clock';
import { StoreError } from './store-error';

export interface PaceLimits {
  readonly bytesPerSecond: number;
  readonly operationsPerSecond: number;
}

export interface PaceCost {
  readonly bytes: number;
  readonly operations: number;
}

/** Idle time up to this is caught up at once. */
const BURST_MS = 1_000;
const WAITING_MAX = 1_024;

/**
 * Two token buckets in one, of bytes and of operations. Pure: times are arguments.
 *
 * B1 What starts within any t ms costs at most (t + BURST_MS) · rate, and the one piece on top that
 *    was let in when a token was left.
 * B2 First come, first served: a start never comes before one that was given out earlier.
 * B3 At a share of s a piece delays those behind it by its cost / (s · rate), and no more: as long
 *    as the share has a floor, whatever waits starts.
 */
export class PaceCore {
  readonly #limits: PaceLimits;
  /** When the tokens given out so far will all have been earned. */
  #bytesEarnedMs: number;
  #operationsEarnedMs: number;

  constructor(limits: PaceLimits, nowMs: number) {
    this.#limits = limits;
    this.#bytesEarnedMs = nowMs - BURST_MS;
    this.#operationsEarnedMs = nowMs - BURST_MS;
  }

  /** When a piece that comes now may start. */
  startMs(nowMs: number): number {
    return Math.max(nowMs, this.#bytesEarnedMs, this.#operationsEarnedMs);
  }

  /** Takes the tokens of a piece, at `share` (above 0, up to 1) of the rates. Returns its start. */
  reserve(cost: PaceCost, share: number, nowMs: number): number {
    const startMs = this.startMs(nowMs);
    const { bytesPerSecond, operationsPerSecond } = this.#limits;
    const earliestMs = nowMs - BURST_MS;
    this.#bytesEarnedMs =
      Math.max(this.#bytesEarnedMs, earliestMs) + (1_000 * cost.bytes) / (share * bytesPerSecond);
    this.#operationsEarnedMs =
      Math.max(this.#operationsEarnedMs, earliestMs) +
      (1_000 * cost.operations) / (share * operationsPerSecond);
    return startMs;
  }
}

/** Lets work start at a bounded rate; `share` says how much of it may be used now. */
export class Pace {
  readonly #clock: Clock;
  readonly #core: PaceCore;
  readonly #share: () => number;
  #waiting = 0;

  constructor(clock: Clock, limits: PaceLimits, share: () => number = () => 1) {
    this.#clock = clock;
    this.#core = new PaceCore(limits, clock.monotonicMs());
    this.#share = share;
  }

  /**
   * Resolves when a piece of work may start.
   *
   * @throws StoreError OVERLOADED, at once and without a token, when that would take longer than
   *   `waitMaxMs` or too many wait; CANCELLED when `signal` aborts.
   */
  async take(
    cost: PaceCost,
    options: { readonly signal?: AbortSignal; readonly waitMaxMs?: number } = {},
  ): Promise<void> {
    const { signal, waitMaxMs = Number.POSITIVE_INFINITY } = options;
    const nowMs = this.#clock.monotonicMs();
    const waitMs = this.#core.startMs(nowMs) - nowMs;
    if (waitMs > waitMaxMs || this.#waiting >= WAITING_MAX) {
      throw new StoreError('OVERLOADED', { waitMs: Math.round(waitMs), waiting: this.#waiting });
    }
    this.#core.reserve(cost, this.#share(), nowMs);
    if (waitMs <= 0) return;
    this.#waiting += 1;
    try {
      await this.#clock.sleep(waitMs, signal);
    } catch (error) {
      throw new StoreError('CANCELLED', {}, error);
    } finally {
      this.#waiting -= 1;
    }
  }
}
