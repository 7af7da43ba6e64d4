import type { Clock } from '@azimuth/common';
import type { GroupMembership, MetadataStatus } from '@azimuth/proto';

import { statusOf } from './lost-log';
import type { PeerSession } from './lost-log';

const ASK_INTERVAL_MS = 500;

/** The last entry of a log. */
export interface LogTail {
  readonly index: number;
  readonly term: number;
}

/** What the leader of a group says of the logs of the group. */
interface LeaderView {
  readonly nodeId: string;
  readonly term: number;
  readonly membership: GroupMembership;
}

/**
 * True when a majority of all voters, without `self`, holds everything that may be committed of a
 * log that ends at `tail`: then nothing is lost with that log, whoever else is lost. What lies
 * behind the log of a leader of its term or a later one is not committed, and need not be held.
 * Without such a leader nobody knows. Pure.
 */
export function isHeldByOthers(
  self: string,
  tail: LogTail,
  leaders: readonly LeaderView[],
): boolean {
  const newest = leaders.toSorted((a, b) => b.term - a.term)[0];
  if (newest === undefined || newest.term < tail.term) return false;
  const { voters, members, isSettled } = newest.membership;
  if (!isSettled) return false;
  // It has told its own entries to others before they are on its disk, and never takes one back.
  const isOwn = newest.term === tail.term;
  const own = members.find(({ nodeId }) => nodeId === newest.nodeId);
  const end = isOwn ? tail.index : (own?.matchIndex ?? tail.index);
  const needed = Math.min(tail.index, end);
  const holders = members.filter(
    ({ nodeId, isAlive, matchIndex }) =>
      nodeId !== self && voters.includes(nodeId) && isAlive && matchIndex >= needed,
  );
  return holders.length > voters.length / 2;
}

/** Who says of itself that it leads `group`. */
export function leadersOf(group: string, statuses: readonly MetadataStatus[]): LeaderView[] {
  return statuses.flatMap(({ nodeId, groups }) =>
    groups.flatMap(({ group: name, role, term, membership }) =>
      name === group && role === 'leader' && membership !== undefined
        ? [{ nodeId, term, membership }]
        : [],
    ),
  );
}

/**
 * Asks the other nodes until {@link isHeldByOthers} is true of `group`; false when it is not after
 * `timeoutMs`. The log must not grow meanwhile.
 */
export async function waitUntilHeldByOthers(
  { self, group, tail }: { readonly self: string; readonly group: string; readonly tail: LogTail },
  peers: readonly PeerSession[],
  { clock, timeoutMs }: { readonly clock: Clock; readonly timeoutMs: number },
): Promise<boolean> {
  const deadlineMs = clock.monotonicMs() + timeoutMs;
  for (;;) {
    const answers = await Promise.allSettled(peers.map((peer) => statusOf(peer)));
    const statuses = answers.flatMap((answer) =>
      answer.status === 'fulfilled' && answer.value !== null ? [answer.value] : [],
    );
    if (isHeldByOthers(self, tail, leadersOf(group, statuses))) return true;
    if (clock.monotonicMs() >= deadlineMs) return false;
    await clock.sleep(ASK_INTERVAL_MS);
  }
}
