import { StoreError, assert, hasCode, required } from '@azimuth/common';
import type { Clock, Logger } from '@azimuth/common';

import { isConfigurationEntry } from '../core/configuration-entry';
import type { MembershipTarget } from '../core/membership';
import type { ConfigurationRecord, Entry, LogIndex, Message, NodeId } from '../core/message';
import type { RaftMembership, RaftNode } from '../core/raft-node';
import { MembershipChange } from './membership-change';
import type { SnapshotMark } from '../core/ready';
import type { GroupLog, GroupWrite } from '../log/log-storage';
import type { SnapshotAnswer, SnapshotTransfer } from '../transport/transport';

import { PendingProposals } from './pending-proposals';
import { PendingReads } from './pending-reads';
import type { SnapshotStore, StoredSnapshot } from './snapshot-store';
import type { Finding, RaftGroup, RaftGroupStatus, StateMachine } from './state-machine';

/** What a group needs of the driver. */
export interface GroupHost {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly snapshots: SnapshotStore;
  readonly readTimeoutMs: number;
  readonly transferTimeoutMs: number;
  /** Log bytes since the last snapshot that make a new one due. */
  readonly compactionBytesMin: number;
  /** Entries that stay in the log behind a snapshot for followers that are a little late. */
  readonly trailingEntries: number;
  /** A log that is shorter keeps what a member still needs, however late it is. */
  readonly keptLogBytesMax: number;
  /** A leader whose log is longer takes no more from clients until a snapshot has shortened it. */
  readonly logBytesMax: number;
  /** Asks for a turn of the loop. */
  wake(): void;
  /** A failure that this process cannot go on from. */
  fail(error: unknown): void;
  found(finding: Finding): void;
  sendSnapshot(to: NodeId, transfer: SnapshotTransfer): Promise<SnapshotAnswer>;
}

interface Running {
  readonly host: GroupHost;
  readonly node: RaftNode;
  readonly log: GroupLog;
}

/** So many snapshots of changes at most continue a whole one: they are read side by side. */
const CHANGES_MAX = 64;
const APPLY_BYTES_MAX = 1024 * 1024;
/** A follower applies so many entries at a time, or what there is at a tick. */
const FOLLOWER_APPLY_ENTRIES = 64;
const IDLE_STATUS: RaftGroupStatus = {
  role: 'follower',
  term: 0,
  leader: null,
  commitIndex: 0,
  lastApplied: 0,
  isTermApplied: false,
  isDamaged: false,
};

const NO_MEMBERS: ConfigurationRecord = { voters: [], outgoing: null, learners: [] };
const IDLE_MEMBERSHIP: RaftMembership = {
  configuration: NO_MEMBERS,
  configurationIndex: 0,
  isSettled: false,
  members: [],
};
const NO_COMMAND = new Uint8Array(0);

/** What the state machine sees: a change of membership is none of its business. */
function commandOf(entry: Entry): Entry {
  return isConfigurationEntry(entry.data) ? { ...entry, data: NO_COMMAND } : entry;
}

/** One group: its raft node, its state machine, and everybody who waits for either. */
export class DriverGroup implements RaftGroup {
  readonly name: string;
  readonly stateMachine: StateMachine;
  readonly #proposals = new PendingProposals();
  readonly #reads = new PendingReads();
  readonly #listeners = new Set<(status: RaftGroupStatus) => void>();
  #running: Running | null = null;
  readonly #change = new MembershipChange();
  #knownStatus: RaftGroupStatus = IDLE_STATUS;
  #snapshot: StoredSnapshot | null = null;
  #compactionMark: { mark: SnapshotMark; snapshot: StoredSnapshot } | null = null;
  #applying: Promise<void> | null = null;
  #compacting: Promise<void> | null = null;
  /** Of the log when the last snapshot had been made. */
  #logBytesKept = 0;
  #isReceivingSnapshot = false;
  #snapshotsBeingRead = 0;
  #isCompactionForced = false;
  /** A tick found committed entries; they go to the state machine now, many or few. */
  #isApplyOverdue = false;
  #isClosed = false;

