import { assert } from '@azimuth/common';

import { isVoter, membersOf } from './membership';
import type {
  AppendEntries,
  AppendEntriesResponse,
  Entry,
  Heartbeat,
  LogIndex,
  NodeId,
} from './message';
import { Progress } from './progress';
import { quorumIndex } from './quorum';
import type { RaftState } from './raft-state';
import { isDamaged } from './raft-state';

/** Why nothing was appended. */
export type ProposalRefusal = 'not-leader' | 'transferring' | 'overloaded';

/** Leader: appends one entry a datum in the current term and answers the index of the first. */
export function appendAsLeader(state: RaftState, data: readonly Uint8Array[]): LogIndex {
  assert(state.role === 'leader');
  const first = state.log.lastIndex + 1;
  const entries = data.map((bytes, offset): Entry => ({
    term: state.currentTerm,
    index: first + offset,
    data: bytes,
  }));
  for (const bytes of data) state.uncommittedBytes += bytes.length;
  state.log.append(entries);
  return first;
}

/**
 * Leader: keeps a progress for everyone who gets the log: the members, and those whom a change that
 * is not committed yet would remove, so that they hear of it (pitfall 16). The leader itself is
 * always among them, also when it manages the end of its own membership (thesis, 4.2.2).
 */
export function followMembers(state: RaftState): void {
  const { log, config, progress } = state;
  const followed = new Set([
    ...membersOf(state.configuration),
    ...membersOf(log.configurationAt(Math.min(log.commitIndex, log.configurationIndex))),
    state.id,
  ]);
  for (const id of [...progress.keys()]) if (!followed.has(id)) progress.delete(id);
  for (const id of followed) {
    if (progress.has(id)) continue;
    // Nothing is known of the others' logs, whatever they acknowledged to an earlier leader.
    progress.set(id, new Progress(config, log.lastIndex + 1));
  }
}

export function broadcastAppend(state: RaftState): void {
  for (const [id, progress] of state.progress) {
    if (id !== state.id) sendWhileOpen(state, id, progress);
  }
}

/** Sends until the window is full or the follower has everything. */
export function sendWhileOpen(state: RaftState, to: NodeId, progress: Progress): void {
  while (progress.nextIndex <= state.log.lastIndex) {
    if (!sendAppend(state, to, progress)) break;
  }
}

/**
 * Sends the next entries, or an empty request when there are none; a snapshot if it is too late.
 * False when nothing went out.
 */
export function sendAppend(state: RaftState, to: NodeId, progress: Progress): boolean {
  if (progress.isPaused) return false;
  const { log, config } = state;
  const prevLogIndex = progress.nextIndex - 1;
  const prevLogTerm = log.term(prevLogIndex);
  if (prevLogTerm === null || prevLogIndex < log.snapshotIndex) {
    return sendSnapshot(state, to, progress);
  }
  const entries = log.slice(
    progress.nextIndex,
    log.lastIndex + 1,
    config.appendBytesMax,
    config.appendEntriesMax,
  );
  let sizeBytes = 0;
  for (const entry of entries) sizeBytes += entry.data.length;
  if (entries.length > 0 || progress.state === 'probe') {
    progress.sent(prevLogIndex + entries.length, sizeBytes);
  }
  state.ready.messages.push({
    type: 'AppendEntries',
    from: state.id,
    to,
    term: state.currentTerm,
    prevLogIndex,
    prevLogTerm,
    entries,
    leaderCommit: log.commitIndex,
  });
  return true;
}

function sendSnapshot(state: RaftState, to: NodeId, progress: Progress): boolean {
  // A snapshot is dear; a follower that is silent would not take it anyway.
  if (!progress.isRecentlyActive) return false;
  const { snapshotIndex, snapshotTerm } = state.log;
  assert(snapshotIndex > 0, 'there is neither a log entry nor a snapshot');
  progress.becomeSnapshot(snapshotIndex);
  state.ready.messages.push({
    type: 'InstallSnapshot',
    from: state.id,
    to,
    term: state.currentTerm,
    lastIncludedIndex: snapshotIndex,
    lastIncludedTerm: snapshotTerm,
    configuration: null,
  });
  return true;
}

export function broadcastHeartbeat(state: RaftState): void {
  state.heartbeatElapsedTicks = 0;
  for (const id of state.progress.keys()) if (id !== state.id) sendHeartbeat(state, id);
}

