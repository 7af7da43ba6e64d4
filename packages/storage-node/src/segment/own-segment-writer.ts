import { crc32c } from '@node-rs/crc32';

import { hasCode, StoreError } from '@azimuth/common';

import type { DiskFile } from '../disk/disk';
import { isSystemError } from '../disk/disk';
import type { RecordEntry, RecordHead, SegmentBinding } from './segment-format';
import {
  encodeFooter,
  encodeRecordEnd,
  encodeRecordHeader,
  encodeSegmentHeader,
  recordBytes,
  SEGMENT_HEADER_BYTES,
} from './segment-format';
import type { Appended, SegmentContext } from './segment-log';
import { newBinding, newSegment, noteEntry, syncOrFence, writeOrFence } from './segment-log';
import type { Segment } from './segment-table';
import { segmentPath } from './segment-table';

/** Chunks are gathered up to this before they are written: sockets deliver 64 KiB at a time. */
const WRITE_BYTES = 1024 * 1024;
/** With this much unwritten the sender is asked to wait. */
export const UNWRITTEN_BYTES_MAX = 2 * WRITE_BYTES;

/**
 * A segment for one large shard, written while it arrives. Deleting the shard later is removing the
 * file. Nothing refers to it before `commit` returns; a start that finds it without footer removes
 * it.
 */
export class OwnSegmentWriter {
  readonly #context: SegmentContext;
  readonly #segment: Segment;
  readonly #binding: SegmentBinding;
  readonly #head: RecordHead;
  readonly #header: Buffer;
  readonly #file: DiskFile;
  #gathered: Uint8Array[] = [];
  #gatheredBytes = 0;
  #writtenBytes = 0;
  #writing: Promise<void> | null = null;
  #failure: Error | null = null;

  private constructor(
    context: SegmentContext,
    segment: Segment,
    binding: SegmentBinding,
    head: RecordHead,
    file: DiskFile,
  ) {
    this.#context = context;
    this.#segment = segment;
    this.#binding = binding;
    this.#head = head;
    this.#file = file;
    this.#header = encodeRecordHeader(head, binding, SEGMENT_HEADER_BYTES);
    this.#gather(encodeSegmentHeader({ ...binding, kind: 'own' }));
    this.#gather(this.#header);
  }

  /** @throws StoreError DISK_FULL · DISK_FENCED. */
  static async create(context: SegmentContext, head: RecordHead): Promise<OwnSegmentWriter> {
    context.health.requireUnfenced();
    const segment = newSegment(context.table.takeNumber(), 'own');
    const binding = newBinding(context, segment.number);
    try {
      const file = await context.disk.open(segmentPath(segment), 'create');
      return new OwnSegmentWriter(context, segment, binding, head, file);
    } catch (error) {
      if (!isSystemError(error, 'ENOSPC')) throw error;
      throw new StoreError('DISK_FULL', { diskId: context.diskId }, error);
    }
  }

  /**
   * Takes shard bytes. Returns a promise when the caller must wait before it sends more.
   *
   * @throws StoreError DISK_FULL · DISK_FENCED, of an earlier write.
   */
  push(chunk: Uint8Array): Promise<void> | undefined {
    this.#throwIfFailed();
    this.#gather(chunk);
    if (this.#gatheredBytes < WRITE_BYTES) return undefined;
    this.#writing ??= this.#write();
    return this.#gatheredBytes >= UNWRITTEN_BYTES_MAX ? this.#writing : undefined;
  }

  /** Writes what is left and makes the shard durable, its file's name included. */
  async commit(table: Buffer, sequence: number): Promise<Appended> {
    await this.#writing;
    this.#throwIfFailed();
    const { shardSizeBytes } = this.#head.attributes;
    const tableChecksum = crc32c(table);
    const entry: RecordEntry = {
      ...this.#head,
      offsetBytes: SEGMENT_HEADER_BYTES,
      sequence,
      tableChecksum,
    };
    const recordsEndBytes = SEGMENT_HEADER_BYTES + recordBytes(shardSizeBytes);
    this.#gather(table);
    this.#gather(encodeRecordEnd(this.#header, { sequence, tableChecksum }, shardSizeBytes));
    await this.#write();
    this.#throwIfFailed();
    await syncOrFence(this.#context, this.#file);
    await this.#context.directorySync.run();
    // Behind the sync, so that a footer vouches for a durable record. Should the power take it, the
    // next start reads the record instead.
    this.#gather(encodeFooter([entry], this.#binding, recordsEndBytes));
    await this.#write();
    if (!hasCode(this.#failure, 'DISK_FULL')) this.#throwIfFailed();
    await this.#file.close();
    this.#segment.sizeBytes = this.#writtenBytes;
    this.#segment.isSealed = true;
    noteEntry(this.#segment, entry);
    this.#context.table.add(this.#segment);
    return { segment: this.#segment, entry };
  }

  /** Removes the file. Never throws: what stays behind is removed at the next start. */
  async discard(): Promise<void> {
    await this.#writing?.catch(() => undefined);
    await this.#file.close().catch(() => undefined);
    await this.#context.disk.unlink(segmentPath(this.#segment)).catch(() => undefined);
  }

  #gather(bytes: Uint8Array): void {
    this.#gathered.push(bytes);
    this.#gatheredBytes += bytes.byteLength;
  }

  /** Never rejects, so that a failure between two chunks is not unhandled; `#failure` keeps it. */
  async #write(): Promise<void> {
    while (this.#gatheredBytes > 0 && this.#failure === null) {
      const buffers = this.#gathered;
      const bytes = this.#gatheredBytes;
      this.#gathered = [];
      this.#gatheredBytes = 0;
      try {
        await writeOrFence(this.#context, this.#file, buffers, this.#writtenBytes);
        this.#writtenBytes += bytes;
      } catch (error) {
        this.#failure = error as Error;
      }
      if (this.#gatheredBytes < WRITE_BYTES) break;
    }
    this.#writing = null;
  }

  #throwIfFailed(): void {
    if (this.#failure !== null) throw this.#failure;
  }
}
