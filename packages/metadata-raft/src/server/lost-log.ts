import { decodeRecord, encodeRecord } from '@azimuth/proto';
import type { MetadataStatus, SessionRequest, SessionResponse } from '@azimuth/proto';

import type { LogDisk } from '../log/log-disk';
import { STATE_FILE_NAME } from '../log/state-storage';

const ASK_TIMEOUT_MS = 1_000;

/** A way to ask one peer; `SessionClient` but for tests. */
export interface PeerSession {
  call(body: Buffer, timeoutMs: number): Promise<Buffer>;
}

/**
 * What an empty log directory means. A node that was told to bootstrap but finds that a peer knows
 * of committed entries has not joined a new cluster: its disk was lost or replaced, and it may have
 * voted for and acknowledged what it no longer knows. So it abstains until a leader has brought it
 * up to date (pitfall 17). Peers that do not answer say nothing: then the setting counts.
 */
export async function meaningOfEmptyLog(
  whenEmpty: 'bootstrap' | 'rejoin',
  disk: Pick<LogDisk, 'list'>,
  peers: readonly PeerSession[],
): Promise<'bootstrap' | 'rejoin'> {
  const isEmpty = !(await disk.list()).includes(STATE_FILE_NAME);
  if (!isEmpty || whenEmpty === 'rejoin') return whenEmpty;
  const answers = await Promise.allSettled(peers.map((peer) => hasHistory(peer)));
  const isKnown = answers.some((answer) => answer.status === 'fulfilled' && answer.value);
  return isKnown ? 'rejoin' : 'bootstrap';
}

async function hasHistory(peer: PeerSession): Promise<boolean> {
  const status = await statusOf(peer);
  return status?.groups.some(({ commitIndex }) => commitIndex > 0) ?? false;
}

/** What a peer says of itself; null when it refuses. */
export async function statusOf(peer: PeerSession): Promise<MetadataStatus | null> {
  const body = encodeRecord({ kind: 'status' } satisfies SessionRequest);
  const response = decodeRecord(await peer.call(body, ASK_TIMEOUT_MS)) as SessionResponse;
  return response.ok ? (response.result as MetadataStatus) : null;
}
