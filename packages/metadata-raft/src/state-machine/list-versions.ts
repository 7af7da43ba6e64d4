import { StoreError } from '@azimuth/common';
import type { IndexQueries, ListVersionEntry, VersionHead, VersionPosition } from '@azimuth/proto';

import type { CheckedRange, CheckedStore } from './checked-store';
import { commonPrefixOf, startsWith } from './common-prefix';
import { LIST_LIMIT_MAX } from './list-objects';
import { decodeVersion } from './record-codec';
import type { StoredVersion } from './record-codec';
import {
  encodeAddress,
  encodeAddressPrefix,
  invertedSequence,
  keyBytesOf,
  pastKey,
  pastPrefix,
  recordKey,
} from './record-keys';
import { NULL_VERSION_ID, sequenceOfVersionId } from './version-id';

type Args = IndexQueries['ListVersions']['args'];
type Result = IndexQueries['ListVersions']['result'];
type Pair = readonly [key: Buffer, content: Buffer];

const READ_SIZE_MIN = 16;
const READ_SIZE_MAX = LIST_LIMIT_MAX + 1;

/**
 * A page of all versions of a bucket (V-14, V-15, K-1 to K-3). The current version of a key is a
 * `k` record and the others are `v` records, so two places are read in turn, by one reader: what it
 * reads is the state of one moment. Every record that is read is an entry, or is passed by a seek
 * with everything under its common prefix.
 *
 * @throws StoreError INVALID_ARGUMENT, STATE_CORRUPT
 */
export async function listVersions(records: CheckedStore, args: Args): Promise<Result> {
  if (args.limit < 0 || args.limit > LIST_LIMIT_MAX) {
    throw new StoreError('INVALID_ARGUMENT', { limit: args.limit });
  }
  checkPosition(args.after);
  const scan = new VersionScan(records, args);
  try {
    if (args.limit > 0) while (await scan.step());
    return scan.result();
  } finally {
    await scan.close();
  }
}

/** @throws StoreError INVALID_ARGUMENT */
function checkPosition(after: VersionPosition | null): void {
  const versionId = after?.versionId ?? null;
  if (versionId === null || versionId === NULL_VERSION_ID) return;
  if (sequenceOfVersionId(versionId) === null) {
    throw new StoreError('INVALID_ARGUMENT', { versionId });
  }
}

class VersionScan {
  readonly #args: Args;
  readonly #prefix: Buffer;
  readonly #delimiter: Buffer;
  readonly #after: Buffer | null;
  readonly #range: CheckedRange;
  readonly #current: RecordCursor;
  readonly #older: RecordCursor;
  readonly #entries: ListVersionEntry[] = [];
  readonly #commonPrefixes: string[] = [];
  #next: VersionPosition | null = null;
  #isTruncated = false;

  constructor(records: CheckedStore, args: Args) {
    this.#args = args;
    this.#prefix = Buffer.from(args.prefix);
    this.#delimiter = Buffer.from(args.delimiter);
    this.#after = args.after === null ? null : Buffer.from(args.after.key);
    const from = this.#positionOf('k', this.#prefix);
    const olderFrom = this.#positionOf('v', this.#prefix);
    this.#range = records.range({ from, to: pastPrefix(olderFrom) });
    this.#current = new RecordCursor(this.#range, from, pastPrefix(from));
    this.#older = new RecordCursor(this.#range, olderFrom, pastPrefix(olderFrom));
    this.#passMarker();
  }

