import { StoreError, assert } from '@azimuth/common';

import type { ConfigurationRecord, Entry, LogIndex, Term } from '../core/message';
import type { HardState } from '../core/ready';

import type { LogSlot } from './group-index';
import { GroupIndex, readEntry } from './group-index';
import type { LogDisk } from '../disk/log-disk';
import type { GroupLog, GroupWrite, LogStorage } from './log-storage';
import type { GroupState, NodeState } from './state-storage';
import { StateStorage, STATE_FILE_NAME } from './state-storage';
import { isSegmentIntact } from './segment-verification';
import { scanWal } from './wal-recovery';
import type { FoundRecord, WalSegment } from './wal-segment';
import {
  encodeRecord,
  encodeSegmentHeader,
  parseSegmentName,
  recordBytes,
  SEGMENT_HEADER_BYTES,
  segmentName,
} from './wal-segment';

export interface WalOptions {
  readonly disk: LogDisk;
  /**
   * What an empty directory means: `bootstrap` a node of a new cluster; `rejoin` a node that lost
   * its disk, whose old votes and acknowledgements are forgotten, so that it abstains until a
   * leader has brought it up to date (pitfall 17); `join` one that a running cluster will add.
   */
  readonly whenEmpty: 'bootstrap' | 'rejoin' | 'join';
  /** The name of the log if it is created now; random, so that no other log has it. */
  readonly incarnation?: string;
  readonly segmentBytesMax?: number;
  /** Recent entries that are kept in memory, for each group. */
  readonly cacheBytesMax?: number;
  /** More than this for each group makes `groupsToCompact` name those that hold old segments. */
  readonly groupBytesTarget?: number;
}

export interface WalOpening {
  readonly wal: Wal;
  /** `damaged`: acknowledged records were gone; every group abstains until it is repaired. */
  readonly condition: 'created' | 'whole' | 'torn' | 'damaged';
}

const SEGMENT_BYTES_MAX = 8 * 1024 * 1024;
const CACHE_BYTES_MAX = 32 * 1024 * 1024;
const GROUP_BYTES_TARGET = 24 * 1024 * 1024;
/** At most this many batches are synced before the state file says so. */
const BATCHES_PER_CHECKPOINT = 256;

/**
 * The log of all groups of a node: one sequence of append-only files, one `fdatasync` a batch. An
 * index in memory says where each live entry is.
 */
export class Wal implements LogStorage {
  readonly #disk: LogDisk;
  readonly #options: Required<WalOptions>;
  readonly #groups = new Map<string, GroupIndex>();
  readonly #state: StateStorage;
  readonly #isRejoining: boolean;
  readonly incarnation: string;
  #epoch: number;
  #segments: WalSegment[] = [];
  #batch: number;
  #chain = 0;
  #batchesSinceCheckpoint = 0;
  #isFenced = false;
  #isWriting = false;
  #isRotationDue = false;
  #isClosed = false;

