import { assert } from '@azimuth/common';
import { crc32c } from '@node-rs/crc32';

import type { LogIndex, Term } from '../core/message';

import type { LogFile } from '../disk/log-disk';

/** `wal-<epoch>-<number>`, both decimal with leading zeros. */
export function segmentName(epoch: number, number: number): string {
  return `wal-${String(epoch).padStart(6, '0')}-${String(number).padStart(10, '0')}`;
}

export function parseSegmentName(name: string): { epoch: number; number: number } | null {
  const match = /^wal-(\d{6})-(\d{10})$/.exec(name);
  return match === null ? null : { epoch: Number(match[1]), number: Number(match[2]) };
}

/** An open file of the log. */
export interface WalSegment {
  readonly number: number;
  readonly name: string;
  readonly file: LogFile;
  /** Where the next record goes. */
  endOffset: number;
  /** Entries in this file that some group still needs. */
  liveEntries: number;
}

export const SEGMENT_HEADER_BYTES = 32;
const SEGMENT_MAGIC = Buffer.from('AZWALSEG');
const FORMAT_VERSION = 1;

/**
 * Segment header, little-endian: magic(8) · version u32 · CRC32C of the rest u32 · number u64 · CRC
 * of the record before the first u32 · 0 u32.
 */
export function encodeSegmentHeader(number: number, previousCrc: number): Buffer {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
  SEGMENT_MAGIC.copy(header);
  header.writeUInt32LE(FORMAT_VERSION, 8);
  header.writeBigUInt64LE(BigInt(number), 16);
  header.writeUInt32LE(previousCrc, 24);
  header.writeUInt32LE(crc32c(header.subarray(16)), 12);
  return header;
}

/** The chain value that the segment starts from; null when the header is not whole. */
export function decodeSegmentHeader(header: Buffer, number: number): number | null {
  if (header.length < SEGMENT_HEADER_BYTES || !header.subarray(0, 8).equals(SEGMENT_MAGIC)) {
    return null;
  }
  if (header.readUInt32LE(8) !== FORMAT_VERSION) return null;
  if (header.readUInt32LE(12) !== crc32c(header.subarray(16, SEGMENT_HEADER_BYTES))) return null;
  return Number(header.readBigUInt64LE(16)) === number ? header.readUInt32LE(24) : null;
}

export const RECORD_HEADER_BYTES = 60;
const RECORD_MAGIC = Buffer.from('AZWR');
/** Larger lengths are damage: no proposal comes near. */
const PAYLOAD_BYTES_MAX = 256 * 1024 * 1024;
const FLAG_LAST_OF_BATCH = 1;

export interface WalRecord {
  readonly group: string;
  readonly index: LogIndex;
  readonly term: Term;
  /** Term of the entry before this one. It betrays an entry that went missing in between. */
  readonly previousTerm: Term;
  readonly batch: number;
  readonly isLastOfBatch: boolean;
  readonly data: Buffer;
}

/** A record as found, with its place. */
export interface FoundRecord extends WalRecord {
  readonly crc: number;
  readonly previousCrc: number;
  readonly offset: number;
  readonly sizeBytes: number;
}

export function recordBytes(groupLength: number, dataLength: number): number {
  return RECORD_HEADER_BYTES + groupLength + dataLength;
}

/**
 * Record, little-endian: magic(4) · CRC32C of the rest u32 · data length u32 · CRC of the record
 * before u32 · flags u16 · group length u16 · 0 u32 · batch u64 · term u64 · index u64 · previous
 * term u64 · 0 u32 · group · data. Answers the CRC, which the next record repeats: that is the hash
 * chain.
 */
export function encodeRecord(
  target: Buffer,
  offset: number,
  record: Omit<WalRecord, 'group' | 'data'>,
  content: { readonly group: Buffer; readonly data: Uint8Array },
  previousCrc: number,
): number {
  const { group, data } = content;
  RECORD_MAGIC.copy(target, offset);
  target.writeUInt32LE(data.length, offset + 8);
  target.writeUInt32LE(previousCrc, offset + 12);
  target.writeUInt16LE(record.isLastOfBatch ? FLAG_LAST_OF_BATCH : 0, offset + 16);
  target.writeUInt16LE(group.length, offset + 18);
  target.writeUInt32LE(0, offset + 20);
  writeUint64(target, offset + 24, record.batch);
  writeUint64(target, offset + 32, record.term);
  writeUint64(target, offset + 40, record.index);
  writeUint64(target, offset + 48, record.previousTerm);
  target.writeUInt32LE(0, offset + 56);
  group.copy(target, offset + RECORD_HEADER_BYTES);
  target.set(data, offset + RECORD_HEADER_BYTES + group.length);
  const end = offset + recordBytes(group.length, data.length);
  const crc = crc32c(target.subarray(offset + 8, end));
  target.writeUInt32LE(crc, offset + 4);
  return crc;
}

/** The record at `offset`, or null when there is none that matches its checksum. */
export function decodeRecord(bytes: Buffer, offset: number): FoundRecord | null {
  if (offset + RECORD_HEADER_BYTES > bytes.length) return null;
  if (bytes.compare(RECORD_MAGIC, 0, 4, offset, offset + 4) !== 0) return null;
  const dataLength = bytes.readUInt32LE(offset + 8);
  const groupLength = bytes.readUInt16LE(offset + 18);
  const sizeBytes = recordBytes(groupLength, dataLength);
  if (dataLength > PAYLOAD_BYTES_MAX || offset + sizeBytes > bytes.length) return null;
  const crc = bytes.readUInt32LE(offset + 4);
  if (crc32c(bytes.subarray(offset + 8, offset + sizeBytes)) !== crc) return null;
  const dataOffset = offset + RECORD_HEADER_BYTES + groupLength;
  return {
    crc,
    previousCrc: bytes.readUInt32LE(offset + 12),
    isLastOfBatch: (bytes.readUInt16LE(offset + 16) & FLAG_LAST_OF_BATCH) !== 0,
    batch: readUint64(bytes, offset + 24),
    term: readUint64(bytes, offset + 32),
    index: readUint64(bytes, offset + 40),
    previousTerm: readUint64(bytes, offset + 48),
    group: bytes.toString('utf8', offset + RECORD_HEADER_BYTES, dataOffset),
    data: bytes.subarray(dataOffset, offset + sizeBytes),
    offset,
    sizeBytes,
  };
}

/** Where the next record may start at or after `offset`; -1 when nowhere. */
export function findRecordMagic(bytes: Buffer, offset: number): number {
  return bytes.indexOf(RECORD_MAGIC, offset);
}

function writeUint64(target: Buffer, offset: number, value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0);
  target.writeUInt32LE(value % 0x1_0000_0000, offset);
  target.writeUInt32LE(Math.floor(value / 0x1_0000_0000), offset + 4);
}

function readUint64(source: Buffer, offset: number): number {
  return source.readUInt32LE(offset) + source.readUInt32LE(offset + 4) * 0x1_0000_0000;
}
