import type { ShardAttributes, ShardListEntry } from '@azimuth/clients';
import { checksumTableBytes, PageChecksums } from '@azimuth/clients';
import { StoreError } from '@azimuth/common';
import type {
  Finding,
  ShardId,
  ShardRange,
  ShardReader,
  ShardStore,
  ShardStoreStatistics,
  ShardUpload,
  ShardVerdict,
} from '@azimuth/storage-node';

interface StoredShard {
  readonly id: ShardId;
  readonly attributes: ShardAttributes;
  readonly bytes: Buffer;
}

/** What a shard store promises, in a map: the reference that the real ones are compared with. */
export class ShardStoreModel implements ShardStore {
  readonly diskId: string;
  readonly #shards = new Map<string, StoredShard>();

  constructor(diskId: string) {
    this.diskId = diskId;
  }

  beginPut(id: ShardId, attributes: ShardAttributes): Promise<ShardUpload> {
    if (attributes.shardSizeBytes < 1) return Promise.reject(new StoreError('INVALID_ARGUMENT'));
    const present = this.#shards.get(nameOf(id));
    if (present !== undefined && !isEqual(present.attributes, attributes)) {
      return Promise.reject(new StoreError('SHARD_EXISTS'));
    }
    const wireBytes = attributes.shardSizeBytes + checksumTableBytes(attributes.shardSizeBytes);
    const wire = Buffer.alloc(wireBytes);
    let filledBytes = 0;
    return Promise.resolve({
      room: () => wire.subarray(filledBytes),
      fill: (count) => {
        filledBytes += count;
        return undefined;
      },
      finish: () =>
        this.#finish({ id, attributes, bytes: wire.subarray(0, filledBytes) }, wireBytes),
      abort: () => Promise.resolve(),
    });
  }

  async #finish(received: StoredShard, wireBytes: number): Promise<void> {
    const { id, attributes } = received;
    await Promise.resolve();
    if (received.bytes.byteLength !== wireBytes) throw new StoreError('SHARD_SIZE_MISMATCH');
    const bytes = received.bytes.subarray(0, attributes.shardSizeBytes);
    const table = received.bytes.subarray(attributes.shardSizeBytes);
    if (!tableOf(bytes).equals(table)) throw new StoreError('CHECKSUM_MISMATCH');
    const present = this.#shards.get(nameOf(id));
    if (present !== undefined && !present.bytes.equals(bytes)) throw new StoreError('SHARD_EXISTS');
    this.#shards.set(nameOf(id), { id, attributes, bytes });
  }

  openRead(id: ShardId, range: ShardRange): Promise<ShardReader> {
    const shard = this.#shards.get(nameOf(id));
    if (shard === undefined) return Promise.reject(new StoreError('SHARD_NOT_FOUND'));
    const { shardSizeBytes } = shard.attributes;
    const isInside = range.offsetBytes < shardSizeBytes && range.lengthBytes > 0;
    if (range.offsetBytes % 65536 !== 0 || !isInside) {
      return Promise.reject(new StoreError('INVALID_ARGUMENT'));
    }
    const end = Math.min(shardSizeBytes, range.offsetBytes + range.lengthBytes);
    const bytes = shard.bytes.subarray(range.offsetBytes, end);
    let isRead = false;
    return Promise.resolve({
      attributes: shard.attributes,
      lengthBytes: bytes.byteLength,
      table: tableOf(bytes),
      next: () => {
        const piece = isRead ? null : bytes;
        isRead = true;
        return Promise.resolve(piece);
      },
      close: () => undefined,
    });
  }

  stat(id: ShardId): ShardAttributes | null {
    return this.#shards.get(nameOf(id))?.attributes ?? null;
  }

  delete(id: ShardId): Promise<void> {
    this.#shards.delete(nameOf(id));
    return Promise.resolve();
  }

  list(
    pgId: number,
    afterBlobId: string | null,
    limit: number,
  ): Promise<{ readonly shards: readonly ShardListEntry[]; readonly isTruncated: boolean }> {
    const all = [...this.#shards.values()]
      .filter(({ attributes }) => attributes.pgId === pgId)
      .filter(({ id }) => afterBlobId === null || id.blobId > afterBlobId)
      .sort((a, b) => orderOf(a.id).localeCompare(orderOf(b.id)));
    let end = Math.min(limit, all.length);
    while (end < all.length && all[end]?.id.blobId === all[end - 1]?.id.blobId) end += 1;
    const shards = all.slice(0, end).map(({ id, attributes }) => {
      const { profile, blobSizeBytes, blockBytes, shardSizeBytes } = attributes;
      return { ...id, profile, blobSizeBytes, blockBytes, shardSizeBytes };
    });
    return Promise.resolve({ shards, isTruncated: end < all.length });
  }

  verify(id: ShardId): Promise<ShardVerdict> {
    return Promise.resolve(this.#shards.has(nameOf(id)) ? 'intact' : 'absent');
  }

  findings(): readonly Finding[] {
    return [];
  }

  statistics(): ShardStoreStatistics {
    const bytes = [...this.#shards.values()].reduce(
      (sum, shard) => sum + shard.bytes.byteLength,
      0,
    );
    return {
      state: 'online',
      capacityBytes: Number.MAX_SAFE_INTEGER,
      usedBytes: bytes,
      shardCount: this.#shards.size,
      corruptShards: 0,
    };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function tableOf(bytes: Buffer): Buffer {
  const checksums = new PageChecksums(bytes.byteLength);
  checksums.update(bytes);
  return checksums.table();
}

function nameOf(id: ShardId): string {
  return `${id.blobId}/${id.shardIndex}`;
}

function orderOf(id: ShardId): string {
  return `${id.blobId}/${String(id.shardIndex).padStart(2, '0')}`;
}

function isEqual(a: ShardAttributes, b: ShardAttributes): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
