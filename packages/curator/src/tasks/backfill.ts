import { isUnreferenced } from '@azimuth/clients';
import { mapLimited, StoreError } from '@azimuth/common';
import type { PlacementGroup } from '@azimuth/placement';
import { isDiskWritable } from '@azimuth/placement';

import { addressOf } from '../blob-shards';
import type { CuratorContext } from '../curator-context';
import { copyShard } from '../copy-shard';
import { fenceLateWriters } from '../fence-group';
import { isEveryBlobListed, listGroup, readableDisks } from '../group-listing';
import type { ListedBlob } from '../group-listing';
import { resolveBlobs } from '../outbox';
import { rebuildShards } from '../rebuild-shards';
import type { ShardName } from '../storage-control';

const REBUILDS_IN_PARALLEL = 8;
/** Each is read whole on its node, within one call's time-out. */
const VERIFY_SHARDS_MAX = 32;

/**
 * Moves a slot to another disk: for every referenced blob of the group, the shard of the slot is
 * copied to the target, or rebuilt there when its disk cannot be read, and proven there; when a
 * whole walk has proven every one, the slot flips (R3). Anything else leaves the slot where it is,
 * to be tried again; what is on the target stays and is only verified then.
 *
 * @throws StoreError UNAVAILABLE when too few slots can be listed to know all blobs of the group.
 */
export async function backfillGroup(context: CuratorContext, group: PlacementGroup): Promise<void> {
  const { backfill, profile, pgId } = group;
  if (backfill === null) return;
  const { slot, targetDiskId } = backfill;
  const map = context.view.map();
  if (!isDiskWritable(map, targetDiskId)) throw new StoreError('UNAVAILABLE', { targetDiskId });

  const readable = readableDisks(map, group.slots);
  if (readable.length < profile.k || !isEveryBlobListed(map, group, slot)) {
    throw new StoreError('UNAVAILABLE', { pgId, readableSlots: readable.length });
  }
  await fenceLateWriters(context, group);
  let unproven = 0;
  const disks = new Set([...readable, targetDiskId]);
  for await (const page of listGroup(context, group, [...disks])) {
    unproven += await backfillPage(context, group, { slot, targetDiskId }, page);
  }
  // What was proven holds for this move: of one that went elsewhere and came back, strays may be gone.
  if (unproven > 0 || context.view.map().groups.get(pgId) !== group) {
    context.logger.info({ pgId, slot, unproven }, 'a slot stays where it is for now');
    return;
  }
  const args = { pgId, slot, targetDiskId };
  await context.metadata.root('FinishBackfill', args, { signal: context.signal });
  context.metrics.backfillsFinished.inc();
  context.logger.info(args, 'a slot has moved to another disk');
}

/** Proves the shards of a page on the target; returns how many referenced blobs are left. */
async function backfillPage(
  context: CuratorContext,
  group: PlacementGroup,
  move: { readonly slot: number; readonly targetDiskId: string },
  page: readonly ListedBlob[],
): Promise<number> {
  const { slot, targetDiskId } = move;
  const ids = page.map(({ blob }) => blob.blobId);
  const resolved = await resolveBlobs(context, ids);
  const wanted = page.filter(({ blob }) => !isUnreferenced(resolved, blob.blobId));
  const proven = await intactOn(
    context,
    targetDiskId,
    wanted.map(({ blob: { blobId } }) => ({ blobId, shardIndex: slot })),
  );
  const missing = wanted.filter(({ blob }) => !proven.has(blob.blobId));
  const rebuilt = await mapLimited(missing, REBUILDS_IN_PARALLEL, async ({ blob, present }) => {
    const shape = resolved.get(blob.blobId)?.blob ?? blob;
    const target = { shardIndex: slot, diskId: targetDiskId };
    try {
      // One shard read instead of k; what could not be copied is decoded, and either is proven.
      const from = present.has(slot) ? (group.slots[slot] ?? null) : null;
      if (from !== null) await copyShard(context, shape, { from, target });
      return (await rebuildShards(context, shape, group, [target])).has(slot);
    } catch (error) {
      context.signal.throwIfAborted();
      const { pgId } = group;
      context.logger.warn({ pgId, blobId: blob.blobId, error }, 'a shard could not be moved yet');
      return false;
    }
  });
  return rebuilt.filter((isProven) => !isProven).length;
}

/** Blobs whose shard the disk has read and found intact. */
async function intactOn(
  context: CuratorContext,
  diskId: string,
  shards: readonly ShardName[],
): Promise<ReadonlySet<string>> {
  const intact = new Set<string>();
  const node = addressOf(context.view.map(), diskId, '', 0)?.node;
  if (node === undefined) throw new StoreError('UNAVAILABLE', { diskId });
  for (let at = 0; at < shards.length; at += VERIFY_SHARDS_MAX) {
    const names = shards.slice(at, at + VERIFY_SHARDS_MAX);
    const verdicts = await context.control.verifyShards(node, diskId, names, context.signal);
    names.forEach(({ blobId }, index) => {
      if (verdicts[index] === 'intact') intact.add(blobId);
    });
  }
  return intact;
}

/** Groups that have a slot to move. */
export function groupsToBackfill(context: CuratorContext): readonly PlacementGroup[] {
  return [...context.view.map().groups.values()].filter(({ backfill }) => backfill !== null);
}
