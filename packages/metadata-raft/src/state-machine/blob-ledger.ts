import { StoreError } from '@azimuth/common';
import { BLOB_COMMIT_AGE_MAX_MS, createdMsOfBlob, slotOfBlob, slotOfKey } from '@azimuth/proto';
import type { BlobOwner, BlobRef, CommittedData } from '@azimuth/proto';

import type { CheckedStore } from './checked-store';
import type { Outbox } from './outbox';
import { decodeBlobReference, encodeBlobReference } from './record-codec';
import type { BlobReference } from './record-codec';
import { plainKey } from './record-keys';

/**
 * Which record references each blob.
 *
 * B1 A blob is referenced by exactly one record, in the index group of its slot.
 * B2 A blob enters only while it is younger than BLOB_COMMIT_AGE_MAX_MS, so that an unreferenced
 *    blob older than that stays unreferenced and may be collected.
 * B3 What loses its reference enters the garbage outbox in the same apply.
 */
export class BlobLedger {
  readonly #records: CheckedStore;
  readonly #outbox: Outbox;

  constructor(records: CheckedStore, outbox: Outbox) {
    this.#records = records;
    this.#outbox = outbox;
  }

  find(blobId: string): BlobReference | null {
    const content = this.#records.get(blobKey(blobId));
    return content === null ? null : decodeBlobReference(content);
  }

  /**
   * Refuses blobs that may not be committed under the key, before anything is changed.
   *
   * @throws StoreError INVALID_ARGUMENT
   */
  check(
    at: { readonly bucketId: string; readonly key: string },
    blobs: readonly BlobRef[],
    nowMs: number,
  ): void {
    if (blobs.length === 0) return;
    const slot = slotOfKey(at.bucketId, at.key);
    if (new Set(blobs.map(({ blobId }) => blobId)).size < blobs.length) {
      throw new StoreError('INVALID_ARGUMENT', { reason: 'a blob is named twice' });
    }
    for (const { blobId } of blobs) {
      if (slotOfBlob(blobId) !== slot) throw refusal('the blob belongs to another slot', blobId);
      if (createdMsOfBlob(blobId) + BLOB_COMMIT_AGE_MAX_MS < nowMs) {
        throw refusal('the blob is too old to be committed', blobId);
      }
      if (this.find(blobId) !== null) throw refusal('the blob is referenced already', blobId);
    }
  }

  /** New blobs of a record, with the work that follows from them. */
  add(data: Pick<CommittedData, 'blobs' | 'missing'>, owner: BlobOwner, nowMs: number): void {
    for (const blob of data.blobs) {
      this.own(blob, owner);
      if (blob.isReduced) this.#outbox.addRestripe(blob, nowMs);
      for (const missing of data.missing) {
        if (missing.blobId === blob.blobId) {
          this.#outbox.addRepair(blob, missing.shardIndexes, nowMs);
        }
      }
    }
  }

  /** Sets the owner of a blob, new or moved. */
  own(blob: BlobRef, owner: BlobOwner): void {
    this.#records.put(blobKey(blob.blobId), encodeBlobReference({ blob, owner }));
  }

  release(blobs: readonly BlobRef[], nowMs: number): void {
    for (const blob of blobs) {
      this.#records.delete(blobKey(blob.blobId));
      this.#outbox.addGarbage(blob, nowMs);
    }
  }

  /** Blobs of a command that was refused: garbage at once, unless something references them. */
  abandon(blobs: readonly BlobRef[], nowMs: number): void {
    for (const blob of blobs) {
      if (this.find(blob.blobId) === null) this.#outbox.addGarbage(blob, nowMs);
    }
  }
}

function blobKey(blobId: string): Buffer {
  return plainKey('b', Buffer.from(blobId, 'hex'));
}

function refusal(reason: string, blobId: string): StoreError {
  return new StoreError('INVALID_ARGUMENT', { reason, blobId });
}
