import { checksumTableBytes, PageChecksums } from '@azimuth/clients';
import { assert, StoreError } from '@azimuth/common';

import type { ShardUpload } from './shard-store';

const NO_ROOM = new Uint8Array();

/** Where the bytes of an upload go while they arrive, and how it ends. */
export interface UploadTarget {
  /** Never empty; may be longer than what is missing. */
  room(): Uint8Array;
  fill(count: number): Promise<void> | undefined;
  /** All bytes arrived and match `table`. */
  commit(table: Buffer): Promise<void>;
  discard(): Promise<void>;
}

/**
 * Splits the wire form of a shard into bytes and table, and checks the one against the other before
 * anything is committed.
 */
export class WireShardUpload implements ShardUpload {
  readonly #shardSizeBytes: number;
  readonly #target: UploadTarget;
  readonly #checksums: PageChecksums;
  readonly #table: Buffer;
  #receivedBytes = 0;
  #room: Uint8Array = NO_ROOM;
  #state: 'receiving' | 'ended' = 'receiving';

  constructor(shardSizeBytes: number, target: UploadTarget) {
    this.#shardSizeBytes = shardSizeBytes;
    this.#target = target;
    this.#checksums = new PageChecksums(shardSizeBytes);
    this.#table = Buffer.alloc(checksumTableBytes(shardSizeBytes));
  }

  room(): Uint8Array {
    if (this.#state === 'ended') throw new StoreError('CANCELLED');
    const missingBytes = this.#shardSizeBytes - this.#receivedBytes;
    this.#room =
      missingBytes > 0
        ? limited(this.#target.room(), missingBytes)
        : this.#table.subarray(-missingBytes);
    return this.#room;
  }

  fill(count: number): Promise<void> | undefined {
    if (this.#state === 'ended') throw new StoreError('CANCELLED');
    assert(count <= this.#room.byteLength, 'more bytes than there was room for');
    const isTable = this.#receivedBytes >= this.#shardSizeBytes;
    this.#receivedBytes += count;
    if (isTable) return undefined;
    // While they are in the cache.
    this.#checksums.update(limited(this.#room, count));
    return this.#target.fill(count);
  }

  async finish(): Promise<void> {
    if (this.#state === 'ended') throw new StoreError('CANCELLED');
    this.#state = 'ended';
    try {
      if (this.#receivedBytes !== this.#shardSizeBytes + this.#table.byteLength) {
        throw this.#sizeMismatch();
      }
      if (!this.#checksums.table().equals(this.#table)) throw new StoreError('CHECKSUM_MISMATCH');
      await this.#target.commit(this.#table);
    } catch (error) {
      await this.#target.discard();
      throw error;
    }
  }

  async abort(): Promise<void> {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    await this.#target.discard();
  }

  #sizeMismatch(): StoreError {
    return new StoreError('SHARD_SIZE_MISMATCH', {
      expectedBytes: this.#shardSizeBytes + this.#table.byteLength,
      receivedBytes: this.#receivedBytes,
    });
  }
}

function limited(bytes: Uint8Array, lengthMax: number): Uint8Array {
  return bytes.byteLength <= lengthMax ? bytes : bytes.subarray(0, lengthMax);
}
