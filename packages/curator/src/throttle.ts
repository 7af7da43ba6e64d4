import type { Clock } from '@azimuth/common';

/** One pause is never longer than this, whatever the work before it took. */
const PAUSE_MAX_MS = 5_000;

/**
 * Tranquility: after work that took x ms, rest for tranquility · x ms, so that background work
 * leaves a fixed share of disks and network to clients. 0 never rests.
 */
export class Throttle {
  readonly #clock: Clock;
  readonly #tranquility: number;

  constructor(clock: Clock, tranquility: number) {
    this.#clock = clock;
    this.#tranquility = tranquility;
  }

  async run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const startMs = this.#clock.monotonicMs();
    const result = await work();
    const restMs = this.#tranquility * (this.#clock.monotonicMs() - startMs);
    if (restMs > 0) await this.#clock.sleep(Math.min(restMs, PAUSE_MAX_MS), signal);
    return result;
  }
}
