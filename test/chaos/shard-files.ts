import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

/** See docs/on-disk-format.md, "Segment": what these tests need to find a shard behind its back. */
const RECORD_ALIGNMENT_BYTES = 64;
const SEGMENT_HEADER_BYTES = 64;
const RECORD_HEADER_BYTES = 128;
const RECORD_MAGIC = 'AZSR';
const KIND_SHARD = 1;
const PAGE_BYTES = 64 * 1024;
const CHECKSUM_BYTES = 4;

/** A record of one shard in a segment file. */
export interface ShardRecord {
  readonly path: string;
  /** Of the record's header. */
  readonly offset: number;
  readonly isOwnSegment: boolean;
  readonly shardSizeBytes: number;
}

export type RecordPart = 'header' | 'bytes' | 'checksums' | 'trailer';

/** Every record of a shard on a disk, older ones that were replaced included. */
export function findShardRecords(
  diskDirectory: string,
  blobId: string,
  shardIndex: number,
): ShardRecord[] {
  const segments = join(diskDirectory, 'segments');
  if (!existsSync(segments)) return [];
  const wanted = Buffer.from(blobId, 'hex');
  return readdirSync(segments).flatMap((name) => {
    const path = join(segments, name);
    const isOwnSegment = name.startsWith('own-');
    return recordsOf(readSegment(path), isOwnSegment)
      .filter(({ header }) => header.subarray(32, 48).equals(wanted) && header[6] === shardIndex)
      .map(({ header, offset }) => {
        const shardSizeBytes = Number(header.readBigUInt64BE(64));
        return { path, offset, isOwnSegment, shardSizeBytes };
      });
  });
}

/** A segment may go away between the listing and the reading. */
function readSegment(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}

function recordsOf(segment: Buffer, isOwn: boolean): { header: Buffer; offset: number }[] {
  const records: { header: Buffer; offset: number }[] = [];
  let offset = SEGMENT_HEADER_BYTES;
  while (offset + RECORD_HEADER_BYTES <= segment.length) {
    const header = segment.subarray(offset, offset + RECORD_HEADER_BYTES);
    const isShard = header.toString('latin1', 0, 4) === RECORD_MAGIC && header[5] === KIND_SHARD;
    if (isShard) records.push({ header, offset });
    if (isOwn) break;
    offset += RECORD_ALIGNMENT_BYTES;
  }
  return records;
}

/** The bytes of a shard as they lie in the file. */
export function readRecordBytes({ path, offset, shardSizeBytes }: ShardRecord): Buffer {
  const start = offset + RECORD_HEADER_BYTES;
  return readSegment(path).subarray(start, start + shardSizeBytes);
}

/** Bit rot: inverts one bit of one byte in the middle of a part of the record. */
export function flipByte(record: ShardRecord, part: RecordPart): void {
  const at = record.offset + offsetInRecord(record, part);
  const file = openSync(record.path, 'r+');
  try {
    const byte = Buffer.alloc(1);
    readSync(file, byte, 0, 1, at);
    byte.writeUInt8(byte.readUInt8(0) ^ 0x10, 0);
    writeSync(file, byte, 0, 1, at);
  } finally {
    closeSync(file);
  }
}

function offsetInRecord({ shardSizeBytes }: ShardRecord, part: RecordPart): number {
  const checksumsAt = RECORD_HEADER_BYTES + shardSizeBytes;
  const checksumsBytes = Math.ceil(shardSizeBytes / PAGE_BYTES) * CHECKSUM_BYTES;
  switch (part) {
    case 'header':
      return RECORD_HEADER_BYTES / 2;
    case 'bytes':
      return RECORD_HEADER_BYTES + Math.floor(shardSizeBytes / 2);
    case 'checksums':
      return checksumsAt + Math.floor(checksumsBytes / 2);
    case 'trailer':
      return checksumsAt + checksumsBytes + 9;
  }
}
