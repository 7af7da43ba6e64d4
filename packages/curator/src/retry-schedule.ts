import type { Clock } from '@azimuth/common';

/**
 * When to look again at work that could not be finished. Bounded: when full, the oldest is
 * forgotten, which only means that it is looked at sooner.
 */
export class RetrySchedule {
  readonly #clock: Clock;
  readonly #delayMs: number;
  readonly #entriesMax: number;
  readonly #dueMs = new Map<string, number>();

  constructor(clock: Clock, delayMs: number, entriesMax = 100_000) {
    this.#clock = clock;
    this.#delayMs = delayMs;
    this.#entriesMax = entriesMax;
  }

  isDue(id: string): boolean {
    return (this.#dueMs.get(id) ?? Number.NEGATIVE_INFINITY) <= this.#clock.monotonicMs();
  }

  /** True for what was tried in vain, as far as is known. */
  isPostponed(id: string): boolean {
    return this.#dueMs.has(id);
  }

  postpone(id: string): void {
    this.#dueMs.delete(id);
    const oldest = this.#dueMs.keys().next();
    if (this.#dueMs.size >= this.#entriesMax && oldest.done !== true) {
      this.#dueMs.delete(oldest.value);
    }
    this.#dueMs.set(id, this.#clock.monotonicMs() + this.#delayMs);
  }

  forget(id: string): void {
    this.#dueMs.delete(id);
  }

  /** Everything is due again: the cluster has changed. */
  clear(): void {
    this.#dueMs.clear();
  }
}
