import { crc32c } from '@node-rs/crc32';

import { assert, StoreError } from '@azimuth/common';

import type { KeyRange, KeyValueOperation, KeyValueStore, RangeReader } from './key-value-store';

const CHECKSUM_BYTES = 4;

/** Chained over every change ever applied, so that replicas can tell whether they still agree. */
export interface StateDigest {
  readonly high: number;
  readonly low: number;
}

/**
 * The records of a state machine over an untrusted store.
 *
 * S1 Every value carries a CRC-32C over key and value; a read verifies it, so that LevelDB handing
 *    out wrong bytes is noticed and not served.
 * S2 Changes collect in memory and reach the store in one atomic write, with the applied index;
 *    what `get` reads includes them.
 * S3 The digest depends on the sequence of changes alone, not on how entries were grouped in
 *    writes.
 */
export class CheckedStore {
  readonly #store: KeyValueStore;
  readonly #changes = new Map<string, KeyValueOperation>();
  /** What was read since {@link beginBatch}; null between batches. */
  #reads: Map<string, Buffer | null> | null = null;
  #digestHigh = 0;
  #digestLow = 0;

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  get digest(): StateDigest {
    return { high: this.#digestHigh, low: this.#digestLow };
  }

  set digest(digest: StateDigest) {
    this.#digestHigh = digest.high;
    this.#digestLow = digest.low;
  }

  /** Until {@link write}, a record that is read again is not looked up again. */
  beginBatch(): void {
    this.#reads = new Map();
  }

  /** @throws StoreError STATE_CORRUPT */
  get(key: Buffer): Buffer | null {
    const name = key.toString('latin1');
    const change = this.#changes.get(name);
    if (change !== undefined) return contentOf(change);
    const known = this.#reads?.get(name);
    if (known !== undefined) return known;
    const value = this.#store.get(key);
    const content = value === undefined ? null : verifiedContent(key, value);
    this.#reads?.set(name, content);
    return content;
  }

  /** The content may come in pieces, so that large ones are copied once. */
  put(key: Buffer, ...content: readonly Uint8Array[]): void {
    const value = seal(key, content);
    this.#chain(value.readUInt32LE(value.length - CHECKSUM_BYTES));
    this.#changes.set(key.toString('latin1'), { key, value });
  }

  /** A record that the digest leaves out: what differs with the grouping of entries. */
  putUnchained(key: Buffer, content: Uint8Array): void {
    this.#changes.set(key.toString('latin1'), { key, value: seal(key, [content]) });
  }

  delete(key: Buffer): void {
    this.#chain(~crc32c(key));
    this.#changes.set(key.toString('latin1'), { key, value: null });
  }

  /** Forgets changes that were not written: the store was replaced under them. */
  discard(): void {
    this.#changes.clear();
    this.#reads = null;
  }

  async write(): Promise<void> {
    this.#reads = null;
    const operations = [...this.#changes.values()];
    await this.#store.write(operations);
    // S2: nothing may have been changed meanwhile; one write is in flight at a time.
    assert(this.#changes.size === operations.length, 'changed during a write');
    this.#changes.clear();
  }

  /** Reads what is written, without changes still in memory. */
  range(range: KeyRange): CheckedRange {
    return new CheckedRange(this.#store.range(range));
  }

  #chain(word: number): void {
    this.#digestHigh = (Math.imul(this.#digestHigh ^ word, 0x9e3779b1) + this.#digestLow) | 0;
    this.#digestLow = Math.imul(this.#digestLow + word, 0x85ebca6b) ^ (this.#digestHigh >>> 15);
  }
}

/** A range whose values are verified as they are read. */
export class CheckedRange {
  readonly #reader: RangeReader;

  constructor(reader: RangeReader) {
    this.#reader = reader;
  }

  /** @throws StoreError STATE_CORRUPT */
  async next(limit: number): Promise<(readonly [key: Buffer, content: Buffer])[]> {
    const pairs = await this.#reader.next(limit);
    return pairs.map(([key, value]) => [key, verifiedContent(key, value)] as const);
  }

  seek(target: Buffer): void {
    this.#reader.seek(target);
  }

  close(): Promise<void> {
    return this.#reader.close();
  }
}

function seal(key: Buffer, pieces: readonly Uint8Array[]): Buffer {
  let sizeBytes = 0;
  for (const piece of pieces) sizeBytes += piece.length;
  const value = Buffer.allocUnsafe(sizeBytes + CHECKSUM_BYTES);
  let offset = 0;
  for (const piece of pieces) {
    value.set(piece, offset);
    offset += piece.length;
  }
  value.writeUInt32LE(crc32c(value.subarray(0, sizeBytes), crc32c(key)), sizeBytes);
  return value;
}

/** A change has not left this process, so its checksum need not be looked at. */
function contentOf({ value }: KeyValueOperation): Buffer | null {
  return value === null ? null : value.subarray(0, value.length - CHECKSUM_BYTES);
}

export function verifiedContent(key: Buffer, value: Buffer): Buffer {
  const sizeBytes = value.length - CHECKSUM_BYTES;
  if (sizeBytes >= 0) {
    const content = value.subarray(0, sizeBytes);
    if (crc32c(content, crc32c(key)) === value.readUInt32LE(sizeBytes)) return content;
  }
  throw new StoreError('STATE_CORRUPT', { record: key.subarray(0, 1).toString('latin1') });
}
