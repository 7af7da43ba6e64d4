import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

import type { AbstractIterator } from 'abstract-level';
import { Level } from 'level';

import { StoreError } from '@azimuth/common';

import type {
  KeyRange,
  KeyValueOperation,
  KeyValuePair,
  KeyValueStore,
  RangeReader,
} from './key-value-store';

const CONDEMNED_NAME = 'CONDEMNED';
const BUFFER_ENCODING = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const;
const WRITE_BUFFER_BYTES = 16 * 1024 * 1024;
const CACHE_BYTES = 64 * 1024 * 1024;
const RANGE_CACHE_BYTES = 1024 * 1024;

/**
 * A directory with a `level` store that is never synced: see {@link KeyValueStore}. A store that
 * does not open, or was condemned, is removed and made anew.
 */
export class LevelKeyValueStore implements KeyValueStore {
  readonly #directory: string;
  readonly #writeBufferBytes: number;
  #database: Level<Buffer, Buffer>;

  private constructor(
    directory: string,
    writeBufferBytes: number,
    database: Level<Buffer, Buffer>,
  ) {
    this.#directory = directory;
    this.#writeBufferBytes = writeBufferBytes;
    this.#database = database;
  }

  /**
   * Opens `directory`, made if absent; `onDiscard` hears why old content was thrown away. Up to
   * twice `writeBufferBytes` are kept in memory: the more, the less often a record is rewritten.
   */
  static async open(
    directory: string,
    onDiscard: (reason: string) => void,
    writeBufferBytes = WRITE_BUFFER_BYTES,
  ): Promise<LevelKeyValueStore> {
    mkdirSync(directory, { recursive: true });
    if (existsSync(join(directory, CONDEMNED_NAME))) {
      onDiscard('condemned');
      removeStore(directory);
    }
    let database: Level<Buffer, Buffer>;
    try {
      database = await openDatabase(directory, writeBufferBytes);
    } catch (error) {
      onDiscard(String((error as Error & { cause?: unknown }).cause ?? error));
      removeStore(directory);
      database = await openDatabase(directory, writeBufferBytes);
    }
    return new LevelKeyValueStore(directory, writeBufferBytes, database);
  }

  get(key: Buffer): Buffer | undefined {
    try {
      return this.#database.getSync(key);
    } catch (error) {
      throw namedCorruption(error);
    }
  }

  async write(operations: readonly KeyValueOperation[]): Promise<void> {
    const batch = this.#database.batch();
    for (const { key, value } of operations) {
      if (value === null) batch.del(key);
      else batch.put(key, value);
    }
    try {
      await batch.write({ sync: false });
    } catch (error) {
      throw namedCorruption(error);
    }
  }

  range(range: KeyRange): RangeReader {
    return new LevelRangeReader(this.#database, range);
  }

  async clear(): Promise<void> {
    await this.#database.close();
    removeStore(this.#directory);
    this.#database = await openDatabase(this.#directory, this.#writeBufferBytes);
  }

  condemn(): void {
    condemnStore(this.#directory);
  }

  close(): Promise<void> {
    return this.#database.close();
  }
}

/** Marks what is in `directory` as not to be trusted, durably, whether it is open or not. */
export function condemnStore(directory: string): void {
  mkdirSync(directory, { recursive: true });
  const descriptor = openSync(join(directory, CONDEMNED_NAME), 'w');
  fsyncSync(descriptor);
  closeSync(descriptor);
  syncDirectory(directory);
}

class LevelRangeReader implements RangeReader {
  readonly #iterator: AbstractIterator<Level<Buffer, Buffer>, Buffer, Buffer>;

  constructor(database: Level<Buffer, Buffer>, range: KeyRange) {
    const options = {
      gte: range.from,
      lt: range.to,
      ...BUFFER_ENCODING,
      highWaterMarkBytes: RANGE_CACHE_BYTES,
    };
    this.#iterator = database.iterator<Buffer, Buffer>(options);
  }

  async next(limit: number): Promise<readonly KeyValuePair[]> {
    try {
      return await this.#iterator.nextv(limit);
    } catch (error) {
      throw namedCorruption(error);
    }
  }

  seek(target: Buffer): void {
    this.#iterator.seek(target);
  }

  close(): Promise<void> {
    return this.#iterator.close();
  }
}

/** What LevelDB itself finds damaged is rebuilt as what our own checksums find. */
function namedCorruption(error: unknown): unknown {
  if ((error as { code?: unknown }).code !== 'LEVEL_CORRUPTION') return error;
  return new StoreError('STATE_CORRUPT', { store: 'level' }, error);
}

async function openDatabase(
  directory: string,
  writeBufferBytes: number,
): Promise<Level<Buffer, Buffer>> {
  const storeDirectory = join(directory, 'store');
  const database = new Level<Buffer, Buffer>(storeDirectory, BUFFER_ENCODING);
  // Passed to classic-level, whose options the type of `level` does not name.
  // Heads are alike, so Snappy halves them; bodies, which are often compressed already, lie elsewhere.
  const options = {
    writeBufferSize: writeBufferBytes,
    cacheSize: CACHE_BYTES,
    compression: true,
  };
  await database.open(options);
  syncDirectory(storeDirectory);
  syncDirectory(directory);
  syncDirectory(dirname(directory));
  return database;
}

function removeStore(directory: string): void {
  rmSync(join(directory, 'store'), { recursive: true, force: true });
  // After the content, so that a crash in between leaves it condemned.
  rmSync(join(directory, CONDEMNED_NAME), { force: true });
  syncDirectory(directory);
}

function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
