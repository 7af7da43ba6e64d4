import { assert } from '@azimuth/common';

import { isVoter } from './membership';
import type { NodeId, Term, VoteRequest, VoteResponse } from './message';
import { isQuorum, voteOutcome, votersOf } from './quorum';
import type { RaftState } from './raft-state';
import { isDamaged, isPromotable, randomElectionTimeoutTicks } from './raft-state';
import { appendAsLeader, broadcastAppend, followMembers, isCounted } from './replication';

export function becomeFollower(state: RaftState, term: Term, leaderId: NodeId | null): void {
  assert(term >= state.currentTerm, 'a term never goes back');
  resetRole(state, term);
  state.role = 'follower';
  state.leaderId = leaderId;
}

/** Starts an election: by default with the question whether it would be won (thesis, 9.6). */
export function campaign(state: RaftState, kind: 'PreVote' | 'RequestVote' | 'transfer'): void {
  if (!isPromotable(state)) return;
  const isPreVote = kind === 'PreVote';
  resetRole(state, isPreVote ? state.currentTerm : state.currentTerm + 1);
  state.role = isPreVote ? 'preCandidate' : 'candidate';
  state.leaderId = null;
  if (!isPreVote) state.votedFor = state.id;
  const term = state.currentTerm + (isPreVote ? 1 : 0);

  for (const id of votersOf(state.configuration)) {
    if (id === state.id) continue;
    state.ready.messagesAfterSync.push({
      type: isPreVote ? 'PreVote' : 'RequestVote',
      from: state.id,
      to: id,
      term,
      lastLogIndex: state.log.lastIndex,
      lastLogTerm: state.log.lastTerm,
      leadershipTransfer: kind === 'transfer',
    });
  }
  // The own vote takes the same way as the others: it counts once it is durable (pitfall 5).
  state.ready.messagesAfterSync.push({
    type: isPreVote ? 'PreVoteResponse' : 'RequestVoteResponse',
    from: state.id,
    to: state.id,
    term,
    voteGranted: true,
  });
}

export function handleVoteRequest(state: RaftState, request: VoteRequest): void {
  const isPreVote = request.type === 'PreVote';
  // Paper, section 5.2: one vote per term, first come first served. A pre-vote binds nobody.
  const canVote =
    state.votedFor === request.from ||
    (state.votedFor === null && state.leaderId === null) ||
    (isPreVote && request.term > state.currentTerm);
  // Paper, section 5.4.1: a candidate whose log is behind ours might be missing a committed entry.
  // A damaged log cannot tell, so it refuses everybody (pitfall 9).
  const voteGranted =
    canVote && !isDamaged(state) && state.log.isUpToDate(request.lastLogTerm, request.lastLogIndex);

  if (voteGranted && !isPreVote) {
    state.votedFor = request.from;
    state.electionElapsedTicks = 0;
  }
  // A vote forgotten in a crash could be cast twice, so it leaves only after `votedFor` is durable.
  state.ready.messagesAfterSync.push({
    type: isPreVote ? 'PreVoteResponse' : 'RequestVoteResponse',
    from: state.id,
    to: request.from,
    term: voteGranted ? request.term : state.currentTerm,
    voteGranted,
  });
}

export function handleVoteResponse(state: RaftState, response: VoteResponse): void {
  const isPreVote = response.type === 'PreVoteResponse';
  if (state.role !== (isPreVote ? 'preCandidate' : 'candidate')) return;
  const expectedTerm = state.currentTerm + (isPreVote && response.voteGranted ? 1 : 0);
  if (response.term !== expectedTerm) return;
  if (!state.votes.has(response.from)) state.votes.set(response.from, response.voteGranted);
  const outcome = voteOutcome(state.configuration, state.votes);
  if (outcome === 'lost') becomeFollower(state, state.currentTerm, null);
  else if (outcome === 'won' && isPreVote) campaign(state, 'RequestVote');
  else if (outcome === 'won') becomeLeader(state);
}

function becomeLeader(state: RaftState): void {
  assert(state.role === 'candidate');
  resetRole(state, state.currentTerm);
  state.role = 'leader';
  state.leaderId = state.id;
  followMembers(state);
  const own = state.progress.get(state.id);
  assert(own !== undefined);
  own.matched(state.log.stableIndex);
  own.becomeReplicate();
  own.isRecentlyActive = true;
  // Paper, section 8: a no-op of its own term is what lets it commit what it found (figure 8).
  state.termStartIndex = appendAsLeader(state, [new Uint8Array(0)]);
  broadcastAppend(state);
}

/** A follower that has just heard of its leader would be wrong to help to depose it. */
export function hasLiveLeader(state: RaftState): boolean {
  return (
    state.leaderId !== null && state.electionElapsedTicks < state.config.electionTimeoutTicksMin
  );
}

/**
 * Who leads, as far as this node may tell others; null when it does not know. A node that may not
 * campaign, damaged or a learner, believes in a leader that has died until it hears of another: it
 * would send everybody there, and keep on saying that somebody leads where nobody does.
 */
export function leaderToName(state: RaftState): NodeId | null {
  return state.role === 'leader' || hasLiveLeader(state) ? state.leaderId : null;
}

/** CheckQuorum (thesis, 6.2): a leader that has lost its quorum stops taking work. */
export function checkQuorum(state: RaftState): void {
  // Who rejoins answers and decides nothing: with it alone others would wait for a leader in vain.
  const isActive = (id: NodeId): boolean =>
    id === state.id || (state.progress.get(id)?.isRecentlyActive === true && isCounted(state, id));
  if (!isQuorum(state.configuration, isActive)) {
    becomeFollower(state, state.currentTerm, null);
    return;
  }
  for (const [id, progress] of state.progress) {
    progress.endRound();
    if (id === state.id) progress.isRecentlyActive = true;
  }
}

export type TransferRefusal = 'not-leader' | 'unknown-target';

export function canTransferTo(state: RaftState, target: NodeId): TransferRefusal | null {
  if (state.role !== 'leader') return 'not-leader';
  return isVoter(state.configuration, target) ? null : 'unknown-target';
}

function resetRole(state: RaftState, term: Term): void {
  if (term !== state.currentTerm) {
    state.currentTerm = term;
    state.votedFor = null;
  }
  state.leaderId = null;
  state.electionElapsedTicks = 0;
  state.heartbeatElapsedTicks = 0;
  state.randomizedElectionTimeoutTicks = randomElectionTimeoutTicks(state.config, state.random);
  state.votes.clear();
  state.progress.clear();
  state.leadTransferee = null;
  state.termStartIndex = 0;
  state.uncommittedBytes = 0;
  state.settledConfigurationIndex = null;
  state.pendingReads = [];
  state.readQuorum = [];
  state.agreedIndex = 0;
}