export function sendHeartbeat(state: RaftState, to: NodeId): void {
  state.ready.messages.push({
    type: 'Heartbeat',
    from: state.id,
    to,
    term: state.currentTerm,
    // Beyond its match the follower may hold entries of another leader.
    leaderCommit: Math.min(state.progress.get(to)?.matchIndex ?? 0, state.log.commitIndex),
    lastLogIndex: state.log.lastIndex,
    readContext: state.lastReadContext,
    rejoinNonce: isCounted(state, to) ? (state.progress.get(to)?.rejoinNonce ?? 0) : 0,
  });
}

/** Leader: false of a follower that lost its disk and was not readmitted; see `readmission.ts`. */
export function isCounted(state: RaftState, id: NodeId): boolean {
  const progress = state.progress.get(id);
  return progress === undefined || progress.readmitIndex <= state.log.commitIndex;
}

/** Leader: heard of of late, and of use to a quorum. */
export function isAlive(state: RaftState, id: NodeId): boolean {
  return id === state.id || (state.progress.get(id)?.isAlive === true && isCounted(state, id));
}

/**
 * Leader: commits what a quorum holds durably, if the last of it is of this term. Paper, section
 * 5.4.2 and figure 8: an entry of an older term on a majority may still be replaced (pitfall 1).
 */
