import { hasCode, StoreError } from '@azimuth/common';

import type { LogDisk } from '../disk/log-disk';
import type {
  FrozenView,
  KeyRange,
  KeyValueOperation,
  KeyValuePair,
  KeyValueStore,
  RangeReader,
  StoredPair,
  ValueReference,
  ValueSeparation,
} from './key-value-store';
import {
  decodeReference,
  encodeReference,
  FILE_HEADER_BYTES,
  recordBytes,
  usedBytes,
  ValueFiles,
} from './value-files';
import type { FoundValue, LargeValue, ValueFile } from './value-files';
import { RecentChanges } from './recent-changes';
import { ValueHolds } from './value-holds';

/** Bodies and parts: the records that may hold the bytes of an object. */
const BODY_KIND = 'd'.charCodeAt(0);
const PART_KIND = 'p'.charCodeAt(0);
const VALUE_BYTES_MIN = 512;
/** A write moves at most so much of what is left in a file that is mostly garbage. */
const COLLECT_BYTES_MAX = 256 * 1024;

const INLINE_TAG = 0;
const REFERENCE_TAG = 1;
const INLINE = Buffer.from([INLINE_TAG]);
const REFERENCE = Buffer.from([REFERENCE_TAG]);

/** Behind everything that a state machine writes: [FF][file u32] → [end offset u48, live u48]. */
const FILE_RECORD_KIND = 0xff;
const FILE_RECORDS: KeyRange = { from: Buffer.from([0xff]), to: Buffer.alloc(6, 0xff) };
const FILE_RECORD_BYTES = 12;
const EVERYTHING: KeyRange = { from: Buffer.from([0x00]), to: Buffer.from([0xff]) };
const NOTHING: KeyRange = { from: Buffer.from([0x00]), to: Buffer.from([0x00]) };
const FORMAT_KEY = Buffer.from([0xff, 0, 0, 0, 0]);
const FORMAT = Buffer.from([1]);
const READ_SIZE = 1_000;
/** Fewer dead records in a chain of snapshots are not worth a whole one. */
const DEAD_RECORDS_MIN = 1_000;

export interface SeparatedStoreOptions {
  readonly base: KeyValueStore;
  /** For value files alone. */
  readonly disk: LogDisk;
  readonly valueBytesMin?: number;
  readonly fileBytesMax?: number;
  /** Of what is remembered since the last snapshot. */
  readonly changesBytesMax?: number;
}

/**
 * Large values beside an ordered store: they are appended to files, the store holds where they are
 * (WiscKey, FAST '16). So its log, tables and compaction do not carry bodies, and a snapshot refers
 * to the files.
 *
 * F1 A value is in its file before the store refers to it. Neither is synced: after a power cut
 *    nothing of the store is believed, and files that snapshots hold were synced before.
 * F2 A file goes only when the store refers to nothing in it, which a walk over its records or the
 *    clearing of the store has shown, no snapshot holds it and no reader of before is open.
 * F3 How many bytes of a file are live is written with every change of it; it decides only what is
 *    worth walking.
 */
export class SeparatedStore implements KeyValueStore {
  readonly #base: KeyValueStore;
  readonly #files: ValueFiles;
  readonly #holds: ValueHolds;
  readonly #valueBytesMin: number;
  /** Open readers, oldest first, and how many there had been before each. */
  readonly #readers = new Map<RangeReader, number>();
  #readersMade = 0;
  readonly #touched = new Set<ValueFile>();
  readonly #changes: RecentChanges;
  /** Of the last whole snapshot and those that continue it: their records, and those of no use. */
  #chain = { count: 0, deadCount: 0 };
  #walk: { readonly file: ValueFile; offset: number } | null = null;

