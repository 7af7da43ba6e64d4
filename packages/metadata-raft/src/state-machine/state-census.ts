import { crc32c } from '@node-rs/crc32';

import { hasCode } from '@azimuth/common';
import type { StateMark } from '@azimuth/proto';

import type { CheckedRange, CheckedStore } from './checked-store';

const EVERYTHING = { from: Buffer.from([0x00]), to: Buffer.from([0xff]) };
const RECORDS_PER_READ = 500;
/** Censuses that are kept for peers to compare with. */
const RECENT_MAX = 4;

/**
 * Reads every record of a group, in the background, and sums them up whatever their order. The
 * digest of the changes says that replicas did the same; only this says that they still have it:
 * LevelDB may lose a record, or bring back an older one, and no checksum is wrong.
 *
 * C1 Replicas must look at the same index. So a census begins in front of the first entry whose
 *    time lies in another period than that of the entry before; in a group without entries the
 *    state stands still and any moment will do.
 * C2 The view names its index itself: the record of the applied index is part of it.
 */
export class StateCensus {
  readonly #records: CheckedStore;
  readonly #indexOf: (metaContent: Buffer) => number;
  readonly #metaKey: Buffer;
  readonly #periodMs: number;
  #open: CheckedRange | null = null;
  #isReading = false;
  #recent: StateMark[] = [];

  constructor(
    records: CheckedStore,
    options: {
      readonly metaKey: Buffer;
      readonly periodMs: number;
      /** The applied index, from the content of the record at `metaKey`. */
      readonly indexOf: (metaContent: Buffer) => number;
    },
  ) {
    this.#records = records;
    this.#metaKey = options.metaKey;
    this.#periodMs = options.periodMs;
    this.#indexOf = options.indexOf;
  }

  /** Oldest first. */
  get recent(): readonly StateMark[] {
    return this.#recent;
  }

  /** True when a census must begin between two entries of these times (C1). */
  isDue(beforeMs: number, afterMs: number): boolean {
    return Math.floor(beforeMs / this.#periodMs) !== Math.floor(afterMs / this.#periodMs);
  }

  /** Freezes the view; nothing happens while an earlier one is still being read. */
  begin(): void {
    if (this.#open !== null || this.#isReading) return;
    this.#open = this.#records.range(EVERYTHING);
  }

  /**
   * Reads what {@link begin} froze; `pace` is awaited after each piece. Null when nothing was
   * frozen, or the store was replaced meanwhile.
   *
   * @throws StoreError STATE_CORRUPT
   */
  async read(pace: (bytes: number) => Promise<void>): Promise<StateMark | null> {
    const range = this.#open;
    if (range === null || this.#isReading) return null;
    this.#isReading = true;
    this.#open = null;
    try {
      const mark = await this.#sum(range, pace);
      if (mark !== null) this.#recent = [...this.#recent, mark].slice(-RECENT_MAX);
      return mark;
    } catch (error) {
      if (hasCode(error, 'STATE_CORRUPT')) throw error;
      return null;
    } finally {
      this.#isReading = false;
      await range.close().catch(() => undefined);
    }
  }

  /** The store is replaced or closed: nothing that was frozen counts, and no old sum. */
  async discard(): Promise<void> {
    const range = this.#open;
    this.#open = null;
    this.#recent = [];
    await range?.close().catch(() => undefined);
  }

  async #sum(
    range: CheckedRange,
    pace: (bytes: number) => Promise<void>,
  ): Promise<StateMark | null> {
    let index: number | null = null;
    let low = 0;
    let high = 0;
    let count = 0;
    for (;;) {
      const pairs = await range.next(RECORDS_PER_READ);
      if (pairs.length === 0) break;
      let sizeBytes = 0;
      for (const [key, content] of pairs) {
        sizeBytes += key.length + content.length;
        if (key.equals(this.#metaKey)) {
          index = this.#indexOf(content);
          continue;
        }
        const word = crc32c(content, crc32c(key));
        low = (low + word) >>> 0;
        high = (high + Math.imul(word ^ (word >>> 15), 0x9e3779b1)) >>> 0;
        count += 1;
      }
      await pace(sizeBytes);
    }
    if (index === null) return null;
    const words = [count, high, low].map((word) => word.toString(16).padStart(8, '0'));
    return { index, hash: words.join('') };
  }
}
