import type { Random } from '@azimuth/common';

/** So many operations on a key, or unanswered writes, and its check would take too long. */
export interface KeyLimits {
  readonly operationsMax: number;
  readonly unansweredWritesMax: number;
}

/** So many at the same time, and the search of a key takes too long. */
const IN_FLIGHT_OF_KEY_MAX = 8;

export interface KeyInUse {
  readonly name: string;
  inFlight: number;
  operations: number;
  unansweredWrites: number;
  /** What the clients saw last, for conditions that have a chance. */
  lastEtag: string | null;
  /** Versions that hold bytes, of keys of versioned buckets; the last ones that were seen. */
  readonly versions: { readonly versionId: string; readonly etag: string }[];
}

/** The few keys that all clients share; one that has been used enough gives way to a new one. */
export class KeysInUse {
  readonly #prefix: string;
  readonly #limits: KeyLimits;
  readonly #random: Random;
  readonly #keys: KeyInUse[];
  #keyCount = 0;

  constructor(prefix: string, count: number, limits: KeyLimits, random: Random) {
    this.#prefix = prefix;
    this.#limits = limits;
    this.#random = random;
    this.#keys = Array.from({ length: count }, () => this.#newKey());
  }

  /** Runs the action on some key that not too many others use just now. */
  async use(action: (key: KeyInUse) => Promise<void>): Promise<void> {
    const key = this.#pick();
    key.operations += 1;
    key.inFlight += 1;
    try {
      await action(key);
    } finally {
      key.inFlight -= 1;
    }
  }

  #pick(): KeyInUse {
    const first = this.#random.below(this.#keys.length);
    for (let step = 0; step < this.#keys.length; step += 1) {
      const slot = (first + step) % this.#keys.length;
      const known = this.#keys[slot];
      const key = known !== undefined && this.#isUsable(known) ? known : this.#newKey();
      this.#keys[slot] = key;
      if (key.inFlight < IN_FLIGHT_OF_KEY_MAX) return key;
    }
    return this.#newKey();
  }

  #isUsable({ operations, unansweredWrites }: KeyInUse): boolean {
    const { operationsMax, unansweredWritesMax } = this.#limits;
    return operations < operationsMax && unansweredWrites < unansweredWritesMax;
  }

  #newKey(): KeyInUse {
    this.#keyCount += 1;
    const name = `${this.#prefix}-${String(this.#keyCount).padStart(6, '0')}`;
    return { name, inFlight: 0, operations: 0, unansweredWrites: 0, lastEtag: null, versions: [] };
  }
}
