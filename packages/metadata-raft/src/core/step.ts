import { assert } from '@azimuth/common';

import {
  becomeFollower,
  campaign,
  handleVoteRequest,
  handleVoteResponse,
  hasLiveLeader,
} from './election';
import type { AppendEntries, Heartbeat, InstallSnapshot, Message, VoteRequest } from './message';
import { isVoteRequest } from './message';
import type { RaftState } from './raft-state';
import { confirmLeadership } from './read-index';
import { beginReadmission } from './readmission';
import { settleConfiguration } from './reconfigure';
import {
  handleAppendEntries,
  handleAppendResponse,
  handleHeartbeat,
  respondToAppend,
  sendAppend,
} from './replication';
import { handleInstallSnapshot } from './snapshot';

type FromLeader = AppendEntries | Heartbeat | InstallSnapshot;

/**
 * Feeds one message into the node. Bookkeeping only: no clock, no disk, no socket. What must happen
 * as a result is queued in `state.ready` for the driver, which persists, then sends, then applies.
 */
export function step(state: RaftState, message: Message): void {
  assert(message.to === state.id, `message for ${message.to} reached ${state.id}`);

  // Thesis, section 4.2.3: while a leader is alive, a vote request can only come from a node that
  // lost touch with it. Answering would let that node depose a healthy leader.
  if (
    isVoteRequest(message) &&
    message.term > state.currentTerm &&
    !message.leadershipTransfer &&
    hasLiveLeader(state)
  ) {
    return;
  }

  // Paper, section 5.1: the larger term wins. Pre-votes only ask about a term, so they move nobody.
  if (message.term > state.currentTerm && adoptsTerm(message)) {
    becomeFollower(state, message.term, null);
  }

  if (message.term < state.currentTerm) rejectStaleTerm(state, message);
  else if (isVoteRequest(message)) handleVoteRequest(state, message);
  else stepCurrentTerm(state, message);
}

/** A pre-vote, and a pre-vote granted, speak of a term that nobody is in yet. */
function adoptsTerm(message: Message): boolean {
  if (message.type === 'PreVote') return false;
  return !(message.type === 'PreVoteResponse' && message.voteGranted);
}

/**
 * An old leader has to learn of the new term to step down, and an old pre-candidate to stop:
 * without an answer a node with a larger term and a shorter log would keep the group without a
 * leader (pitfall 18).
 */
function rejectStaleTerm(state: RaftState, message: Message): void {
  if (isFromLeader(message)) respondToAppend(state, message.from, { success: false });
  else if (message.type === 'PreVote') {
    state.ready.messagesAfterSync.push({
      type: 'PreVoteResponse',
      from: state.id,
      to: message.from,
      term: state.currentTerm,
      voteGranted: false,
    });
  }
}

function isFromLeader(message: Message): message is FromLeader {
  return (
    message.type === 'AppendEntries' ||
    message.type === 'Heartbeat' ||
    message.type === 'InstallSnapshot'
  );
}

function stepCurrentTerm(state: RaftState, message: Exclude<Message, VoteRequest>): void {
  if (isFromLeader(message)) {
    stepFromLeader(state, message);
    return;
  }
  switch (message.type) {
    case 'PreVoteResponse':
    case 'RequestVoteResponse':
      handleVoteResponse(state, message);
      return;
    case 'AppendEntriesResponse':
      if (state.role !== 'leader') return;
      beginReadmission(state, message);
      handleAppendResponse(state, message);
      settleConfiguration(state);
      return;
    case 'HeartbeatResponse':
      if (state.role !== 'leader') return;
      beginReadmission(state, message);
      stepHeartbeatResponse(state, message);
      return;
    case 'TimeoutNow':
      // Thesis, section 3.10: the leader itself asks, so there is nobody to be polite to.
      if (state.role === 'follower') campaign(state, 'transfer');
      return;
  }
}

function stepFromLeader(state: RaftState, message: FromLeader): void {
  assert(state.role !== 'leader', 'two leaders in one term');
  if (state.role !== 'follower') becomeFollower(state, message.term, message.from);
  assert(state.leaderId === null || state.leaderId === message.from, 'two leaders in one term');
  state.leaderId = message.from;
  state.electionElapsedTicks = 0;
  switch (message.type) {
    case 'AppendEntries':
      handleAppendEntries(state, message);
      return;
    case 'Heartbeat':
      handleHeartbeat(state, message);
      return;
    case 'InstallSnapshot':
      handleInstallSnapshot(state, message);
      return;
  }
}

function stepHeartbeatResponse(
  state: RaftState,
  message: Extract<Message, { type: 'HeartbeatResponse' }>,
): void {
  const progress = state.progress.get(message.from);
  if (progress === undefined) return;
  progress.heard();
  confirmLeadership(state, message);
  // An append may have been lost. A probe finds out what the follower has.
  if (progress.matchIndex < state.log.lastIndex) sendAppend(state, message.from, progress);
}
