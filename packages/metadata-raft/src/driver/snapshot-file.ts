import { deflateRawSync, inflateRawSync } from 'node:zlib';

import { StoreError } from '@azimuth/common';
import { crc32c } from '@node-rs/crc32';

import type { ConfigurationRecord, LogIndex } from '../core/message';
import type { SnapshotMark } from '../core/ready';
import type { LogFile } from '../disk/log-disk';

const MAGIC = Buffer.from('AZRSNAP2');
const HEADER_BYTES = 40;
const MAGIC_1 = Buffer.from('AZRSNAP1');
const HEADER_1_BYTES = 32;
const CRC_BYTES = 4;
const CHUNK_HEADER_BYTES = 8;
/** Larger chunks of a writer are split, so that a reader can bound its memory. */
const CHUNK_BYTES_MAX = 1024 * 1024;
const DEFLATED_BIT = 0x8000_0000;
/** The fastest: records are alike, bodies are left alone. */
const DEFLATE_LEVEL = 1;
const SAMPLE_BYTES = 4096;
/** A chunk is deflated when a sample of it becomes so much of itself, or less. */
const WORTHWHILE_SHARE = 0.8;

export interface SnapshotHeader extends Omit<SnapshotMark, 'configuration'> {
  /** The snapshot that this one continues; null for one of the whole state. */
  readonly baseIndex: LogIndex | null;
  /** Null in a file that is older than changes of membership. */
  readonly configuration: ConfigurationRecord | null;
  /** 1 is of before there were snapshots of changes: no base, nothing deflated. Read only. */
  readonly format: 1 | 2;
  /** Where the first chunk begins. */
  readonly endOffset: number;
}

/**
 * Writes a snapshot, little-endian: magic(8) · last included index u64 · its term u64 · index of
 * the base u64, 0 for none · length of the configuration u32 · CRC32C of the header u32, the
 * configuration in JSON and its CRC32C u32, then chunks of length u32 · CRC32C of length and bytes
 * u32 · bytes, which are deflated when the greatest bit of the length is set; a chunk of length 0,
 * whose CRC covers the CRCs of all chunks before, ends the file.
 */
export async function writeSnapshotFile(
  file: LogFile,
  mark: SnapshotMark & Pick<SnapshotHeader, 'baseIndex'>,
  chunks: AsyncIterable<Buffer>,
): Promise<void> {
  const header = encodeHeader(mark);
  await file.write(0, header);
  let offset = header.length;
  let total = 0;
  for await (const chunk of chunks) {
    for (let from = 0; from < chunk.length; from += CHUNK_BYTES_MAX) {
      const bytes = chunk.subarray(from, from + CHUNK_BYTES_MAX);
      const deflated = deflateIfWorthwhile(bytes);
      const stored = deflated ?? bytes;
      const head = Buffer.alloc(CHUNK_HEADER_BYTES);
      head.writeUInt32LE(stored.length + (deflated === null ? 0 : DEFLATED_BIT), 0);
      head.writeUInt32LE(crc32c(stored, crc32c(head.subarray(0, 4))), 4);
      total = crc32c(head.subarray(4), total);
      await file.write(offset, Buffer.concat([head, stored]));
      offset += CHUNK_HEADER_BYTES + stored.length;
    }
  }
  const end = Buffer.alloc(CHUNK_HEADER_BYTES);
  end.writeUInt32LE(total, 4);
  await file.write(offset, end);
}

