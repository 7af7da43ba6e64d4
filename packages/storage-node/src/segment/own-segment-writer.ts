import { crc32c } from '@node-rs/crc32';

import { hasCode, StoreError } from '@azimuth/common';

import { DIRECT_ALIGNMENT_BYTES } from '../disk/aligned-buffers';
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

/**
 * Bytes of one write. Each costs a system call, two changes of thread and a few promises, which
 * shows at half of this.
 */
export const WRITE_BYTES = 1024 * 1024;
/** With this much unwritten the sender waits: one buffer is written while one is filled. */
export const UNWRITTEN_BYTES_MAX = 2 * WRITE_BYTES;
/** A last piece up to this is copied into the page cache: cheaper than a write of its own past it. */
const COPIED_REST_BYTES_MAX = 16 * 1024;

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
  /** The one being filled; its first byte belongs at a multiple of `WRITE_BYTES`. */
  #buffer: Buffer | null = null;
  #fillBytes = 0;
  readonly #full: Buffer[] = [];
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
      const file = await context.disk.open(segmentPath(segment), 'create-uncached');
      return new OwnSegmentWriter(context, segment, binding, head, file);
    } catch (error) {
      if (!isSystemError(error, 'ENOSPC')) throw error;
      throw new StoreError('DISK_FULL', { diskId: context.diskId }, error);
    }
  }

  /** Where the next shard bytes belong: the buffer that will be written. */
  room(): Uint8Array {
    this.#buffer ??= this.#context.writeBuffers.take();
    return this.#buffer.subarray(this.#fillBytes);
  }

  /**
   * The first `count` bytes of `room()` are shard bytes now. Returns a promise when the caller must
   * wait before there are more.
   *
   * @throws StoreError DISK_FULL · DISK_FENCED, of an earlier write.
   */
  fill(count: number): Promise<void> | undefined {
    this.#throwIfFailed();
    this.#fillBytes += count;
    if (this.#fillBytes === WRITE_BYTES) this.#closeBuffer();
    return this.#isBehind() && this.#writing !== null ? this.#writing : undefined;
  }

  /** Writes what is left and makes the shard durable, its file's name included. */
  async commit(table: Buffer, sequence: number): Promise<Appended> {
    const { shardSizeBytes } = this.#head.attributes;
    const tableChecksum = crc32c(table);
    const entry: RecordEntry = {
      ...this.#head,
      offsetBytes: SEGMENT_HEADER_BYTES,
      sequence,
      tableChecksum,
    };
    const recordsEndBytes = SEGMENT_HEADER_BYTES + recordBytes(shardSizeBytes);
    if (this.#isBehind()) await this.#writing;
    this.#gather(table);
    this.#gather(encodeRecordEnd(this.#header, { sequence, tableChecksum }, shardSizeBytes));
    await this.#writeRest();
    await syncOrFence(this.#context, this.#file);
    await this.#context.directorySync.run();
    // Behind the sync, so that a footer vouches for a durable record. Should the power take it, the
    // next start reads the record instead.
    try {
      await this.#writePiece(encodeFooter([entry], this.#binding, recordsEndBytes));
    } catch (error) {
      if (!hasCode(error, 'DISK_FULL')) throw error;
    }
    await this.#file.close();
    this.#segment.sizeBytes = this.#writtenBytes;
    this.#segment.isSealed = true;
    noteEntry(this.#segment, entry);
    this.#context.table.add(this.#segment);
    return { segment: this.#segment, entry };
  }

  /** Removes the file. Never throws: what stays behind is removed at the next start. */
  async discard(): Promise<void> {
    await this.#writing;
    this.#giveBuffers();
    await this.#file.close().catch(() => undefined);
    await this.#context.disk.unlink(segmentPath(this.#segment)).catch(() => undefined);
  }

  #isBehind(): boolean {
    return this.#full.length * WRITE_BYTES >= UNWRITTEN_BYTES_MAX;
  }

  /** Copies what is not shard bytes: headers, the checksum table, the record's end. */
  #gather(bytes: Uint8Array): void {
    let from = 0;
    while (from < bytes.byteLength) {
      const room = this.room();
      const to = Math.min(bytes.byteLength, from + room.byteLength);
      room.set(bytes.subarray(from, to));
      this.#fillBytes += to - from;
      from = to;
      if (this.#fillBytes === WRITE_BYTES) this.#closeBuffer();
    }
  }

  #closeBuffer(): void {
    if (this.#buffer !== null) this.#full.push(this.#buffer);
    this.#buffer = null;
    this.#fillBytes = 0;
    this.#writing ??= this.#writeFull();
  }

  /** Never rejects, so that a failure between two chunks is not unhandled; `#failure` keeps it. */
  async #writeFull(): Promise<void> {
    while (this.#failure === null) {
      const [buffer] = this.#full;
      if (buffer === undefined) break;
      try {
        await this.#writePiece(buffer);
      } catch (error) {
        this.#failure = error as Error;
      }
      this.#full.shift();
      this.#context.writeBuffers.give(buffer);
    }
    this.#writing = null;
  }

  /** What is left: the blocks of it first, so that little is copied. */
  async #writeRest(): Promise<void> {
    await this.#writing;
    this.#throwIfFailed();
    const rest = this.#buffer?.subarray(0, this.#fillBytes);
    if (rest !== undefined) {
      const isCopied = rest.byteLength <= COPIED_REST_BYTES_MAX;
      const tailBytes = isCopied ? rest.byteLength : rest.byteLength % DIRECT_ALIGNMENT_BYTES;
      const blocksBytes = rest.byteLength - tailBytes;
      if (blocksBytes > 0) await this.#writePiece(rest.subarray(0, blocksBytes));
      if (blocksBytes < rest.byteLength) await this.#writePiece(rest.subarray(blocksBytes));
    }
    this.#giveBuffers();
  }

  async #writePiece(bytes: Uint8Array): Promise<void> {
    await writeOrFence(this.#context, this.#file, [bytes], this.#writtenBytes);
    this.#writtenBytes += bytes.byteLength;
  }

  /** Only while nothing is being written. */
  #giveBuffers(): void {
    const { writeBuffers } = this.#context;
    for (const buffer of this.#full.splice(0)) writeBuffers.give(buffer);
    if (this.#buffer !== null) writeBuffers.give(this.#buffer);
    this.#buffer = null;
    this.#fillBytes = 0;
  }

  #throwIfFailed(): void {
    if (this.#failure !== null) throw this.#failure;
  }
}
