import { encodeConfiguration } from './configuration-entry';
import { becomeFollower } from './election';
import { enterJoint, isVoter, leaveJoint, membersOf, staticConfiguration } from './membership';
import type { MembershipTarget } from './membership';
import type { LogIndex, NodeId } from './message';
import type { Configuration } from './quorum';
import { isQuorum } from './quorum';
import type { RaftState } from './raft-state';
import {
  appendAsLeader,
  broadcastAppend,
  broadcastHeartbeat,
  followMembers,
  isAlive,
  sendHeartbeat,
  sendTimeoutNow,
} from './replication';

/** Why a change of membership was not begun. */
export type MembershipRefusal =
  | 'not-leader'
  | 'transferring'
  /** Another change is not committed yet, or this leader has not committed in its term. */
  | 'pending'
  | 'unchanged'
  /** A new voter has not been a learner, or is too far behind. */
  | 'not-caught-up'
  /** Of the voters to be, or of those to go, no majority answers. */
  | 'no-quorum'
  | 'invalid';

/** A new voter may be this many entries behind; the next AppendEntries brings them. */
const BEHIND_MAX = 1_024;

/**
 * Leader: begins the change to `target` and answers the index of the entry that does.
 *
 * M1 Every change of voters goes through a joint phase, even that of one node: then no majority of
 *    the old and the new set can miss each other, whoever leads (pitfall 14).
 * M2 One change at a time, and the first of a term after an entry of the term is committed, so that
 *    no change of an earlier leader can still come to light (Ongaro, 2015).
 * M3 Who becomes a voter has the log already, or two empty logs would make a quorum (pitfall 17).
 */
export function beginChange(
  state: RaftState,
  target: MembershipTarget,
): LogIndex | MembershipRefusal {
  const refusal = refusalOf(state, target);
  if (refusal !== null) return refusal;
  const { configuration } = state;
  const isSameVoters = isEqualSet(configuration.voters, target.voters);
  return appendConfiguration(
    state,
    isSameVoters
      ? staticConfiguration(target.voters, target.learners)
      : enterJoint(configuration, target),
  );
}

function refusalOf(state: RaftState, target: MembershipTarget): MembershipRefusal | null {
  const { log, configuration } = state;
  if (state.role !== 'leader') return 'not-leader';
  if (state.leadTransferee !== null) return 'transferring';
  const isUnsettled = log.configurationIndex > log.commitIndex || configuration.outgoing !== null;
  if (isUnsettled || log.commitIndex < state.termStartIndex) return 'pending';
  if (!isWellFormed(configuration, target)) return 'invalid';
  const isSameVoters = isEqualSet(configuration.voters, target.voters);
  if (isSameVoters && isEqualSet(configuration.learners, target.learners)) return 'unchanged';
  if (isSameVoters) return null;
  if (target.voters.some((id) => !configuration.voters.has(id) && !isCaughtUp(state, id))) {
    return 'not-caught-up';
  }
  const isPresent = (id: NodeId): boolean => isAlive(state, id);
  return isQuorum(enterJoint(configuration, target), isPresent) ? null : 'no-quorum';
}

function isWellFormed(current: Configuration, { voters, learners }: MembershipTarget): boolean {
  const isDistinct = new Set([...voters, ...learners]).size === voters.length + learners.length;
  return voters.length > 0 && isDistinct && learners.every((id) => !current.voters.has(id));
}

function isCaughtUp(state: RaftState, id: NodeId): boolean {
  const progress = state.progress.get(id);
  return (
    state.configuration.learners.has(id) &&
    progress?.state === 'replicate' &&
    isAlive(state, id) &&
    progress.matchIndex + BEHIND_MAX >= state.log.lastIndex
  );
}

function isEqualSet(set: ReadonlySet<NodeId>, ids: readonly NodeId[]): boolean {
  return set.size === ids.length && ids.every((id) => set.has(id));
}

function appendConfiguration(state: RaftState, configuration: Configuration): LogIndex {
  const index = appendAsLeader(state, [encodeConfiguration(configuration)]);
  followMembers(state);
  const { leadTransferee } = state;
  if (leadTransferee !== null && !isVoter(configuration, leadTransferee)) {
    state.leadTransferee = null;
  }
  broadcastAppend(state);
  return index;
}

/**
 * Leader: acts once on the commit of the current configuration. The end of a joint phase is written
 * by whoever leads then, so that a change goes on when its leader is lost. Called after whatever
 * may have moved the commit index.
 */
export function settleConfiguration(state: RaftState): void {
  if (state.role !== 'leader') return;
  const { log } = state;
  const index = log.configurationIndex;
  if (state.settledConfigurationIndex === index) return;
  if (index > log.commitIndex || log.commitIndex < state.termStartIndex) return;
  state.settledConfigurationIndex = index;
  // Those who leave hear that it is so, and then nothing more (pitfall 16).
  const members = membersOf(state.configuration);
  for (const id of state.progress.keys()) {
    if (id !== state.id && !members.has(id)) sendHeartbeat(state, id);
  }
  followMembers(state);
  if (state.configuration.outgoing !== null) {
    appendConfiguration(state, leaveJoint(state.configuration));
  } else if (!isVoter(state.configuration, state.id)) {
    stepDown(state);
  }
}

/**
 * A leader that is no member any more has led for as long as the group needed it. It hands over to
 * the voter that has the most, or else to an election (thesis, 4.2.2).
 */
function stepDown(state: RaftState): void {
  const heirs = [...state.progress].filter(([id]) => isVoter(state.configuration, id));
  const heir = heirs.sort(([, a], [, b]) => b.matchIndex - a.matchIndex)[0]?.[0];
  broadcastHeartbeat(state);
  if (heir !== undefined) sendTimeoutNow(state, heir);
  becomeFollower(state, state.currentTerm, null);
}
