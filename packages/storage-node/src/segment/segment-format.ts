import { crc32c } from '@node-rs/crc32';

import type { ShardAttributes } from '@azimuth/clients';
import { checksumTableBytes } from '@azimuth/clients';
import { assert, StoreError } from '@azimuth/common';

import type { ShardId } from './shard-id';

/**
 * The bytes of a segment; docs/on-disk-format.md draws them. All numbers are big-endian.
 *
 *   segment = segment header (64) · record* · [entry (72)* · footer tail (64)]   ← at seal
 *   record  = header (128) · shard bytes · page checksum table · trailer (32) · zeros to 64
 *
 * F1 A record names its disk, segment, salt and offset, so that bytes that were misdirected, left
 *    over from another life of the file system, or crafted by a client are never taken for a
 *    record.
 * F2 Per shard the record with the greatest sequence is the truth; a tombstone is a record too.
 * F3 Everything is covered by a CRC-32C, the shard bytes by a CRC-32 for each page.
 */
export const SEGMENT_HEADER_BYTES = 64;
export const RECORD_HEADER_BYTES = 128;
export const RECORD_TRAILER_BYTES = 32;
export const RECORD_ALIGNMENT_BYTES = 64;
export const FOOTER_ENTRY_BYTES = 72;
export const FOOTER_TAIL_BYTES = 64;
export const SEGMENT_FORMAT_VERSION = 2;
/** Above the largest shard that fits the manifest arithmetic: 5 TiB in one shard (k = 1). */
export const SHARD_SIZE_BYTES_MAX = 5 * 1024 ** 4;

const SEGMENT_MAGIC = 0x415a5347; // AZSG
const RECORD_MAGIC = 0x415a5352; // AZSR
const TRAILER_MAGIC = 0x415a5345; // AZSE
const FOOTER_MAGIC = 0x415a5346; // AZSF

export type SegmentKind = 'shared' | 'own';
export type RecordKind = 'shard' | 'tombstone';

/** What ties a record to the place where it was written (F1). */
export interface SegmentBinding {
  readonly diskId: string;
  readonly segment: number;
  /** 8 random bytes as hex, chosen with the segment and never told to anyone. */
  readonly salt: string;
}

export interface SegmentHeader extends SegmentBinding {
  readonly kind: SegmentKind;
}

/** The part of a record that is known before its bytes: id, attributes and kind. */
export interface RecordHead {
  readonly kind: RecordKind;
  readonly id: ShardId;
  /** Of a tombstone: those of the shard that it deletes, with size 0. */
  readonly attributes: ShardAttributes;
}

/** A record as footers and the index know it. */
export interface RecordEntry extends RecordHead {
  readonly offsetBytes: number;
  readonly sequence: number;
  /** CRC-32C of the page checksum table: equal tables mean equal shard bytes. */
  readonly tableChecksum: number;
}

export interface RecordTrailer {
  readonly sequence: number;
  readonly tableChecksum: number;
}

export function alignRecord(bytes: number): number {
  return Math.ceil(bytes / RECORD_ALIGNMENT_BYTES) * RECORD_ALIGNMENT_BYTES;
}

/** Bytes of a whole record, padding included. */
export function recordBytes(shardSizeBytes: number): number {
  return alignRecord(
    RECORD_HEADER_BYTES +
      shardSizeBytes +
      checksumTableBytes(shardSizeBytes) +
      RECORD_TRAILER_BYTES,
  );
}

export function entryBytes(entry: RecordEntry): number {
  return recordBytes(entry.attributes.shardSizeBytes);
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  bytes.writeUInt32BE(SEGMENT_MAGIC, 0);
  bytes.writeUInt8(SEGMENT_FORMAT_VERSION, 4);
  bytes.writeUInt8(header.kind === 'shared' ? 1 : 2, 5);
  bytes.write(header.diskId, 8, 16, 'hex');
  writeUint64(bytes, header.segment, 24);
  bytes.write(header.salt, 32, 8, 'hex');
  return sealChecksum(bytes);
}

/**
 * Null when the bytes are not the header of this segment of this disk.
 *
 * @throws StoreError STATE_CORRUPT for an intact header of a later format: a program that is too
 *   old must stop, not report everything as damaged.
 */
export function decodeSegmentHeader(
  bytes: Buffer,
  expected: { readonly diskId: string; readonly segment: number },
): SegmentHeader | null {
  if (!isIntact(bytes, SEGMENT_HEADER_BYTES, SEGMENT_MAGIC)) return null;
  const version = bytes.readUInt8(4);
  if (version !== SEGMENT_FORMAT_VERSION) {
    throw new StoreError('STATE_CORRUPT', { reason: 'unknown segment format', version });
  }
  const kind = bytes.readUInt8(5);
  const header: SegmentHeader = {
    kind: kind === 1 ? 'shared' : 'own',
    diskId: bytes.toString('hex', 8, 24),
    segment: readUint64(bytes, 24),
    salt: bytes.toString('hex', 32, 40),
  };
  const isExpected = header.diskId === expected.diskId && header.segment === expected.segment;
  return isExpected && (kind === 1 || kind === 2) ? header : null;
}

