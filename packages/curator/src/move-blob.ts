import { StoreError } from '@azimuth/common';
import { chooseWriteGroup, isGroupWhole, kindOfProfile } from '@azimuth/placement';
import type { PlacementGroup, ZoneId } from '@azimuth/placement';
import { newBlobId, slotOfBlob } from '@azimuth/proto';
import type { BlobRef } from '@azimuth/proto';

import { copyBlob } from './blob-copy';
import type { CuratorContext } from './curator-context';
import { deleteEverywhere } from './tasks/collect-garbage';

/**
 * A normal group with every slot writable, of the kind that the size of the blob asks for; inside a
 * zone, best `oneZoneFrom`, when that is given, where copies may be all that there is.
 */
export function targetGroup(
  context: CuratorContext,
  blob: BlobRef,
  oneZoneFrom?: ZoneId,
): PlacementGroup | null {
  const map = context.view.map();
  const isLarge = blob.sizeBytes > map.settings.replicaBytesMax;
  const kind = isLarge ? 'erasure' : 'replica';
  const group = chooseWriteGroup(map, {
    kind,
    oneZoneFrom,
    isSuspect: (diskId) => context.view.isSuspect(diskId),
    random: context.random,
  });
  if (group === null || group.isReduced || !isGroupWhole(map, group)) return null;
  const isFitting = group.zone !== undefined || kindOfProfile(group.profile) === kind;
  return isFitting ? group : null;
}

/**
 * Moves a blob into another group. The order keeps every byte at each step: all shards of the copy
 * are durable, then one compare-and-set on the manifest in the index group `index`, and only that
 * commit turns the old blob into garbage. When its outcome is not known nothing is deleted here:
 * the copy is either referenced, or an orphan for the collector.
 *
 * @returns whether this call replaced it.
 */
export async function moveBlob(
  context: CuratorContext,
  index: string,
  old: BlobRef,
  group: PlacementGroup | null,
): Promise<boolean> {
  const oldGroup = context.view.map().groups.get(old.pgId);
  if (oldGroup === undefined || group === null) throw new RangeError('no group to copy between');
  const blob: BlobRef = {
    blobId: newBlobId(slotOfBlob(old.blobId), context.leaderNowMs(), context.random),
    pgId: group.pgId,
    sizeBytes: old.sizeBytes,
    profile: group.profile,
    blockBytes: context.view.map().settings.blockBytes,
    isReduced: false,
  };
  let mapVersion = 0;
  try {
    await copyBlob(context, { blob: old, group: oldGroup }, { blob, group });
    mapVersion = context.view.map().version;
    // A slot that moves meanwhile leaves the shard behind where nobody looks; and the copy is to
    // replace the blob.
    if (context.view.map().groups.get(group.pgId) !== group) {
      throw new StoreError('UNAVAILABLE', { pgId: group.pgId, reason: 'the group has changed' });
    }
  } catch (error) {
    // Nobody else knows this id and nothing was proposed, so this much is certainly garbage.
    await deleteEverywhere(context, group, blob.blobId).catch(() => false);
    throw error;
  }
  const args = { oldBlobId: old.blobId, blob, missing: [], mapVersion };
  const options = { signal: context.signal };
  const { isReplaced } = await context.metadata.index(index, 'ReplaceBlob', args, options);
  if (isReplaced) context.metrics.blobsRestriped.inc();
  return isReplaced;
}
