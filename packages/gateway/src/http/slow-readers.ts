import type { Clock } from '@azimuth/common';

/** While others wait for memory, a client has so long to take one piece of its answer. */
const PATIENCE_MS = 10_000;

interface Wait {
  readonly sinceMs: number;
  cut(): void;
}

/**
 * Clients that have not yet taken the piece of an answer that was sent to them. What they leave
 * lying is memory of all: nobody is in a hurry while there is enough of it, but a few clients that
 * read nothing must not lock everybody else out.
 */
export class SlowReaders {
  readonly #clock: Clock;
  /** Who has waited longest comes first. */
  readonly #waits = new Set<Wait>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A piece was sent; the answer is called when it is taken. `cut` ends the connection. */
  begin(cut: () => void): () => void {
    const wait = { sinceMs: this.#clock.monotonicMs(), cut };
    this.#waits.add(wait);
    return () => this.#waits.delete(wait);
  }

  /** Cuts off who takes longest, if that is too long; for whoever knows that others wait. */
  cutSlowest(): void {
    const slowest = this.#waits.values().next();
    if (slowest.done === true) return;
    if (this.#clock.monotonicMs() - slowest.value.sinceMs < PATIENCE_MS) return;
    this.#waits.delete(slowest.value);
    slowest.value.cut();
  }
}