  constructor(name: string, stateMachine: StateMachine) {
    this.name = name;
    this.stateMachine = stateMachine;
  }

  /** Called once the log is open and the state machine agrees with it. */
  run(running: Running, snapshot: StoredSnapshot | null): void {
    assert(this.#running === null, 'a group starts once');
    this.#running = running;
    this.#snapshot = snapshot;
    // A follower that is far behind needs the file that should be there.
    this.#isCompactionForced = snapshot === null && running.log.snapshotIndex() > 0;
    this.noteStatus();
  }

  get node(): RaftNode {
    return this.#require().node;
  }

  // What the service calls.

  propose(data: Buffer, onApplied?: (index: LogIndex) => void): Promise<unknown> {
    assert(data.length > 0, 'an empty entry is the no-op');
    const refusal = this.#refusal() ?? this.#overload();
    if (refusal !== null) return Promise.reject(refusal);
    this.#require().host.wake();
    return this.#proposals.enqueue(data, onApplied);
  }

  readIndex(): Promise<void> {
    const refusal = this.#refusal();
    if (refusal !== null) return Promise.reject(refusal);
    this.#require().host.wake();
    return this.#reads.enqueue();
  }

  status(): RaftGroupStatus {
    if (this.#running === null) return IDLE_STATUS;
    const status = this.#running.node.status();
    const { role, term, leader, commitIndex, lastApplied, isTermApplied, isDamaged } = status;
    return { role, term, leader, commitIndex, lastApplied, isTermApplied, isDamaged };
  }

  leader(): NodeId | null {
    return this.#running?.node.leader ?? null;
  }

  onLeadershipChange(callback: (status: RaftGroupStatus) => void): () => void {
    this.#listeners.add(callback);
    return () => this.#listeners.delete(callback);
  }

  membership(): RaftMembership {
    return this.#running?.node.membership() ?? IDLE_MEMBERSHIP;
  }

  changeMembership(target: MembershipTarget, expectedIndex: LogIndex): Promise<void> {
    const refusal = this.#refusal();
    if (refusal !== null) return Promise.reject(refusal);
    const { node, host } = this.#require();
    const begun = this.#change.begin(node, target, expectedIndex, () => this.#notLeader());
    host.wake();
    return begun;
  }

  async transferLeadership(target: NodeId): Promise<void> {
    const { node, host } = this.#require();
    const refused = node.transferLeadership(target);
    if (refused === 'not-leader') throw this.#notLeader();
    if (refused === 'unknown-target') throw new StoreError('INVALID_ARGUMENT', { target });
    if (target === node.id) return;
    host.wake();
    await new Promise<void>((resolve, reject) => {
      const finish = (outcome: () => void): void => {
        cancel();
        unsubscribe();
        outcome();
      };
      const cancel = host.clock.schedule(host.transferTimeoutMs, () => {
        finish(() => reject(new StoreError('UNAVAILABLE', { target })));
      });
      const unsubscribe = this.onLeadershipChange(({ role }) => {
        if (role !== 'leader') finish(resolve);
      });
    });
  }

  // What the loop calls.

  get isRunning(): boolean {
    return this.#running !== null;
  }

  get hasWork(): boolean {
    return this.node.hasReady || this.#compactionMark !== null;
  }

  /** One tick of time has passed. */
  tick(): void {
    this.node.tick();
    this.noteStatus();
    this.#isApplyOverdue = this.node.committedEntriesCount > 0;
  }

  /** Hands queued proposals and reads to the core. */
  startTurn(): void {
    const { node, host } = this.#require();
    this.#proposals.submit(node, () => this.#notLeader());
    this.#reads.submit(node, host, () => this.#notLeader());
    this.noteStatus();
    this.#settleReads();
    this.#apply();
  }

  /** The write that `ready` asks for; null when nothing has to be durable. */
  takeWrite(ready: Pick<GroupWrite, 'hardState' | 'snapshot' | 'entries'>): GroupWrite | null {
    const compaction = this.#compactionMark?.mark ?? null;
    const { hardState, entries } = ready;
    const snapshot = ready.snapshot ?? compaction;
    if (hardState === null && snapshot === null && entries.length === 0) return null;
    return { group: this.name, hardState, snapshot, entries };
  }

  /** `write` is durable. */
  async written(write: GroupWrite | null): Promise<void> {
    const { node, log } = this.#require();
    node.advance();
    const compaction = this.#compactionMark;
    if (compaction !== null && write?.snapshot === compaction.mark) {
      this.#compactionMark = null;
      this.#logBytesKept = log.sizeBytes();
      // A snapshot of the leader may have overtaken it.
      if (compaction.snapshot.index <= (this.#snapshot?.index ?? 0)) return;
      this.#snapshot = compaction.snapshot;
      await this.#removeUnusedSnapshots(compaction.snapshot);
    }
  }

  /** Tells the listeners, and everybody who relied on this node being leader. */
  noteStatus(): void {
    const { node } = this.#require();
    this.#change.settle(node);
    const known = this.#knownStatus;
    if (node.role === known.role && node.term === known.term && node.leader === known.leader) {
      return;
    }
    this.#knownStatus = this.status();
    if (known.role === 'leader') {
      this.#proposals.rejectAll(new StoreError('OUTCOME_UNKNOWN', { group: this.name }));
      this.#reads.rejectAll(this.#notLeader());
      this.#change.reject(new StoreError('OUTCOME_UNKNOWN', { group: this.name }));
    }
    for (const listener of this.#listeners) listener(this.#knownStatus);
  }

  /** Makes a snapshot as soon as there is something to make it of. */
  requestCompaction(): void {
    this.#isCompactionForced = true;
    this.#apply();
  }

  /** Streams the newest snapshot to a follower that needs entries that are gone. */
  sendSnapshot(request: Extract<Message, { type: 'InstallSnapshot' }>): void {
    const { host, node } = this.#require();
    const snapshot = this.#snapshot;
    if (snapshot === null || snapshot.index < request.lastIncludedIndex) {
      host.logger.error({ group: this.name }, 'no snapshot to send');
      node.reportSnapshot(request.to, false);
      this.requestCompaction();
      return;
    }
    const transfer: SnapshotTransfer = {
      group: this.name,
      from: request.from,
      term: request.term,
      lastIncludedIndex: snapshot.index,
      lastIncludedTerm: snapshot.term,
      configuration: snapshot.configuration ?? node.configurationAt(snapshot.index),
      chunks: this.#wholeSnapshot(snapshot.index),
    };
    const whole = this.#wholeOf(snapshot);
    this.#snapshotsBeingRead += 1;
    const report = (isAccepted: boolean): void => {
      this.#snapshotsBeingRead -= 1;
      if (this.#isClosed) return;
      node.reportSnapshot(request.to, isAccepted);
      host.wake();
    };
    host.sendSnapshot(request.to, transfer).then(
      (answer) => report(answer.isAccepted),
      (error: unknown) => {
        host.logger.warn({ group: this.name, to: request.to, error }, 'snapshot not delivered');
        if (hasCode(error, 'STATE_CORRUPT')) this.#replaceSnapshot(whole);
        report(false);
      },
    );
  }

  /**
   * Reads the newest snapshot, with what it refers to, against its checksums; a damaged one is
   * replaced by another of the state as it is. `pace` is awaited after each piece.
   */
  async verifySnapshot(pace: (bytes: number) => Promise<void>): Promise<void> {
    const snapshot = this.#snapshot;
    if (snapshot === null) return;
    const whole = this.#wholeOf(snapshot);
    this.#snapshotsBeingRead += 1;
    try {
      for await (const chunk of this.#wholeSnapshot(snapshot.index)) {
        await pace(chunk.length);
        if (!this.#isInUse(whole)) return;
      }
    } catch (error) {
      if (!hasCode(error, 'STATE_CORRUPT')) throw error;
      this.#replaceSnapshot(whole);
    } finally {
      this.#snapshotsBeingRead -= 1;
    }
  }

  /**
   * The state is in the state machine; only the files of it are damaged, of which the whole one is
   * up to `whole`.
   */
  #replaceSnapshot(whole: LogIndex): void {
    // Removed meanwhile: it was not damaged but superseded.
    if (!this.#isInUse(whole)) return;
    const { host } = this.#require();
    host.logger.error({ group: this.name, index: whole }, 'snapshot is damaged');
    host.found({ group: this.name, problem: 'snapshot', remedy: 'local' });
    this.#snapshot = null;
    // One of changes continues what is damaged.
    const isWhole = this.#compactionMark?.snapshot.baseIndex === null;
    if (!isWhole) this.#compactionMark = null;
    this.requestCompaction();
  }

  /** The newest snapshot is, or continues, the whole one up to `whole`. */
  #isInUse(whole: LogIndex): boolean {
    return !this.#isClosed && this.#snapshot !== null && this.#wholeOf(this.#snapshot) === whole;
  }

  /** Where the whole snapshot ends that `snapshot` is or continues. */
  #wholeOf({ index }: StoredSnapshot): LogIndex {
    const { host } = this.#require();
    return required(host.snapshots.chain(this.name, index)[0], 'base').index;
  }

  async receiveSnapshot(transfer: SnapshotTransfer): Promise<SnapshotAnswer> {
    const { host, node } = this.#require();
    const { lastIncludedIndex, lastIncludedTerm, configuration, term, from } = transfer;
    if (this.#isReceivingSnapshot || term < node.term) {
      return { isAccepted: false, term: node.term };
    }
    this.#isReceivingSnapshot = true;
    try {
      const mark = { index: lastIncludedIndex, term: lastIncludedTerm, configuration };
      if (lastIncludedIndex > node.status().commitIndex) {
        await host.snapshots.save(this.name, { ...mark, baseIndex: null }, transfer.chunks);
      }
    } catch (error) {
      if (hasCode(error, 'DISK_FENCED')) host.fail(error);
      throw error;
    } finally {
      this.#isReceivingSnapshot = false;
    }
    if (this.#isClosed) throw new StoreError('UNAVAILABLE', { reason: 'closing' });
    node.step({
      ...{ type: 'InstallSnapshot', from, to: node.id, term },
      ...{ lastIncludedIndex, lastIncludedTerm, configuration },
    });
    host.wake();
    return { isAccepted: true, term: node.term };
  }

  /** Ends everything that waits. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#proposals.rejectAll(new StoreError('OUTCOME_UNKNOWN', { group: this.name }));
    this.#reads.rejectAll(new StoreError('UNAVAILABLE', { reason: 'closing' }));
    this.#change.reject(new StoreError('OUTCOME_UNKNOWN', { group: this.name }));
    await this.#applying;
    await this.#compacting;
  }

  #apply(): void {
    if (this.#applying !== null || this.#isClosed || !this.#isApplyDue()) return;
    this.#applying = this.#applyAll()
      .catch((error: unknown) => this.#require().host.fail(error))
      .finally(() => {
        this.#applying = null;
        // Something may have been committed after the last look.
        this.#apply();
      });
  }

  async #applyAll(): Promise<void> {
    const { node } = this.#require();
    while (!this.#isClosed) {
      const snapshotIndex = node.snapshotToInstall;
      if (snapshotIndex !== null) {
        await this.#installSnapshot(snapshotIndex);
        continue;
      }
      if (!this.#areEntriesDue()) break;
      const entries = node.committedEntries(APPLY_BYTES_MAX);
      if (entries.length === 0) break;
      this.#isApplyOverdue = false;
      await this.#applyEntries(entries);
      this.#settleReads();
      if (this.#isCompactionDue()) await this.#startCompaction();
    }
    if (this.#isCompactionPressing() && this.#isCompactionDue()) await this.#startCompaction();
  }

  #isApplyDue(): boolean {
    const { node } = this.#require();
    const isPressing = this.#isCompactionPressing() && this.#isCompactionDue();
    return isPressing || node.snapshotToInstall !== null || this.#areEntriesDue();
  }

  /**
   * Somebody waits for what a leader applies. Nobody waits for a follower, and a write of many
   * entries costs it a fraction of many writes; but what it is behind delays it as a new leader.
   */
  #areEntriesDue(): boolean {
    const { node } = this.#require();
    const count = node.committedEntriesCount;
    if (count === 0) return false;
    return node.role === 'leader' || this.#isApplyOverdue || count >= FOLLOWER_APPLY_ENTRIES;
  }

  async #applyEntries(entries: readonly Entry[]): Promise<void> {
    const { node } = this.#require();
    const last = required(entries.at(-1), 'last entry').index;
    const results = await this.stateMachine.apply(entries.map(commandOf));
    assert(results.length === entries.length, 'one result an entry');
    assert(this.stateMachine.lastApplied() === last, 'the state machine skipped an entry');
    node.applied(last);
    for (const [position, entry] of entries.entries()) {
      this.#proposals.settle(entry, results[position]);
    }
  }

  async #installSnapshot(index: LogIndex): Promise<void> {
    const { node, host } = this.#require();
    const snapshot = host.snapshots.at(this.name, index);
    assert(snapshot !== null, 'an adopted snapshot has no file');
    // It reads what is about to be replaced.
    await this.#compacting;
    await this.stateMachine.installSnapshot(index, this.readSnapshot(host.snapshots, index));
    assert(this.stateMachine.lastApplied() === index, 'the snapshot was not taken over');
    node.applied(index);
    this.#snapshot = snapshot;
    this.#logBytesKept = 0;
    await this.#removeUnusedSnapshots(snapshot);
  }

  /** Not only after the next entry. */
  #isCompactionPressing(): boolean {
    return this.#isCompactionForced || this.#isLogFull();
  }

  #isLogFull(): boolean {
    const { log, host } = this.#require();
    return log.sizeBytes() > host.logBytesMax;
  }

  #isCompactionDue(): boolean {
    const { log, host } = this.#require();
    if (this.#compacting !== null || this.#compactionMark !== null) return false;
    const lastApplied = this.stateMachine.lastApplied();
    // An idle group has its snapshot already, but old entries behind it hold on to their segment.
    // And a full log may have to be cut again and again: the newest half can be most of its bytes.
    if (this.#isCompactionPressing() && lastApplied > log.snapshotIndex()) return true;
    if (lastApplied <= (this.#snapshot?.index ?? 0)) return false;
    // Less when a leader replaced the end of the log.
    this.#logBytesKept = Math.min(this.#logBytesKept, log.sizeBytes());
    const newBytes = log.sizeBytes() - this.#logBytesKept;
    return this.#isCompactionForced || newBytes > host.compactionBytesMin;
  }

  /** Freezes the state; the file is written while later entries are applied. */
  async #startCompaction(): Promise<void> {
    const { node, host } = this.#require();
    const isForced = this.#isCompactionForced;
    this.#isCompactionForced = false;
    const current = this.#snapshot;
    if (current !== null && current.index === this.stateMachine.lastApplied()) {
      this.#markCompaction(current, isForced);
      return;
    }
    const base = this.#baseOfNext();
    const {
      lastIncludedIndex: index,
      baseIndex = null,
      chunks,
    } = await this.stateMachine.createSnapshot(base);
    assert(baseIndex === null || baseIndex === base, 'changes since another snapshot');
    const term = node.termOf(index);
    assert(term !== null, 'the snapshot is not of this log');
    const mark = { index, term, baseIndex, configuration: node.configurationAt(index) };
    const save = async (): Promise<void> => {
      const snapshot = await host.snapshots.save(this.name, mark, chunks);
      // What it continues proved to be damaged, or a snapshot of the leader came.
      const isUseless = baseIndex !== null && this.#snapshot?.index !== baseIndex;
      if (!this.#isClosed && !isUseless) this.#markCompaction(snapshot, isForced);
    };
    this.#compacting = save()
      .catch((error: unknown) => host.fail(error))
      .finally(() => {
        this.#compacting = null;
      });
  }

  /** The snapshot that the next one may continue; null when it shall be of the whole state. */
  #baseOfNext(): LogIndex | null {
    const { host } = this.#require();
    if (this.#snapshot === null) return null;
    const isLong = host.snapshots.chain(this.name, this.#snapshot.index).length > CHANGES_MAX;
    return isLong ? null : this.#snapshot.index;
  }

  /** The log may start at `snapshot`, or a little before. */
  #markCompaction(snapshot: StoredSnapshot, isForced: boolean): void {
    const { node, host } = this.#require();
    const { index, term } = snapshot;
    const start = isForced ? index : this.#startBehind(index);
    const startTerm = node.termOf(start);
    // A snapshot of the leader may have overtaken this one.
    if (startTerm === null || node.termOf(index) !== term) return;
    const configuration = node.configurationAt(start);
    this.#compactionMark = { mark: { index: start, term: startTerm, configuration }, snapshot };
    host.wake();
  }

  /** Where the log shall start when there is a snapshot up to `index`. */
  #startBehind(index: LogIndex): LogIndex {
    const { node, host, log } = this.#require();
    const snapshotIndex = log.snapshotIndex();
    // At least half of the log goes, or it would grow from one snapshot to the next.
    const trailing = Math.min(host.trailingEntries, Math.floor((index - snapshotIndex) / 2));
    const start = Math.max(snapshotIndex, index - trailing);
    if (log.sizeBytes() > host.keptLogBytesMax) return start;
    // To a member that is behind this saves the transfer of the whole state.
    const needed = node.membership().members.map(({ matchIndex }) => matchIndex);
    return Math.max(snapshotIndex, Math.min(start, ...needed));
  }

  /** What the newest snapshot does not need. */
  async #removeUnusedSnapshots(newest: StoredSnapshot): Promise<void> {
    const { host } = this.#require();
    const whole = this.#wholeOf(newest);
    await host.snapshots.removeOlder(this.name, whole);
    // What one that is being read refers to would be released; the next time will do.
    if (this.#snapshotsBeingRead === 0) await this.stateMachine.releaseSnapshots?.(whole);
  }

  /** The snapshot up to `index` as the state machine made it. */
  readSnapshot(snapshots: SnapshotStore, index: LogIndex): AsyncIterable<Buffer> {
    const chain = snapshots.chain(this.name, index);
    const parts = chain.map((part) => snapshots.read(this.name, part.index));
    if (parts.length === 1) return required(parts[0], 'part');
    return required(this.stateMachine.mergedSnapshot?.(parts), 'a machine that merges');
  }

  /** The same as another node can use it. */
  #wholeSnapshot(index: LogIndex): AsyncIterable<Buffer> {
    const chunks = this.readSnapshot(this.#require().host.snapshots, index);
    return this.stateMachine.wholeSnapshot?.(chunks) ?? chunks;
  }

  #settleReads(): void {
    const { node } = this.#require();
    this.#reads.settle(node.takeReadStates(), this.stateMachine.lastApplied());
  }

  #refusal(): StoreError | null {
    if (this.#running === null || this.#isClosed) {
      return new StoreError('UNAVAILABLE', { reason: 'not running' });
    }
    return this.#running.node.role === 'leader' ? null : this.#notLeader();
  }

  #overload(): StoreError | null {
    return this.#isLogFull() ? new StoreError('OVERLOADED', { limit: 'logBytesMax' }) : null;
  }

  #notLeader(): StoreError {
    const leader = this.leader();
    return new StoreError('NOT_LEADER', leader === null ? {} : { leader });
  }

  #require(): Running {
    return required(this.#running, 'a running group');
  }
}
