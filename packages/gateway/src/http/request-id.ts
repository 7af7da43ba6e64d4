import type { Random } from '@azimuth/common';

const PREFIX_BYTES = 4;
const COUNTER_LIMIT = 0x1_0000_0000;

/**
 * Request ids as AWS's look: sixteen upper-case hex digits. Random per process, then counted:
 * unique without asking the operating system for entropy on every request.
 */
export class RequestIds {
  readonly #prefix: string;
  #next: number;

  constructor(random: Random) {
    this.#prefix = random.bytes(PREFIX_BYTES).toString('hex').toUpperCase();
    this.#next = random.below(COUNTER_LIMIT);
  }

  next(): string {
    this.#next = (this.#next + 1) % COUNTER_LIMIT;
    return this.#prefix + this.#next.toString(16).toUpperCase().padStart(8, '0');
  }
}
