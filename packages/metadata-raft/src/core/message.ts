/** A Raft term; safe integer, 0 before the first election. */
export type Term = number;
/** A position in the log; 1-based, 0 = none, as in the paper. */
export type LogIndex = number;
export type NodeId = string;

/** The members of a group as they are stored and sent: sorted, so that equal ones are equal bytes. */
export interface ConfigurationRecord {
  readonly voters: readonly NodeId[];
  readonly outgoing: readonly NodeId[] | null;
  readonly learners: readonly NodeId[];
}

/** One log entry. Empty `data` is the no-op that a leader writes at the start of its term. */
export interface Entry {
  readonly term: Term;
  readonly index: LogIndex;
  readonly data: Uint8Array;
}

interface Envelope {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly term: Term;
}

export interface VoteRequest extends Envelope {
  readonly type: 'PreVote' | 'RequestVote';
  readonly lastLogIndex: LogIndex;
  readonly lastLogTerm: Term;
  /** True when the leader itself asked for this election, so that stickiness does not apply. */
  readonly leadershipTransfer: boolean;
}

export interface VoteResponse extends Envelope {
  readonly type: 'PreVoteResponse' | 'RequestVoteResponse';
  readonly voteGranted: boolean;
}

export interface AppendEntries extends Envelope {
  readonly type: 'AppendEntries';
  readonly prevLogIndex: LogIndex;
  readonly prevLogTerm: Term;
  readonly entries: readonly Entry[];
  readonly leaderCommit: LogIndex;
}

/**
 * On success `matchIndex` is durable at the follower. On failure `prevLogIndex` repeats the
 * request, and (`conflictIndex`, `conflictTerm`) is the last entry of the follower that may still
 * match.
 */
export interface AppendEntriesResponse extends Envelope {
  readonly type: 'AppendEntriesResponse';
  readonly success: boolean;
  readonly matchIndex: LogIndex;
  readonly prevLogIndex: LogIndex;
  readonly conflictIndex: LogIndex;
  readonly conflictTerm: Term;
  /** The follower lost entries that it acknowledged before; its old matchIndex is void. */
  readonly logDamaged: boolean;
  /** Not 0: the follower is rejoining and counts in no quorum; names this start of it. */
  readonly rejoinNonce: number;
}

export interface Heartbeat extends Envelope {
  readonly type: 'Heartbeat';
  readonly leaderCommit: LogIndex;
  /** The leader's last log index: a damaged follower is whole again once it has this much. */
  readonly lastLogIndex: LogIndex;
  /** Round of ReadIndex confirmations; echoed by the response. */
  readonly readContext: number;
  /** Not 0: the start of the follower that is readmitted; see `readmission.ts`. */
  readonly rejoinNonce: number;
}

export interface HeartbeatResponse extends Envelope {
  readonly type: 'HeartbeatResponse';
  readonly readContext: number;
  /** As in {@link AppendEntriesResponse}. */
  readonly rejoinNonce: number;
}

export interface TimeoutNow extends Envelope {
  readonly type: 'TimeoutNow';
}

/**
 * Stepped by the driver once every chunk of the snapshot has arrived and is durable; its bytes
 * never pass through the core.
 */
export interface InstallSnapshot extends Envelope {
  readonly type: 'InstallSnapshot';
  readonly lastIncludedIndex: LogIndex;
  readonly lastIncludedTerm: Term;
  /** What a snapshot brings; the leader's request for one to be sent has none. */
  readonly configuration: ConfigurationRecord | null;
}

export type Message =
  | VoteRequest
  | VoteResponse
  | AppendEntries
  | AppendEntriesResponse
  | Heartbeat
  | HeartbeatResponse
  | TimeoutNow
  | InstallSnapshot;

export function isVoteRequest(message: Message): message is VoteRequest {
  return message.type === 'PreVote' || message.type === 'RequestVote';
}
