import type { KeyValueOperation } from './key-value-store';

const BYTES_MAX = 64 * 1024 * 1024;
/** What an entry costs beside its key and value, about. */
const ENTRY_BYTES = 100;
/** Of so many keys one is looked up. Odd, as heads and bodies take turns. */
const KEYS_PER_SAMPLE = 31;

/** The last that was written to a key; null when it was deleted. */
export type RecentChange = readonly [key: string, value: string | null];

export interface FrozenChanges {
  readonly count: number;
  /** Of these, and of what they replace and delete, about how many records are of no use any more. */
  readonly deadCount: number;
  slice(from: number, to: number): readonly RecentChange[];
}

/**
 * What a store was told since a snapshot was made of it, in memory, so that the next snapshot need
 * not read the whole store. Keys and values are held as Latin-1 strings: a small buffer would keep
 * the bodies alive that share its pool. More than a limit is forgotten, all of it.
 */
export class RecentChanges {
  readonly #isStored: (key: Buffer) => boolean;
  readonly #bytesMax: number;
  #since: number | null = null;
  #changes = new Map<string, string | null>();
  #sizeBytes = 0;
  /** Of the keys that were looked up, those that the store had. */
  #replacedSamples = 0;

  /** `isStored` tells whether the store has a key, before the change is written that is noted. */
  constructor(isStored: (key: Buffer) => boolean, bytesMax = BYTES_MAX) {
    this.#isStored = isStored;
    this.#bytesMax = bytesMax;
  }

  /** Begins anew: a snapshot up to `index` was made of the store as it is now. */
  restart(index: number): void {
    this.forget();
    this.#since = index;
  }

  /** Nothing is known of the store any more. */
  forget(): void {
    this.#since = null;
    this.#changes = new Map();
    this.#sizeBytes = 0;
    this.#replacedSamples = 0;
  }

  note({ key, value }: KeyValueOperation): void {
    if (this.#since === null) return;
    const name = key.toString('latin1');
    const before = this.#changes.get(name);
    if (before === undefined) {
      this.#sizeBytes += ENTRY_BYTES + name.length;
      const isSample = this.#changes.size % KEYS_PER_SAMPLE === 0;
      if (isSample && this.#isStored(key)) this.#replacedSamples += 1;
    }
    this.#sizeBytes += (value?.length ?? 0) - (before?.length ?? 0);
    this.#changes.set(name, value === null ? null : value.toString('latin1'));
    if (this.#sizeBytes > this.#bytesMax) this.forget();
  }

  /**
   * By the order of keys, and as they are now; null unless everything since the snapshot up to
   * `index` is here. Must be followed by {@link restart} or {@link forget}.
   */
  since(index: number): FrozenChanges | null {
    if (this.#since !== index) return null;
    const changes = this.#changes;
    // Nothing else happens meanwhile: a comparison of our own would take three times as long.
    const names = [...changes.keys()].sort();
    let deletions = 0;
    for (const value of changes.values()) if (value === null) deletions += 1;
    return {
      count: names.length,
      deadCount: deletions + KEYS_PER_SAMPLE * this.#replacedSamples,
      slice: (from, to) => names.slice(from, to).map((name) => [name, changes.get(name) ?? null]),
    };
  }
}
