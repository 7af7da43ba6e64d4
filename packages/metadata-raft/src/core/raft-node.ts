import { assert } from '@azimuth/common';
import type { Random } from '@azimuth/common';

import type { RaftConfig } from './config';
import { assertRaftConfig } from './config';
import { configurationRecord, isConfigurationEntry } from './configuration-entry';
import { campaign, canTransferTo, checkQuorum, leaderToName } from './election';
import type { TransferRefusal } from './election';
import type { LogReader } from './log-view';
import { LogView } from './log-view';
import type { MembershipTarget } from './membership';
import type { ConfigurationRecord, Entry, LogIndex, Message, NodeId, Term } from './message';
import type { Configuration } from './quorum';
import type { RaftState, Role } from './raft-state';
import { createRaftState, isDamaged, isPromotable } from './raft-state';
import { startRead } from './read-index';
import type { ReadRefusal } from './read-index';
import type { HardState, ReadState, Ready } from './ready';
import { beginChange, settleConfiguration } from './reconfigure';
import type { MembershipRefusal } from './reconfigure';
import type { ProposalRefusal } from './replication';
import {
  appendAsLeader,
  broadcastAppend,
  broadcastHeartbeat,
  finishRepair,
  isAlive,
  ownEntriesWritten,
  sendAppend,
  sendTimeoutNow,
} from './replication';
import { isSnapshotNeeded, snapshotReported } from './snapshot';
import { step } from './step';

export interface RaftNodeOptions {
  readonly id: NodeId;
  readonly config: RaftConfig;
  /** In force where `log` starts; the log may have later ones. */
  readonly configuration: Configuration;
  readonly random: Random;
  readonly log: LogReader;
  readonly hardState: HardState;
  /** What the state machine holds; entries up to here are committed. */
  readonly lastApplied: LogIndex;
}

export interface RaftStatus {
  readonly role: Role;
  readonly term: Term;
  /** See `leaderToName`. */
  readonly leader: NodeId | null;
  readonly commitIndex: LogIndex;
  readonly lastApplied: LogIndex;
  readonly lastIndex: LogIndex;
  /** It leads, and all that was committed before it did is applied. */
  readonly isTermApplied: boolean;
  readonly isDamaged: boolean;
}

/** Who belongs to a group. */
export interface RaftMembership {
  /** The latest in the log. */
  readonly configuration: ConfigurationRecord;
  readonly configurationIndex: LogIndex;
  /** Committed, and not in the joint phase of a change. */
  readonly isSettled: boolean;
  /** What the leader knows of everybody; empty elsewhere. */
  readonly members: readonly {
    readonly nodeId: NodeId;
    readonly matchIndex: LogIndex;
    readonly isAlive: boolean;
  }[];
}

/** The first index of what was appended, and its term; or why nothing was. */
export type ProposalOutcome =
  { readonly firstIndex: LogIndex; readonly term: Term } | { readonly refused: ProposalRefusal };

/**
 * One group's Raft on one node, without input and output. The driver feeds it messages, ticks and
 * proposals, and carries out what {@link ready} asks for.
 */
