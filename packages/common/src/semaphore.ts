import { StoreError } from './store-error';

/**
 * A counting semaphore with a bounded queue. `acquire` resolves with a release function that must
 * be called once.
 *
 * @throws StoreError OVERLOADED when `queueLengthMax` callers already wait.
 */
export class Semaphore {
  readonly #queueLengthMax: number;
  #permits: number;
  readonly #waiting: (() => void)[] = [];

  constructor(permits: number, queueLengthMax: number) {
    this.#permits = permits;
    this.#queueLengthMax = queueLengthMax;
  }

  async acquire(): Promise<() => void> {
    if (this.#permits > 0) {
      this.#permits -= 1;
    } else {
      if (this.#waiting.length >= this.#queueLengthMax) {
        throw new StoreError('OVERLOADED', { queueLengthMax: this.#queueLengthMax });
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    let released = false;
    return () => {
      if (released) return;
      released = true;
      const next = this.#waiting.shift();
      if (next === undefined) this.#permits += 1;
      else next();
    };
  }
}
