import { assert } from '@azimuth/common';

import { configurationOf } from './configuration-entry';
import { ConfigurationLog } from './configuration-log';
import type { ConfigurationRecord, Entry, LogIndex, Term } from './message';
import type { Configuration } from './quorum';
import type { SnapshotMark } from './ready';

/** The durable part of the log, as the core reads it. Reads are synchronous and never change it. */
export interface LogReader {
  /** The last entry that compaction replaced by a snapshot; 0 when there is none. */
  snapshotIndex(): LogIndex;
  snapshotTerm(): Term;
  /** `snapshotIndex()` when the log is empty. */
  lastIndex(): LogIndex;
  /** Term of an entry in [snapshotIndex, lastIndex]; null outside. */
  term(index: LogIndex): Term | null;
  /**
   * Entries of [from, to), at least one, then as many as fit in `bytesMax`.
   *
   * @throws StoreError LOG_CORRUPT when an entry on disk does not match its checksum.
   */
  entries(from: LogIndex, to: LogIndex, bytesMax: number): readonly Entry[];
}

/** Entry bytes that are read at once when a log is opened. */
const SCAN_BYTES = 1024 * 1024;

/**
 * The whole log of a node: what is durable, and behind it a tail that is not yet. The tail may be
 * replaced by a new leader while a part of it is being written.
 */
export class LogView {
  readonly #storage: LogReader;
  readonly #configurations: ConfigurationLog;
  #commitIndex: LogIndex;
  /** Entries from `#unstableFrom` on. They shadow whatever the storage has there. */
  #unstable: Entry[] = [];
  #unstableFrom: LogIndex;
  /** Entries up to here were handed out for writing and have not been replaced since. */
  #writingTo: LogIndex;
  /** A snapshot that replaces the log and is not durable in the storage yet. */
  #pendingSnapshot: SnapshotMark | null = null;

