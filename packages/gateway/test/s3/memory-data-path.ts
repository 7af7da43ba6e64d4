import type { Random } from '@azimuth/common';
import { StoreError } from '@azimuth/common';
import type { BlobRef, VersionBody } from '@azimuth/proto';
import { newBlobId } from '@azimuth/proto';

import type { ByteSink, ByteSource } from '../../src/data-path/byte-source';
import type { DataPath, WriteOptions, WrittenBody } from '../../src/data-path/data-path';
import { digestBytes } from '../../src/s3/digest-bytes';

const INLINE_BYTES_MAX = 64;
const CHUNK_BYTES = 1000;

/** The reference model of the data path: blobs in a map, pushed in small chunks of a shared buffer. */
export class MemoryDataPath implements DataPath {
  readonly blobs = new Map<string, Buffer>();
  /** Where bodies that may be all in one zone go, and which of these groups cannot be read now. */
  oneZoneGroup = 1;
  readonly groupsOut = new Set<number>();
  /** Runs once before the next read looks its blobs up. */
  beforeRead: (() => Promise<void>) | null = null;
  readonly #random: Random;
  readonly #nowMs: () => number;

  constructor(random: Random, nowMs: () => number) {
    this.#random = random;
    this.#nowMs = nowMs;
  }

  async write(source: ByteSource, options: WriteOptions): Promise<WrittenBody> {
    const chunks: Buffer[] = [];
    await source.readInto((chunk) => {
      chunks.push(Buffer.from(chunk));
      return undefined;
    });
    const bytes = Buffer.concat(chunks);
    if (bytes.byteLength !== options.sizeBytes) {
      throw new Error(`${bytes.byteLength} bytes came, ${options.sizeBytes} were announced`);
    }
    const digests: [WriteOptions['digests'][number], Buffer][] = [];
    for (const algorithm of options.digests) {
      digests.push([algorithm, await digestBytes(algorithm, bytes)]);
    }
    const isInline = bytes.byteLength <= INLINE_BYTES_MAX;
    const blobs = isInline ? [] : [this.#store(bytes, options)];
    const data = { inline: isInline ? bytes : null, blobs, missing: [] };
    return { data, digests: new Map(digests) };
  }

  async read(
    body: VersionBody,
    range: { readonly from: number; readonly to: number },
    sink: ByteSink,
    signal?: AbortSignal,
  ): Promise<void> {
    const hook = this.beforeRead;
    this.beforeRead = null;
    await hook?.();
    const pieces = body.blobs.map((blob) => this.#blob(blob));
    if (body.inline !== null) pieces.push(Buffer.from(body.inline));
    const bytes = Buffer.concat(pieces).subarray(range.from, range.to);
    const shared = Buffer.alloc(CHUNK_BYTES);
    for (let at = 0; at < bytes.byteLength; at += CHUNK_BYTES) {
      signal?.throwIfAborted();
      const length = bytes.copy(shared, 0, at, at + CHUNK_BYTES);
      await sink(shared.subarray(0, length));
      // A sink that kept the chunk sees that it was wrong to.
      shared.fill(0xee);
    }
  }

  discard(blobs: readonly BlobRef[]): void {
    for (const { blobId } of blobs) this.blobs.delete(blobId);
  }

  #store(bytes: Buffer, { slot, isOneZone }: WriteOptions): BlobRef {
    const blobId = newBlobId(slot, this.#nowMs(), this.#random);
    this.blobs.set(blobId, bytes);
    return {
      blobId,
      pgId: isOneZone === true ? this.oneZoneGroup : 1,
      sizeBytes: bytes.byteLength,
      profile: { k: 4, m: 2 },
      blockBytes: 65_536,
      isReduced: false,
    };
  }

  #blob({ blobId, pgId }: BlobRef): Buffer {
    if (this.groupsOut.has(pgId)) throw new StoreError('ZONE_OUT', { blobId, zone: 'secret' });
    const bytes = this.blobs.get(blobId);
    if (bytes === undefined) throw new StoreError('TOO_FEW_SHARDS', { blobId });
    return bytes;
  }
}
