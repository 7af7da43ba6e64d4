import { crc32c } from '@node-rs/crc32';

import { StoreError } from '@azimuth/common';

import { verifiedContent } from './checked-store';
import type {
  FrozenView,
  KeyValueOperation,
  KeyValueStore,
  StoredPair,
  ValueReference,
} from './key-value-store';
import { decodeReference, encodeReference, REFERENCE_BYTES } from './value-files';

/**
 * A snapshot is a header, then records [key length u32][value length u32][key][value], then a
 * trailer [FFFFFFFF][record count u32][checksum u32]. Values keep the checksum they are stored
 * with, and both sides verify it. Chunks cut this stream anywhere.
 *
 * On the disk where it was made, a value that lies in a value file is a reference to it, and the
 * greatest bit of its length is set; the length is that of the value. The checksum of the trailer
 * is a CRC-32C over lengths, key and checksum of every value, which does not depend on where it is.
 * In format 1, which is read only, it is one over everything before the trailer. Format 3 has what
 * changed since an earlier snapshot of this disk; the length FFFFFFFF says that the key is gone.
 */
const HEADER = Buffer.from('AZSS\x02', 'latin1');
const HEADER_1 = Buffer.from('AZSS\x01', 'latin1');
const HEADER_OF_CHANGES = Buffer.from('AZSS\x03', 'latin1');
const TRAILER_MARK = 0xffff_ffff;
const DELETED_MARK = 0xffff_ffff;
const TRAILER_BYTES = 12;
const LENGTHS_BYTES = 8;
const REFERENCE_BIT = 0x8000_0000;
const COVERED_FIELDS_BYTES = 12;
const COVERED_BYTES = 16 * 1024;
const CHUNK_BYTES = 256 * 1024;
const RECORDS_PER_READ = 1_000;
const RECORD_BYTES_MAX = 64 * 1024 * 1024;
const EVERYTHING = { from: Buffer.from([0x00]), to: Buffer.from([0xff]) };

type Resolve = (reference: ValueReference) => Buffer;
type Format = 1 | 2 | 3;

/** A record as a stream has it; null is a deletion. */
export interface SnapshotRecord {
  readonly key: Buffer;
  readonly value: Buffer | ValueReference | null;
}

/**
 * Reads the store as it is at this moment, also when the chunks are consumed much later. What the
 * references of the chunks point at is durable, and held for `index`, before the last of them.
 */
export function snapshotChunks(store: KeyValueStore, index: number): AsyncIterable<Buffer> {
  const view = store.separation?.freeze(index) ?? viewOf(store);
  return chunksOfView(view, index, HEADER);
}

/** The same of what changed since the snapshot up to `since`; null when the store cannot tell. */
export function changedChunks(
  store: KeyValueStore,
  since: number,
  index: number,
): AsyncIterable<Buffer> | null {
  const view = store.separation?.freezeChanges(since, index) ?? null;
  return view === null ? null : chunksOfView(view, index, HEADER_OF_CHANGES);
}

/** The snapshot that a store made, with values in place of references. */
export async function* wholeChunks(
  chunks: AsyncIterable<Buffer>,
  resolve: Resolve | null,
): AsyncGenerator<Buffer> {
  const encoder = new SnapshotEncoder();
  for await (const batch of decodeChunks(chunks, resolve)) {
    for (const { key, value } of batch) {
      encoder.add(key, value);
      if (encoder.isChunkFull) yield encoder.take();
    }
  }
  yield encoder.take();
  yield encoder.trailer();
}

function viewOf(store: KeyValueStore): FrozenView {
  const reader = store.range(EVERYTHING);
  return {
    next: (limit) => reader.next(limit),
    hold: () => Promise.resolve(),
    close: () => reader.close(),
  };
}

async function* chunksOfView(
  view: FrozenView,
  index: number,
  header: Buffer,
): AsyncGenerator<Buffer> {
  const encoder = new SnapshotEncoder(header);
  try {
    for (;;) {
      const pairs: readonly StoredPair[] = await view.next(RECORDS_PER_READ);
      if (pairs.length === 0) break;
      for (const [key, value] of pairs) {
        encoder.add(key, value);
        if (encoder.isChunkFull) yield encoder.take();
      }
    }
    yield encoder.take();
    await view.hold(index);
    yield encoder.trailer();
  } finally {
    await view.close();
  }
}

/** Collects records in one buffer a chunk, and what the checksum covers in another. */
export class SnapshotEncoder {
  #chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  #chunkBytes: number;
  #covered = Buffer.allocUnsafe(COVERED_BYTES);
  #coveredBytes = 0;
  #checksum = 0;
  #count = 0;

  constructor(header: Buffer = HEADER) {
    this.#chunkBytes = header.copy(this.#chunk);
  }