  private constructor(options: SeparatedStoreOptions, files: ValueFiles, holds: ValueHolds) {
    this.#base = options.base;
    this.#files = files;
    this.#holds = holds;
    this.#valueBytesMin = options.valueBytesMin ?? VALUE_BYTES_MIN;
    this.#changes = new RecentChanges(
      (key) => this.#base.get(key) !== undefined,
      options.changesBytesMax,
    );
  }

  static async open(options: SeparatedStoreOptions): Promise<SeparatedStore> {
    const files = await ValueFiles.open(options.disk, options.fileBytesMax);
    const store = new SeparatedStore(options, files, await ValueHolds.open(options.disk));
    if (!(await store.#load())) await store.clear();
    return store;
  }

  get separation(): ValueSeparation {
    return {
      freeze: (index) => this.#freeze(index),
      freezeChanges: (since, index) => this.#freezeChanges(since, index),
      read: (reference) => this.#files.read(reference),
      release: (index) => this.#release(index),
    };
  }

  get(key: Buffer): Buffer | undefined {
    const stored = this.#base.get(key);
    return stored === undefined || !isSeparable(key) ? stored : this.#resolve(stored);
  }

  async write(operations: readonly KeyValueOperation[]): Promise<void> {
    const batch: KeyValueOperation[] = [];
    const large: LargeValue[] = [];
    for (const operation of operations) {
      const { key, value, reference } = operation;
      if (!isSeparable(key)) {
        batch.push(operation);
        continue;
      }
      // The key of a body with bytes names its sequence, so there is nothing yet that it replaces.
      if (value === null || key[0] === PART_KIND) this.#forget(key);
      if (value === null) batch.push({ key, value });
      else if (reference !== undefined) batch.push(this.#refer(key, reference));
      else if (value.length >= this.#valueBytesMin) large.push({ key, value });
      else batch.push({ key, value: Buffer.concat([INLINE, value]) });
    }
    await this.#append(large, batch);
    await this.#writeBase(batch);
    await this.#collect();
  }

  range(range: KeyRange): RangeReader {
    const reader = this.#openReader(range);
    return {
      next: async (limit) => {
        const pairs = await reader.next(limit);
        return pairs.map(([key, value]): KeyValuePair => {
          return isSeparable(key) ? [key, this.#resolve(value)] : [key, value];
        });
      },
      seek: (target) => reader.seek(target),
      close: () => this.#closeReader(reader),
    };
  }

  async clear(): Promise<void> {
    this.#changes.forget();
    await this.#base.clear();
    await this.#base.write([{ key: FORMAT_KEY, value: FORMAT }]);
    this.#walk = null;
    this.#touched.clear();
    this.#readers.clear();
    this.#files.seal();
    for (const file of this.#files.all()) {
      file.liveBytes = 0;
      file.emptiedAt = 0;
      // What a snapshot refers to may be followed by the remains of a write: see `#count`.
      file.endOffset = FILE_HEADER_BYTES;
    }
    await this.#removeUnused();
  }

  condemn(): void {
    this.#base.condemn();
  }

  async close(): Promise<void> {
    await this.#base.close();
    await this.#files.close();
  }

  /** False when the base is new, damaged, or of before there were value files. */
  async #load(): Promise<boolean> {
    try {
      if (this.#base.get(FORMAT_KEY)?.equals(FORMAT) !== true) return false;
      await this.#loadFileRecords();
      return true;
    } catch (error) {
      if (hasCode(error, 'STATE_CORRUPT')) return false;
      throw error;
    }
  }

  async #loadFileRecords(): Promise<void> {
    const reader = this.#base.range(FILE_RECORDS);
    const unknown = new Set(this.#files.all());
    let last: ValueFile | null = null;
    try {
      for (;;) {
        const pairs = await reader.next(READ_SIZE);
        if (pairs.length === 0) break;
        for (const [key, value] of pairs) {
          const number = key.readUInt32BE(1);
          this.#files.neverAgain(number);
          last = this.#files.get(number);
          if (last === null || value.length !== FILE_RECORD_BYTES) continue;
          unknown.delete(last);
          const isWhole = last.endOffset === value.readUIntLE(0, 6);
          last.endOffset = value.readUIntLE(0, 6);
          last.liveBytes = value.readUIntLE(6, 6);
          if (!isWhole) last = null;
        }
      }
    } finally {
      await reader.close();
    }
    // The process was killed before anything referred to it: what is there may be half a record.
    for (const file of unknown) file.endOffset = FILE_HEADER_BYTES;
    const newest = this.#files.all().at(-1);
    if (newest !== undefined && newest === last) this.#files.resume(newest);
  }

  #resolve(stored: Buffer): Buffer {
    const tag = stored[0];
    if (tag === INLINE_TAG) return stored.subarray(1);
    if (tag === REFERENCE_TAG) return this.#files.read(decodeReference(stored.subarray(1)));
    throw new StoreError('STATE_CORRUPT', { tag: tag ?? 'none' });
  }

  /** Where the value of a key lies; null when it is not in a file. */
  #referenceOf(key: Buffer): ValueReference | null {
    const stored = this.#base.get(key);
    return stored?.[0] === REFERENCE_TAG ? decodeReference(stored.subarray(1)) : null;
  }

  #forget(key: Buffer): void {
    const reference = this.#referenceOf(key);
    if (reference !== null) this.#count(key, reference, -1);
  }

  #refer(key: Buffer, reference: ValueReference): KeyValueOperation {
    this.#count(key, reference, 1);
    return { key, value: Buffer.concat([REFERENCE, encodeReference(reference)]) };
  }

  #count(key: Buffer, reference: ValueReference, sign: 1 | -1): void {
    const file = this.#files.get(reference.file);
    if (file === null) return;
    file.liveBytes += sign * recordBytes(key, reference.sizeBytes);
    if (sign > 0) {
      file.emptiedAt = null;
      file.endOffset = Math.max(file.endOffset, reference.offset + reference.sizeBytes);
    }
    this.#touched.add(file);
  }

  async #append(values: readonly LargeValue[], batch: KeyValueOperation[]): Promise<void> {
    if (values.length === 0) return;
    const references = await this.#files.append(values);
    for (const [position, reference] of references.entries()) {
      batch.push(this.#refer((values[position] as LargeValue).key, reference));
    }
  }

  /** F3 */
  async #writeBase(batch: KeyValueOperation[]): Promise<void> {
    for (const file of this.#touched) {
      const value = Buffer.allocUnsafe(FILE_RECORD_BYTES);
      value.writeUIntLE(file.endOffset, 0, 6);
      value.writeUIntLE(Math.max(0, file.liveBytes), 6, 6);
      batch.push({ key: fileRecordKey(file.number), value });
    }
    this.#touched.clear();
    // Before it is written: a write that fails is the last of this store.
    for (const operation of batch) if (isOfState(operation.key)) this.#changes.note(operation);
    await this.#base.write(batch);
  }

  /** Moves some of what is live in a file that is mostly garbage. */
  async #collect(): Promise<void> {
    const walk = (this.#walk ??= this.#nextWalk());
    if (walk === null) return;
    const moving: FoundValue[] = [];
    const until = walk.offset + COLLECT_BYTES_MAX;
    let isAtEnd = false;
    while (walk.offset < until) {
      const found = this.#files.recordAt(walk.file, walk.offset);
      isAtEnd = found === null;
      if (found === null) break;
      if (this.#isLive(found)) moving.push(found);
      walk.offset = found.end;
    }
    const batch: KeyValueOperation[] = [];
    for (const { key, reference } of moving) this.#count(key, reference, -1);
    await this.#append(moving, batch);
    if (batch.length > 0) await this.#writeBase(batch);
    if (!isAtEnd) return;
    walk.file.emptiedAt = this.#readersMade;
    this.#walk = null;
    await this.#removeUnused();
  }

  #isLive({ key, reference }: FoundValue): boolean {
    const current = this.#referenceOf(key);
    return current?.file === reference.file && current.offset === reference.offset;
  }

  #nextWalk(): { readonly file: ValueFile; offset: number } | null {
    for (const file of this.#files.all()) {
      if (file.emptiedAt !== null || this.#files.isActive(file)) continue;
      if (2 * file.liveBytes <= usedBytes(file)) return { file, offset: 0 };
    }
    return null;
  }

  /** F2 */
  async #removeUnused(): Promise<void> {
    const [oldestReader = Infinity] = this.#readers.values();
    for (const file of this.#files.all()) {
      if (file.emptiedAt === null || file.emptiedAt > oldestReader) continue;
      if (this.#holds.isHeld(file.number)) continue;
      await this.#files.remove(file);
    }
  }

  #freeze(index: number): FrozenView {
    const reader = this.#openReader(EVERYTHING);
    this.#changes.restart(index);
    const chain = { count: 0, deadCount: 0 };
    this.#chain = chain;
    return {
      next: async (limit) => {
        const pairs = await reader.next(limit);
        chain.count += pairs.length;
        return pairs.map(([key, stored]) => this.#storedPair(key, stored));
      },
      hold: this.#holdFiles(),
      close: () => this.#closeReader(reader),
    };
  }

  #freezeChanges(since: number, index: number): FrozenView | null {
    const changes = this.#changes.since(since);
    if (changes === null || since === index) return null;
    const count = this.#chain.count + changes.count;
    const deadCount = this.#chain.deadCount + changes.deadCount;
    if (deadCount > Math.max(DEAD_RECORDS_MIN, count / 2)) return null;
    this.#chain = { count, deadCount };
    // Keeps the files of values that are overwritten before they are held.
    const reader = this.#openReader(NOTHING);
    this.#changes.restart(index);
    let position = 0;
    return {
      next: (limit) => {
        const some = changes.slice(position, position + limit);
        position += some.length;
        const pairs = some.map(([name, value]): StoredPair => {
          const key = Buffer.from(name, 'latin1');
          return value === null ? [key, null] : this.#storedPair(key, Buffer.from(value, 'latin1'));
        });
        return Promise.resolve(pairs);
      },
      hold: this.#holdFiles(),
      close: () => this.#closeReader(reader),
    };
  }

  /** A value, or where it lies. */
  #storedPair(key: Buffer, stored: Buffer): StoredPair {
    if (!isSeparable(key)) return [key, stored];
    const isReference = stored[0] === REFERENCE_TAG;
    return [key, isReference ? decodeReference(stored.subarray(1)) : this.#resolve(stored)];
  }

  /** Of the files that the store refers to now. */
  #holdFiles(): FrozenView['hold'] {
    const files = this.#files.all().filter(({ emptiedAt }) => emptiedAt === null);
    return async (index) => {
      await this.#files.sync(files);
      await this.#holds.add(
        index,
        files.map(({ number }) => number),
      );
    };
  }

  #openReader(range: KeyRange): RangeReader {
    const reader = this.#base.range(range);
    this.#readers.set(reader, this.#readersMade);
    this.#readersMade += 1;
    return reader;
  }

  async #closeReader(reader: RangeReader): Promise<void> {
    this.#readers.delete(reader);
    await reader.close();
  }

  async #release(index: number): Promise<void> {
    await this.#holds.release(index);
    await this.#removeUnused();
  }
}

function isSeparable(key: Buffer): boolean {
  return key[0] === BODY_KIND || key[0] === PART_KIND;
}

/** Not a record of this store about its files. */
function isOfState(key: Buffer): boolean {
  return key[0] !== FILE_RECORD_KIND;
}

function fileRecordKey(number: number): Buffer {
  const key = Buffer.alloc(5, 0xff);
  key.writeUInt32BE(number, 1);
  return key;
}