  /** Takes the next key; false when the page is complete. */
  async step(): Promise<boolean> {
    const pair = await this.#current.next();
    if (pair === null) return false;
    const [fullKey, content] = pair;
    const key = keyBytesOf(fullKey);
    const commonPrefix = commonPrefixOf(key, this.#prefix, this.#delimiter);
    if (commonPrefix === null) return this.#takeKey(key, content);
    this.#current.skipTo(pastPrefix(this.#positionOf('k', commonPrefix)));
    // K-3: a prefix that is not greater than the marker was on an earlier page.
    const isPassed = this.#after !== null && Buffer.compare(commonPrefix, this.#after) <= 0;
    if (isPassed) return true;
    if (!this.#hasRoom()) return false;
    const text = commonPrefix.toString('utf8');
    this.#commonPrefixes.push(text);
    this.#next = { key: text, versionId: null, isPrefix: true };
    return true;
  }

  result(): Result {
    return {
      entries: this.#entries,
      commonPrefixes: this.#commonPrefixes,
      isTruncated: this.#isTruncated,
      next: this.#next,
    };
  }

  close(): Promise<void> {
    return this.#range.close();
  }

  /** Where the first key of the page is. */
  #passMarker(): void {
    const { after } = this.#args;
    if (after === null || this.#after === null) return;
    const position = this.#positionOf('k', this.#after);
    if (after.isPrefix) this.#current.skipTo(pastPrefix(position));
    else if (after.versionId === null) this.#current.skipTo(pastKey(position));
    else this.#current.skipTo(position);
  }

  /** Takes the versions of a key, newest first; false when the page was full before one. */
  async #takeKey(key: Buffer, content: Buffer): Promise<boolean> {
    const text = key.toString('utf8');
    const current = decodeVersion(text, content);
    const before = this.#markedSequence(key, current);
    if (current.head.sequence < before && !this.#takeVersion(current.head, true)) return false;
    if (current.olderSequence === 0) return true;
    const address = recordKey('v', encodeAddress(this.#args.bucketId, text));
    const isWhole = before > current.head.sequence;
    this.#older.skipTo(
      isWhole ? address : pastPrefix(Buffer.concat([address, invertedSequence(before)])),
    );
    for (;;) {
      const pair = await this.#older.peek();
      if (pair === null || !startsWith(pair[0], address)) return true;
      if (!this.#takeVersion(decodeVersion(text, pair[1]).head, false)) return false;
      this.#older.advance();
    }
  }

  /**
   * The sequence that the versions of the key must be older than. Ids carry theirs, so one that is
   * gone still marks its place; where the version `null` was nobody knows once it is gone, and to
   * begin with the key again is better than to leave a version out.
   */
  #markedSequence(key: Buffer, current: StoredVersion): number {
    const versionId = this.#args.after?.versionId ?? null;
    if (versionId === null || this.#after === null || !key.equals(this.#after)) return Infinity;
    if (versionId !== NULL_VERSION_ID) return sequenceOfVersionId(versionId) ?? Infinity;
    return current.nullSequence === 0 ? Infinity : current.nullSequence;
  }

  #takeVersion(head: VersionHead, isLatest: boolean): boolean {
    if (!this.#hasRoom()) return false;
    this.#entries.push({
      key: head.key,
      versionId: head.versionId,
      isLatest,
      isDeleteMarker: head.isDeleteMarker,
      sizeBytes: head.sizeBytes,
      etag: head.etag,
      lastModifiedMs: head.lastModifiedMs,
      storageClass: head.storageClass,
      owner: head.owner,
      checksumAlgorithm: head.checksum?.algorithm ?? null,
      checksumType: head.checksum?.type ?? null,
    });
    this.#next = { key: head.key, versionId: head.versionId, isPrefix: false };
    return true;
  }

  /** False, and the page is truncated, when there is one more than fits. */
  #hasRoom(): boolean {
    this.#isTruncated = this.#entries.length + this.#commonPrefixes.length === this.#args.limit;
    return !this.#isTruncated;
  }

  #positionOf(kind: 'k' | 'v', prefix: Buffer): Buffer {
    return recordKey(kind, encodeAddressPrefix(this.#args.bucketId, prefix));
  }
}

/** One of several places of a range that are read in turn, each in ascending order. */
class RecordCursor {
  readonly #range: CheckedRange;
  readonly #to: Buffer;
  /** Everything from here on has not been read yet. */
  #from: Buffer;
  #buffered: Pair[] = [];
  #readSize = READ_SIZE_MIN;

  constructor(range: CheckedRange, from: Buffer, to: Buffer) {
    this.#range = range;
    this.#from = from;
    this.#to = to;
  }

  /** The next record, null at the end. */
  async peek(): Promise<Pair | null> {
    if (this.#buffered.length === 0) await this.#read();
    return this.#buffered.at(-1) ?? null;
  }

  /** Steps over what `peek` answered. */
  advance(): void {
    this.#buffered.pop();
  }

  async next(): Promise<Pair | null> {
    const pair = await this.peek();
    this.advance();
    return pair;
  }

  /** Steps over everything before `target`. */
  skipTo(target: Buffer): void {
    for (;;) {
      const pair = this.#buffered.at(-1);
      if (pair === undefined) break;
      if (Buffer.compare(pair[0], target) >= 0) return;
      this.#buffered.pop();
    }
    if (Buffer.compare(target, this.#from) <= 0) return;
    this.#from = target;
    this.#readSize = READ_SIZE_MIN;
  }

  async #read(): Promise<void> {
    if (Buffer.compare(this.#from, this.#to) >= 0) return;
    this.#range.seek(this.#from);
    const pairs = await this.#range.next(this.#readSize);
    this.#readSize = Math.min(this.#readSize * 2, READ_SIZE_MAX);
    const last = pairs.at(-1);
    this.#from = last === undefined ? this.#to : pastRecord(last[0]);
    // Kept in reverse, so that the next one is the last.
    this.#buffered = pairs.filter(([key]) => Buffer.compare(key, this.#to) < 0).reverse();
  }
}

function pastRecord(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.from([0x00])]);
}
