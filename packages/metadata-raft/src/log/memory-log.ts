import { assert } from '@azimuth/common';

import type { ConfigurationRecord, Entry, LogIndex, Term } from '../core/message';
import type { HardState, SnapshotMark } from '../core/ready';
import { INITIAL_HARD_STATE } from '../core/ready';

import type { GroupLog, GroupWrite, LogStorage, StartMark } from './log-storage';
import { withConfiguration } from './log-storage';

/** The log of one group in memory: the reference for the WAL, and storage for tests. */
export class MemoryGroupLog implements GroupLog {
  #entries: Entry[] = [];
  #snapshot: StartMark = { index: 0, term: 0, configuration: null };
  #hardState: HardState = INITIAL_HARD_STATE;

  hardState(): HardState {
    return this.#hardState;
  }

  sizeBytes(): number {
    return this.#entries.reduce((sum, entry) => sum + entry.data.length, 0);
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
    return this.#snapshot.index + this.#entries.length;
  }

  term(index: LogIndex): Term | null {
    if (index === this.#snapshot.index) return this.#snapshot.term;
    return this.#entries[index - this.#snapshot.index - 1]?.term ?? null;
  }

  entries(from: LogIndex, to: LogIndex, bytesMax: number): readonly Entry[] {
    assert(from > this.#snapshot.index && to <= this.lastIndex() + 1, 'entries out of range');
    const result: Entry[] = [];
    let sizeBytes = 0;
    for (const entry of this.#entries.slice(
      from - this.#snapshot.index - 1,
      to - this.#snapshot.index - 1,
    )) {
      sizeBytes += entry.data.length;
      if (result.length > 0 && sizeBytes > bytesMax) break;
      result.push(entry);
    }
    return result;
  }

  apply(write: GroupWrite): void {
    if (write.hardState !== null) this.#hardState = write.hardState;
    if (write.snapshot !== null) this.#setSnapshot(write.snapshot);
    const first = write.entries[0];
    if (first === undefined) return;
    assert(first.index > this.#snapshot.index && first.index <= this.lastIndex() + 1);
    this.#entries.length = first.index - this.#snapshot.index - 1;
    this.#entries.push(...write.entries);
  }

  forget(configuration: ConfigurationRecord): void {
    const repairIndex = Math.max(1, this.#hardState.repairIndex, this.lastIndex());
    this.#hardState = { ...this.#hardState, repairIndex };
    this.#entries = [];
    // Who decides elsewhere is the last that was known of it; nothing is decided here.
    this.#snapshot = { index: 0, term: 0, configuration };
  }

  #setSnapshot(mark: SnapshotMark): void {
    if (mark.index <= this.#snapshot.index) {
      this.#snapshot = withConfiguration(this.#snapshot, mark);
      return;
    }
    const isKept = this.term(mark.index) === mark.term;
    this.#entries = isKept ? this.#entries.slice(mark.index - this.#snapshot.index) : [];
    this.#snapshot = mark;
  }
}

/** All groups of a node in memory; "durable" for as long as the object lives. */
export class MemoryLogStorage implements LogStorage {
  readonly #groups = new Map<string, MemoryGroupLog>();

  group(name: string): MemoryGroupLog {
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = new MemoryGroupLog();
      this.#groups.set(name, group);
    }
    return group;
  }

  groups(): readonly string[] {
    return [...this.#groups.keys()];
  }

  write(batch: readonly GroupWrite[]): Promise<void> {
    for (const write of batch) this.group(write.group).apply(write);
    return Promise.resolve();
  }

  forget(name: string, configuration: ConfigurationRecord): Promise<void> {
    this.group(name).forget(configuration);
    return Promise.resolve();
  }

  checkpoint(): Promise<void> {
    return Promise.resolve();
  }

  verify(): Promise<boolean> {
    return Promise.resolve(true);
  }

  verifyVotes(): Promise<boolean> {
    return Promise.resolve(true);
  }

  groupsToCompact(): readonly string[] {
    return [];
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
