import { StoreError } from '@azimuth/common';
import { decodeRecord, encodeRecord } from '@azimuth/proto';

import type { CheckedStore } from './checked-store';
import { bucketBytes, plainKey } from './record-keys';

/** What this group knows of a bucket: whether it is fenced, and how much of it is here. */
export interface BucketUsage {
  readonly isFenced: boolean;
  /** Versions and delete markers (V-17). */
  readonly versions: number;
  readonly uploads: number;
}

const UNUSED: BucketUsage = { isFenced: false, versions: 0, uploads: 0 };

export class BucketUsageStore {
  readonly #records: CheckedStore;

  constructor(records: CheckedStore) {
    this.#records = records;
  }

  read(bucketId: string): BucketUsage {
    const content = this.#records.get(usageKey(bucketId));
    if (content === null) return UNUSED;
    const [isFenced, versions, uploads] = decodeRecord(content) as [boolean, number, number];
    return { isFenced, versions, uploads };
  }

  /** @throws StoreError BUCKET_FENCED */
  checkOpen(bucketId: string): void {
    if (this.read(bucketId).isFenced) throw new StoreError('BUCKET_FENCED');
  }

  setFence(bucketId: string, isFenced: boolean): BucketUsage {
    const usage = { ...this.read(bucketId), isFenced };
    this.#write(bucketId, usage);
    return usage;
  }

  add(bucketId: string, change: { readonly versions?: number; readonly uploads?: number }): void {
    if ((change.versions ?? 0) === 0 && (change.uploads ?? 0) === 0) return;
    const usage = this.read(bucketId);
    this.#write(bucketId, {
      isFenced: usage.isFenced,
      versions: usage.versions + (change.versions ?? 0),
      uploads: usage.uploads + (change.uploads ?? 0),
    });
  }

  #write(bucketId: string, { isFenced, versions, uploads }: BucketUsage): void {
    this.#records.put(usageKey(bucketId), encodeRecord([isFenced, versions, uploads]));
  }
}

function usageKey(bucketId: string): Buffer {
  return plainKey('n', bucketBytes(bucketId));
}
