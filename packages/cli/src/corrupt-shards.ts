import { isUnreferenced, resolveBlobs } from '@azimuth/clients';
import { mapLimited } from '@azimuth/common';
import { isDiskReadable } from '@azimuth/placement';
import type { ClusterMap, DiskId, StorageNodeEntry } from '@azimuth/placement';
import type { MetadataStatus } from '@azimuth/proto';

import type { ClusterAccess } from './cluster-access';

/** A disk with more findings is counted by what its node says of it. */
const FINDINGS_MAX = 1_000;
const PARALLEL_MAX = 8;

interface CorruptDisk {
  readonly diskId: DiskId;
  readonly node: StorageNodeEntry;
}

/**
 * Corrupt shards that something still references, by disk. A shard of a deleted object stays where
 * it is until its garbage is collected, and protects nothing any more; nor does one that lies on a
 * disk that is not its slot. Without an entry: a disk that has none by its heartbeat, that did not
 * answer, or whose findings could not all be resolved. Unknown is never absent.
 */
export async function countCorruptShards(
  cluster: Pick<ClusterAccess, 'metadata' | 'storage'>,
  map: ClusterMap,
  statuses: readonly MetadataStatus[],
  timeoutMs: number,
): Promise<ReadonlyMap<DiskId, number>> {
  const counts = await mapLimited(
    corruptDisks(map, statuses),
    PARALLEL_MAX,
    async ({ diskId, node }) => {
      const findings = await cluster.storage.findingsOf(node, diskId, FINDINGS_MAX);
      if (findings === null || findings.length >= FINDINGS_MAX) return null;
      // Of an unreadable index entry the group is not known: that shard may be in its place.
      const inPlace = findings.filter(
        ({ pgId, shardIndex }) => (map.groups.get(pgId)?.slots[shardIndex] ?? diskId) === diskId,
      );
      const blobIds = inPlace.map(({ blobId }) => blobId);
      const { indexGroups } = map.settings;
      const resolved = await resolveBlobs(cluster.metadata, indexGroups, blobIds, {
        timeoutMs,
      }).catch(() => null);
      if (resolved === null) return null;
      const referenced = blobIds.filter((blobId) => !isUnreferenced(resolved, blobId));
      return [diskId, referenced.length] as const;
    },
  );
  return new Map(counts.filter((count) => count !== null));
}

/** Disks that can be asked and that found something by what metadata nodes heard of them. */
function corruptDisks(map: ClusterMap, statuses: readonly MetadataStatus[]): CorruptDisk[] {
  const heard = new Set(
    statuses.flatMap(({ storage }) =>
      storage.flatMap(({ disks }) =>
        disks.filter(({ corruptShards }) => corruptShards > 0).map(({ diskId }) => diskId),
      ),
    ),
  );
  return [...map.disks.values()].flatMap(({ diskId, nodeId }) => {
    const node = map.nodes.get(nodeId);
    const isAsked = node !== undefined && heard.has(diskId) && isDiskReadable(map, diskId);
    return isAsked ? [{ diskId, node }] : [];
  });
}
