import { StoreError } from '@azimuth/common';
import { ListRowWriter } from '@azimuth/proto';
import type { IndexQueries, ListEntry } from '@azimuth/proto';

import type { CheckedRange, CheckedStore } from './checked-store';
import { commonPrefixOf, startsWith } from './common-prefix';
import { decodeListEntry, isDeleteMarker, listFieldsOf } from './record-codec';
import { encodeAddressPrefix, keyBytesOf, pastKey, pastPrefix, recordKey } from './record-keys';

type Args = IndexQueries['ListObjects']['args'];
type Result = IndexQueries['ListObjects']['result'];

export const LIST_LIMIT_MAX = 1_000;
const READ_SIZE_MIN = 16;
const READ_SIZE_MAX = LIST_LIMIT_MAX + 1;

/**
 * A page of the current versions of a bucket, K-1 to K-3 and K-7: a range of `k` records in byte
 * order. A common prefix is passed by a seek, so its cost does not depend on what is under it.
 *
 * @throws StoreError INVALID_ARGUMENT, STATE_CORRUPT
 */
export async function listObjects(records: CheckedStore, args: Args): Promise<Result> {
  if (args.limit < 0 || args.limit > LIST_LIMIT_MAX) {
    throw new StoreError('INVALID_ARGUMENT', { limit: args.limit });
  }
  const scan = new ListScan(records, args);
  try {
    while (await scan.step());
    return scan.result();
  } finally {
    await scan.close();
  }
}

class ListScan {
  readonly #args: Args;
  readonly #prefix: Buffer;
  readonly #delimiter: Buffer;
  readonly #after: Buffer | null;
  readonly #range: CheckedRange;
  readonly #entries: ListEntry[] = [];
  /** Null when the entries are wanted as such. */
  readonly #rows: ListRowWriter | null;
  #entriesCount = 0;
  readonly #commonPrefixes: string[] = [];
  #next: { readonly key: Buffer; readonly isPrefix: boolean } | null = null;
  #isTruncated = false;
  #readSize: number;
  /** The common prefix that is being passed. */
  #passing: Buffer | null = null;

  constructor(records: CheckedStore, args: Args) {
    this.#args = args;
    this.#prefix = Buffer.from(args.prefix);
    this.#delimiter = Buffer.from(args.delimiter);
    this.#after = args.after === null ? null : Buffer.from(args.after.key);
    this.#rows = args.withRows === true ? new ListRowWriter() : null;
    this.#readSize = args.delimiter === '' ? args.limit + 1 : READ_SIZE_MIN;
    const first = listKey(args.bucketId, this.#prefix);
    const to = pastPrefix(first);
    let from = first;
    if (args.after !== null && this.#after !== null) {
      const position = listKey(args.bucketId, this.#after);
      const start = args.after.isPrefix ? pastPrefix(position) : pastKey(position);
      if (Buffer.compare(start, from) > 0) from = start;
    }
    if (Buffer.compare(from, to) > 0) from = to;
    this.#range = records.range({ from, to });
  }

  /** Reads on; false when the page is complete. */
  async step(): Promise<boolean> {
    if (this.#args.limit === 0) return false;
    const pairs = await this.#range.next(this.#readSize);
    if (pairs.length === 0) return false;
    for (const [key, content] of pairs) {
      if (!this.#take(keyBytesOf(key), content)) return false;
    }
    if (this.#passing === null) {
      this.#readSize = Math.min(this.#readSize * 2, READ_SIZE_MAX);
    } else {
      this.#range.seek(pastPrefix(listKey(this.#args.bucketId, this.#passing)));
      this.#passing = null;
      this.#readSize = READ_SIZE_MIN;
    }
    return true;
  }

  result(): Result {
    const next = this.#next;
    return {
      entries: this.#entries,
      commonPrefixes: this.#commonPrefixes,
      isTruncated: this.#isTruncated,
      next: next === null ? null : { key: next.key.toString('utf8'), isPrefix: next.isPrefix },
      ...(this.#rows === null ? {} : { rows: this.#rows.finish() }),
    };
  }

  close(): Promise<void> {
    return this.#range.close();
  }

  /** Takes one record; false when the page was full before it. */
  #take(key: Buffer, content: Buffer): boolean {
    if (this.#passing !== null) {
      if (startsWith(key, this.#passing)) return true;
      this.#passing = null;
    }
    if (isDeleteMarker(content)) return true;
    const commonPrefix = commonPrefixOf(key, this.#prefix, this.#delimiter);
    if (commonPrefix !== null) this.#passing = commonPrefix;
    // K-3: a prefix that is not greater than the marker was on an earlier page.
    const isPassed =
      commonPrefix !== null &&
      this.#after !== null &&
      Buffer.compare(commonPrefix, this.#after) <= 0;
    if (isPassed) return true;
    if (this.#entriesCount + this.#commonPrefixes.length === this.#args.limit) {
      this.#isTruncated = true;
      return false;
    }
    if (commonPrefix === null) this.#addEntry(key, content);
    else this.#commonPrefixes.push(commonPrefix.toString('utf8'));
    this.#next = { key: commonPrefix ?? key, isPrefix: commonPrefix !== null };
    return true;
  }

  #addEntry(key: Buffer, content: Buffer): void {
    this.#entriesCount += 1;
    if (this.#rows === null) this.#entries.push(decodeListEntry(key.toString('utf8'), content));
    else this.#rows.add(key, listFieldsOf(content));
  }
}

function listKey(bucketId: string, prefix: Buffer): Buffer {
  return recordKey('k', encodeAddressPrefix(bucketId, prefix));
}
