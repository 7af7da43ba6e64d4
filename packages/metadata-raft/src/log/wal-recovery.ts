import type { LogIndex } from '../core/message';

import type { LogDisk, LogFile } from '../disk/log-disk';
import type { NodeState } from './state-storage';
import type { FoundRecord, WalSegment } from './wal-segment';
import {
  decodeRecord,
  decodeSegmentHeader,
  findRecordMagic,
  parseSegmentName,
  SEGMENT_HEADER_BYTES,
  segmentName,
} from './wal-segment';

/**
 * What the segments hold. `torn`: the end was being written when the node stopped, nobody was told
 * of it, and it is cut. `damaged`: something that had been synced is gone, so it may have been
 * acknowledged, and cutting it in silence could lose a committed entry (pitfall 9).
 */
export interface WalScan {
  readonly segments: WalSegment[];
  readonly condition: 'whole' | 'torn' | 'damaged';
  /** Where the whole part of the last segment ends; for `torn` and `whole`. */
  readonly endOffset: number;
  readonly lastBatch: number;
  readonly lastCrc: number;
  /** The largest index seen of each group, also behind the damage. */
  readonly maxIndex: ReadonlyMap<string, LogIndex>;
}

interface Fault {
  /** The batch that the first unreadable byte belongs to. */
  readonly batch: number;
  /** A later batch is readable, so this one had been synced. */
  isProven: boolean;
}

/** Reads all segments of the epoch in order and gives every readable record to `visit`. */
export async function scanWal(
  disk: LogDisk,
  state: NodeState,
  visit: (segment: WalSegment, record: FoundRecord) => void,
): Promise<WalScan> {
  const scanner = new Scanner(visit);
  const numbers = (await disk.list())
    .map(parseSegmentName)
    .filter((name) => name !== null)
    .filter((name) => name.epoch === state.epoch && name.number >= state.firstSegment)
    .map((name) => name.number)
    .sort((a, b) => a - b);
  if (numbers[0] !== state.firstSegment) scanner.foundFault();
  const files: LogFile[] = [];
  for (const number of numbers) {
    const name = segmentName(state.epoch, number);
    const file = await disk.open(name);
    files.push(file);
    scanner.scan({ number, name, file, endOffset: file.sizeBytes, liveEntries: 0 });
  }
  const scan = scanner.finish(state.ackedBatch);
  for (const file of files.slice(scan.segments.length)) await file.close();
  return scan;
}

class Scanner {
  readonly #visit: (segment: WalSegment, record: FoundRecord) => void;
  readonly #segments: WalSegment[] = [];
  readonly #maxIndex = new Map<string, LogIndex>();
  #fault: Fault | null = null;
  #lastCrc = 0;
  #lastBatch = 0;
  #isBatchComplete = true;
  /** The header of the segment being read does not continue the log. */
  #isHeaderBad = false;
  /** Records of a batch whose end has not been seen; they count only if it, or more, was synced. */
  #open: (readonly [WalSegment, FoundRecord])[] = [];
  /** End of the last complete batch, and the chain there. */
  #complete = { segmentCount: 0, offset: 0, batch: 0, crc: 0 };

  constructor(visit: (segment: WalSegment, record: FoundRecord) => void) {
    this.#visit = visit;
  }

  scan(segment: WalSegment): void {
    const previous = this.#segments.at(-1);
    // A segment is made when everything in front of it is synced.
    if (this.#fault !== null) this.#fault.isProven = true;
    this.#segments.push(segment);
    const bytes = segment.file.read(0, segment.file.sizeBytes);
    const chain = decodeSegmentHeader(bytes, segment.number);
    const isChained =
      chain !== null &&
      (previous === undefined ||
        (segment.number === previous.number + 1 && chain === this.#lastCrc));
    this.#isHeaderBad = !isChained;
    if (!isChained) this.foundFault();
    else if (previous === undefined) this.#lastCrc = chain;
    if (this.#fault === null) {
      this.#complete = { ...this.#complete, segmentCount: this.#segments.length };
      this.#complete.offset = SEGMENT_HEADER_BYTES;
      this.#complete.crc = this.#lastCrc;
    }
    this.#scanRecords(segment, bytes);
  }

  finish(ackedBatch: number): WalScan {
    const { segmentCount, offset, batch, crc } = this.#complete;
    // Without its first segment's header nothing can be appended to; it had been synced.
    const isDamaged = this.#fault?.isProven === true || ackedBatch > batch || segmentCount === 0;
    const isTorn = this.#fault !== null || !this.#isBatchComplete;
    if (isDamaged) this.#visitOpen();
    return {
      segments: isDamaged ? this.#segments : this.#segments.slice(0, segmentCount),
      condition: isDamaged ? 'damaged' : isTorn ? 'torn' : 'whole',
      endOffset: offset,
      lastBatch: isDamaged ? this.#lastBatch : batch,
      lastCrc: crc,
      maxIndex: this.#maxIndex,
    };
  }

  #scanRecords(segment: WalSegment, bytes: Buffer): void {
    let offset = SEGMENT_HEADER_BYTES;
    while (offset < bytes.length) {
      const record = decodeRecord(bytes, offset);
      if (record === null || !this.#continuesChain(record)) {
        if (this.#fault === null) this.foundFault();
      }
      if (record === null) {
        offset = findRecordMagic(bytes, offset + 1);
        if (offset === -1) return;
        continue;
      }
      this.#found(segment, record);
      offset += record.sizeBytes;
    }
  }

  #visitOpen(): void {
    for (const [segment, record] of this.#open) this.#visit(segment, record);
    this.#open = [];
  }

  #continuesChain(record: FoundRecord): boolean {
    return this.#fault !== null || record.previousCrc === this.#lastCrc;
  }

  #found(segment: WalSegment, record: FoundRecord): void {
    // A header is synced before anything is written behind it.
    if (this.#fault !== null && (this.#isHeaderBad || record.batch > this.#fault.batch)) {
      this.#fault.isProven = true;
    }
    this.#lastCrc = record.crc;
    this.#lastBatch = Math.max(this.#lastBatch, record.batch);
    this.#isBatchComplete = record.isLastOfBatch;
    this.#maxIndex.set(record.group, Math.max(this.#maxIndex.get(record.group) ?? 0, record.index));
    this.#open.push([segment, record]);
    if (!record.isLastOfBatch) return;
    this.#visitOpen();
    if (this.#fault === null) {
      this.#complete = {
        segmentCount: this.#segments.length,
        offset: record.offset + record.sizeBytes,
        batch: record.batch,
        crc: record.crc,
      };
    }
  }

  /** Something that should be there is not. Only the first counts. */
  foundFault(): void {
    const batch = this.#isBatchComplete ? this.#lastBatch + 1 : this.#lastBatch;
    this.#fault ??= { batch, isProven: false };
  }
}
