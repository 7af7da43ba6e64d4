import type { Clock, Random } from '@azimuth/common';
import { hasCode, StoreError } from '@azimuth/common';

import type { AlignedBuffers } from '../disk/aligned-buffers';
import type { Disk, DiskFile } from '../disk/disk';
import { isSystemError } from '../disk/disk';
import type { DiskHealth } from '../disk/disk-health';
import type { GroupSync } from '../disk/group-sync';
import type { RecordEntry, SegmentBinding } from './segment-format';
import {
  encodeFooter,
  encodeSegmentHeader,
  entryBytes,
  SEGMENT_HEADER_BYTES,
} from './segment-format';
import type { Segment, SegmentTable } from './segment-table';
import { segmentPath } from './segment-table';

/** What both kinds of segment writers share. */
export interface SegmentContext {
  readonly disk: Disk;
  readonly diskId: string;
  readonly table: SegmentTable;
  readonly health: DiskHealth;
  readonly clock: Clock;
  readonly random: Random;
  /** Of `WRITE_BYTES` each, for segments of one large shard. */
  readonly writeBuffers: AlignedBuffers;
  /** Makes new names in the segment directory durable. */
  readonly directorySync: GroupSync;
  /** Called when the file system has no room left, whatever it said before. */
  onNoSpace(): void;
  /** Seconds of every successful fsync. */
  onSync(seconds: number): void;
}

/** One record to append. `encode` is called once its place is known. */
export interface AppendRequest {
  readonly sizeBytes: number;
  encode(
    binding: SegmentBinding,
    offsetBytes: number,
  ): { readonly buffers: readonly Uint8Array[]; readonly entry: RecordEntry };
}

export interface Appended {
  readonly segment: Segment;
  readonly entry: RecordEntry;
}

interface QueuedAppend {
  readonly request: AppendRequest;
  resolve(appended: Appended): void;
  reject(error: Error): void;
}

interface OpenSegment {
  readonly segment: Segment;
  readonly binding: SegmentBinding;
  readonly file: DiskFile;
  readonly entries: RecordEntry[];
}

const BATCH_BYTES_MAX = 8 * 1024 * 1024;

/**
 * The shared segment that takes small records: shards up to `OWN_SEGMENT_ABOVE_BYTES`, tombstones
 * and copies of compaction.
 *
 * L1 A batch is one write and one fdatasync; everything that arrives meanwhile is the next batch.
 * L2 A record is acknowledged only after the fdatasync of its batch succeeded.
 * L3 The end moves only past durable batches, so a failed one is overwritten, never followed.
 * L4 A failed fdatasync fences the disk and is not tried again.
 */
export class SegmentLog {
  readonly #context: SegmentContext;
  readonly #segmentBytesMax: number;
  readonly #queue: QueuedAppend[] = [];
  #open: OpenSegment | null = null;
  #loop: Promise<void> | null = null;

  constructor(context: SegmentContext, segmentBytesMax: number) {
    this.#context = context;
    this.#segmentBytesMax = segmentBytesMax;
  }

  /**
   * Appends one record; resolves when it is durable.
   *
   * @throws StoreError DISK_FULL · DISK_FENCED.
   */
  append(request: AppendRequest): Promise<Appended> {
    return new Promise<Appended>((resolve, reject) => {
      this.#queue.push({ request, resolve, reject });
      this.#loop ??= this.#drain();
    });
  }

  /** Entries of the segment while it is open; null for another one. */
  openEntries(segmentNumber: number): readonly RecordEntry[] | null {
    return this.#open?.segment.number === segmentNumber ? this.#open.entries : null;
  }

  /** Seals the open segment, so that the next record starts another. */
  async close(): Promise<void> {
    await this.#loop;
    const open = this.#open;
    this.#open = null;
    if (open !== null) await this.#seal(open);
  }

