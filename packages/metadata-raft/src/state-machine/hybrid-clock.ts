/**
 * The leader's clock for log entries: the wall clock, except that it never goes back, over changes
 * of leadership too, because `observe` follows what was applied.
 */
export class HybridClock {
  #lastMs = 0;

  next(wallMs: number): number {
    this.#lastMs = Math.max(this.#lastMs, Math.floor(wallMs));
    return this.#lastMs;
  }

  observe(appliedMs: number): void {
    this.#lastMs = Math.max(this.#lastMs, appliedMs);
  }
}
