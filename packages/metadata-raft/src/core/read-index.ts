import type { HeartbeatResponse } from './message';
import { isVoter } from './membership';
import { isQuorum } from './quorum';
import type { RaftState } from './raft-state';
import { broadcastHeartbeat, isCounted, sendHeartbeat } from './replication';

export type ReadRefusal = 'not-leader' | 'overloaded';

/**
 * Starts a round of ReadIndex (thesis, section 6.4) and answers its context. The read has to see
 * everything that was committed before now. A new leader may not know yet how far that is, but its
 * own no-op comes after all of it (pitfall 2), so the read waits for the later of the two.
 */
export function startRead(state: RaftState): number | ReadRefusal {
  if (state.role !== 'leader') return 'not-leader';
  if (state.pendingReads.length >= state.config.pendingReadsMax) return 'overloaded';
  state.lastReadContext += 1;
  const context = state.lastReadContext;
  state.pendingReads.push({
    context,
    index: Math.max(state.log.commitIndex, state.termStartIndex),
    confirmedBy: new Set([state.id]),
  });
  confirmReads(state);
  if (state.pendingReads.length > 0) askForConfirmation(state);
  return context;
}

/**
 * Asks those who were the first to confirm the last round, because a quorum is enough and every
 * answer costs a wakeup at both ends. Should one of them be silent now, the next regular heartbeat
 * asks everybody in its place, and the first to answer that are asked from then on.
 */
function askForConfirmation(state: RaftState): void {
  const { configuration, id: self, readQuorum } = state;
  if (isQuorum(configuration, (id) => id === self || readQuorum.includes(id))) {
    for (const id of readQuorum) sendHeartbeat(state, id);
  } else {
    broadcastHeartbeat(state);
  }
}

/**
 * A response to round c was sent after round c began, so it confirms the leadership for every read
 * of round c or earlier, and for none that came later (pitfall 4).
 */
export function confirmLeadership(state: RaftState, response: HeartbeatResponse): void {
  if (state.pendingReads.length === 0 || !isCounted(state, response.from)) return;
  for (const read of state.pendingReads) {
    if (read.context <= response.readContext) read.confirmedBy.add(response.from);
  }
  confirmReads(state);
}

function confirmReads(state: RaftState): void {
  let confirmed = 0;
  for (const [position, read] of state.pendingReads.entries()) {
    if (isQuorum(state.configuration, (id) => read.confirmedBy.has(id))) confirmed = position + 1;
  }
  for (const read of state.pendingReads.splice(0, confirmed)) {
    state.ready.readStates.push({ context: read.context, index: read.index });
    state.readQuorum = [...read.confirmedBy].filter(
      (id) => id !== state.id && isVoter(state.configuration, id),
    );
  }
}
