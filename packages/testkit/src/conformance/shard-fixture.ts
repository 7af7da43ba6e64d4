import type { ShardAttributes } from '@azimuth/clients';
import { PageChecksums } from '@azimuth/clients';
import type { Random } from '@azimuth/common';
import { StoreError } from '@azimuth/common';
import type { ShardId, ShardStore, ShardUpload } from '@azimuth/storage-node';

/** A shard with its bytes, as a test puts and expects it. */
export interface ShardFixture {
  readonly id: ShardId;
  readonly attributes: ShardAttributes;
  readonly bytes: Buffer;
}

/** A shard of a two-copy blob, so that shard and blob have one size. `seedByte` fills it. */
export function makeShard(
  random: Random,
  options: { readonly sizeBytes: number; readonly pgId?: number; readonly shardIndex?: number },
): ShardFixture {
  const { sizeBytes, pgId = 7, shardIndex = 0 } = options;
  const bytes = Buffer.alloc(sizeBytes, random.bytes(Math.min(sizeBytes, 1021)));
  bytes.writeUInt8(sizeBytes % 251, sizeBytes - 1);
  return {
    id: { blobId: random.bytes(16).toString('hex'), shardIndex },
    attributes: {
      pgId,
      profile: { k: 1, m: 2 },
      blobSizeBytes: sizeBytes,
      blockBytes: 65536,
      shardSizeBytes: sizeBytes,
    },
    bytes,
  };
}

/** The bytes and their page checksums, as they travel. */
export function wireOf(bytes: Buffer): Buffer {
  const checksums = new PageChecksums(bytes.byteLength);
  checksums.update(bytes);
  return Buffer.concat([bytes, checksums.table()]);
}

/** Puts a shard in chunks of `chunkBytes`, respecting back-pressure. */
export async function putShard(
  store: ShardStore,
  shard: ShardFixture,
  wire = wireOf(shard.bytes),
  chunkBytes = 64 * 1024,
): Promise<void> {
  const upload = await store.beginPut(shard.id, shard.attributes);
  try {
    for (let at = 0; at < wire.byteLength; at += chunkBytes) {
      await copyIntoUpload(upload, wire.subarray(at, at + chunkBytes));
    }
  } catch (error) {
    await upload.abort();
    throw error;
  }
  await upload.finish();
}

/**
 * Copies bytes that lie elsewhere into an upload, with its back-pressure.
 *
 * @throws StoreError SHARD_SIZE_MISMATCH for more bytes than the shard has; what `fill` throws.
 */
export async function copyIntoUpload(upload: ShardUpload, bytes: Uint8Array): Promise<void> {
  let from = 0;
  while (from < bytes.byteLength) {
    const room = upload.room();
    if (room.byteLength === 0) throw new StoreError('SHARD_SIZE_MISMATCH');
    const to = Math.min(bytes.byteLength, from + room.byteLength);
    room.set(bytes.subarray(from, to));
    await upload.fill(to - from);
    from = to;
  }
}

/** Reads a range and checks it against the checksums that come with it. */
export async function readShard(
  store: ShardStore,
  id: ShardId,
  offsetBytes = 0,
  lengthBytes = 2 ** 40,
): Promise<Buffer> {
  const reader = await store.openRead(id, { offsetBytes, lengthBytes });
  try {
    const pieces: Buffer[] = [];
    for (let piece = await reader.next(); piece !== null; piece = await reader.next()) {
      pieces.push(Buffer.from(piece));
    }
    const bytes = Buffer.concat(pieces);
    const expected = wireOf(bytes).subarray(bytes.byteLength);
    if (bytes.byteLength !== reader.lengthBytes || !expected.equals(reader.table)) {
      throw new Error('reader handed out bytes that do not match its checksums');
    }
    return bytes;
  } finally {
    reader.close();
  }
}
