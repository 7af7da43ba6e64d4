import type {
  KeyRange,
  KeyValueOperation,
  KeyValuePair,
  KeyValueStore,
  RangeReader,
} from './key-value-store';

/**
 * An ordered map in memory, for tests, simulation and clusters in one process. Keys are held as
 * Latin-1 strings, whose order is the order of their bytes.
 */
export class MemoryKeyValueStore implements KeyValueStore {
  #values = new Map<string, Buffer>();
  /** All keys ascending. */
  #sortedKeys: string[] = [];
  /** True while a reader may hold the two collections: the next write copies them first. */
  #isShared = false;
  #isCondemned = false;

  get(key: Buffer): Buffer | undefined {
    return this.#values.get(key.toString('latin1'));
  }

  write(operations: readonly KeyValueOperation[]): Promise<void> {
    if (this.#isShared) {
      this.#values = new Map(this.#values);
      this.#sortedKeys = this.#sortedKeys.slice();
      this.#isShared = false;
    }
    for (const { key, value } of operations) {
      const name = key.toString('latin1');
      const isPresent = this.#values.has(name);
      if (value === null) {
        if (!isPresent) continue;
        this.#values.delete(name);
        this.#sortedKeys.splice(lowerBound(this.#sortedKeys, name), 1);
      } else {
        this.#values.set(name, value);
        if (!isPresent) this.#sortedKeys.splice(lowerBound(this.#sortedKeys, name), 0, name);
      }
    }
    return Promise.resolve();
  }

  range(range: KeyRange): RangeReader {
    this.#isShared = true;
    return new MemoryRangeReader(this.#sortedKeys, this.#values, range);
  }

  clear(): Promise<void> {
    this.#values = new Map();
    this.#sortedKeys = [];
    this.#isShared = false;
    return Promise.resolve();
  }

  condemn(): void {
    this.#isCondemned = true;
  }

  /** What a restart finds: nothing when condemned. */
  async reopen(): Promise<void> {
    if (this.#isCondemned) await this.clear();
    this.#isCondemned = false;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

class MemoryRangeReader implements RangeReader {
  readonly #keys: readonly string[];
  readonly #values: ReadonlyMap<string, Buffer>;
  readonly #end: number;
  #position: number;

  constructor(keys: readonly string[], values: ReadonlyMap<string, Buffer>, range: KeyRange) {
    this.#keys = keys;
    this.#values = values;
    this.#position = lowerBound(keys, range.from.toString('latin1'));
    this.#end = lowerBound(keys, range.to.toString('latin1'));
  }

  next(limit: number): Promise<readonly KeyValuePair[]> {
    const pairs: KeyValuePair[] = [];
    while (pairs.length < limit && this.#position < this.#end) {
      const name = this.#keys[this.#position] as string;
      pairs.push([Buffer.from(name, 'latin1'), this.#values.get(name) as Buffer]);
      this.#position += 1;
    }
    return Promise.resolve(pairs);
  }

  seek(target: Buffer): void {
    this.#position = lowerBound(this.#keys, target.toString('latin1'));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Position of the first key ≥ `name`. */
function lowerBound(keys: readonly string[], name: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] as string) < name) low = middle + 1;
    else high = middle;
  }
  return low;
}