  /** @param base the configuration in force where the durable log starts. */
  constructor(storage: LogReader, commitIndex: LogIndex, base: Configuration) {
    this.#storage = storage;
    this.#commitIndex = Math.max(commitIndex, storage.snapshotIndex());
    assert(this.#commitIndex <= storage.lastIndex(), 'the log ends before the commit index');
    this.#unstableFrom = storage.lastIndex() + 1;
    this.#writingTo = storage.lastIndex();
    this.#configurations = new ConfigurationLog(storage.snapshotIndex(), base);
    this.#readConfigurations();
  }

  /** The latest in the log, committed or not. */
  get configuration(): Configuration {
    return this.#configurations.current;
  }

  /** The entry that brought {@link configuration}. */
  get configurationIndex(): LogIndex {
    return this.#configurations.currentIndex;
  }

  /** What was in force once the entry at `index` was in the log. */
  configurationAt(index: LogIndex): Configuration {
    return this.#configurations.at(index);
  }

  get commitIndex(): LogIndex {
    return this.#commitIndex;
  }

  get lastIndex(): LogIndex {
    return this.#unstableFrom + this.#unstable.length - 1;
  }

  get lastTerm(): Term {
    const term = this.term(this.lastIndex);
    assert(term !== null, 'the last entry has no term');
    return term;
  }

  /** Every entry up to here survives a crash. */
  get stableIndex(): LogIndex {
    return this.#pendingSnapshot === null ? this.#unstableFrom - 1 : 0;
  }

  get snapshotIndex(): LogIndex {
    return this.#pendingSnapshot?.index ?? this.#storage.snapshotIndex();
  }

  get snapshotTerm(): Term {
    return this.#pendingSnapshot?.term ?? this.#storage.snapshotTerm();
  }

  get pendingSnapshot(): SnapshotMark | null {
    return this.#pendingSnapshot;
  }

  /** Null when the entry is compacted away or does not exist. */
  term(index: LogIndex): Term | null {
    if (index >= this.#unstableFrom)
      return this.#unstable[index - this.#unstableFrom]?.term ?? null;
    if (this.#pendingSnapshot !== null) {
      return index === this.#pendingSnapshot.index ? this.#pendingSnapshot.term : null;
    }
    return this.#storage.term(index);
  }

  /** Paper, section 5.4.1: the later last term wins, then the longer log. */
  isUpToDate(lastLogTerm: Term, lastLogIndex: LogIndex): boolean {
    const ownTerm = this.lastTerm;
    return lastLogTerm > ownTerm || (lastLogTerm === ownTerm && lastLogIndex >= this.lastIndex);
  }

  /** Entries of [from, to), at least one when there is one, within the limits. */
  slice(from: LogIndex, to: LogIndex, bytesMax: number, countMax: number): readonly Entry[] {
    const end = Math.min(to, this.lastIndex + 1, from + countMax);
    if (from >= end) return [];
    if (from < this.#unstableFrom) {
      return this.#storage.entries(from, Math.min(end, this.#unstableFrom), bytesMax);
    }
    const result: Entry[] = [];
    let sizeBytes = 0;
    for (let index = from; index < end; index += 1) {
      const entry = this.#unstable[index - this.#unstableFrom];
      assert(entry !== undefined);
      sizeBytes += entry.data.length;
      if (result.length > 0 && sizeBytes > bytesMax) break;
      result.push(entry);
    }
    return result;
  }

  /** Appends to the end; the leader's way. */
  append(entries: readonly Entry[]): void {
    for (const entry of entries) {
      assert(entry.index === this.lastIndex + 1, 'a gap in the log');
      this.#unstable.push(entry);
      this.#configurations.append(entry);
    }
  }

  /**
   * Paper, figure 2, AppendEntries rules 3 and 4: entries that are already here stay, the first
   * that differs and all after it are replaced. The caller has checked that `entries` follow a
   * match.
   */
  reconcile(entries: readonly Entry[]): void {
    const conflict = entries.findIndex((entry) => this.term(entry.index) !== entry.term);
    if (conflict === -1) return;
    const first = entries[conflict]?.index ?? 0;
    // Raft never replaces a committed entry. Stopping here is better than diverging.
    assert(first > this.#commitIndex, 'a committed entry would be truncated');
    this.#truncateFrom(first);
    this.append(entries.slice(conflict));
  }

  /** The largest index ≤ `index` whose term is ≤ `term`: where two logs may still agree. */
  lastIndexAtOrBelowTerm(index: LogIndex, term: Term): LogIndex {
    let candidate = Math.min(index, this.lastIndex);
    while (candidate > this.snapshotIndex) {
      const own = this.term(candidate);
      if (own === null || own <= term) break;
      candidate -= 1;
    }
    return candidate;
  }

  /** Never moves back. */
  commitTo(index: LogIndex): void {
    if (index <= this.#commitIndex) return;
    assert(index <= this.lastIndex, 'commit beyond the end of the log');
    this.#commitIndex = index;
  }

  /** Drops everything for a snapshot of the leader. */
  restore(index: LogIndex, term: Term, configuration: ConfigurationRecord): void {
    assert(index > this.#commitIndex, 'a snapshot would go back');
    this.#pendingSnapshot = { index, term, configuration };
    this.#configurations.restore(index, configurationOf(configuration));
    this.#unstable = [];
    this.#unstableFrom = index + 1;
    this.#writingTo = index;
    this.#commitIndex = index;
  }

  /** Hands out what is to be written; {@link written} must follow. */
  takeUnstable(): readonly Entry[] {
    this.#configurations.compactTo(this.#storage.snapshotIndex());
    this.#writingTo = this.lastIndex;
    return this.#unstable.slice();
  }

  /**
   * What {@link takeUnstable} gave up to `index` is durable. Entries that were replaced meanwhile
   * are not covered, whatever their terms: the write that finished was not theirs (pitfall 12).
   */
  written(index: LogIndex): void {
    const to = Math.min(index, this.#writingTo);
    if (to < this.#unstableFrom) return;
    this.#unstable = this.#unstable.slice(to - this.#unstableFrom + 1);
    this.#unstableFrom = to + 1;
  }

  /** The pending snapshot, if it is this one, is durable in the storage. */
  snapshotWritten(index: LogIndex): void {
    if (this.#pendingSnapshot?.index === index) this.#pendingSnapshot = null;
  }

  #readConfigurations(): void {
    const storage = this.#storage;
    const end = storage.lastIndex() + 1;
    for (let at = storage.snapshotIndex() + 1; at < end;) {
      const entries = storage.entries(at, end, SCAN_BYTES);
      assert(entries.length > 0);
      for (const entry of entries) this.#configurations.append(entry);
      at += entries.length;
    }
  }

  #truncateFrom(index: LogIndex): void {
    this.#configurations.truncateFrom(index);
    if (index >= this.#unstableFrom) this.#unstable.length = index - this.#unstableFrom;
    else {
      this.#unstable = [];
      this.#unstableFrom = index;
    }
    this.#writingTo = Math.min(this.#writingTo, index - 1);
  }
}
