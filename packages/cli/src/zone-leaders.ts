import { hasCode } from '@azimuth/common';
import type { Clock } from '@azimuth/common';

import type { ClusterAccess } from './cluster-access';
import { askMetadataNodes, groupsLedBy } from './metadata-answers';

const ANSWER_TIMEOUT_MS = 5_000;
const POLL_MS = 500;
const LEAVE_TIMEOUT_MS = 60_000;

/**
 * Lets the metadata nodes of a zone lead, or not. What speaks against it is answered as a reason: a
 * zone without metadata nodes has no leaders, and a cluster in one zone keeps them.
 */
export async function setZoneMayLead(
  { metadata }: ClusterAccess,
  zone: string,
  mayLead: boolean,
): Promise<string | null> {
  try {
    const intent = { kind: 'lead' as const, nodeId: null, zone, mayLead };
    await metadata.intend(intent, false, { timeoutMs: ANSWER_TIMEOUT_MS });
    return null;
  } catch (error) {
    if (hasCode(error, 'INVALID_ARGUMENT')) return String(error.detail['reason']);
    throw error;
  }
}

/** Waits until no group is led from the zone; false when some still is after a minute. */
export async function waitForLeadersToLeave(
  cluster: ClusterAccess,
  zone: string,
  clock: Clock,
): Promise<boolean> {
  const deadlineMs = clock.monotonicMs() + LEAVE_TIMEOUT_MS;
  for (;;) {
    const { metadataNodes, statuses } = await askMetadataNodes(cluster, ANSWER_TIMEOUT_MS);
    const isLeading = metadataNodes.some(
      (node) => node.zone === zone && groupsLedBy(node.nodeId, statuses).length > 0,
    );
    if (!isLeading && statuses.length > 0) return true;
    if (clock.monotonicMs() > deadlineMs) return false;
    await clock.sleep(POLL_MS);
  }
}