  private constructor(options: WalOptions, state: StateStorage, stored: NodeState) {
    this.#disk = options.disk;
    this.#options = {
      segmentBytesMax: SEGMENT_BYTES_MAX,
      cacheBytesMax: CACHE_BYTES_MAX,
      groupBytesTarget: GROUP_BYTES_TARGET,
      incarnation: '',
      ...options,
    };
    this.#state = state;
    this.#isRejoining = stored.isRejoining;
    // A log that was made before logs had names gets one when its state is saved next.
    this.incarnation = stored.incarnation ?? this.#options.incarnation;
    this.#epoch = stored.epoch;
    this.#batch = stored.ackedBatch;
    for (const [name, group] of Object.entries(stored.groups)) {
      const hardState: HardState = {
        currentTerm: group.currentTerm,
        votedFor: group.votedFor,
        repairIndex: group.repairIndex,
        isRejoining: group.isRejoining ?? false,
      };
      const { snapshotConfiguration: configuration = null } = group;
      const mark = { index: group.snapshotIndex, term: group.snapshotTerm, configuration };
      this.#groups.set(name, new GroupIndex(hardState, mark, this.#options.cacheBytesMax));
    }
  }

  /**
   * Opens, recovers or creates the log.
   *
   * @throws StoreError STATE_CORRUPT when there is a log without a readable state file.
   */
  static async open(options: WalOptions): Promise<WalOpening> {
    const names = await options.disk.list();
    if (!names.includes(STATE_FILE_NAME)) {
      if (await hasRecords(options.disk, names)) {
        throw new StoreError('STATE_CORRUPT', { file: STATE_FILE_NAME });
      }
      return { wal: await Wal.#create(options), condition: 'created' };
    }
    const { storage, state } = await StateStorage.load(options.disk);
    const wal = new Wal(options, storage, state);
    return { wal, condition: await wal.#recover(state) };
  }

  static async #create(options: WalOptions): Promise<Wal> {
    // The first segment comes first: once the state file exists, the segment must.
    const segment = await createSegment(options.disk, 1, 1, 0);
    const state: NodeState = {
      epoch: 1,
      firstSegment: 1,
      ackedBatch: 0,
      isRejoining: options.whenEmpty === 'rejoin',
      incarnation: options.incarnation ?? '',
      groups: {},
    };
    const wal = new Wal(options, await StateStorage.create(options.disk, state), state);
    wal.#segments = [segment];
    return wal;
  }

  group(name: string): GroupLog {
    return this.#groupIndex(name);
  }

  groups(): readonly string[] {
    return [...this.#groups.keys()];
  }

  async write(batch: readonly GroupWrite[]): Promise<void> {
    if (this.#isFenced) throw new StoreError('DISK_FENCED');
    await this.#writeAlone(() => this.#write(batch));
  }

  /** One write at a time; a failed one is the last. @throws StoreError DISK_FENCED */
  async #writeAlone(work: () => Promise<void>): Promise<void> {
    assert(!this.#isWriting, 'one write at a time');
    this.#isWriting = true;
    try {
      await work();
    } catch (error) {
      // Pages of a failed fsync may be marked clean: a retry could succeed without them
      // (pitfall 10). Nothing here can be trusted to be durable from now on.
      this.#isFenced = true;
      throw new StoreError('DISK_FENCED', {}, error);
    } finally {
      this.#isWriting = false;
    }
  }

  async #write(batch: readonly GroupWrite[]): Promise<void> {
    let isStateChanged = this.#batchesSinceCheckpoint >= BATCHES_PER_CHECKPOINT;
    let isCompacted = false;
    for (const write of batch) {
      const group = this.#groupIndex(write.group);
      if (write.hardState !== null) group.setHardState(write.hardState);
      if (write.snapshot !== null) group.setSnapshot(write.snapshot);
      isStateChanged ||= write.hardState !== null || write.snapshot !== null;
      isCompacted ||= write.snapshot !== null;
    }
    // Entries behind a new snapshot only make sense once the mark is durable.
    if (isCompacted) await this.#saveState();
    const saved = isStateChanged && !isCompacted ? this.#saveState() : undefined;
    // Both must end before a failure of one is reported: nothing may write on after that.
    const results = await Promise.allSettled([this.#append(batch), saved]);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    if (!isCompacted) return;
    // A damaged segment does not wait for entries to go.
    if (this.#isRotationDue) await this.#segmentToWrite();
    await this.#dropSegments();
  }

  async forget(name: string, configuration: ConfigurationRecord): Promise<void> {
    await this.#writeAlone(async () => {
      // Records of the old log that are found again at a later start fit behind the new one or are
      // skipped, by the term of the entry before.
      this.#groupIndex(name).forget(configuration);
      await this.#saveState();
      await this.#dropSegments();
    });
  }

  async checkpoint(): Promise<void> {
    if (this.#isFenced || this.#isWriting || this.#batchesSinceCheckpoint === 0) return;
    await this.#writeAlone(() => this.#saveState());
  }

  async verify(pace: (bytes: number) => Promise<void>): Promise<boolean> {
    for (const segment of [...this.#segments]) {
      const isInUse = (): boolean => !this.#isClosed && this.#segments.includes(segment);
      if (await isSegmentIntact(segment, isInUse, pace)) continue;
      this.#isRotationDue ||= segment === this.#segments.at(-1);
      return false;
    }
    return true;
  }

  async verifyVotes(): Promise<boolean> {
    assert(!this.#isWriting, 'one write at a time');
    if (this.#isFenced || this.#state.isIntact()) return true;
    await this.#writeAlone(async () => {
      // Each save replaces the older version, so two make both whole.
      await this.#saveState();
      await this.#saveState();
    });
    return false;
  }

  groupsToCompact(): readonly string[] {
    const totalBytes = this.#segments.reduce((sum, segment) => sum + segment.endOffset, 0);
    const count = this.#groups.size;
    if (totalBytes <= count * this.#options.groupBytesTarget) return [];
    const oldest = this.#segments[0];
    // One with more than its share makes snapshots by itself; its log is kept for somebody.
    const isPinning = (group: GroupIndex): boolean =>
      group.oldestSegment === oldest && count * group.sizeBytes() <= totalBytes;
    return [...this.#groups].filter(([, group]) => isPinning(group)).map(([name]) => name);
  }

  async close(): Promise<void> {
    if (!this.#isFenced) await this.checkpoint();
    await this.#closeFiles();
  }

  /** Closes the files and writes nothing more; a process that failed may open them again. */
  async abandon(): Promise<void> {
    if (!this.#isClosed) await this.#closeFiles();
  }

  async #closeFiles(): Promise<void> {
    this.#isClosed = true;
    const files = [this.#state, ...this.#segments.map(({ file }) => file)];
    const results = await Promise.allSettled(files.map((file) => file.close()));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  #groupIndex(name: string): GroupIndex {
    let group = this.#groups.get(name);
    if (group === undefined) {
      const isRejoining = this.#isRejoining;
      const repairIndex = isRejoining ? 1 : 0;
      const hardState: HardState = { currentTerm: 0, votedFor: null, repairIndex, isRejoining };
      const mark = { index: 0, term: 0, configuration: null };
      group = new GroupIndex(hardState, mark, this.#options.cacheBytesMax);
      this.#groups.set(name, group);
    }
    return group;
  }

  /** One file write and one sync for the entries of all groups. */
  async #append(batch: readonly GroupWrite[]): Promise<void> {
    const writes = batch.filter((write) => write.entries.length > 0);
    const last = writes.at(-1);
    if (last === undefined) return;
    const segment = await this.#segmentToWrite();
    const batchNumber = this.#batch + 1;
    const target = Buffer.allocUnsafe(batchBytes(writes));
    const placed: { group: GroupIndex; entry: Entry; slot: LogSlot }[] = [];
    let offset = 0;
    let chain = this.#chain;
    for (const write of writes) {
      const group = this.#groupIndex(write.group);
      const name = Buffer.from(write.group);
      let previousTerm = this.#termBefore(group, write.entries);
      for (const entry of write.entries) {
        const sizeBytes = recordBytes(name.length, entry.data.length);
        const isLastOfBatch = offset + sizeBytes === target.length;
        const { index, term } = entry;
        chain = encodeRecord(
          target,
          offset,
          { batch: batchNumber, term, index, previousTerm, isLastOfBatch },
          { group: name, data: entry.data },
          chain,
        );
        const slot = { term, segment, offset: segment.endOffset + offset, sizeBytes, entry };
        placed.push({ group, entry, slot });
        previousTerm = term;
        offset += sizeBytes;
      }
    }
    await segment.file.write(segment.endOffset, target);
    await segment.file.sync();
    segment.endOffset += target.length;
    this.#batch = batchNumber;
    this.#chain = chain;
    this.#batchesSinceCheckpoint += 1;
    for (const { group, entry, slot } of placed) group.put(entry, slot);
  }

  #termBefore(group: GroupIndex, entries: readonly Entry[]): Term {
    const first = entries[0]?.index ?? 0;
    const term = group.term(first - 1);
    assert(term !== null, 'entries do not follow the log');
    return term;
  }

  async #segmentToWrite(): Promise<WalSegment> {
    const current = this.#segments.at(-1);
    assert(current !== undefined);
    if (current.endOffset < this.#options.segmentBytesMax && !this.#isRotationDue) return current;
    this.#isRotationDue = false;
    const next = await createSegment(this.#disk, this.#epoch, current.number + 1, this.#chain);
    this.#segments.push(next);
    return next;
  }

  /** Deletes segments from the oldest on that no group needs. */
  async #dropSegments(): Promise<void> {
    let count = 0;
    while (count < this.#segments.length - 1 && this.#segments[count]?.liveEntries === 0) {
      count += 1;
    }
    if (count === 0) return;
    const dropped = this.#segments.splice(0, count);
    // First the state file stops naming them, then they go: the other way round, a crash in between
    // would look like damage.
    await this.#saveState();
    for (const segment of dropped) {
      await segment.file.close();
      await this.#disk.remove(segment.name);
    }
    await this.#disk.syncDirectory();
  }

  async #saveState(): Promise<void> {
    const groups: Record<string, GroupState> = {};
    for (const [name, group] of this.#groups) {
      groups[name] = {
        ...group.hardState(),
        snapshotIndex: group.snapshotIndex(),
        snapshotTerm: group.snapshotTerm(),
        snapshotConfiguration: group.snapshotConfiguration(),
        ackedIndex: group.lastIndex(),
      };
    }
    this.#batchesSinceCheckpoint = 0;
    await this.#state.save({
      epoch: this.#epoch,
      firstSegment: this.#segments[0]?.number ?? 1,
      ackedBatch: this.#batch,
      isRejoining: this.#isRejoining,
      incarnation: this.incarnation,
      groups,
    });
  }

  async #recover(stored: NodeState): Promise<'whole' | 'torn' | 'damaged'> {
    const scan = await scanWal(this.#disk, stored, (segment, record) => {
      this.#replay(segment, record);
    });
    this.#segments = scan.segments;
    this.#batch = Math.max(scan.lastBatch, stored.ackedBatch);
    this.#chain = scan.lastCrc;
    if (scan.condition === 'damaged') {
      this.#markDamaged(stored, scan.maxIndex);
      await this.#rewrite();
    } else if (scan.condition === 'torn') {
      const last = this.#segments.at(-1);
      assert(last !== undefined, 'a torn log keeps its first segment');
      last.endOffset = scan.endOffset;
      await last.file.truncate(scan.endOffset);
      await last.file.sync();
    }
    for (const group of this.#groups.values()) adoptLastTerm(group);
    await this.#removeStrays();
    return scan.condition;
  }

  #replay(segment: WalSegment, record: FoundRecord): void {
    const group = this.#groupIndex(record.group);
    const { index, term, offset, sizeBytes } = record;
    // Compacted, behind a gap, or of a log that a snapshot replaced.
    if (index <= group.snapshotIndex() || group.term(index - 1) !== record.previousTerm) return;
    const entry: Entry = { index, term, data: Buffer.from(record.data) };
    group.put(entry, { term, segment, offset, sizeBytes, entry });
  }

  /**
   * Which records are gone cannot be told, so no group may be sure of its log: each abstains until
   * it agrees with a leader at least as far as anything that is known to have been there.
   */
  #markDamaged(stored: NodeState, maxIndex: ReadonlyMap<string, LogIndex>): void {
    for (const [name, group] of this.#groups) {
      const repairIndex = Math.max(
        1,
        group.hardState().repairIndex,
        stored.groups[name]?.ackedIndex ?? 0,
        maxIndex.get(name) ?? 0,
        group.lastIndex(),
      );
      group.setHardState({ ...group.hardState(), repairIndex });
    }
  }

  /** Copies what is left into a new epoch, so that the damage is not found a second time. */
  async #rewrite(): Promise<void> {
    const old = this.#segments;
    const epoch = this.#epoch + 1;
    // An earlier attempt may have left files of this epoch behind.
    for (const name of await this.#disk.list()) {
      if (parseSegmentName(name)?.epoch === epoch) await this.#disk.remove(name);
    }
    const segment = await createSegment(this.#disk, epoch, 1, 0);
    this.#chain = 0;
    this.#batch += 1;
    for (const [name, group] of this.#groups) await this.#copyGroup(name, group, segment);
    await segment.file.sync();
    this.#epoch = epoch;
    this.#segments = [segment];
    await this.#saveState();
    for (const { file } of old) await file.close();
  }

  async #copyGroup(name: string, group: GroupIndex, segment: WalSegment): Promise<void> {
    const nameBytes = Buffer.from(name);
    const moved: LogSlot[] = [];
    let previousTerm = group.snapshotTerm();
    for (const [index, slot] of group.slots()) {
      const entry = slot.entry ?? readEntry(slot, index);
      const { term } = entry;
      const target = Buffer.allocUnsafe(slot.sizeBytes);
      this.#chain = encodeRecord(
        target,
        0,
        { batch: this.#batch, term, index, previousTerm, isLastOfBatch: true },
        { group: nameBytes, data: entry.data },
        this.#chain,
      );
      await segment.file.write(segment.endOffset, target);
      moved.push({ ...slot, segment, offset: segment.endOffset });
      segment.endOffset += target.length;
      segment.liveEntries += 1;
      previousTerm = term;
    }
    group.replaceSlots(moved);
  }

  /** Files of an interrupted rewrite, rotation or deletion. */
  async #removeStrays(): Promise<void> {
    const kept = new Set(this.#segments.map((segment) => segment.name));
    for (const name of await this.#disk.list()) {
      if (parseSegmentName(name) !== null && !kept.has(name)) await this.#disk.remove(name);
    }
    await this.#disk.syncDirectory();
  }
}

/**
 * True when a segment was ever written to. The first one without a record is left over from a start
 * that was cut short before the state file was there, so before this node had promised anything.
 */
async function hasRecords(disk: LogDisk, names: readonly string[]): Promise<boolean> {
  for (const name of names) {
    const parsed = parseSegmentName(name);
    if (parsed === null) continue;
    if (parsed.epoch > 1 || parsed.number > 1) return true;
    const file = await disk.open(name);
    const { sizeBytes } = file;
    await file.close();
    if (sizeBytes > SEGMENT_HEADER_BYTES) return true;
  }
  return false;
}

function batchBytes(writes: readonly GroupWrite[]): number {
  let sizeBytes = 0;
  for (const write of writes) {
    const groupLength = Buffer.byteLength(write.group);
    for (const entry of write.entries) sizeBytes += recordBytes(groupLength, entry.data.length);
  }
  return sizeBytes;
}

async function createSegment(
  disk: LogDisk,
  epoch: number,
  number: number,
  chain: number,
): Promise<WalSegment> {
  const name = segmentName(epoch, number);
  const file = await disk.open(name);
  try {
    await file.truncate(0);
    await file.write(0, encodeSegmentHeader(number, chain));
    await file.sync();
    await disk.syncDirectory();
  } catch (error) {
    await file.close();
    throw error;
  }
  return { number, name, file, endOffset: SEGMENT_HEADER_BYTES, liveEntries: 0 };
}

/** Entries may be durable before the state file is: then the log knows the later term. */
function adoptLastTerm(group: GroupIndex): void {
  const term = group.term(group.lastIndex()) ?? 0;
  const hardState = group.hardState();
  if (term > hardState.currentTerm) {
    group.setHardState({ ...hardState, currentTerm: term, votedFor: null });
  }
}