  get isChunkFull(): boolean {
    return this.#chunkBytes >= CHUNK_BYTES;
  }

  /** @throws StoreError STATE_CORRUPT when a value is not as its checksum says. */
  add(key: Buffer, value: Buffer | ValueReference | null): void {
    if (value === null) {
      this.#addDeletion(key);
      return;
    }
    const isInline = Buffer.isBuffer(value);
    const sizeBytes = isInline ? value.length : value.sizeBytes;
    const stored = isInline ? value : encodeReference(value);
    const at = this.#room(LENGTHS_BYTES + key.length + stored.length);
    const chunk = this.#chunk;
    chunk.writeUInt32BE(key.length, at);
    chunk.writeUInt32BE((isInline ? sizeBytes : sizeBytes | REFERENCE_BIT) >>> 0, at + 4);
    const valueAt = at + LENGTHS_BYTES + key.copy(chunk, at + LENGTHS_BYTES);
    stored.copy(chunk, valueAt);
    if (isInline) verify(chunk.subarray(at + LENGTHS_BYTES, valueAt + sizeBytes), key);
    this.#cover(key, sizeBytes, wordOf(value));
    this.#count += 1;
  }

  take(): Buffer {
    const chunk = this.#chunk.subarray(0, this.#chunkBytes);
    this.#chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    this.#chunkBytes = 0;
    return chunk;
  }

