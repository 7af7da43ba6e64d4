import { required } from '@azimuth/common';

/** A page is decoded and encoded in one go, some milliseconds; each also reads ahead up to 1 MiB. */
const RUNNING_MAX = 4;

/**
 * Lists wait here for their turn, first come first served. Without it a hundred pages that were
 * asked for at once are read at once: their memory adds up, and the event loop comes to ticks and
 * heartbeats only after all of them. How many wait is bounded by the requests in flight.
 */
export class RangeQueue {
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  /** Answers what `read` does, when its turn has come. */
  async run<T>(read: () => T | Promise<T>): Promise<T> {
    if (this.#running < RUNNING_MAX) this.#running += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await read();
    } finally {
      // The turn passes on, so that nobody who comes now is before those who wait.
      if (this.#waiting.length === 0) this.#running -= 1;
      else required(this.#waiting.shift(), 'who waits')();
    }
  }
}
