import { hash } from 'node:crypto';

import type { Random } from '@azimuth/common';
import { assert } from '@azimuth/common';
import type { BlobId } from '@azimuth/placement';

/**
 * A blob id is 16 bytes as hex: 1 byte index slot, 6 bytes creation time (ms), 9 random bytes. So
 * from the id alone a collector knows which index group may reference the blob and how old it is.
 */
export function newBlobId(slot: number, nowMs: number, random: Random): BlobId {
  assert(slot >= 0 && slot < 256, 'index slot out of range');
  const bytes = Buffer.alloc(16);
  bytes.writeUInt8(slot, 0);
  bytes.writeUIntBE(nowMs, 1, 6);
  random.bytes(9).copy(bytes, 7);
  return bytes.toString('hex');
}

export function slotOfBlob(blobId: BlobId): number {
  return Number.parseInt(blobId.slice(0, 2), 16);
}

/** Creation time in ms since the epoch, by the clock of the gateway that made the id. */
export function createdMsOfBlob(blobId: BlobId): number {
  return Number.parseInt(blobId.slice(2, 14), 16);
}

export function isBlobId(text: string): boolean {
  return /^[0-9a-f]{32}$/.test(text);
}

/** slot = first byte of SHA-256(bucketId ‖ 0 ‖ key): where the versions of a key live. */
export function slotOfKey(bucketId: string, key: string): number {
  // In hex: a buffer for one byte would cost more than the hash.
  return Number.parseInt(hash('sha256', `${bucketId}\0${key}`, 'hex').slice(0, 2), 16);
}