  trailer(): Buffer {
    this.#flush();
    const trailer = Buffer.allocUnsafe(TRAILER_BYTES);
    trailer.writeUInt32BE(TRAILER_MARK, 0);
    trailer.writeUInt32BE(this.#count, 4);
    trailer.writeUInt32BE(this.#checksum, 8);
    return trailer;
  }

  #addDeletion(key: Buffer): void {
    const at = this.#room(LENGTHS_BYTES + key.length);
    this.#chunk.writeUInt32BE(key.length, at);
    this.#chunk.writeUInt32BE(DELETED_MARK, at + 4);
    key.copy(this.#chunk, at + LENGTHS_BYTES);
    this.#cover(key, DELETED_MARK, 0);
    this.#count += 1;
  }

  /** Where so many bytes may be written; the last record of a chunk may make it longer. */
  #room(sizeBytes: number): number {
    const at = this.#chunkBytes;
    this.#chunkBytes += sizeBytes;
    if (this.#chunkBytes > this.#chunk.length) {
      const larger = Buffer.allocUnsafe(this.#chunkBytes);
      this.#chunk.copy(larger, 0, 0, at);
      this.#chunk = larger;
    }
    return at;
  }

  #cover(key: Buffer, sizeBytes: number, word: number): void {
    if (this.#coveredBytes + COVERED_FIELDS_BYTES + key.length > COVERED_BYTES) this.#flush();
    if (COVERED_FIELDS_BYTES + key.length > COVERED_BYTES) {
      this.#checksum = chain(this.#checksum, key, sizeBytes, word);
      return;
    }
    this.#coveredBytes = writeCovered(this.#covered, this.#coveredBytes, key, sizeBytes, word);
  }

  #flush(): void {
    this.#checksum = crc32c(this.#covered.subarray(0, this.#coveredBytes), this.#checksum);
    this.#coveredBytes = 0;
  }
}

/** The bytes are a key and its value, of which the last four are a checksum over all before. */
function verify(bytes: Buffer, key: Buffer): void {
  const end = bytes.length - 4;
  const isSound = end >= key.length && crc32c(bytes.subarray(0, end)) === bytes.readUInt32LE(end);
  if (!isSound) throw new StoreError('STATE_CORRUPT', { record: key.toString('latin1', 0, 1) });
}

/** The checksum that a value carries. */
function wordOf(value: Buffer | ValueReference): number {
  return Buffer.isBuffer(value) ? value.readUInt32LE(value.length - 4) : value.checksum;
}

function chain(checksum: number, key: Buffer, sizeBytes: number, word: number): number {
  const bytes = Buffer.allocUnsafe(COVERED_FIELDS_BYTES + key.length);
  writeCovered(bytes, 0, key, sizeBytes, word);
  return crc32c(bytes, checksum);
}

/** What the checksum of a snapshot covers of a record. Answers where it ends. */
function writeCovered(
  target: Buffer,
  at: number,
  key: Buffer,
  sizeBytes: number,
  word: number,
): number {
  target.writeUInt32BE(key.length, at);
  target.writeUInt32BE(sizeBytes, at + 4);
  target.writeUInt32LE(word, at + 8);
  return at + COVERED_FIELDS_BYTES + key.copy(target, at + COVERED_FIELDS_BYTES);
}

/**
 * The records of a snapshot in batches, each record verified as it comes. That the snapshot is
 * whole is known only when the iteration has ended: until then the store must not count as such.
 *
 * @throws StoreError CHECKSUM_MISMATCH, STATE_CORRUPT
 */
export async function* decodeChunks(
  chunks: AsyncIterable<Buffer>,
  resolve: Resolve | null = null,
): AsyncGenerator<readonly KeyValueOperation[]> {
  for await (const batch of decodeRecords(chunks)) {
    yield batch.map(({ key, value }) => {
      if (value === null) throw mismatch('changes alone');
      return Buffer.isBuffer(value) ? { key, value } : resolved(key, value, resolve);
    });
  }
}

function resolved(
  key: Buffer,
  reference: ValueReference,
  resolve: Resolve | null,
): KeyValueOperation {
  if (resolve === null) throw mismatch('reference');
  const value = resolve(reference);
  verifiedContent(key, value);
  return { key, value, reference };
}

/** {@link decodeChunks} with references and deletions as they stand. */
export async function* decodeRecords(
  chunks: AsyncIterable<Buffer>,
): AsyncGenerator<readonly SnapshotRecord[]> {
  let rest: Buffer = Buffer.alloc(0);
  let checksum = 0;
  let count = 0;
  let format: 0 | Format = 0;
  let isComplete = false;
  for await (const chunk of chunks) {
    if (isComplete) throw mismatch('bytes after the end');
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let position = 0;
    if (format === 0) {
      if (rest.length < HEADER.length) continue;
      format = formatOf(rest);
      position = HEADER.length;
    }
    const batch: SnapshotRecord[] = [];
    for (;;) {
      const found = readRecord(rest, position);
      if (found === null) break;
      position = found.end;
      batch.push(found.record);
      if (found.record.value === null && format !== 3) throw mismatch('deletion');
      if (format !== 1) checksum = chainOf(checksum, found.record);
      count += 1;
    }
    if (format === 1) checksum = crc32c(rest.subarray(0, position), checksum);
    rest = rest.subarray(position);
    if (batch.length > 0) yield batch;
    isComplete = isTrailer(rest, count, checksum);
  }
  if (!isComplete) throw mismatch('the end is missing');
}

function formatOf(bytes: Buffer): Format {
  const header = bytes.subarray(0, HEADER.length);
  if (header.equals(HEADER)) return 2;
  if (header.equals(HEADER_OF_CHANGES)) return 3;
  if (header.equals(HEADER_1)) return 1;
  throw mismatch('header');
}

function chainOf(checksum: number, { key, value }: SnapshotRecord): number {
  if (value === null) return chain(checksum, key, DELETED_MARK, 0);
  const sizeBytes = Buffer.isBuffer(value) ? value.length : value.sizeBytes;
  return chain(checksum, key, sizeBytes, wordOf(value));
}

function readRecord(
  bytes: Buffer,
  position: number,
): { readonly record: SnapshotRecord; readonly end: number } | null {
  if (bytes.length - position < LENGTHS_BYTES) return null;
  const keyBytes = bytes.readUInt32BE(position);
  if (keyBytes === TRAILER_MARK) return null;
  const length = bytes.readUInt32BE(position + 4);
  const isDeletion = length === DELETED_MARK;
  const isReference = !isDeletion && length >= REFERENCE_BIT;
  const sizeBytes = isReference ? length - REFERENCE_BIT : isDeletion ? 0 : length;
  if (keyBytes + sizeBytes > RECORD_BYTES_MAX) throw mismatch('record size');
  const valueAt = position + LENGTHS_BYTES + keyBytes;
  const end = valueAt + (isReference ? REFERENCE_BYTES : sizeBytes);
  if (bytes.length < end) return null;
  const key = Buffer.from(bytes.subarray(position + LENGTHS_BYTES, valueAt));
  if (isDeletion) return { record: { key, value: null }, end };
  const stored = Buffer.from(bytes.subarray(valueAt, end));
  if (!isReference) {
    verifiedContent(key, stored);
    return { record: { key, value: stored }, end };
  }
  const reference = decodeReference(stored);
  if (reference.sizeBytes !== sizeBytes) throw mismatch('reference');
  return { record: { key, value: reference }, end };
}

/** True for the whole trailer, false for a part of it or something else. */
function isTrailer(bytes: Buffer, count: number, checksum: number): boolean {
  if (bytes.length < TRAILER_BYTES || bytes.readUInt32BE(0) !== TRAILER_MARK) return false;
  const isRight = bytes.readUInt32BE(4) === count && bytes.readUInt32BE(8) === checksum;
  if (!isRight || bytes.length > TRAILER_BYTES) throw mismatch('trailer');
  return true;
}

function mismatch(what: string): StoreError {
  return new StoreError('CHECKSUM_MISMATCH', { snapshot: what });
}
