import type { Disk } from '../disk/disk';
import { encodeSealed, readSealed, replaceFile } from '../disk/replace-file';

/** Where the scrub of a disk stands: what a restart goes on from. */
export interface ScrubPosition {
  /** When the tour began, by the wall clock. */
  readonly startedMs: number;
  /** The tour has passed all segments up to this one. */
  readonly lastSegment: number;
  /** Sizes of the segments that it passed. */
  readonly passedBytes: number;
  readonly scrubbedBytes: number;
  /** Segments that could not be read: a tour with such is not a whole one. */
  readonly skippedSegments: number;
  /** The tour has ended; the next one begins a period after it began. */
  readonly hasEnded: boolean;
  /** When the last whole tour ended, by the wall clock; null before the first. */
  readonly lastPassMs: number | null;
}

/** Keeps the position of one disk. */
export interface ScrubPositions {
  /** Null when none was kept, or it is damaged: the tour begins anew. */
  load(): Promise<ScrubPosition | null>;
  save(position: ScrubPosition): Promise<void>;
}

const POSITION_PATH = 'scrub.json';
const FORMAT_VERSION = 1;

/** A small file on the disk itself, so that another disk in the same place begins its own tour. */
export class ScrubPositionFile implements ScrubPositions {
  readonly #disk: Disk;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  async load(): Promise<ScrubPosition | null> {
    const fields = await readSealed(this.#disk, POSITION_PATH);
    if (fields?.['formatVersion'] !== FORMAT_VERSION) return null;
    return {
      startedMs: Number(fields['startedMs']),
      lastSegment: Number(fields['lastSegment']),
      passedBytes: Number(fields['passedBytes']),
      scrubbedBytes: Number(fields['scrubbedBytes']),
      skippedSegments: Number(fields['skippedSegments']),
      hasEnded: fields['hasEnded'] === true,
      lastPassMs: fields['lastPassMs'] === null ? null : Number(fields['lastPassMs']),
    };
  }

  save(position: ScrubPosition): Promise<void> {
    const fields = { formatVersion: FORMAT_VERSION, ...position };
    return replaceFile(this.#disk, POSITION_PATH, encodeSealed(fields));
  }
}
