import { StoreError, assert } from '@azimuth/common';

import type { ConfigurationRecord, Entry, LogIndex, Term } from '../core/message';
import type { HardState, SnapshotMark } from '../core/ready';

import type { GroupLog, StartMark } from './log-storage';
import { withConfiguration } from './log-storage';
import { decodeRecord } from './wal-segment';
import type { WalSegment } from './wal-segment';

/** Where an entry is. `entry` is kept for recent ones, so that followers are served from memory. */
export interface LogSlot {
  readonly term: Term;
  readonly segment: WalSegment;
  readonly offset: number;
  readonly sizeBytes: number;
  entry: Entry | null;
}

/** The log of one group as the WAL finds its way in it. Everything it holds is durable. */
export class GroupIndex implements GroupLog {
  readonly #cacheBytesMax: number;
  /** Slot of index `#snapshot.index + 1 + i` is `#slots[i]`. */
  #slots: LogSlot[] = [];
  #snapshot: StartMark;
  #hardState: HardState;
  #sizeBytes = 0;
  #cachedBytes = 0;
  /** The first slot that may still hold its entry. */
  #cachedFrom = 0;

  constructor(hardState: HardState, snapshot: StartMark, cacheBytesMax: number) {
    this.#hardState = hardState;
    this.#snapshot = snapshot;
    this.#cacheBytesMax = cacheBytesMax;
  }

  hardState(): HardState {
    return this.#hardState;
  }

  setHardState(hardState: HardState): void {
    this.#hardState = hardState;
  }

  sizeBytes(): number {
    return this.#sizeBytes;
  }

  snapshotIndex(): LogIndex {
    return this.#snapshot.index;
  }

  snapshotTerm(): Term {
    return this.#snapshot.term;
  }

  snapshotConfiguration(): ConfigurationRecord | null {
    return this.#snapshot.configuration;
  }

  lastIndex(): LogIndex {
    return this.#snapshot.index + this.#slots.length;
  }

  term(index: LogIndex): Term | null {
    if (index === this.#snapshot.index) return this.#snapshot.term;
    return this.#slots[index - this.#snapshot.index - 1]?.term ?? null;
  }

  get oldestSegment(): WalSegment | null {
    return this.#slots[0]?.segment ?? null;
  }

  entries(from: LogIndex, to: LogIndex, bytesMax: number): readonly Entry[] {
    assert(from > this.#snapshot.index && to <= this.lastIndex() + 1, 'entries out of range');
    const result: Entry[] = [];
    let sizeBytes = 0;
    for (let index = from; index < to; index += 1) {
      const slot = this.#slots[index - this.#snapshot.index - 1];
      assert(slot !== undefined);
      sizeBytes += slot.sizeBytes;
      if (result.length > 0 && sizeBytes > bytesMax) break;
      result.push(slot.entry ?? readEntry(slot, index));
    }
    return result;
  }

  /** Appends `entry`, or replaces the log from its index on. */
  put(entry: Entry, slot: LogSlot): void {
    assert(entry.index <= this.lastIndex() + 1 && entry.index > this.#snapshot.index);
    this.#truncateFrom(entry.index);
    this.#slots.push(slot);
    slot.segment.liveEntries += 1;
    this.#sizeBytes += slot.sizeBytes;
    this.#cachedBytes += slot.sizeBytes;
    while (this.#cachedBytes > this.#cacheBytesMax && this.#cachedFrom < this.#slots.length - 1) {
      const evicted = this.#slots[this.#cachedFrom];
      assert(evicted !== undefined);
      evicted.entry = null;
      this.#cachedBytes -= evicted.sizeBytes;
      this.#cachedFrom += 1;
    }
  }

  /** See {@link GroupWrite.snapshot}. */
  setSnapshot(mark: SnapshotMark): void {
    if (mark.index <= this.#snapshot.index) {
      this.#snapshot = withConfiguration(this.#snapshot, mark);
      return;
    }
    const isKept = this.term(mark.index) === mark.term;
    const dropCount = isKept ? mark.index - this.#snapshot.index : this.#slots.length;
    for (const slot of this.#slots.slice(0, dropCount)) this.#forget(slot);
    this.#slots = this.#slots.slice(dropCount);
    this.#cachedFrom = Math.max(0, this.#cachedFrom - dropCount);
    this.#snapshot = mark;
  }

  /** Empties the log; what it had must come from a leader before the group is sure of it again. */
  forget(configuration: ConfigurationRecord): void {
    const repairIndex = Math.max(1, this.#hardState.repairIndex, this.lastIndex());
    this.#hardState = { ...this.#hardState, repairIndex };
    for (const slot of this.#slots) this.#forget(slot);
    this.#slots = [];
    this.#cachedFrom = 0;
    // Who decides elsewhere is the last that was known of it; nothing is decided here.
    this.#snapshot = { index: 0, term: 0, configuration };
  }

  /** Slots with their indexes, oldest first. */
  *slots(): Generator<readonly [LogIndex, LogSlot]> {
    for (const [position, slot] of this.#slots.entries()) {
      yield [this.#snapshot.index + 1 + position, slot];
    }
  }

  /** The same log with its entries in other places. */
  replaceSlots(slots: LogSlot[]): void {
    assert(slots.length === this.#slots.length);
    this.#slots = slots;
  }

  #truncateFrom(index: LogIndex): void {
    const keep = index - this.#snapshot.index - 1;
    if (keep >= this.#slots.length) return;
    for (const [position, slot] of this.#slots.slice(keep).entries()) {
      this.#forget(slot, keep + position >= this.#cachedFrom);
    }
    this.#slots.length = keep;
    this.#cachedFrom = Math.min(this.#cachedFrom, keep);
  }

  #forget(slot: LogSlot, isCached = slot.entry !== null): void {
    slot.segment.liveEntries -= 1;
    this.#sizeBytes -= slot.sizeBytes;
    if (isCached) this.#cachedBytes -= slot.sizeBytes;
  }
}

/** @throws StoreError LOG_CORRUPT when the disk does not answer what was written. */
export function readEntry(slot: LogSlot, index: LogIndex): Entry {
  const record = decodeRecord(slot.segment.file.read(slot.offset, slot.sizeBytes), 0);
  if (record === null || record.index !== index || record.term !== slot.term) {
    throw new StoreError('LOG_CORRUPT', { segment: slot.segment.name, offset: slot.offset });
  }
  return { index, term: record.term, data: record.data };
}