export function advanceCommit(state: RaftState): void {
  const { log } = state;
  const index = quorumIndex(state.configuration, (id) =>
    isCounted(state, id) ? (state.progress.get(id)?.matchIndex ?? 0) : 0,
  );
  if (index <= log.commitIndex || index > log.lastIndex) return;
  if (log.term(index) !== state.currentTerm) return;
  // Bytes are only counted for entries of this term, all of which are still in the log.
  for (let at = Math.max(log.commitIndex + 1, state.termStartIndex); at <= index;) {
    const entries = log.slice(at, index + 1, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
    assert(entries.length > 0);
    for (const entry of entries) state.uncommittedBytes -= entry.data.length;
    at += entries.length;
  }
  assert(state.uncommittedBytes >= 0);
  log.commitTo(index);
  // Whoever is readmitted by this counts from here on with what it has acknowledged meanwhile.
  advanceCommit(state);
}

/** Leader: its own entries up to `index` are durable. */
export function ownEntriesWritten(state: RaftState, index: LogIndex): void {
  if (state.role !== 'leader') return;
  const own = state.progress.get(state.id);
  assert(own !== undefined);
  own.matched(index);
  advanceCommit(state);
}

export function handleAppendEntries(state: RaftState, request: AppendEntries): void {
  const { log } = state;
  if (request.prevLogIndex < log.commitIndex) {
    // An old request, reordered. What is committed agrees with every later leader.
    state.agreedIndex = Math.max(state.agreedIndex, log.commitIndex);
    respondToAppend(state, request.from, { success: true, matchIndex: log.commitIndex });
    return;
  }
  if (log.term(request.prevLogIndex) !== request.prevLogTerm) {
    const conflictIndex = log.lastIndexAtOrBelowTerm(request.prevLogIndex, request.prevLogTerm);
    respondToAppend(state, request.from, {
      success: false,
      prevLogIndex: request.prevLogIndex,
      conflictIndex,
    });
    return;
  }
  log.reconcile(request.entries);
  const lastNewIndex = request.prevLogIndex + request.entries.length;
  log.commitTo(Math.min(request.leaderCommit, lastNewIndex));
  state.agreedIndex = Math.max(state.agreedIndex, lastNewIndex);
  respondToAppend(state, request.from, { success: true, matchIndex: lastNewIndex });
}

interface AppendOutcome {
  readonly success: boolean;
  readonly matchIndex?: LogIndex;
  readonly prevLogIndex?: LogIndex;
  readonly conflictIndex?: LogIndex;
}

/** Promises durability, so it leaves after the sync (pitfall 6). */
export function respondToAppend(state: RaftState, to: NodeId, outcome: AppendOutcome): void {
  const conflictIndex = outcome.conflictIndex ?? 0;
  state.ready.messagesAfterSync.push({
    type: 'AppendEntriesResponse',
    from: state.id,
    to,
    term: state.currentTerm,
    success: outcome.success,
    matchIndex: outcome.matchIndex ?? 0,
    prevLogIndex: outcome.prevLogIndex ?? 0,
    conflictIndex,
    conflictTerm: state.log.term(conflictIndex) ?? 0,
    logDamaged: !outcome.success && isDamaged(state),
    rejoinNonce: state.rejoinNonce,
  });
}

export function handleHeartbeat(state: RaftState, heartbeat: Heartbeat): void {
  const { log } = state;
  takeReadmission(state, heartbeat);
  if (heartbeat.leaderCommit > log.lastIndex && !isDamaged(state)) noteLoss(state, heartbeat);
  if (isDamaged(state)) {
    if (state.repairTerm !== heartbeat.term) {
      state.repairTerm = heartbeat.term;
      state.repairIndex = Math.max(state.repairIndex, heartbeat.lastLogIndex);
    }
    // The leader may still count on entries that are gone here; it has to start over.
    if (state.agreedIndex === 0 || state.agreedIndex < heartbeat.leaderCommit) {
      respondToAppend(state, heartbeat.from, {
        success: false,
        prevLogIndex: log.lastIndex,
        conflictIndex: log.lastIndex,
      });
    }
  } else {
    log.commitTo(Math.min(heartbeat.leaderCommit, log.lastIndex));
  }
  state.ready.messages.push({
    type: 'HeartbeatResponse',
    from: state.id,
    to: heartbeat.from,
    term: state.currentTerm,
    readContext: heartbeat.readContext,
    rejoinNonce: state.rejoinNonce,
  });
}

/**
 * A heartbeat commits no further than this node acknowledged to this leader. So an entry is gone
 * that was durable once, although the start took the end of the log for torn (pitfall 9).
 */
function noteLoss(state: RaftState, heartbeat: Heartbeat): void {
  state.repairIndex = heartbeat.lastLogIndex;
  state.repairTerm = heartbeat.term;
  state.agreedIndex = 0;
}

/** From here on this is a node that only lost its log, and knows how much of it there was. */
function takeReadmission(state: RaftState, heartbeat: Heartbeat): void {
  if (state.rejoinNonce === 0 || heartbeat.rejoinNonce !== state.rejoinNonce) return;
  state.rejoinNonce = 0;
  state.repairIndex = Math.max(state.repairIndex, heartbeat.lastLogIndex);
  state.repairTerm = heartbeat.term;
}

/** Ends the abstention once the durable log agrees with a leader as far as it ever was written. */
export function finishRepair(state: RaftState): void {
  if (!isDamaged(state) || state.rejoinNonce !== 0) return;
  if (state.repairTerm !== state.currentTerm) return;
  const agreed = Math.min(state.agreedIndex, state.log.stableIndex);
  if (agreed >= state.repairIndex) state.repairIndex = 0;
}

/** Leader: answers true when the commit index may have moved. */
export function handleAppendResponse(state: RaftState, response: AppendEntriesResponse): void {
  const progress = state.progress.get(response.from);
  if (progress === undefined) return;
  progress.isRecentlyActive = true;
  if (response.success) {
    handleAppendSuccess(state, response, progress);
    return;
  }
  const lastPossibleMatch = state.log.lastIndexAtOrBelowTerm(
    response.conflictIndex,
    response.conflictTerm,
  );
  if (response.logDamaged) progress.forget(lastPossibleMatch);
  else if (!progress.rejected(response.prevLogIndex, lastPossibleMatch)) return;
  sendAppend(state, response.from, progress);
}

function handleAppendSuccess(
  state: RaftState,
  response: AppendEntriesResponse,
  progress: Progress,
): void {
  assert(response.matchIndex <= state.log.lastIndex, 'a follower is ahead of its leader');
  const isNew = progress.matched(response.matchIndex);
  if (progress.state === 'probe') progress.becomeReplicate();
  else if (progress.state === 'snapshot' && progress.matchIndex >= progress.snapshotIndex) {
    progress.becomeReplicate();
  }
  if (isNew && isVoter(state.configuration, response.from)) advanceCommit(state);
  sendWhileOpen(state, response.from, progress);
  if (state.leadTransferee === response.from && progress.matchIndex === state.log.lastIndex) {
    sendTimeoutNow(state, response.from);
  }
}

export function sendTimeoutNow(state: RaftState, to: NodeId): void {
  state.ready.messages.push({
    type: 'TimeoutNow',
    from: state.id,
    to,
    term: state.currentTerm,
  });
}