export function encodeRecordHeader(
  head: RecordHead,
  binding: SegmentBinding,
  offsetBytes: number,
): Buffer {
  const { attributes, id } = head;
  const bytes = Buffer.alloc(RECORD_HEADER_BYTES);
  bytes.writeUInt32BE(RECORD_MAGIC, 0);
  bytes.writeUInt8(SEGMENT_FORMAT_VERSION, 4);
  bytes.writeUInt8(head.kind === 'shard' ? 1 : 2, 5);
  bytes.writeUInt8(id.shardIndex, 6);
  bytes.writeUInt8(attributes.profile.k, 7);
  bytes.writeUInt8(attributes.profile.m, 8);
  bytes.writeUInt32BE(attributes.blockBytes, 12);
  bytes.write(binding.diskId, 16, 16, 'hex');
  bytes.write(id.blobId, 32, 16, 'hex');
  writeUint64(bytes, attributes.pgId, 48);
  writeUint64(bytes, attributes.blobSizeBytes, 56);
  writeUint64(bytes, attributes.shardSizeBytes, 64);
  bytes.write(binding.salt, 72, 8, 'hex');
  writeUint64(bytes, binding.segment, 80);
  writeUint64(bytes, offsetBytes, 88);
  return sealChecksum(bytes);
}

/** Null when the bytes are not a record header that was written for this very place. */
export function decodeRecordHeader(
  bytes: Buffer,
  binding: SegmentBinding,
  offsetBytes: number,
): RecordHead | null {
  if (!isIntact(bytes, RECORD_HEADER_BYTES, RECORD_MAGIC)) return null;
  const isBound =
    bytes.toString('hex', 16, 32) === binding.diskId &&
    bytes.toString('hex', 72, 80) === binding.salt &&
    readUint64(bytes, 80) === binding.segment &&
    readUint64(bytes, 88) === offsetBytes;
  const kind = bytes.readUInt8(5);
  if (!isBound || (kind !== 1 && kind !== 2)) return null;
  return {
    kind: kind === 1 ? 'shard' : 'tombstone',
    id: { blobId: bytes.toString('hex', 32, 48), shardIndex: bytes.readUInt8(6) },
    attributes: {
      pgId: readUint64(bytes, 48),
      profile: { k: bytes.readUInt8(7), m: bytes.readUInt8(8) },
      blobSizeBytes: readUint64(bytes, 56),
      blockBytes: bytes.readUInt32BE(12),
      shardSizeBytes: readUint64(bytes, 64),
    },
  };
}

/** The salt that a record header claims: how a segment is read whose own header was damaged. */
export function saltOfRecordHeader(bytes: Buffer): string | null {
  if (!isIntact(bytes, RECORD_HEADER_BYTES, RECORD_MAGIC)) return null;
  return bytes.toString('hex', 72, 80);
}

/** Trailer and the zeros up to the next record. `header` is the encoded header of the record. */
export function encodeRecordEnd(
  header: Buffer,
  trailer: RecordTrailer,
  shardSizeBytes: number,
): Buffer {
  const contentBytes = RECORD_HEADER_BYTES + shardSizeBytes + checksumTableBytes(shardSizeBytes);
  const bytes = Buffer.alloc(recordBytes(shardSizeBytes) - contentBytes);
  bytes.writeUInt32BE(TRAILER_MAGIC, 0);
  bytes.writeUInt32BE(trailer.tableChecksum, 4);
  writeUint64(bytes, trailer.sequence, 8);
  // The header's own checksum ties the trailer to it: half of one record and half of another that
  // once stood at the same offset never pass for a whole one.
  header.copy(bytes, 16, RECORD_HEADER_BYTES - 4, RECORD_HEADER_BYTES);
  bytes.writeUInt32BE(
    crc32c(bytes.subarray(0, RECORD_TRAILER_BYTES - 4)),
    RECORD_TRAILER_BYTES - 4,
  );
  return bytes;
}

/** Null when the bytes are not the trailer of the record with this header. */
export function decodeRecordTrailer(bytes: Buffer, header: Buffer): RecordTrailer | null {
  if (!isIntact(bytes, RECORD_TRAILER_BYTES, TRAILER_MAGIC)) return null;
  if (bytes.readUInt32BE(16) !== header.readUInt32BE(RECORD_HEADER_BYTES - 4)) return null;
  return { tableChecksum: bytes.readUInt32BE(4), sequence: readUint64(bytes, 8) };
}

