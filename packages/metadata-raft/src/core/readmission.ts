import type { AppendEntriesResponse, HeartbeatResponse } from './message';
import type { RaftState } from './raft-state';
import { appendAsLeader, broadcastAppend } from './replication';

/**
 * Leader: takes note of a follower that lost its disk and comes back under its name.
 *
 * Its old self may have voted in a term that nobody here has heard of, for a candidate that waits
 * for one vote more. So the new one must not help a leader of an older term to commit, to confirm a
 * read or to follow itself (it has no term to compare with), until that candidate cannot win.
 *
 * The leader appends a marker, and counts the follower for nothing until the marker is committed
 * without it, that is, by a majority of the others of that size. Whoever needs the old vote to win
 * needs another from that majority; who gave it before could not have taken the marker from this
 * leader, whose term is older, and who has the marker refuses a log without it (paper, 5.4.1). All
 * that the old self ever acknowledged comes before the marker, and is committed with it. Then the
 * leader says so in its heartbeats. From there on the follower has a term, and is repaired like one
 * that only lost its log: it votes when it has what this leader had.
 *
 * The nonce names one start of the follower, so that no word to or about an earlier one counts.
 */
export function beginReadmission(
  state: RaftState,
  response: AppendEntriesResponse | HeartbeatResponse,
): void {
  const progress = state.progress.get(response.from);
  const { rejoinNonce } = response;
  if (progress === undefined || rejoinNonce === 0 || rejoinNonce === progress.rejoinNonce) return;
  progress.rejoinNonce = rejoinNonce;
  progress.readmitIndex = appendAsLeader(state, [new Uint8Array(0)]);
  broadcastAppend(state);
}
