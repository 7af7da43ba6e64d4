import type { ShardAttributes, ShardListEntry } from '@azimuth/clients';
import type { DiskState } from '@azimuth/placement';

import type { Finding } from '../scrubber/findings';
import type { ShardId } from '../segment/shard-id';

export interface ShardRange {
  /** A multiple of the page size. */
  readonly offsetBytes: number;
  /** Cut at the end of the shard. */
  readonly lengthBytes: number;
}

/**
 * One shard being received in its wire form: the shard's bytes, then the page checksum table.
 * After a rejection or `abort` nothing of it is stored.
 */
export interface ShardUpload {
  /** Where the next bytes belong; empty once all are there. Valid until `fill`, or the end. */
  room(): Uint8Array;
  /**
   * The first `count` bytes of the last `room()` are there now. Returns a promise, which never
   * rejects, when the sender must wait.
   *
   * @throws StoreError DISK_FULL · DISK_FENCED.
   */
  fill(count: number): Promise<void> | undefined;
  /**
   * Resolves when the shard would survive a power cut.
   *
   * @throws StoreError SHARD_SIZE_MISMATCH · CHECKSUM_MISMATCH · SHARD_EXISTS (other bytes are
   *   stored under this id) · DISK_FULL · DISK_FENCED.
   */
  finish(): Promise<void>;
  /** Gives up. Never throws; safe to call at any time. */
  abort(): Promise<void>;
}

/** One verified read. `close` must be called once. */
export interface ShardReader {
  readonly attributes: ShardAttributes;
  /** Bytes that `next` hands out in all. */
  readonly lengthBytes: number;
  /** Checksums of the pages handed out; the last page may be short. */
  readonly table: Buffer;
  /**
   * The next bytes, verified; null at the end. They are valid until the next call or `close`.
   *
   * @throws StoreError SHARD_CORRUPT.
   */
  next(): Promise<Uint8Array | null>;
  close(): void;
}

export type ShardVerdict = 'intact' | 'absent' | 'corrupt';

export interface ShardStoreStatistics {
  readonly state: Exclude<DiskState, 'lost'>;
  readonly capacityBytes: number;
  readonly usedBytes: number;
  readonly shardCount: number;
  /** Shards known to be damaged and not yet repaired. */
  readonly corruptShards: number;
}

/** The shards of one disk. */
export interface ShardStore {
  readonly diskId: string;

  /**
   * Begins to receive a shard. One that is stored already, intact and with the same attributes is
   * received again and compared, so that a retried PUT succeeds.
   *
   * @throws StoreError SHARD_EXISTS · DISK_FULL · DISK_FENCED · INVALID_ARGUMENT.
   */
  beginPut(id: ShardId, attributes: ShardAttributes): Promise<ShardUpload>;

  /** @throws StoreError SHARD_NOT_FOUND · SHARD_CORRUPT · INVALID_ARGUMENT (an offset inside a page). */
  openRead(id: ShardId, range: ShardRange): Promise<ShardReader>;

  /** Null when there is no such shard. @throws StoreError SHARD_CORRUPT. */
  stat(id: ShardId): ShardAttributes | null;

  /** Durable when it returns; deleting what is absent succeeds. @throws StoreError DISK_FENCED. */
  delete(id: ShardId): Promise<void>;

  /** Shards of a group, ascending, strictly after `afterBlobId`; a blob is never cut in two pages. */
  list(
    pgId: number,
    afterBlobId: string | null,
    limit: number,
  ): Promise<{ readonly shards: readonly ShardListEntry[]; readonly isTruncated: boolean }>;

  /** Reads the whole shard from the disk and checks every checksum. */
  verify(id: ShardId): Promise<ShardVerdict>;

  /** Damage not yet repaired, oldest first. */
  findings(limit: number): readonly Finding[];

  statistics(): ShardStoreStatistics;

  /** Ends all work and marks the store as cleanly closed. */
  close(): Promise<void>;
}
