import type { IndexBackend, IndexDatabase } from '@azimuth/storage-node';
import { MemoryLevel } from 'memory-level';

/**
 * An index in memory that outlives the store which opened it, as a file would: the same database
 * comes back after a kill. What a power cut leaves of it is up to the test.
 */
export class MemoryIndexBackend implements IndexBackend {
  #database = newDatabase();

  async open(): Promise<IndexDatabase> {
    await this.#database.open();
    return this.#database;
  }

  async destroy(): Promise<void> {
    await this.#database.close();
    this.#database = newDatabase();
  }

  /** For tests that damage the index. */
  get database(): IndexDatabase {
    return this.#database;
  }
}

function newDatabase(): MemoryLevel<Buffer, Buffer> {
  return new MemoryLevel<Buffer, Buffer>({ keyEncoding: 'buffer', valueEncoding: 'buffer' });
}
