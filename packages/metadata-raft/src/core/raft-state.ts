import type { Random } from '@azimuth/common';

import type { RaftConfig } from './config';
import type { LogView } from './log-view';
import { isVoter } from './membership';
import type { LogIndex, NodeId, Term } from './message';
import type { Progress } from './progress';
import type { Configuration } from './quorum';
import type { HardState } from './ready';
import { ReadyQueue } from './ready';

export type Role = 'follower' | 'preCandidate' | 'candidate' | 'leader';

export interface PendingRead {
  readonly context: number;
  readonly index: LogIndex;
  readonly confirmedBy: Set<NodeId>;
}

/** Every variable of one node in one group (paper, figure 2, and what the thesis adds). */
export interface RaftState {
  readonly id: NodeId;
  readonly config: RaftConfig;
  readonly random: Random;
  readonly log: LogView;
  readonly ready: ReadyQueue;
  /** The latest in the log: nothing else sets it (pitfall 15). */
  readonly configuration: Configuration;

  currentTerm: Term;
  votedFor: NodeId | null;
  /** See {@link HardState}; 0 = the log is whole. */
  repairIndex: LogIndex;
  /** The leader term under which `repairIndex` was measured; 0 = not yet. */
  repairTerm: Term;
  /** The log agrees with the current leader's up to here; 0 = unknown. */
  agreedIndex: LogIndex;
  /** Names this start of a node that lost its disk, until it is readmitted; 0 = it did not. */
  rejoinNonce: number;

  role: Role;
  leaderId: NodeId | null;
  electionElapsedTicks: number;
  heartbeatElapsedTicks: number;
  randomizedElectionTimeoutTicks: number;
  readonly votes: Map<NodeId, boolean>;

  /** Leader only. */
  readonly progress: Map<NodeId, Progress>;
  leadTransferee: NodeId | null;
  /** Index of the no-op of this term. */
  termStartIndex: LogIndex;
  uncommittedBytes: number;
  /** The configuration entry whose commit was acted upon; see `settleConfiguration`. */
  settledConfigurationIndex: LogIndex | null;
  lastReadContext: number;
  pendingReads: PendingRead[];
  /** Who made the last read round's quorum with this node; empty = not known yet. */
  readQuorum: readonly NodeId[];

  lastApplied: LogIndex;
}

/** Large enough that two starts of a node are never taken for one. */
const REJOIN_NONCE_MAX = 2 ** 47;

export interface RaftStateOptions {
  readonly id: NodeId;
  readonly config: RaftConfig;
  readonly random: Random;
  readonly log: LogView;
  readonly hardState: HardState;
  readonly lastApplied: LogIndex;
}

export function createRaftState(options: RaftStateOptions): RaftState {
  const { hardState } = options;
  return {
    id: options.id,
    config: options.config,
    random: options.random,
    log: options.log,
    ready: new ReadyQueue(),
    get configuration() {
      return options.log.configuration;
    },
    currentTerm: hardState.currentTerm,
    votedFor: hardState.votedFor,
    repairIndex: hardState.repairIndex,
    repairTerm: 0,
    agreedIndex: 0,
    rejoinNonce: hardState.isRejoining ? 1 + options.random.below(REJOIN_NONCE_MAX) : 0,
    role: 'follower',
    leaderId: null,
    electionElapsedTicks: 0,
    heartbeatElapsedTicks: 0,
    randomizedElectionTimeoutTicks: randomElectionTimeoutTicks(options.config, options.random),
    votes: new Map(),
    progress: new Map(),
    leadTransferee: null,
    termStartIndex: 0,
    uncommittedBytes: 0,
    settledConfigurationIndex: null,
    lastReadContext: 0,
    pendingReads: [],
    readQuorum: [],
    lastApplied: options.lastApplied,
  };
}

export function randomElectionTimeoutTicks(config: RaftConfig, random: Random): number {
  const { electionTimeoutTicksMin: min, electionTimeoutTicksMax: max } = config;
  return min + random.below(max - min);
}

export function isDamaged(state: RaftState): boolean {
  return state.repairIndex > 0;
}

/** May campaign: a voter whose log is whole and not being replaced. */
export function isPromotable(state: RaftState): boolean {
  return isVoterForNow(state) && !isDamaged(state) && state.log.pendingSnapshot === null;
}

/**
 * Also a voter whose removal is in its log and not known to be committed: those who stay may need
 * its vote and lack that entry, so nobody but it can win. It does not count itself (thesis, 4.2.2).
 */
function isVoterForNow({ id, log, configuration }: RaftState): boolean {
  if (isVoter(configuration, id)) return true;
  const { configurationIndex } = log;
  const isCommitted = configurationIndex <= log.commitIndex;
  return !isCommitted && isVoter(log.configurationAt(configurationIndex - 1), id);
}
