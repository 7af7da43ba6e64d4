import type { Clock, Random } from '@azimuth/common';

import type {
  KeyRange,
  KeyValueOperation,
  KeyValueStore,
  RangeReader,
} from '../../../packages/metadata-raft/src/state-machine/key-value-store';
import type { MemoryKeyValueStore } from '../../../packages/metadata-raft/src/state-machine/memory-key-value-store';
import { plainKey } from '../../../packages/metadata-raft/src/state-machine/record-keys';

const WRITE_MS = 0.05;
const META_KEY = plainKey('m', Buffer.alloc(0));
const EVERYTHING: KeyRange = { from: Buffer.alloc(0), to: Buffer.alloc(8, 0xff) };
const KEYS_MAX = 1_000_000;

/**
 * A store as one life of a process has it: a write takes time, and what a process has not finished
 * when it dies does not happen. The content outlives the process, as files do.
 */
export class SimKeyValueStore implements KeyValueStore {
  readonly #content: MemoryKeyValueStore;
  readonly #clock: Clock;

  /** `clock` runs nothing after the process died. */
  constructor(content: MemoryKeyValueStore, clock: Clock) {
    this.#content = content;
    this.#clock = clock;
  }

  get(key: Buffer): Buffer | undefined {
    return this.#content.get(key);
  }

  write(operations: readonly KeyValueOperation[]): Promise<void> {
    return this.#later(() => this.#content.write(operations));
  }

  range(range: KeyRange): RangeReader {
    return this.#content.range(range);
  }

  clear(): Promise<void> {
    return this.#later(() => this.#content.clear());
  }

  condemn(): void {
    this.#content.condemn();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #later(action: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#clock.schedule(WRITE_MS, () => {
        action().then(resolve, reject);
      });
    });
  }
}

/**
 * What a power cut may leave of a store that is never synced: some records, under an index that
 * says that all of them are there. Nobody may believe it.
 */
export async function tearStore(store: MemoryKeyValueStore, random: Random): Promise<void> {
  const pairs = await store.range(EVERYTHING).next(KEYS_MAX);
  const lost = pairs
    .filter(([key]) => !key.equals(META_KEY) && random.below(2) === 0)
    .map(([key]) => ({ key, value: null }));
  await store.write(lost);
}
