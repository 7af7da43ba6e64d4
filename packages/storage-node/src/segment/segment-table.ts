import { required } from '@azimuth/common';

import type { Disk, DiskFile } from '../disk/disk';
import { isSystemError } from '../disk/disk';
import type { SegmentKind } from './segment-format';

export const SEGMENT_DIRECTORY = 'segments';
const NAME_PATTERN = /^(shared|own)-([0-9a-f]{12})\.segment$/;

/** What the node knows of a segment without reading it. */
export interface Segment {
  readonly number: number;
  readonly kind: SegmentKind;
  sizeBytes: number;
  /** Bytes of records that the index points to. */
  liveBytes: number;
  /** Bytes of tombstones, which stay until no older record of any shard is left. */
  tombstoneBytes: number;
  /** Least sequence of a shard record in it, dead ones included; greatest safe integer for none. */
  minSequence: number;
  /** Open segments take records; sealed ones never change. */
  isSealed: boolean;
}

export function segmentPath(segment: Pick<Segment, 'kind' | 'number'>): string {
  const name = segment.number.toString(16).padStart(12, '0');
  return `${SEGMENT_DIRECTORY}/${segment.kind}-${name}.segment`;
}

/** Null for a name that is not a segment's. */
export function parseSegmentName(
  name: string,
): { readonly kind: SegmentKind; readonly number: number } | null {
  const match = NAME_PATTERN.exec(name);
  if (match === null) return null;
  return { kind: match[1] as SegmentKind, number: Number.parseInt(match[2] ?? '', 16) };
}

interface OpenSegmentFile {
  readonly file: Promise<DiskFile>;
  users: number;
  isDropped: boolean;
}

/** All segments of a disk, and their files, of which at most `openFilesMax` idle ones stay open. */
export class SegmentTable {
  readonly #disk: Disk;
  readonly #segments = new Map<number, Segment>();
  /** Ascending by number; null when it has to be made again. */
  #sorted: readonly Segment[] | null = null;
  /** In order of last use. */
  readonly #files = new Map<number, OpenSegmentFile>();
  readonly #openFilesMax: number;
  #nextNumber = 1;
  #usedBytes = 0;

  constructor(disk: Disk, openFilesMax: number) {
    this.#disk = disk;
    this.#openFilesMax = openFilesMax;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** A number above that of every segment that is, or was since the start, on this disk. */
  takeNumber(): number {
    const number = this.#nextNumber;
    this.#nextNumber += 1;
    return number;
  }

  add(segment: Segment): void {
    this.#segments.set(segment.number, segment);
    this.#sorted = null;
    this.#usedBytes += segment.sizeBytes;
    this.#nextNumber = Math.max(this.#nextNumber, segment.number + 1);
  }

  get(number: number): Segment | null {
    return this.#segments.get(number) ?? null;
  }

  require(number: number): Segment {
    return required(this.#segments.get(number), `segment ${number}`);
  }

  /** Ascending by number. */
  all(): readonly Segment[] {
    // Asked for every second, and a disk has many thousands.
    this.#sorted ??= [...this.#segments.values()].sort((a, b) => a.number - b.number);
    return this.#sorted;
  }

  resize(segment: Segment, sizeBytes: number): void {
    this.#usedBytes += sizeBytes - segment.sizeBytes;
    segment.sizeBytes = sizeBytes;
  }

  /**
   * Runs `use` with the segment's file, which stays open while it runs. Null when the segment is
   * gone: the caller looks up again where its shard went.
   */
  async withFile<T>(number: number, use: (file: DiskFile) => Promise<T>): Promise<T | null> {
    const opened = this.acquire(number);
    if (opened === null) return null;
    try {
      let file: DiskFile;
      try {
        file = await opened.file;
      } catch (error) {
        if (isSystemError(error, 'ENOENT')) return null;
        throw error;
      }
      return await use(file);
    } finally {
      opened.release();
    }
  }

  /** Like `withFile` for a caller that reads in several steps; `release` must be called once. */
  acquire(number: number): { readonly file: Promise<DiskFile>; release(): void } | null {
    const segment = this.#segments.get(number);
    if (segment === undefined) return null;
    let opened = this.#files.get(number);
    if (opened === undefined) {
      opened = { file: this.#disk.open(segmentPath(segment), 'read'), users: 0, isDropped: false };
      opened.file.catch(() => this.#files.delete(number));
    }
    this.#files.delete(number);
    this.#files.set(number, opened);
    opened.users += 1;
    this.#closeIdle();
    const held = opened;
    let isHeld = true;
    return {
      file: held.file,
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        held.users -= 1;
        if (held.isDropped && held.users === 0) closeQuietly(held);
      },
    };
  }

  /** Removes a segment whose records are all dead, in a durable way, or superseded. */
  async remove(segment: Segment): Promise<void> {
    this.#segments.delete(segment.number);
    this.#sorted = null;
    this.#usedBytes -= segment.sizeBytes;
    const opened = this.#files.get(segment.number);
    if (opened !== undefined) this.#drop(segment.number, opened);
    await this.#disk.unlink(segmentPath(segment)).catch((error: unknown) => {
      if (!isSystemError(error, 'ENOENT')) throw error;
    });
  }

  async close(): Promise<void> {
    for (const [number, opened] of [...this.#files]) this.#drop(number, opened);
    await Promise.resolve();
  }

  #closeIdle(): void {
    for (const [number, opened] of this.#files) {
      if (this.#files.size <= this.#openFilesMax) return;
      if (opened.users === 0) this.#drop(number, opened);
    }
  }

  #drop(number: number, opened: OpenSegmentFile): void {
    this.#files.delete(number);
    opened.isDropped = true;
    if (opened.users === 0) closeQuietly(opened);
  }
}

/** A file that was only read has nothing to lose at close. */
function closeQuietly(opened: OpenSegmentFile): void {
  opened.file.then((file) => file.close()).catch(() => undefined);
}
