import { mapLimited, StoreError } from '@azimuth/common';
import type { PlacementGroup } from '@azimuth/placement';
import { isDiskWritable } from '@azimuth/placement';

import type { CuratorContext } from '../curator-context';
import { listGroup, readableDisks } from '../group-listing';
import { resolveBlobs } from '../outbox';
import { rebuildShards } from '../rebuild-shards';

const REBUILDS_IN_PARALLEL = 4;

/**
 * Moves a slot to another disk: for every referenced blob of the group, the shard of the slot is
 * rebuilt on the target and proven there; when a whole walk has proven every one, the slot flips (R3).
 * Anything else leaves the slot where it is, to be tried again; what is on the target stays and is
 * only verified then.
 *
 * @throws StoreError UNAVAILABLE when too few slots can be listed to know all blobs of the group.
 */
export async function backfillGroup(context: CuratorContext, group: PlacementGroup): Promise<void> {
  const { backfill, profile, pgId } = group;
  if (backfill === null) return;
  const { slot, targetDiskId } = backfill;
  const map = context.view.map();
  if (!isDiskWritable(map, targetDiskId)) throw new StoreError('UNAVAILABLE', { targetDiskId });

  const others = group.slots.filter((_, index) => index !== slot);
  const readable = readableDisks(map, others);
  // A blob that is not lost has k shards on the other k + m - 1 slots. While fewer than k of those are
  // out, at least one lists it; and k must be there to rebuild from.
  if (readable.length < Math.max(profile.k, profile.m)) {
    throw new StoreError('UNAVAILABLE', { pgId, readableSlots: readable.length });
  }
  let unproven = 0;
  const disks = [...readable, ...readableDisks(map, [group.slots[slot] ?? '', targetDiskId])];
  for await (const page of listGroup(context, group, [...new Set(disks)])) {
    const resolved = await resolveBlobs(
      context,
      page.map(({ blob }) => blob.blobId),
    );
    await mapLimited(page, REBUILDS_IN_PARALLEL, async ({ blob }) => {
      const reference = resolved.get(blob.blobId);
      if (reference === null) return;
      const targets = [{ shardIndex: slot, diskId: targetDiskId }];
      const shape = reference?.blob ?? blob;
      const proven = await rebuildShards(context, shape, group, targets).catch((error: unknown) => {
        context.signal.throwIfAborted();
        context.logger.warn({ pgId, blobId: blob.blobId, error }, 'a shard could not be moved yet');
        return new Set<number>();
      });
      if (!proven.has(slot)) unproven += 1;
    });
  }
  if (unproven > 0) {
    context.logger.info({ pgId, slot, unproven }, 'a slot stays where it is for now');
    return;
  }
  const args = { pgId, slot, targetDiskId };
  await context.metadata.root('FinishBackfill', args, { signal: context.signal });
  context.metrics.backfillsFinished.inc();
  context.logger.info(args, 'a slot has moved to another disk');
}

/** Groups that have a slot to move. */
export function groupsToBackfill(context: CuratorContext): readonly PlacementGroup[] {
  return [...context.view.map().groups.values()].filter(({ backfill }) => backfill !== null);
}
