import { crc32c } from '@node-rs/crc32';

import { StoreError } from '@azimuth/common';

import { verifiedContent } from './checked-store';
import type { KeyValueOperation, KeyValueStore } from './key-value-store';

/**
 * A snapshot is a header, then records [key length u32][value length u32][key][value], then a
 * trailer [FFFFFFFF][record count u32][CRC-32C over all before the trailer, u32]. Values keep the
 * checksum they are stored with, and both sides verify it. Chunks cut this stream anywhere.
 */
const HEADER = Buffer.from('AZSS\x01', 'latin1');
const TRAILER_MARK = 0xffff_ffff;
const TRAILER_BYTES = 12;
const CHUNK_BYTES = 256 * 1024;
const RECORDS_PER_READ = 1_000;
const RECORD_BYTES_MAX = 64 * 1024 * 1024;
const EVERYTHING = { from: Buffer.from([0x00]), to: Buffer.from([0xff]) };

/** Reads the store as it is at this moment, also when the chunks are consumed much later. */
export function snapshotChunks(store: KeyValueStore): AsyncIterable<Buffer> {
  return encodeChunks(store.range(EVERYTHING));
}

async function* encodeChunks(reader: ReturnType<KeyValueStore['range']>): AsyncGenerator<Buffer> {
  let pieces: Buffer[] = [HEADER];
  let pieceBytes = HEADER.length;
  let checksum = 0;
  let count = 0;
  const take = (): Buffer => {
    const chunk = Buffer.concat(pieces);
    checksum = crc32c(chunk, checksum);
    pieces = [];
    pieceBytes = 0;
    return chunk;
  };
  try {
    for (;;) {
      const pairs = await reader.next(RECORDS_PER_READ);
      if (pairs.length === 0) break;
      for (const [key, value] of pairs) {
        verifiedContent(key, value);
        const lengths = Buffer.allocUnsafe(8);
        lengths.writeUInt32BE(key.length, 0);
        lengths.writeUInt32BE(value.length, 4);
        pieces.push(lengths, key, value);
        pieceBytes += lengths.length + key.length + value.length;
        count += 1;
        if (pieceBytes >= CHUNK_BYTES) yield take();
      }
    }
    yield take();
    const trailer = Buffer.allocUnsafe(TRAILER_BYTES);
    trailer.writeUInt32BE(TRAILER_MARK, 0);
    trailer.writeUInt32BE(count, 4);
    trailer.writeUInt32BE(checksum, 8);
    yield trailer;
  } finally {
    await reader.close();
  }
}

/**
 * The records of a snapshot in batches, each record verified as it comes. That the snapshot is
 * whole is known only when the iteration has ended: until then the store must not count as such.
 *
 * @throws StoreError CHECKSUM_MISMATCH, STATE_CORRUPT
 */
export async function* decodeChunks(
  chunks: AsyncIterable<Buffer>,
): AsyncGenerator<readonly KeyValueOperation[]> {
  let rest: Buffer = Buffer.alloc(0);
  let checksum = 0;
  let count = 0;
  let hasHeader = false;
  let isComplete = false;
  for await (const chunk of chunks) {
    if (isComplete) throw mismatch('bytes after the end');
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let position = 0;
    if (!hasHeader) {
      if (rest.length < HEADER.length) continue;
      if (!rest.subarray(0, HEADER.length).equals(HEADER)) throw mismatch('header');
      hasHeader = true;
      position = HEADER.length;
    }
    const batch: KeyValueOperation[] = [];
    for (;;) {
      const record = readRecord(rest, position);
      if (record === null) break;
      position = record.end;
      batch.push(record.operation);
      count += 1;
    }
    checksum = crc32c(rest.subarray(0, position), checksum);
    rest = rest.subarray(position);
    if (batch.length > 0) yield batch;
    isComplete = isTrailer(rest, count, checksum);
  }
  if (!isComplete) throw mismatch('the end is missing');
}

function readRecord(
  bytes: Buffer,
  position: number,
): { readonly operation: KeyValueOperation; readonly end: number } | null {
  if (bytes.length - position < 8) return null;
  const keyBytes = bytes.readUInt32BE(position);
  if (keyBytes === TRAILER_MARK) return null;
  const valueBytes = bytes.readUInt32BE(position + 4);
  if (keyBytes + valueBytes > RECORD_BYTES_MAX) throw mismatch('record size');
  const end = position + 8 + keyBytes + valueBytes;
  if (bytes.length < end) return null;
  const key = Buffer.from(bytes.subarray(position + 8, position + 8 + keyBytes));
  const value = Buffer.from(bytes.subarray(position + 8 + keyBytes, end));
  verifiedContent(key, value);
  return { operation: { key, value }, end };
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