/** Null when it does not match its checksums. */
export function readSnapshotHeader(file: LogFile): SnapshotHeader | null {
  const first = file.read(0, HEADER_BYTES);
  const isFirstFormat = first.subarray(0, 8).equals(MAGIC_1);
  const header = isFirstFormat ? first.subarray(0, HEADER_1_BYTES) : first;
  const at = header.length - CRC_BYTES;
  if (header.length < (isFirstFormat ? HEADER_1_BYTES : HEADER_BYTES)) return null;
  if (!isFirstFormat && !header.subarray(0, 8).equals(MAGIC)) return null;
  if (crc32c(header.subarray(0, at)) !== header.readUInt32LE(at)) return null;
  const baseIndex = isFirstFormat ? 0 : Number(header.readBigUInt64LE(24));
  const mark = {
    index: Number(header.readBigUInt64LE(8)),
    term: Number(header.readBigUInt64LE(16)),
    baseIndex: baseIndex === 0 ? null : baseIndex,
    format: isFirstFormat ? (1 as const) : (2 as const),
  };
  const length = header.readUInt32LE(at - 4);
  if (length === 0) return { ...mark, configuration: null, endOffset: header.length };
  const bytes = file.read(header.length, length + CRC_BYTES);
  if (bytes.length < length + CRC_BYTES) return null;
  const text = bytes.subarray(0, length);
  if (crc32c(text) !== bytes.readUInt32LE(length)) return null;
  const configuration = JSON.parse(text.toString('utf8')) as ConfigurationRecord;
  return { ...mark, configuration, endOffset: header.length + length + CRC_BYTES };
}

/** @throws StoreError STATE_CORRUPT when the file does not match its checksums. */
export function* readSnapshotChunks(
  file: LogFile,
  name: string,
  index: LogIndex,
): Generator<Buffer> {
  const corrupt = (offset: number): StoreError =>
    new StoreError('STATE_CORRUPT', { file: name, offset });
  const header = readSnapshotHeader(file);
  if (header?.index !== index) throw corrupt(0);
  let total = 0;
  let offset = header.endOffset;
  for (;;) {
    const head = file.read(offset, CHUNK_HEADER_BYTES);
    if (head.length < CHUNK_HEADER_BYTES) throw corrupt(offset);
    const mark = head.readUInt32LE(0);
    const crc = head.readUInt32LE(4);
    if (mark === 0) {
      if (crc !== total) throw corrupt(offset);
      return;
    }
    const isDeflated = mark >= DEFLATED_BIT;
    const length = isDeflated ? mark - DEFLATED_BIT : mark;
    if (length > CHUNK_BYTES_MAX) throw corrupt(offset);
    const bytes = file.read(offset + CHUNK_HEADER_BYTES, length);
    const seed = header.format === 1 ? 0 : crc32c(head.subarray(0, 4));
    if (bytes.length < length || crc32c(bytes, seed) !== crc) throw corrupt(offset);
    total = crc32c(head.subarray(4), total);
    yield isDeflated ? inflate(bytes, corrupt(offset)) : bytes;
    offset += CHUNK_HEADER_BYTES + length;
  }
}

function deflateIfWorthwhile(bytes: Buffer): Buffer | null {
  const sample = bytes.subarray(0, SAMPLE_BYTES);
  if (deflate(sample).length > WORTHWHILE_SHARE * sample.length) return null;
  const deflated = deflate(bytes);
  return deflated.length < bytes.length ? deflated : null;
}

function deflate(bytes: Buffer): Buffer {
  return deflateRawSync(bytes, { level: DEFLATE_LEVEL });
}

/** @throws `corrupt`, as of a bit of the length that was turned over. */
function inflate(bytes: Buffer, corrupt: StoreError): Buffer {
  try {
    return inflateRawSync(bytes, { maxOutputLength: CHUNK_BYTES_MAX });
  } catch {
    throw corrupt;
  }
}

function encodeHeader(mark: SnapshotMark & Pick<SnapshotHeader, 'baseIndex'>): Buffer {
  const configuration = Buffer.from(JSON.stringify(mark.configuration));
  const header = Buffer.alloc(HEADER_BYTES + configuration.length + CRC_BYTES);
  MAGIC.copy(header);
  header.writeBigUInt64LE(BigInt(mark.index), 8);
  header.writeBigUInt64LE(BigInt(mark.term), 16);
  header.writeBigUInt64LE(BigInt(mark.baseIndex ?? 0), 24);
  header.writeUInt32LE(configuration.length, 32);
  header.writeUInt32LE(crc32c(header.subarray(0, 36)), 36);
  configuration.copy(header, HEADER_BYTES);
  header.writeUInt32LE(crc32c(configuration), HEADER_BYTES + configuration.length);
  return header;
}
