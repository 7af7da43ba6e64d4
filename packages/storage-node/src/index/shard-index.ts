import { crc32c } from '@node-rs/crc32';

import { hasCode, StoreError } from '@azimuth/common';

import type { ShardId } from '../segment/shard-id';
import type { IndexBackend, IndexDatabase } from './index-backend';
import { isLockedError, namedCorruption } from './index-backend';
import type { ShardLocation } from './index-record';
import {
  decodeLocation,
  encodeLocation,
  groupKey,
  KEY_SPACES,
  metaKey,
  shardIdOfKey,
  shardKey,
} from './index-record';

export type IndexChange =
  | { readonly kind: 'put'; readonly location: ShardLocation }
  | { readonly kind: 'delete'; readonly location: ShardLocation }
  /** For an entry that is damaged itself; its group key stays, as a hint that leads nowhere. */
  | { readonly kind: 'deleteEntry'; readonly id: ShardId }
  | { readonly kind: 'putFinding'; readonly id: ShardId; readonly value: Buffer }
  | { readonly kind: 'deleteFinding'; readonly id: ShardId };

/** How the index was left; see `recover-store.ts` for what follows from it. */
export interface IndexState {
  readonly diskId: string;
  /** The kernel's boot id: another one means that unsynced writes may be lost. */
  readonly bootId: string;
  readonly isClean: boolean;
  /** At a clean end, to notice an index that lost entries without an error. */
  readonly shardCount: number;
  readonly liveBytes: number;
}

type Operation =
  | { readonly type: 'put'; readonly key: Buffer; readonly value: Buffer }
  | { readonly type: 'del'; readonly key: Buffer };

const NOTHING = Buffer.alloc(0);
const STATE_KEY = metaKey('state');
const SEQUENCE_KEY = metaKey('sequence');
const ITERATION_BATCH = 1000;

/**
 * The map from shard to place, in LevelDB. It is never the only copy of anything: the segments are
 * the truth, so writes are not synced, and a value that fails its checksum is treated as damage.
 * Where LevelDB itself finds damage, methods throw StoreError STATE_CORRUPT: time to rebuild it.
 */
export class ShardIndex {
  readonly #backend: IndexBackend;
  #database: IndexDatabase;
  #pending: Operation[] = [];
  #sequence = 0;
  #lastBatch: Promise<void> = Promise.resolve();
  #nextBatch: Promise<void> | null = null;

  private constructor(backend: IndexBackend, database: IndexDatabase) {
    this.#backend = backend;
    this.#database = database;
  }

  /**
   * Opens the index. One that does not open is replaced by an empty one, without a state.
   *
   * @throws StoreError UNAVAILABLE when another process has it open.
   */
  static async open(backend: IndexBackend): Promise<ShardIndex> {
    try {
      return new ShardIndex(backend, await backend.open());
    } catch (error) {
      if (isLockedError(error)) {
        throw new StoreError('UNAVAILABLE', { reason: 'another process uses this disk' }, error);
      }
      await backend.destroy();
      return new ShardIndex(backend, await backend.open());
    }
  }

  /** Empties the index by starting a new database, as damage may sit anywhere in the old one. */
  async reset(): Promise<void> {
    await this.#database.close();
    await this.#backend.destroy();
    this.#database = await this.#backend.open();
  }

  /** @throws StoreError SHARD_CORRUPT when the entry does not match its checksum. */
  get(id: ShardId): ShardLocation | null {
    let value: Buffer | undefined;
    try {
      value = this.#getSync(shardKey(KEY_SPACES.shard, id));
    } catch (error) {
      if (!hasCode(error, 'STATE_CORRUPT')) throw error;
      throw new StoreError('SHARD_CORRUPT', { ...id, problem: 'index block' }, error);
    }
    if (value === undefined) return null;
    const location = decodeLocation(id, value);
    if (location === null) {
      throw new StoreError('SHARD_CORRUPT', { ...id, problem: 'index entry' });
    }
    return location;
  }

  /**
   * Applies changes in order, all or none, and returns when readers see them. Changes that arrive
   * while a batch is being written share the next one.
   */
  async apply(changes: readonly IndexChange[], sequence = 0): Promise<void> {
    for (const change of changes) this.#pending.push(...operationsOf(change));
    this.#sequence = Math.max(this.#sequence, sequence);
    if (changes.length === 0) return;
    this.#nextBatch ??= this.#startBatch();
    await this.#nextBatch;
  }

