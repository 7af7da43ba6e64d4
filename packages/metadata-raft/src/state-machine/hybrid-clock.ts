import type { Clock } from '@azimuth/common';

/** How fast it goes while the wall clock is behind it, as a part of real time. */
const SLEW = 0.5;

/**
 * The leader's clock for log entries: the wall clock, except that it never goes back, over changes
 * of leadership too, because `observe` follows what was applied.
 *
 * It never stands still either. After a leader whose clock was an hour ahead, every other wall
 * clock is behind for an hour: time then goes on at half speed until they have caught up, so that
 * leases, graces and retry windows end.
 */
export class HybridClock {
  readonly #clock: Clock;
  /** Not rounded, so that many short steps add up. */
  #lastMs = 0;
  /** When, by the monotonic clock, it was `#lastMs`. */
  #readMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#readMs = clock.monotonicMs();
  }

  /** Milliseconds since 1970, whole. */
  now(): number {
    const readMs = this.#clock.monotonicMs();
    const slewedMs = this.#lastMs + (readMs - this.#readMs) * SLEW;
    this.#lastMs = Math.max(this.#clock.wallMs(), slewedMs);
    this.#readMs = readMs;
    return Math.floor(this.#lastMs);
  }

  observe(appliedMs: number): void {
    if (appliedMs <= this.#lastMs) return;
    this.#lastMs = appliedMs;
    this.#readMs = this.#clock.monotonicMs();
  }
}
