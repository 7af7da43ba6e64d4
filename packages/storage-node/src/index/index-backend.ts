import { rm } from 'node:fs/promises';

import type { AbstractLevel } from 'abstract-level';
import { Level } from 'level';

import { StoreError } from '@azimuth/common';

import { isSystemError } from '../disk/disk';

export type IndexDatabase = AbstractLevel<string | Buffer | Uint8Array, Buffer, Buffer>;

/** Where the index lives. It may be lost or wrong at any time: it is rebuilt from the segments. */
export interface IndexBackend {
  /** Rejects when the database does not open; `INDEX_LOCKED` when another process has it open. */
  open(): Promise<IndexDatabase>;
  /** Removes everything, so that the next `open` starts empty. */
  destroy(): Promise<void>;
}

/** True when the index is in use by another process: the one failure that a rebuild must not answer. */
export function isLockedError(error: unknown): boolean {
  let current = error;
  while (typeof current === 'object' && current !== null) {
    if (isSystemError(current, 'LEVEL_LOCKED')) return true;
    current = 'cause' in current ? current.cause : null;
  }
  return false;
}

/** What LevelDB itself finds damaged, in words of our own. */
export function namedCorruption(error: unknown): unknown {
  if (!isSystemError(error, 'LEVEL_CORRUPTION')) return error;
  return new StoreError('STATE_CORRUPT', { store: 'shard index' }, error);
}

export class LevelIndexBackend implements IndexBackend {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async open(): Promise<IndexDatabase> {
    const database = new Level<Buffer, Buffer>(this.#directory, {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
      writeBufferSize: 16 * 1024 * 1024,
      cacheSize: 32 * 1024 * 1024,
    });
    await database.open();
    return database;
  }

  async destroy(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }
}
