import { crc32c } from '@node-rs/crc32';

import { checksumTableBytes, PageChecksums } from '@azimuth/clients';

import type { DiskFile } from '../disk/disk';

import type { RecordEntry, RecordHead, SegmentBinding, SegmentHeader } from './segment-format';
import {
  decodeFooterEntries,
  decodeFooterTail,
  decodeRecordHeader,
  decodeRecordTrailer,
  decodeSegmentHeader,
  entryBytes,
  FOOTER_ENTRY_BYTES,
  FOOTER_TAIL_BYTES,
  RECORD_ALIGNMENT_BYTES,
  RECORD_HEADER_BYTES,
  RECORD_TRAILER_BYTES,
  recordBytes,
  SEGMENT_HEADER_BYTES,
  saltOfRecordHeader,
} from './segment-format';

/** A place in a segment that does not hold what it should, with valid records behind it. */
export interface SegmentDamage {
  readonly segment: number;
  readonly offsetBytes: number;
  /** Whose record it was; null when the header itself is unreadable. */
  readonly head: RecordHead | null;
  readonly problem: string;
}

export interface SegmentContent {
  /** Null when neither the segment header nor any record could be read. */
  readonly binding: SegmentBinding | null;
  readonly entries: readonly RecordEntry[];
  readonly damages: readonly SegmentDamage[];
  /** End of the last valid record. */
  readonly endBytes: number;
  /** True when the entries come from an intact footer. */
  readonly isSealed: boolean;
}

export interface SegmentName {
  readonly diskId: string;
  readonly segment: number;
}

const READ_BYTES = 1024 * 1024;

/** Reads what a segment holds: from its footer when that is intact, else record by record. */
export async function readSegment(file: DiskFile, name: SegmentName): Promise<SegmentContent> {
  const sizeBytes = await file.size();
  const header = await readHeader(file, name);
  if (header !== null) {
    const footer = await readFooter(file, header, sizeBytes);
    if (footer !== null) return footer;
  }
  return scanRecords(file, name, header, sizeBytes);
}

async function readHeader(file: DiskFile, name: SegmentName): Promise<SegmentHeader | null> {
  return decodeSegmentHeader(await readAt(file, 0, SEGMENT_HEADER_BYTES), name);
}

/** Null when the segment was not sealed, or its footer is damaged. */
async function readFooter(
  file: DiskFile,
  binding: SegmentBinding,
  sizeBytes: number,
): Promise<SegmentContent | null> {
  if (sizeBytes < SEGMENT_HEADER_BYTES + FOOTER_TAIL_BYTES) return null;
  const tailAt = sizeBytes - FOOTER_TAIL_BYTES;
  const tail = decodeFooterTail(await readAt(file, tailAt, FOOTER_TAIL_BYTES), binding);
  if (tail === null) return null;
  const entriesBytes = tail.entryCount * FOOTER_ENTRY_BYTES;
  if (tail.offsetBytes + entriesBytes !== tailAt) return null;
  const entries = decodeFooterEntries(await readAt(file, tail.offsetBytes, entriesBytes), tail);
  if (entries === null) return null;
  return { binding, entries, damages: [], endBytes: tail.offsetBytes, isSealed: true };
}

/**
 * Walks the records and verifies every byte. What is invalid with something valid behind it is
 * damage, named and stepped over; what is invalid at the end is the torn tail of a write that
 * nobody was told about.
 */
async function scanRecords(
  file: DiskFile,
  name: SegmentName,
  header: SegmentHeader | null,
  sizeBytes: number,
): Promise<SegmentContent> {
  const binding = header ?? (await bindingOfFirstRecord(file, name, sizeBytes));
  const entries: RecordEntry[] = [];
  const damages: SegmentDamage[] = [];
  let undecided: SegmentDamage[] = [];
  let endBytes = SEGMENT_HEADER_BYTES;
  if (binding === null) return { binding, entries, damages, endBytes, isSealed: false };
  if (header === null) {
    undecided.push({ ...damageAt(name, 0), head: null, problem: 'segment header' });
  }

  let offset = SEGMENT_HEADER_BYTES;
  while (offset + RECORD_HEADER_BYTES <= sizeBytes) {
    const headerBytes = await readAt(file, offset, RECORD_HEADER_BYTES);
    const head = decodeRecordHeader(headerBytes, binding, offset);
    if (head === null) {
      const next = await findRecord(file, binding, offset + RECORD_ALIGNMENT_BYTES, sizeBytes);
      if (next === null) break;
      undecided.push({ ...damageAt(name, offset), head: null, problem: 'record header' });
      offset = next;
      continue;
    }
    const totalBytes = recordBytes(head.attributes.shardSizeBytes);
    const verdict = await verifyRecord(file, head, headerBytes, offset);
    if ('entry' in verdict) {
      entries.push(verdict.entry);
      damages.push(...undecided);
      undecided = [];
      endBytes = offset + totalBytes;
    } else {
      undecided.push({ ...damageAt(name, offset), head, problem: verdict.problem });
    }
    offset += totalBytes;
  }
  return { binding, entries, damages, endBytes, isSealed: false };
}