  async #drain(): Promise<void> {
    // Everything of this event-loop turn goes into the first batch.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const batch = this.#takeBatch();
      try {
        const appended = await this.#writeBatch(batch);
        for (const [index, item] of batch.entries()) item.resolve(appended[index] as Appended);
      } catch (error) {
        for (const item of batch) item.reject(error as Error);
      }
    }
    this.#loop = null;
  }

  #takeBatch(): QueuedAppend[] {
    let bytes = 0;
    let count = 0;
    for (const { request } of this.#queue) {
      if (count > 0 && bytes + request.sizeBytes > BATCH_BYTES_MAX) break;
      bytes += request.sizeBytes;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  async #writeBatch(batch: readonly QueuedAppend[]): Promise<Appended[]> {
    this.#context.health.requireUnfenced();
    const open = await this.#openWithRoom();
    const { segment, binding } = open;
    const startBytes = segment.sizeBytes;
    const buffers: Uint8Array[] = [];
    const entries: RecordEntry[] = [];
    let endBytes = startBytes;
    for (const { request } of batch) {
      const encoded = request.encode(binding, endBytes);
      buffers.push(...encoded.buffers);
      entries.push(encoded.entry);
      endBytes += request.sizeBytes;
    }
    await writeOrFence(this.#context, open.file, buffers, startBytes);
    await syncOrFence(this.#context, open.file);
    this.#context.table.resize(segment, endBytes);
    open.entries.push(...entries);
    for (const entry of entries) noteEntry(segment, entry);
    return entries.map((entry) => ({ segment, entry }));
  }

  async #openWithRoom(): Promise<OpenSegment> {
    if (this.#open !== null && this.#open.segment.sizeBytes < this.#segmentBytesMax) {
      return this.#open;
    }
    const full = this.#open;
    this.#open = null;
    if (full !== null) await this.#seal(full);
    this.#open = await this.#create();
    return this.#open;
  }

  async #create(): Promise<OpenSegment> {
    const context = this.#context;
    const segment = newSegment(context.table.takeNumber(), 'shared');
    const binding = newBinding(context, segment.number);
    const file = await context.disk.open(segmentPath(segment), 'create');
    try {
      await writeOrFence(context, file, [encodeSegmentHeader({ ...binding, kind: 'shared' })], 0);
      await syncOrFence(context, file);
      await context.directorySync.run();
    } catch (error) {
      await file.close().catch(() => undefined);
      await context.disk.unlink(segmentPath(segment)).catch(() => undefined);
      throw error;
    }
    context.table.add({ ...segment, sizeBytes: SEGMENT_HEADER_BYTES });
    return { segment: context.table.require(segment.number), binding, file, entries: [] };
  }

  /**
   * Writes the footer. Without room for it the segment stays as it is: its records are durable, and
   * the next start reads them one by one.
   */
  async #seal(open: OpenSegment): Promise<void> {
    const { segment, file } = open;
    const footer = encodeFooter(open.entries, open.binding, segment.sizeBytes);
    try {
      this.#context.health.requireUnfenced();
      // A batch that failed for want of space may have left bytes behind the end (L3).
      await file.truncate(segment.sizeBytes);
      await writeOrFence(this.#context, file, [footer], segment.sizeBytes);
      await syncOrFence(this.#context, file);
      this.#context.table.resize(segment, segment.sizeBytes + footer.byteLength);
    } catch (error) {
      if (!hasCode(error, 'DISK_FULL', 'DISK_FENCED')) throw error;
    } finally {
      segment.isSealed = true;
      await file.close();
    }
  }
}

export function newSegment(number: number, kind: Segment['kind']): Segment {
  return {
    number,
    kind,
    sizeBytes: 0,
    liveBytes: 0,
    tombstoneBytes: 0,
    minSequence: Number.MAX_SAFE_INTEGER,
    isSealed: false,
  };
}

export function newBinding(context: SegmentContext, segment: number): SegmentBinding {
  const salt = context.random.bytes(8).toString('hex');
  return { diskId: context.diskId, segment, salt };
}

/** Keeps the accounts of a segment that got a record. */
export function noteEntry(segment: Segment, entry: RecordEntry): void {
  if (entry.kind === 'shard') {
    segment.minSequence = Math.min(segment.minSequence, entry.sequence);
    segment.liveBytes += entryBytes(entry);
  } else {
    segment.tombstoneBytes += entryBytes(entry);
  }
}

/** Writes; ENOSPC is DISK_FULL, every other failure fences the disk. */
export async function writeOrFence(
  context: SegmentContext,
  file: DiskFile,
  buffers: readonly Uint8Array[],
  offsetBytes: number,
): Promise<void> {
  try {
    await file.write(buffers, offsetBytes);
  } catch (error) {
    if (isSystemError(error, 'ENOSPC') || isSystemError(error, 'EDQUOT')) {
      context.onNoSpace();
      throw new StoreError('DISK_FULL', { diskId: context.diskId }, error);
    }
    throw context.health.fence('write failed', error);
  }
}

/** Syncs once; a failure fences the disk (L4). */
export async function syncOrFence(context: SegmentContext, file: DiskFile): Promise<void> {
  const startedMs = context.clock.monotonicMs();
  try {
    await file.datasync();
  } catch (error) {
    throw context.health.fence('fdatasync failed', error);
  }
  context.onSync((context.clock.monotonicMs() - startedMs) / 1000);
}
