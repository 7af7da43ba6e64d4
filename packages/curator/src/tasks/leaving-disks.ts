import { isUnreferenced } from '@azimuth/clients';
import { leavingIntent } from '@azimuth/placement';
import type { ClusterMap, DiskEntry, DiskId, PlacementGroup } from '@azimuth/placement';
import { createdMsOfBlob } from '@azimuth/proto';

import type { CuratorContext } from '../curator-context';
import { disksOfGroup, listGroup, readableDisks } from '../group-listing';
import type { ListedBlob } from '../group-listing';
import { bringPageHome, shardKey } from '../stray-shards';

/**
 * Proves of disks that are leaving, and that no group has a slot on any more, that they hold
 * nothing that is referenced: every shard on them is intact where it belongs now. Writes that were
 * under way while a slot moved are found this way, and repaired. Only then may a disk be removed.
 */
export async function confirmDrainedDisks(context: CuratorContext): Promise<void> {
  for (const { diskId } of vacatedDisks(context.view.map())) {
    if (!(await isProvenEmpty(context, diskId))) continue;
    await context.metadata.root('ConfirmDrained', { diskId }, { signal: context.signal });
    context.logger.info({ diskId }, 'a disk is drained');
  }
}

/** Disks to prove: leaving, readable, without a slot, and not proven yet. */
function vacatedDisks(map: ClusterMap): readonly DiskEntry[] {
  const used = new Set([...map.groups.values()].flatMap((group) => disksOfGroup(group)));
  return [...map.disks.values()].filter(
    ({ diskId, drainedMs }) =>
      drainedMs === undefined &&
      !used.has(diskId) &&
      leavingIntent(map, diskId) !== null &&
      readableDisks(map, [diskId]).length > 0,
  );
}

async function isProvenEmpty(context: CuratorContext, diskId: DiskId): Promise<boolean> {
  let unproven = 0;
  for (const group of context.view.map().groups.values()) {
    for await (const page of listGroup(context, group, [diskId])) {
      unproven += await countUnproven(context, group, { diskId, page });
    }
  }
  if (unproven > 0) context.logger.info({ diskId, unproven }, 'a disk is not drained yet');
  return unproven === 0;
}

/** Shards of a page that somebody may need from this disk; those in wrong places are reported. */
async function countUnproven(
  context: CuratorContext,
  group: PlacementGroup,
  { diskId, page }: { readonly diskId: DiskId; readonly page: readonly ListedBlob[] },
): Promise<number> {
  const { resolved, inPlace } = await bringPageHome(context, group, { diskId, page });
  const { leavingAgeMinMs } = context.settings;
  const isYoung = (blobId: string): boolean =>
    context.leaderNowMs() - createdMsOfBlob(blobId) < leavingAgeMinMs;
  const unreferenced = page.filter(({ blob }) => isUnreferenced(resolved, blob.blobId));
  // A write that goes on may still commit what nothing references yet.
  const young = unreferenced.filter(({ blob }) => isYoung(blob.blobId));
  const referenced = page.filter(({ blob }) => !isUnreferenced(resolved, blob.blobId));
  const unproven = referenced.filter(({ blob: { blobId }, found }) =>
    found.some(({ shardIndex }) => inPlace.get(shardKey({ blobId, shardIndex })) !== 'intact'),
  );
  return young.length + unproven.length;
}