function damageAt(
  name: SegmentName,
  offsetBytes: number,
): { segment: number; offsetBytes: number } {
  return { segment: name.segment, offsetBytes };
}

/** A damaged segment header takes the salt with it; the first intact record header still has it. */
async function bindingOfFirstRecord(
  file: DiskFile,
  name: SegmentName,
  sizeBytes: number,
): Promise<SegmentBinding | null> {
  for await (const { bytes, offsetBytes } of candidates(file, SEGMENT_HEADER_BYTES, sizeBytes)) {
    const salt = saltOfRecordHeader(bytes);
    if (salt === null) continue;
    const binding = { ...name, salt };
    if (decodeRecordHeader(bytes, binding, offsetBytes) !== null) return binding;
  }
  return null;
}

async function findRecord(
  file: DiskFile,
  binding: SegmentBinding,
  fromBytes: number,
  sizeBytes: number,
): Promise<number | null> {
  for await (const { bytes, offsetBytes } of candidates(file, fromBytes, sizeBytes)) {
    if (decodeRecordHeader(bytes, binding, offsetBytes) !== null) return offsetBytes;
  }
  return null;
}

/** Every place where a record header might stand, with the bytes there. */
async function* candidates(
  file: DiskFile,
  fromBytes: number,
  sizeBytes: number,
): AsyncGenerator<{ readonly bytes: Buffer; readonly offsetBytes: number }> {
  for (let at = fromBytes; at + RECORD_HEADER_BYTES <= sizeBytes; at += READ_BYTES) {
    const window = await readAt(file, at, READ_BYTES + RECORD_HEADER_BYTES);
    const end = Math.min(READ_BYTES, window.byteLength - RECORD_HEADER_BYTES + 1);
    for (let from = 0; from < end; from += RECORD_ALIGNMENT_BYTES) {
      yield { bytes: window.subarray(from, from + RECORD_HEADER_BYTES), offsetBytes: at + from };
    }
  }
}

export type RecordVerdict = { readonly entry: RecordEntry } | { readonly problem: string };

/** Reads a whole record and checks every checksum in it. */
export async function verifyRecord(
  file: DiskFile,
  head: RecordHead,
  headerBytes: Buffer,
  offsetBytes: number,
): Promise<RecordVerdict> {
  const { shardSizeBytes } = head.attributes;
  const tableBytes = checksumTableBytes(shardSizeBytes);
  const tableAt = offsetBytes + RECORD_HEADER_BYTES + shardSizeBytes;
  const end = await readAt(file, tableAt, tableBytes + RECORD_TRAILER_BYTES);
  if (end.byteLength < tableBytes + RECORD_TRAILER_BYTES) return { problem: 'record is cut off' };
  const table = end.subarray(0, tableBytes);
  const trailer = decodeRecordTrailer(end.subarray(tableBytes), headerBytes);
  if (trailer === null) return { problem: 'record trailer' };
  if (crc32c(table) !== trailer.tableChecksum) return { problem: 'page checksum table' };
  const checksums = new PageChecksums(shardSizeBytes);
  const piece = Buffer.allocUnsafe(Math.min(READ_BYTES, shardSizeBytes));
  for (let at = 0; at < shardSizeBytes; at += READ_BYTES) {
    const target = piece.subarray(0, Math.min(READ_BYTES, shardSizeBytes - at));
    await file.read(target, offsetBytes + RECORD_HEADER_BYTES + at);
    checksums.update(target);
  }
  if (!checksums.table().equals(table)) return { problem: 'shard bytes' };
  return { entry: { ...head, offsetBytes, ...trailer } };
}

/** The end of everything that entries speak of. */
export function endOfEntries(entries: readonly RecordEntry[]): number {
  return entries.reduce(
    (end, entry) => Math.max(end, entry.offsetBytes + entryBytes(entry)),
    SEGMENT_HEADER_BYTES,
  );
}

export async function readAt(
  file: DiskFile,
  offsetBytes: number,
  lengthBytes: number,
): Promise<Buffer> {
  const bytes = Buffer.alloc(lengthBytes);
  return bytes.subarray(0, await file.read(bytes, offsetBytes));
}
