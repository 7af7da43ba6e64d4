import type { Random } from '@azimuth/common';

/** So many operations on a key, or unanswered writes, and its check would take too long. */
export interface KeyLimits {
  readonly operationsMax: number;
  readonly unansweredWritesMax: number;
}

export interface KeyInUse {
  readonly name: string;
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

  pick(): KeyInUse {
    const slot = this.#random.below(this.#keys.length);
    const known = this.#keys[slot];
    const key = known !== undefined && this.#isUsable(known) ? known : this.#newKey();
    this.#keys[slot] = key;
    key.operations += 1;
    return key;
  }

  #isUsable({ operations, unansweredWrites }: KeyInUse): boolean {
    const { operationsMax, unansweredWritesMax } = this.#limits;
    return operations < operationsMax && unansweredWrites < unansweredWritesMax;
  }

  #newKey(): KeyInUse {
    this.#keyCount += 1;
    const name = `${this.#prefix}-${String(this.#keyCount).padStart(6, '0')}`;
    return { name, operations: 0, unansweredWrites: 0, lastEtag: null, versions: [] };
  }
}
