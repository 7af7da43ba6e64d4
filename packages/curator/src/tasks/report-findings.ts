import { isDiskReadable } from '@azimuth/placement';

import type { CuratorContext } from '../curator-context';
import { resolveBlobs } from '../outbox';
import type { RetrySchedule } from '../retry-schedule';
import { reportMissing } from './census';

const FINDINGS_MAX = 500;

/**
 * Turns what scrub tours found corrupt into repair work, once a while for each finding: the storage
 * node keeps a finding until the shard is rewritten. Findings on a disk that is not the slot of the
 * shard, and of blobs that nothing references, are left to the collectors.
 */
export async function reportFindings(
  context: CuratorContext,
  reported: RetrySchedule,
): Promise<void> {
  const map = context.view.map();
  for (const { diskId, nodeId } of map.disks.values()) {
    const node = map.nodes.get(nodeId);
    if (node === undefined || !isDiskReadable(map, diskId)) continue;
    const all = await context.control
      .listFindings(node, diskId, FINDINGS_MAX, context.signal)
      .catch((error: unknown) => {
        context.signal.throwIfAborted();
        context.logger.warn({ diskId, error }, 'findings could not be listed');
        return [];
      });
    const fresh = all.filter(
      ({ pgId, blobId, shardIndex }) =>
        map.groups.get(pgId)?.slots[shardIndex] === diskId &&
        reported.isDue(`${blobId}/${shardIndex}`),
    );
    if (fresh.length === 0) continue;
    const resolved = await resolveBlobs(
      context,
      fresh.map(({ blobId }) => blobId),
    );
    const missing = fresh
      .filter(({ blobId }) => resolved.get(blobId) != null)
      .map(({ blobId, shardIndex }) => ({ blobId, shardIndexes: [shardIndex] }));
    await reportMissing(context, missing, 'scrub');
    for (const { blobId, shardIndex } of fresh) reported.postpone(`${blobId}/${shardIndex}`);
  }
}
