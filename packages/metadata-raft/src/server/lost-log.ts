import { StoreError } from '@azimuth/common';
import { decodeRecord, encodeRecord } from '@azimuth/proto';
import type { MetadataStatus, SessionRequest, SessionResponse } from '@azimuth/proto';

import type { LogDisk } from '../disk/log-disk';
import { STATE_FILE_NAME } from '../log/state-storage';

/** What an empty directory means, by the settings. */
type EmptyLog = 'bootstrap' | 'rejoin' | 'join';

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
 *
 * A node whose log has a name in `root` has lost that log. Only an operator can say, with `rejoin`,
 * that it is still to be this node.
 *
 * @throws StoreError ALREADY_EXISTS: the node is to be replaced under another name
 */
export async function meaningOfEmptyLog(
  { nodeId, whenEmpty }: { readonly nodeId: string; readonly whenEmpty: EmptyLog },
  disk: Pick<LogDisk, 'list'>,
  peers: readonly PeerSession[],
): Promise<EmptyLog> {
  const isEmpty = !(await disk.list()).includes(STATE_FILE_NAME);
  if (!isEmpty || whenEmpty === 'rejoin') return whenEmpty;
  const answers = await Promise.allSettled(peers.map((peer) => statusOf(peer)));
  const statuses = answers.flatMap((answer) =>
    answer.status === 'fulfilled' && answer.value !== null ? [answer.value] : [],
  );
  const hadLog = statuses.some(({ metadataNodes = [] }) =>
    metadataNodes.some((node) => node.nodeId === nodeId && node.incarnation !== null),
  );
  if (hadLog) {
    const hint = `the log of this node is gone: azimuth metadata replace ${nodeId} --with NAME …`;
    throw new StoreError('ALREADY_EXISTS', { nodeId, hint });
  }
  if (whenEmpty === 'join') return whenEmpty;
  const isKnown = statuses.some(({ groups }) => groups.some(({ commitIndex }) => commitIndex > 0));
  return isKnown ? 'rejoin' : 'bootstrap';
}

/** What a peer says of itself; null when it refuses. */
export async function statusOf(peer: PeerSession): Promise<MetadataStatus | null> {
  const body = encodeRecord({ kind: 'status' } satisfies SessionRequest);
  const response = decodeRecord(await peer.call(body, ASK_TIMEOUT_MS)) as SessionResponse;
  return response.ok ? (response.result as MetadataStatus) : null;
}
