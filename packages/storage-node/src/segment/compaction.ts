import { crc32c } from '@node-rs/crc32';

import { checksumTableBytes } from '@azimuth/clients';
import { mapLimited } from '@azimuth/common';

import type { ShardLocation } from '../index/index-record';
import { findBadPage } from './page-checksums';
import type { RecordEntry } from './segment-format';
import {
  decodeRecordHeader,
  decodeRecordTrailer,
  encodeRecordEnd,
  encodeRecordHeader,
  entryBytes,
  RECORD_HEADER_BYTES,
  saltOfRecordHeader,
} from './segment-format';
import type { Appended, SegmentContext, SegmentLog } from './segment-log';
import { readAt, readSegment } from './segment-scan';
import type { Segment } from './segment-table';
import type { ShardId } from './shard-id';

/** What compaction needs of the store. */
export interface CompactionAccess {
  readonly context: SegmentContext;
  readonly log: SegmentLog;
  /** Runs while nobody else changes this shard. */
  exclusive<T>(id: ShardId, task: () => Promise<T>): Promise<T>;
  /** Null when the shard is gone. @throws StoreError SHARD_CORRUPT. */
  locate(id: ShardId): ShardLocation | null;
  /** The shard is somewhere else now, with the same bytes. */
  moved(location: ShardLocation): Promise<void>;
  damaged(location: ShardLocation, problem: string): Promise<void>;
  /** False while a file that should be gone could not be removed. */
  hasNoLeftovers(): boolean;
}

/** Below this share of live bytes a sealed shared segment is rewritten. */
const LIVE_RATIO_MIN = 0.5;
/** Restarts seal whatever was open; this many such small segments are put together. */
const SMALL_SEGMENTS_MAX = 8;
const COPIES_AT_A_TIME = 16;

/** The segment most worth compacting; null when none is. */
export function chooseSegment(
  segments: readonly Segment[],
  segmentBytesMax: number,
): Segment | null {
  const sealed = segments.filter(({ kind, isSealed }) => kind === 'shared' && isSealed);
  const ratio = (segment: Segment): number =>
    (segment.liveBytes + segment.tombstoneBytes) / Math.max(1, segment.sizeBytes);
  const worst = [...sealed].sort((a, b) => ratio(a) - ratio(b))[0];
  if (worst !== undefined && ratio(worst) < LIVE_RATIO_MIN) return worst;
  const small = sealed.filter(({ sizeBytes }) => sizeBytes < segmentBytesMax / 8);
  return small.length >= SMALL_SEGMENTS_MAX ? (small[0] ?? null) : null;
}

/**
 * Copies what is live out of a shared segment and removes it. Copies keep their sequence, so two of
 * them after a crash are one shard. Returns the bytes freed; 0 when a damaged record keeps the
 * segment.
 *
 * C1 A shard does not change while it is copied, and the index moves only from the place copied.
 * C2 A tombstone is dropped only when no segment holds an older record of any shard, and the
 *    removal of every file of a deleted shard is durable: otherwise a rebuild would bring the shard
 *    back.
 * C3 The segment goes only after everything copied is durable.
 */
export async function compactSegment(access: CompactionAccess, segment: Segment): Promise<number> {
  const { table, directorySync, diskId } = access.context;
  const content = await table.withFile(segment.number, (file) =>
    readSegment(file, { diskId, segment: segment.number }),
  );
  if (content === null || content.damages.length > 0) return 0;
  const outcomes = await mapLimited(content.entries, COPIES_AT_A_TIME, (entry) =>
    entry.kind === 'shard'
      ? access.exclusive(entry.id, () => moveShard(access, segment, entry))
      : moveTombstone(access, segment, entry),
  );
  if (outcomes.includes('damaged')) return 0;
  await directorySync.run();
  const freedBytes = segment.sizeBytes;
  await table.remove(segment);
  return freedBytes;
}

type Outcome = 'moved' | 'dead' | 'damaged';

async function moveShard(
  access: CompactionAccess,
  segment: Segment,
  entry: RecordEntry,
): Promise<Outcome> {
  let current: ShardLocation | null;
  try {
    current = access.locate(entry.id);
  } catch {
    // The index entry is damaged: nobody can say that this record is dead.
    return 'damaged';
  }
  const isHere = current?.segment === segment.number && current.offsetBytes === entry.offsetBytes;
  if (current === null || !isHere) return 'dead';
  const record = await access.context.table.withFile(segment.number, (file) =>
    readAt(file, entry.offsetBytes, entryBytes(entry)),
  );
  const problem = record === null ? 'segment is missing' : problemOf(record, current, access);
  if (record === null || problem !== null) {
    await access.damaged(current, problem ?? 'segment is missing');
    return 'damaged';
  }
  const bodyBytes = contentBytes(entry) - RECORD_HEADER_BYTES;
  const body = record.subarray(RECORD_HEADER_BYTES, RECORD_HEADER_BYTES + bodyBytes);
  const appended = await appendCopy(access.log, entry, body);
  await access.moved({ ...appended.entry, kind: 'shard', segment: appended.segment.number });
  segment.liveBytes -= entryBytes(entry);
  return 'moved';
}

async function moveTombstone(
  access: CompactionAccess,
  segment: Segment,
  entry: RecordEntry,
): Promise<Outcome> {
  const isNeeded =
    !access.hasNoLeftovers() ||
    access.context.table.all().some((other) => {
      const isOther = other.number !== segment.number && other.kind === 'shared';
      return isOther && other.minSequence < entry.sequence;
    });
  if (!isNeeded) return 'dead';
  await appendCopy(access.log, entry, Buffer.alloc(0));
  return 'moved';
}

function appendCopy(log: SegmentLog, entry: RecordEntry, body: Uint8Array): Promise<Appended> {
  return log.append({
    sizeBytes: entryBytes(entry),
    encode: (binding, offsetBytes) => {
      const header = encodeRecordHeader(entry, binding, offsetBytes);
      const end = encodeRecordEnd(header, entry, entry.attributes.shardSizeBytes);
      return { buffers: [header, body, end], entry: { ...entry, offsetBytes } };
    },
  });
}

function contentBytes(entry: RecordEntry): number {
  const { shardSizeBytes } = entry.attributes;
  return RECORD_HEADER_BYTES + shardSizeBytes + checksumTableBytes(shardSizeBytes);
}

/** What is wrong with a record that is about to be copied; null when nothing is. */
function problemOf(
  record: Buffer,
  location: ShardLocation,
  access: CompactionAccess,
): string | null {
  const { shardSizeBytes } = location.attributes;
  const tableAt = RECORD_HEADER_BYTES + shardSizeBytes;
  const header = record.subarray(0, RECORD_HEADER_BYTES);
  const salt = saltOfRecordHeader(header) ?? '';
  const binding = { diskId: access.context.diskId, segment: location.segment, salt };
  const head = decodeRecordHeader(header, binding, location.offsetBytes);
  if (head === null || head.id.blobId !== location.id.blobId) return 'record header';
  const trailer = decodeRecordTrailer(record.subarray(contentBytes(location)), header);
  if (trailer === null || trailer.sequence !== location.sequence) return 'record trailer';
  const table = record.subarray(tableAt, contentBytes(location));
  if (crc32c(table) !== trailer.tableChecksum) return 'page checksum table';
  const shard = record.subarray(RECORD_HEADER_BYTES, tableAt);
  return findBadPage(shard, table) >= 0 ? 'shard bytes' : null;
}
