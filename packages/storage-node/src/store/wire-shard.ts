import { checksumTableBytes, PageChecksums } from '@azimuth/clients';
import { StoreError } from '@azimuth/common';

import type { ShardUpload } from './shard-store';

/** Where the bytes of an upload go while they arrive, and how it ends. */
export interface UploadTarget {
  push(chunk: Uint8Array): Promise<void> | undefined;
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
  #state: 'receiving' | 'ended' = 'receiving';

  constructor(shardSizeBytes: number, target: UploadTarget) {
    this.#shardSizeBytes = shardSizeBytes;
    this.#target = target;
    this.#checksums = new PageChecksums(shardSizeBytes);
    this.#table = Buffer.alloc(checksumTableBytes(shardSizeBytes));
  }

  write(chunk: Uint8Array): Promise<void> | undefined {
    if (this.#state === 'ended') throw new StoreError('CANCELLED');
    const missingBytes = Math.max(0, this.#shardSizeBytes - this.#receivedBytes);
    const tableFrom = this.#receivedBytes - this.#shardSizeBytes;
    this.#receivedBytes += chunk.byteLength;
    if (this.#receivedBytes > this.#shardSizeBytes + this.#table.byteLength) {
      throw this.#sizeMismatch();
    }
    if (chunk.byteLength > missingBytes) {
      this.#table.set(chunk.subarray(missingBytes), Math.max(0, tableFrom));
    }
    if (missingBytes === 0) return undefined;
    const bytes = chunk.byteLength > missingBytes ? chunk.subarray(0, missingBytes) : chunk;
    this.#checksums.update(bytes);
    return this.#target.push(bytes);
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
