import type { Clock } from '@azimuth/common';
import { VirtualClock } from '@azimuth/testkit';

/** Virtual time that can also pass without its events, as it does for a process that is stopped. */
export class LeapClock implements Clock {
  readonly #clock = new VirtualClock();
  #leaptMs = 0;

  wallMs(): number {
    return this.#clock.wallMs() + this.#leaptMs;
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs() + this.#leaptMs;
  }

  schedule(delayMs: number, callback: () => void): () => void {
    return this.#clock.schedule(delayMs, callback);
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return this.#clock.sleep(delayMs, signal);
  }

  leap(forMs: number): void {
    this.#leaptMs += forMs;
  }

  /** Runs events until `isDone`; throws when that takes longer than `limitMs`. */
  async runUntil(isDone: () => boolean, limitMs: number): Promise<void> {
    const endMs = this.#clock.monotonicMs() + limitMs;
    await this.#clock.runUntil(this.#clock.monotonicMs());
    while (!isDone()) {
      if (this.#clock.monotonicMs() > endMs) throw new Error('liveness: no end in sight');
      await this.#clock.runUntil(this.#clock.monotonicMs() + STEP_MS);
    }
  }

  /** Virtual time until the promise settles. */
  async settle<T>(promise: Promise<T>, limitMs = SETTLE_MS_MAX): Promise<T> {
    let isSettled = false;
    const mark = (): void => {
      isSettled = true;
    };
    promise.then(mark, mark);
    await this.runUntil(() => isSettled, limitMs);
    return promise;
  }
}

const STEP_MS = 50;
const SETTLE_MS_MAX = 120_000;
