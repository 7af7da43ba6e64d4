import { StoreError } from '@azimuth/common';
import { decodeRecord, encodeRecord } from '@azimuth/proto';
import type { IndexCommands } from '@azimuth/proto';

import type { CheckedStore } from './checked-store';
import { bucketBytes, plainKey } from './record-keys';

/** What this group knows of a bucket: whether it is fenced, and how much of it is here. */
export interface BucketUsage {
  /** The latest mark for which the bucket is fenced (`FenceBucket`); 0 when it is open. */
  readonly fenceMark: number;
  /** Versions and delete markers (V-17). */
  readonly versions: number;
  readonly uploads: number;
}

const UNUSED: BucketUsage = { fenceMark: 0, versions: 0, uploads: 0 };

export class BucketUsageStore {
  readonly #records: CheckedStore;
  /** The last record key that was made: a commit asks for the same one three times. */
  #lastKey: { readonly bucketId: string; readonly key: Buffer } | null = null;
  /** What was last read or written: most commands are about the bucket of the one before. */
  #last: { readonly bucketId: string; readonly usage: BucketUsage } | null = null;

  constructor(records: CheckedStore) {
    this.#records = records;
  }

  read(bucketId: string): BucketUsage {
    if (this.#last?.bucketId === bucketId) return this.#last.usage;
    const content = this.#records.get(this.#keyOf(bucketId));
    const usage = content === null ? UNUSED : decodeUsage(content);
    this.#last = { bucketId, usage };
    return usage;
  }

  /** Forgets what was read: the records were replaced. */
  reload(): void {
    this.#last = null;
  }

  /** @throws StoreError BUCKET_FENCED */
  checkOpen(bucketId: string): void {
    if (this.read(bucketId).fenceMark > 0) throw new StoreError('BUCKET_FENCED');
  }

  /** Fences for `mark`, or opens what is fenced for it or an earlier one. */
  setFence(args: IndexCommands['FenceBucket']['args']): BucketUsage {
    const { bucketId, isFenced, mark } = args;
    const usage = this.read(bucketId);
    const opened = usage.fenceMark <= mark ? 0 : usage.fenceMark;
    const fenceMark = isFenced ? Math.max(usage.fenceMark, mark) : opened;
    const changed = { ...usage, fenceMark };
    this.#write(bucketId, changed);
    return changed;
  }

  add(bucketId: string, change: { readonly versions?: number; readonly uploads?: number }): void {
    if ((change.versions ?? 0) === 0 && (change.uploads ?? 0) === 0) return;
    const usage = this.read(bucketId);
    this.#write(bucketId, {
      fenceMark: usage.fenceMark,
      versions: usage.versions + (change.versions ?? 0),
      uploads: usage.uploads + (change.uploads ?? 0),
    });
  }

  #write(bucketId: string, usage: BucketUsage): void {
    const { fenceMark, versions, uploads } = usage;
    this.#last = { bucketId, usage };
    this.#records.put(this.#keyOf(bucketId), encodeRecord([fenceMark, versions, uploads]));
  }

  #keyOf(bucketId: string): Buffer {
    if (this.#lastKey?.bucketId !== bucketId) {
      this.#lastKey = { bucketId, key: plainKey('n', bucketBytes(bucketId)) };
    }
    return this.#lastKey.key;
  }
}

function decodeUsage(content: Buffer): BucketUsage {
  const [fenceMark, versions, uploads] = decodeRecord(content) as [number, number, number];
  return { fenceMark, versions, uploads };
}
