import { mapLimited } from '@azimuth/common';
import { indexGroupOfSlot, isDiskReadable } from '@azimuth/placement';
import type { ClusterMap, DiskId, StorageNodeEntry } from '@azimuth/placement';
import { slotOfBlob } from '@azimuth/proto';
import type { MetadataStatus } from '@azimuth/proto';

import type { ClusterAccess } from './cluster-access';
import type { ShardFinding } from './storage-inspector';

/** A disk with more findings is counted by what its node says of it. */
const FINDINGS_MAX = 1_000;
const RESOLVE_BLOBS_MAX = 200;
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
      const isGarbage = await unreferenced(cluster, map, inPlace, timeoutMs);
      if (isGarbage === null) return null;
      return [diskId, inPlace.filter(({ blobId }) => !isGarbage.has(blobId)).length] as const;
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

/** Blobs that a linearizable read proves unreferenced; null when a group does not answer. */
async function unreferenced(
  { metadata }: Pick<ClusterAccess, 'metadata'>,
  map: ClusterMap,
  findings: readonly ShardFinding[],
  timeoutMs: number,
): Promise<ReadonlySet<string> | null> {
  const byGroup = new Map<string, string[]>();
  for (const blobId of new Set(findings.map((finding) => finding.blobId))) {
    const group = indexGroupOfSlot(slotOfBlob(blobId), map.settings.indexGroups);
    byGroup.set(group, [...(byGroup.get(group) ?? []), blobId]);
  }
  const proven = new Set<string>();
  try {
    for (const [group, ids] of byGroup) {
      for (let at = 0; at < ids.length; at += RESOLVE_BLOBS_MAX) {
        const blobIds = ids.slice(at, at + RESOLVE_BLOBS_MAX);
        const answers = await metadata.queryIndex(
          group,
          'ResolveBlobs',
          { blobIds },
          { timeoutMs },
        );
        // Too short an answer must not read as "unreferenced".
        blobIds.forEach((blobId, index) => answers[index] === null && proven.add(blobId));
      }
    }
    return proven;
  } catch {
    return null;
  }
}