/** The footer that seals a segment: what it holds, so that nobody has to read the records. */
export function encodeFooter(
  entries: readonly RecordEntry[],
  binding: SegmentBinding,
  offsetBytes: number,
): Buffer {
  const bytes = Buffer.alloc(entries.length * FOOTER_ENTRY_BYTES + FOOTER_TAIL_BYTES);
  for (const [index, entry] of entries.entries()) {
    encodeEntry(entry).copy(bytes, index * FOOTER_ENTRY_BYTES);
  }
  const tail = bytes.subarray(entries.length * FOOTER_ENTRY_BYTES);
  tail.writeUInt32BE(FOOTER_MAGIC, 0);
  tail.writeUInt8(SEGMENT_FORMAT_VERSION, 4);
  tail.writeUInt32BE(entries.length, 8);
  tail.writeUInt32BE(crc32c(bytes.subarray(0, entries.length * FOOTER_ENTRY_BYTES)), 12);
  tail.write(binding.diskId, 16, 16, 'hex');
  tail.write(binding.salt, 32, 8, 'hex');
  writeUint64(tail, binding.segment, 40);
  writeUint64(tail, offsetBytes, 48);
  sealChecksum(tail);
  return bytes;
}

export interface FooterTail {
  readonly entryCount: number;
  readonly entriesChecksum: number;
  /** Where the entries begin: the end of the records. */
  readonly offsetBytes: number;
}

export function decodeFooterTail(bytes: Buffer, binding: SegmentBinding): FooterTail | null {
  if (!isIntact(bytes, FOOTER_TAIL_BYTES, FOOTER_MAGIC)) return null;
  const isBound =
    bytes.toString('hex', 16, 32) === binding.diskId &&
    bytes.toString('hex', 32, 40) === binding.salt &&
    readUint64(bytes, 40) === binding.segment;
  if (!isBound) return null;
  return {
    entryCount: bytes.readUInt32BE(8),
    entriesChecksum: bytes.readUInt32BE(12),
    offsetBytes: readUint64(bytes, 48),
  };
}

export function decodeFooterEntries(bytes: Buffer, tail: FooterTail): RecordEntry[] | null {
  if (bytes.byteLength !== tail.entryCount * FOOTER_ENTRY_BYTES) return null;
  if (crc32c(bytes) !== tail.entriesChecksum) return null;
  return Array.from({ length: tail.entryCount }, (_, index) =>
    decodeEntry(bytes.subarray(index * FOOTER_ENTRY_BYTES, (index + 1) * FOOTER_ENTRY_BYTES)),
  );
}

function encodeEntry(entry: RecordEntry): Buffer {
  const { attributes } = entry;
  const bytes = Buffer.alloc(FOOTER_ENTRY_BYTES);
  bytes.write(entry.id.blobId, 0, 16, 'hex');
  writeUint64(bytes, attributes.pgId, 16);
  writeUint64(bytes, attributes.blobSizeBytes, 24);
  writeUint64(bytes, attributes.shardSizeBytes, 32);
  writeUint64(bytes, entry.offsetBytes, 40);
  writeUint64(bytes, entry.sequence, 48);
  bytes.writeUInt32BE(attributes.blockBytes, 56);
  bytes.writeUInt32BE(entry.tableChecksum, 60);
  bytes.writeUInt8(entry.kind === 'shard' ? 1 : 2, 64);
  bytes.writeUInt8(entry.id.shardIndex, 65);
  bytes.writeUInt8(attributes.profile.k, 66);
  bytes.writeUInt8(attributes.profile.m, 67);
  return bytes;
}

function decodeEntry(bytes: Buffer): RecordEntry {
  return {
    kind: bytes.readUInt8(64) === 1 ? 'shard' : 'tombstone',
    id: { blobId: bytes.toString('hex', 0, 16), shardIndex: bytes.readUInt8(65) },
    attributes: {
      pgId: readUint64(bytes, 16),
      profile: { k: bytes.readUInt8(66), m: bytes.readUInt8(67) },
      blobSizeBytes: readUint64(bytes, 24),
      blockBytes: bytes.readUInt32BE(56),
      shardSizeBytes: readUint64(bytes, 32),
    },
    offsetBytes: readUint64(bytes, 40),
    sequence: readUint64(bytes, 48),
    tableChecksum: bytes.readUInt32BE(60),
  };
}

function isIntact(bytes: Buffer, sizeBytes: number, magic: number): boolean {
  if (bytes.byteLength < sizeBytes) return false;
  if (bytes.readUInt32BE(0) !== magic) return false;
  return bytes.readUInt32BE(sizeBytes - 4) === crc32c(bytes.subarray(0, sizeBytes - 4));
}

/** Writes the CRC-32C of everything before them into the last four bytes. */
function sealChecksum(bytes: Buffer): Buffer {
  const at = bytes.byteLength - 4;
  bytes.writeUInt32BE(crc32c(bytes.subarray(0, at)), at);
  return bytes;
}

function writeUint64(bytes: Buffer, value: number, offset: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, 'not an unsigned safe integer');
  bytes.writeUInt32BE(Math.floor(value / 2 ** 32), offset);
  bytes.writeUInt32BE(value % 2 ** 32, offset + 4);
}

/** A value above 2^53 can only come from bytes that no Azimuth wrote; it stays out of range checks. */
function readUint64(bytes: Buffer, offset: number): number {
  return bytes.readUInt32BE(offset) * 2 ** 32 + bytes.readUInt32BE(offset + 4);
}