export class RaftNode {
  readonly #state: RaftState;
  #durableHardState: HardState;
  #readyInProgress: {
    readonly lastIndex: LogIndex;
    readonly hardState: HardState;
    readonly snapshotIndex: LogIndex | null;
    readonly toSelf: readonly Message[];
  } | null = null;

  constructor(options: RaftNodeOptions) {
    assertRaftConfig(options.config);
    this.#state = createRaftState({
      ...options,
      log: new LogView(options.log, options.lastApplied, options.configuration),
    });
    this.#durableHardState = options.hardState;
  }

  get id(): NodeId {
    return this.#state.id;
  }

  status(): RaftStatus {
    const state = this.#state;
    return {
      role: state.role,
      term: state.currentTerm,
      leader: leaderToName(state),
      commitIndex: state.log.commitIndex,
      lastApplied: state.lastApplied,
      lastIndex: state.log.lastIndex,
      isTermApplied: state.role === 'leader' && state.lastApplied >= state.termStartIndex,
      isDamaged: isDamaged(state),
    };
  }

  /** Everything that the node knows, for tools that check it; only the node itself changes it. */
  get state(): Readonly<RaftState> {
    return this.#state;
  }

  get role(): Role {
    return this.#state.role;
  }

  get term(): Term {
    return this.#state.currentTerm;
  }

  get leader(): NodeId | null {
    return leaderToName(this.#state);
  }

  /** Null when the entry is compacted away or does not exist. */
  termOf(index: LogIndex): Term | null {
    return this.#state.log.term(index);
  }

  step(message: Message): void {
    step(this.#state, message);
  }

  /** One tick of time has passed. */
  tick(): void {
    const state = this.#state;
    state.electionElapsedTicks += 1;
    if (state.role !== 'leader') {
      // Who may not campaign waits on: if it began anew, it would believe in its leader for ever,
      // and refuse the vote that a learner owes that has not heard of its promotion.
      const isOver = state.electionElapsedTicks >= state.randomizedElectionTimeoutTicks;
      if (isOver && isPromotable(state)) {
        state.electionElapsedTicks = 0;
        campaign(state, 'PreVote');
      }
      return;
    }
    if (state.electionElapsedTicks >= state.config.electionTimeoutTicksMin) {
      state.electionElapsedTicks = 0;
      // A transfer that took this long has failed; proposals are welcome again.
      state.leadTransferee = null;
      checkQuorum(state);
      if (this.role !== 'leader') return;
    }
    state.heartbeatElapsedTicks += 1;
    if (state.heartbeatElapsedTicks >= state.config.heartbeatTicks) broadcastHeartbeat(state);
  }

  /** Starts an election now; for tests and for a node that knows that it is alone. */
  campaign(): void {
    if (this.#state.role !== 'leader') campaign(this.#state, 'PreVote');
  }

  propose(data: Uint8Array): ProposalOutcome {
    return this.proposeMany([data]);
  }

  /** Appends all or nothing, in order. */
  proposeMany(data: readonly Uint8Array[]): ProposalOutcome {
    const state = this.#state;
    if (state.role !== 'leader') return { refused: 'not-leader' };
    if (state.leadTransferee !== null) return { refused: 'transferring' };
    let sizeBytes = 0;
    for (const bytes of data) {
      assert(bytes.length > 0, 'an empty entry is the no-op');
      assert(!isConfigurationEntry(bytes), 'a configuration is not proposed as a command');
      sizeBytes += bytes.length;
    }
    const { uncommittedBytesMax } = state.config;
    // One proposal always passes, however large, so that a small limit cannot block for good.
    if (state.uncommittedBytes > 0 && state.uncommittedBytes + sizeBytes > uncommittedBytesMax) {
      return { refused: 'overloaded' };
    }
    const firstIndex = appendAsLeader(state, data);
    broadcastAppend(state);
    return { firstIndex, term: state.currentTerm };
  }

  /** Begins a change of membership; answers where in the log, or why not. See `beginChange`. */
  changeMembership(target: MembershipTarget): LogIndex | MembershipRefusal {
    return beginChange(this.#state, target);
  }

  /** The configuration is committed and not in the joint phase of a change. */
  get isMembershipSettled(): boolean {
    const { log } = this.#state;
    return log.configurationIndex <= log.commitIndex && log.configuration.outgoing === null;
  }

  membership(): RaftMembership {
    const { log, progress, role } = this.#state;
    return {
      configuration: configurationRecord(log.configuration),
      configurationIndex: log.configurationIndex,
      isSettled: this.isMembershipSettled,
      members:
        role !== 'leader'
          ? []
          : Array.from(progress, ([nodeId, { matchIndex }]) => ({
              nodeId,
              matchIndex,
              isAlive: isAlive(this.#state, nodeId),
            })),
    };
  }

  /** What was in force once the entry at `index`, which must not be compacted, was in the log. */
  configurationAt(index: LogIndex): ConfigurationRecord {
    return configurationRecord(this.#state.log.configurationAt(index));
  }

  /** Starts a read round; its context appears in {@link takeReadStates} when a quorum confirmed. */
  readIndex(): number | ReadRefusal {
    return startRead(this.#state);
  }

  takeReadStates(): readonly ReadState[] {
    return this.#state.ready.takeReadStates();
  }

  transferLeadership(target: NodeId): TransferRefusal | null {
    const state = this.#state;
    const refusal = canTransferTo(state, target);
    if (refusal !== null || target === state.id) return refusal;
    state.leadTransferee = target;
    state.electionElapsedTicks = 0;
    const progress = state.progress.get(target);
    assert(progress !== undefined);
    if (progress.matchIndex === state.log.lastIndex) sendTimeoutNow(state, target);
    else sendAppend(state, target, progress);
    return null;
  }

  /** The driver's stream of a snapshot to `to` ended. */
  reportSnapshot(to: NodeId, isAccepted: boolean): void {
    snapshotReported(this.#state, to, isAccepted);
  }

  /** Messages that promise nothing; they may leave while a write is in progress. */
  takeMessages(): readonly Message[] {
    return this.#state.ready.takeMessages();
  }

  get hasReady(): boolean {
    const { ready, log } = this.#state;
    return (
      ready.messages.length > 0 ||
      ready.messagesAfterSync.length > 0 ||
      log.lastIndex > log.stableIndex ||
      log.pendingSnapshot !== null ||
      this.#changedHardState() !== null
    );
  }

  /** What to do next; the caller must call {@link advance} before it asks again. */
  ready(): Ready {
    assert(this.#readyInProgress === null, 'advance() was not called');
    const { ready, log, id } = this.#state;
    const afterSync = ready.takeMessagesAfterSync();
    const hardState = this.#changedHardState();
    const snapshot = log.pendingSnapshot;
    const entries = log.takeUnstable();
    this.#readyInProgress = {
      lastIndex: log.lastIndex,
      hardState: hardState ?? this.#durableHardState,
      snapshotIndex: snapshot?.index ?? null,
      toSelf: afterSync.filter((message) => message.to === id),
    };
    return {
      hardState,
      entries,
      snapshot,
      messages: ready.takeMessages(),
      messagesAfterSync: afterSync.filter((message) => message.to !== id),
    };
  }

  /** The last {@link ready} is durable. */
  advance(): void {
    const done = this.#readyInProgress;
    assert(done !== null, 'ready() was not called');
    this.#readyInProgress = null;
    const state = this.#state;
    this.#durableHardState = done.hardState;
    if (done.snapshotIndex !== null) state.log.snapshotWritten(done.snapshotIndex);
    state.log.written(done.lastIndex);
    ownEntriesWritten(state, state.log.stableIndex);
    settleConfiguration(state);
    for (const message of done.toSelf) step(state, message);
    finishRepair(state);
  }

  /** Committed and locally durable entries that come next for the state machine. */
  committedEntries(bytesMax: number): readonly Entry[] {
    const { log, lastApplied } = this.#state;
    if (isSnapshotNeeded(this.#state) !== null) return [];
    const end = Math.min(log.commitIndex, log.stableIndex) + 1;
    return log.slice(lastApplied + 1, end, bytesMax, Number.MAX_SAFE_INTEGER);
  }

  /** How many entries {@link committedEntries} has for the state machine. */
  get committedEntriesCount(): number {
    const { log, lastApplied } = this.#state;
    return Math.max(0, Math.min(log.commitIndex, log.stableIndex) - lastApplied);
  }

  /** The index of a durable snapshot that the state machine must take over before anything else. */
  get snapshotToInstall(): LogIndex | null {
    if (this.#state.log.pendingSnapshot !== null) return null;
    return isSnapshotNeeded(this.#state);
  }

  applied(index: LogIndex): void {
    const state = this.#state;
    assert(index >= state.lastApplied, 'the state machine went back');
    assert(index <= state.log.commitIndex, 'an uncommitted entry was applied');
    state.lastApplied = index;
  }

  #changedHardState(): HardState | null {
    const { currentTerm, votedFor, repairIndex, rejoinNonce } = this.#state;
    const isRejoining = rejoinNonce !== 0;
    const durable = this.#durableHardState;
    const isSame =
      durable.currentTerm === currentTerm &&
      durable.votedFor === votedFor &&
      durable.repairIndex === repairIndex &&
      durable.isRejoining === isRejoining;
    return isSame ? null : { currentTerm, votedFor, repairIndex, isRejoining };
  }
}
