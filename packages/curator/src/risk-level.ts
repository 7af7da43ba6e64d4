import { isDiskReadable } from '@azimuth/placement';
import type { ClusterMap } from '@azimuth/placement';
import type { OutboxEntry } from '@azimuth/proto';

/** Fewer than k shards can be read now: nothing can be done but wait for a disk. */
export const LEVEL_UNREADABLE = 1_000;

/**
 * How many nodes may still be lost before the blob is, whichever they are: what the entry lists is
 * missing, and so is what lies on disks that cannot be read. The lower, the sooner. Pure.
 */
export function riskLevel(
  map: ClusterMap,
  { blob, shardIndexes }: Pick<OutboxEntry, 'blob' | 'shardIndexes'>,
): number {
  const perNode = new Map<string, number>();
  let spare = -blob.profile.k;
  map.groups.get(blob.pgId)?.slots.forEach((diskId, slot) => {
    if (shardIndexes.includes(slot) || !isDiskReadable(map, diskId)) return;
    const nodeId = map.disks.get(diskId)?.nodeId ?? '';
    perNode.set(nodeId, (perNode.get(nodeId) ?? 0) + 1);
    spare += 1;
  });
  if (spare < 0) return LEVEL_UNREADABLE;
  let losses = 0;
  for (const shards of [...perNode.values()].sort((a, b) => b - a)) {
    spare -= shards;
    if (spare < 0) break;
    losses += 1;
  }
  return losses;
}