  /** One batch is in flight at a time: each waiting one would hold a thread of the pool. */
  async #startBatch(): Promise<void> {
    await this.#lastBatch;
    const operations = this.#pending;
    this.#pending = [];
    this.#nextBatch = null;
    const sequence = Buffer.alloc(12);
    sequence.writeUIntBE(this.#sequence, 2, 6);
    sequence.writeUInt32BE(crc32c(sequence.subarray(0, 8)), 8);
    operations.push({ type: 'put', key: SEQUENCE_KEY, value: sequence });
    const batch = this.#database.batch(operations).catch((error: unknown) => {
      throw namedCorruption(error);
    });
    this.#lastBatch = batch.catch(() => undefined);
    await batch;
  }

  /** The greatest sequence ever applied; null when unknown. */
  readSequence(): number | null {
    const value = this.#getSync(SEQUENCE_KEY);
    if (value?.byteLength !== 12) return null;
    if (value.readUInt32BE(8) !== crc32c(value.subarray(0, 8))) return null;
    this.#sequence = Math.max(this.#sequence, value.readUIntBE(2, 6));
    return value.readUIntBE(2, 6);
  }

  /** Every entry, in key order; `null` stands for one that fails its checksum. */
  async *entries(): AsyncGenerator<ShardLocation | null> {
    for await (const [key, value] of this.#range(spaceRange(KEY_SPACES.shard))) {
      yield key.byteLength === 18 ? decodeLocation(shardIdOfKey(key), value) : null;
    }
  }

  /** Ids of a group's shards, ascending, strictly after all shards of `afterBlobId`. */
  async *groupIds(pgId: number, afterBlobId: string | null): AsyncGenerator<ShardId> {
    const first = { blobId: afterBlobId ?? '0'.repeat(32), shardIndex: 255 };
    const last = { blobId: 'f'.repeat(32), shardIndex: 255 };
    const from = groupKey(pgId, afterBlobId === null ? { ...first, shardIndex: 0 } : first);
    const range = {
      ...(afterBlobId === null ? { gte: from } : { gt: from }),
      lte: groupKey(pgId, last),
    };
    for await (const [key] of this.#range(range)) yield shardIdOfKey(key);
  }

  async *findings(): AsyncGenerator<{ readonly id: ShardId; readonly value: Buffer }> {
    for await (const [key, value] of this.#range(spaceRange(KEY_SPACES.finding))) {
      yield { id: shardIdOfKey(key), value };
    }
  }

  /** The sequence of a tombstone met by a running rebuild. */
  getTombstone(id: ShardId): number | null {
    const value = this.#getSync(shardKey(KEY_SPACES.tombstone, id));
    return value === undefined ? null : value.readUIntBE(0, 6);
  }

  async putTombstone(id: ShardId, sequence: number): Promise<void> {
    const value = Buffer.alloc(6);
    value.writeUIntBE(sequence, 0, 6);
    await this.#database.put(shardKey(KEY_SPACES.tombstone, id), value);
  }

  async clearTombstones(): Promise<void> {
    await this.#database.clear(spaceRange(KEY_SPACES.tombstone));
  }

  readState(): IndexState | null {
    const value = this.#getSync(STATE_KEY);
    if (value === undefined || value.byteLength < 4) return null;
    const body = value.subarray(4);
    if (value.readUInt32BE(0) !== crc32c(body)) return null;
    return JSON.parse(body.toString('utf8')) as IndexState;
  }

  /** Durable when it returns, and with it everything that was applied before. */
  async writeState(state: IndexState): Promise<void> {
    const body = Buffer.from(JSON.stringify(state));
    const value = Buffer.alloc(4 + body.byteLength);
    value.writeUInt32BE(crc32c(body), 0);
    body.copy(value, 4);
    await this.#database.put(STATE_KEY, value, { sync: true } as object).catch((error: unknown) => {
      throw namedCorruption(error);
    });
  }

  async close(): Promise<void> {
    await this.#nextBatch?.catch(() => undefined);
    await this.#lastBatch;
    await this.#database.close();
  }

  /** Reads every block there is. @throws StoreError STATE_CORRUPT */
  async verify(): Promise<void> {
    const pairs = this.#range({});
    while ((await pairs.next()).done !== true);
  }

  #getSync(key: Buffer): Buffer | undefined {
    try {
      return this.#database.getSync(key);
    } catch (error) {
      throw namedCorruption(error);
    }
  }

  async *#range(range: KeyRange): AsyncGenerator<[Buffer, Buffer]> {
    const iterator = this.#database.iterator(range);
    try {
      for (;;) {
        const batch = await iterator.nextv(ITERATION_BATCH).catch((error: unknown) => {
          throw namedCorruption(error);
        });
        if (batch.length === 0) return;
        yield* batch;
      }
    } finally {
      await iterator.close();
    }
  }
}

interface KeyRange {
  readonly gt?: Buffer;
  readonly gte?: Buffer;
  readonly lt?: Buffer;
  readonly lte?: Buffer;
}

function spaceRange(space: number): KeyRange {
  return { gte: Buffer.from([space]), lt: Buffer.from([space + 1]) };
}

function operationsOf(change: IndexChange): Operation[] {
  switch (change.kind) {
    case 'put': {
      const { location } = change;
      return [
        {
          type: 'put',
          key: shardKey(KEY_SPACES.shard, location.id),
          value: encodeLocation(location),
        },
        { type: 'put', key: groupKey(location.attributes.pgId, location.id), value: NOTHING },
      ];
    }
    case 'delete': {
      const { location } = change;
      return [
        { type: 'del', key: shardKey(KEY_SPACES.shard, location.id) },
        { type: 'del', key: groupKey(location.attributes.pgId, location.id) },
      ];
    }
    case 'deleteEntry':
      return [{ type: 'del', key: shardKey(KEY_SPACES.shard, change.id) }];
    case 'putFinding':
      return [{ type: 'put', key: shardKey(KEY_SPACES.finding, change.id), value: change.value }];
    case 'deleteFinding':
      return [{ type: 'del', key: shardKey(KEY_SPACES.finding, change.id) }];
  }
}

/** Passes over what the next start makes good: it rebuilds an index that is damaged. */
export function unlessDamaged(error: unknown): void {
  if (!hasCode(error, 'STATE_CORRUPT')) throw error;
}
