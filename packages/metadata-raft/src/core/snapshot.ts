import { assert } from '@azimuth/common';

import type { InstallSnapshot, LogIndex, NodeId } from './message';
import type { RaftState } from './raft-state';
import { respondToAppend, sendAppend } from './replication';

/** Follower: a whole snapshot of the leader has arrived and is durable. */
export function handleInstallSnapshot(state: RaftState, request: InstallSnapshot): void {
  const { log } = state;
  const { lastIncludedIndex: index, lastIncludedTerm: term } = request;
  if (index <= log.commitIndex) {
    // Older than what is here already: it would go back (pitfall 24).
    respondToAppend(state, request.from, { success: true, matchIndex: log.commitIndex });
    return;
  }
  if (log.term(index) === term) {
    // The log reaches as far. Keeping it saves sending the tail again (paper, section 7).
    log.commitTo(index);
  } else {
    assert(request.configuration !== null, 'a snapshot without a configuration');
    log.restore(index, term, request.configuration);
  }
  state.agreedIndex = Math.max(state.agreedIndex, index);
  respondToAppend(state, request.from, { success: true, matchIndex: index });
}

/** Leader: the stream of a snapshot to `to` ended. */
export function snapshotReported(state: RaftState, to: NodeId, isAccepted: boolean): void {
  const progress = state.progress.get(to);
  if (progress?.state !== 'snapshot') return;
  if (!isAccepted) progress.snapshotIndex = 0;
  progress.becomeProbe();
  // After a failure the next heartbeat response starts the next attempt, not this call.
  if (isAccepted) sendAppend(state, to, progress);
  else progress.isRecentlyActive = false;
}

/** The state machine has taken the snapshot over; entries behind it may be applied. */
export function isSnapshotNeeded(state: RaftState): LogIndex | null {
  return state.lastApplied < state.log.snapshotIndex ? state.log.snapshotIndex : null;
}
