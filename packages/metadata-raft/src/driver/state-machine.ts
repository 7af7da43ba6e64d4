import type { MetadataFinding } from '@azimuth/proto';

import type { MembershipTarget } from '../core/membership';
import type { LogIndex, NodeId, Term } from '../core/message';
import type { RaftMembership } from '../core/raft-node';

/** An entry that a quorum holds durably. Empty `data` is a leader's no-op. */
export interface CommittedEntry {
  readonly index: LogIndex;
  readonly term: Term;
  readonly data: Uint8Array;
}

export interface StateMachineSnapshot {
  readonly lastIncludedIndex: LogIndex;
  /** The chunks are what changed since the snapshot up to there; null or absent: everything. */
  readonly baseIndex?: LogIndex | null;
  readonly chunks: AsyncIterable<Buffer>;
}

/**
 * What a group replicates. The driver calls one method at a time, except that `chunks` of a
 * snapshot may still be read while later entries are applied: a snapshot is a frozen view.
 */
export interface StateMachine {
  /** Index of the last entry whose effect is in the state; 0 for an empty state. */
  lastApplied(): LogIndex;
  /**
   * Applies `entries`, which directly follow `lastApplied`, and answers one result an entry, in
   * order. A command that is refused is a result, not an exception; an exception stops the process.
   */
  apply(entries: readonly CommittedEntry[]): Promise<readonly unknown[]>;
  /**
   * With a `baseIndex`, of what changed since the snapshot up to that index, if that is known and
   * worth it.
   */
  createSnapshot(baseIndex: LogIndex | null): Promise<StateMachineSnapshot>;
  /**
   * A whole snapshot and those of changes that continue it, oldest first, as one. Of a machine that
   * makes snapshots of changes.
   */
  mergedSnapshot?(parts: readonly AsyncIterable<Buffer>[]): AsyncIterable<Buffer>;
  /**
   * What `createSnapshot` gave may refer to files of this machine; this is the same for others.
   * The snapshot must not be released meanwhile.
   */
  wholeSnapshot?(chunks: AsyncIterable<Buffer>): AsyncIterable<Buffer>;
  /** No snapshot of before `index` is kept, so what only they refer to may go. */
  releaseSnapshots?(index: LogIndex): Promise<void>;
  /** Replaces the whole state; `lastApplied` is `lastIncludedIndex` afterwards. */
  installSnapshot(lastIncludedIndex: LogIndex, chunks: AsyncIterable<Buffer>): Promise<void>;
  /** Back to the empty state: the files cannot be trusted and are rebuilt from snapshot and log. */
  reset(): Promise<void>;
  /** A hash of the state at `lastApplied`, equal on every replica. */
  stateHash?(): Promise<string>;
}

/** Damage of what this node stores, and where what was there comes from. */
export type Finding = Omit<MetadataFinding, 'foundMs'>;

export type RaftRole = 'follower' | 'preCandidate' | 'candidate' | 'leader';

export interface RaftGroupStatus {
  readonly role: RaftRole;
  readonly term: Term;
  readonly leader: NodeId | null;
  readonly commitIndex: LogIndex;
  readonly lastApplied: LogIndex;
  /**
   * It leads, and its state has all that was committed before it did. A leader that has just been
   * elected may have an old state still.
   */
  readonly isTermApplied: boolean;
  /** The local log lost acknowledged entries; the node abstains from elections until it has them. */
  readonly isDamaged: boolean;
}

/** One group, as the service of this node sees it. */
export interface RaftGroup {
  /**
   * Replicates `data` (not empty) and answers what `apply` returned for it here.
   *
   * @throws StoreError NOT_LEADER (`detail.leader` when known) nothing was proposed;
   *   OVERLOADED too many uncommitted bytes, or a log that snapshots do not shorten in time:
   *   nothing was proposed;
   *   OUTCOME_UNKNOWN leadership was lost with the entry in flight.
   * @param onApplied told the index of the entry before the answer.
   */
  propose(data: Buffer, onApplied?: (index: LogIndex) => void): Promise<unknown>;
  /**
   * Resolves when a read of the local state is linearizable: a quorum confirmed the leadership
   * after this call, and everything committed before it is applied.
   *
   * @throws StoreError NOT_LEADER; UNAVAILABLE when no quorum confirms in time.
   */
  readIndex(): Promise<void>;
  status(): RaftGroupStatus;
  leader(): NodeId | null;
  /** Calls `callback` after each change of role, term or leader; the returned function ends that. */
  onLeadershipChange(callback: (status: RaftGroupStatus) => void): () => void;
  /** Hands leadership to `target`; resolves when this node is no longer leader. */
  transferLeadership(target: NodeId): Promise<void>;
  membership(): RaftMembership;
  /**
   * Changes who belongs to the group, if `expectedIndex` is still the index of the configuration;
   * resolves when the change is committed and its joint phase is over.
   *
   * @throws StoreError NOT_LEADER; INVALID_ARGUMENT a set that cannot be; PRECONDITION_FAILED
   *   another configuration, UNAVAILABLE (`reason`) not now: nothing was begun; OUTCOME_UNKNOWN
   *   leadership was lost on the way. Whoever leads then goes on with what was begun.
   */
  changeMembership(target: MembershipTarget, expectedIndex: LogIndex): Promise<void>;
}
