import type { BlobId, DiskId, Profile } from '@azimuth/placement';
import type { StorageNodeEntry } from '@azimuth/placement';

import type { ShardSumRequest } from './shard-sum';

/**
 * Shard bytes between processes. On the wire a shard (or a page-aligned range of it) is its bytes
 * followed by one CRC-32 (4 bytes, big-endian) for each 64 KiB page, the last page being short.
 * The sender computes them once; the storage node checks them before it acknowledges, stores them,
 * checks them at every read, and sends them along; the reader checks them again.
 *
 *   PUT    /shards/<diskId>/<blobId>/<shardIndex>?pg=&k=&m=&size=&block=  → 201, durable
 *   GET    /shards/<diskId>/<blobId>/<shardIndex>?offset=&length=         → 200, page-aligned offset
 *   HEAD   /shards/<diskId>/<blobId>/<shardIndex>                         → 200, x-azimuth-shard-size
 *   DELETE /shards/<diskId>/<blobId>/<shardIndex>                         → 204, also when absent
 *   GET    /shards/<diskId>?pg=&after=&limit=                             → JSON list by group
 *   GET    /sums/<blobId>?…                                               → see `shard-sum.ts`
 *
 * Errors carry `x-azimuth-error: <StoreErrorCode>`. Requests carry `x-azimuth-session`,
 * `x-azimuth-expires` and `x-azimuth-mac` = HMAC-SHA-256 under the session key over
 * `method \n path?query \n content-length \n generation \n expires` (hex).
 */
export const PAGE_BYTES = 64 * 1024;
export const PAGE_CHECKSUM_BYTES = 4;

export interface ShardAddress {
  readonly node: StorageNodeEntry;
  readonly diskId: DiskId;
  readonly blobId: BlobId;
  readonly shardIndex: number;
}

/** Stored with the shard, so that a group can be enumerated and rebuilt from its disks alone. */
export interface ShardAttributes {
  readonly pgId: number;
  readonly profile: Profile;
  readonly blobSizeBytes: number;
  readonly blockBytes: number;
  readonly shardSizeBytes: number;
}

/** One shard being written. Blocks may be views of a pooled buffer: they are free again on return. */
export interface ShardWriter {
  /**
   * Sends the next block. Resolves once the bytes left the buffer (so that it may be reused) and
   * the connection can take more. Rejects when the shard has failed; later calls reject alike.
   */
  write(block: Uint8Array): Promise<void>;
  /** Sends page checksums and resolves when the storage node says that the shard is durable. */
  finish(): Promise<void>;
  /** Gives up; the node discards what it has. Never throws. */
  abort(): void;
}

export interface ShardListEntry extends Omit<ShardAttributes, 'pgId'> {
  readonly blobId: BlobId;
  readonly shardIndex: number;
}

export interface ReadShardOptions {
  readonly target?: Uint8Array | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Sums of shards; see `shard-sum.ts`. */
export interface ShardSumReader {
  /**
   * As `StorageClient.readShard`, of a sum that `node` computes. Errors: as there, of any term; the
   * page checksums are the node's own, so who asks samples what comes.
   */
  readSum(
    node: StorageNodeEntry,
    sum: ShardSumRequest,
    options?: ReadShardOptions,
  ): Promise<Uint8Array>;
}

/** Errors: SHARD_NOT_FOUND, SHARD_CORRUPT, DISK_FULL, DISK_FENCED, DISK_UNKNOWN, UNAVAILABLE, TIMEOUT. */
export interface StorageClient {
  openShard(address: ShardAddress, attributes: ShardAttributes, signal?: AbortSignal): ShardWriter;

  /**
   * Reads `[offsetBytes, offsetBytes + lengthBytes)` of a shard, verified, into `target` if given
   * (length ≥ lengthBytes), else into a new buffer. The offset is page-aligned; the range ends at
   * a page boundary or at the end of the shard. `target` is not touched once the promise has
   * settled.
   */
  readShard(
    address: ShardAddress,
    range: { readonly offsetBytes: number; readonly lengthBytes: number },
    options?: ReadShardOptions,
  ): Promise<Uint8Array>;

  deleteShard(address: ShardAddress, signal?: AbortSignal): Promise<void>;

  /** Shards of one group on one disk, ascending, strictly after `afterBlobId`. */
  listShards(
    node: StorageNodeEntry,
    query: {
      readonly diskId: DiskId;
      readonly pgId: number;
      readonly afterBlobId: BlobId | null;
      readonly limit: number;
    },
    signal?: AbortSignal,
  ): Promise<{ readonly shards: readonly ShardListEntry[]; readonly isTruncated: boolean }>;

  close(): Promise<void>;
}
