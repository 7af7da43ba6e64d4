import { mapLimited, StoreError } from '@azimuth/common';
import { chooseWriteGroup, isGroupWhole, kindOfProfile } from '@azimuth/placement';
import type { PlacementGroup } from '@azimuth/placement';
import { newBlobId, slotOfBlob } from '@azimuth/proto';
import type { BlobRef, OutboxEntry } from '@azimuth/proto';

import { copyBlob } from '../blob-copy';
import { indexGroups } from '../curator-context';
import type { CuratorContext } from '../curator-context';
import { acknowledge, isUnreferenced, listOutbox, resolveBlobs } from '../outbox';
import type { RetrySchedule } from '../retry-schedule';
import { deleteEverywhere } from './collect-garbage';

const COPIES_IN_PARALLEL = 8;

/**
 * Moves blobs that were written during an outage into normal groups. The order keeps every byte at
 * each step: all shards of the copy are durable, then one compare-and-set on the manifest, and
 * only that commit turns the old blob into garbage. When its outcome is not known nothing is
 * deleted here: the copy is either referenced, or an orphan for the collector.
 */
export async function restripeOutbox(
  context: CuratorContext,
  retries: RetrySchedule,
): Promise<void> {
  for (const group of indexGroups(context)) {
    let afterId: string | null = null;
    for (;;) {
      const page = await listOutbox(context, group, 'restripe', afterId);
      const due = page.entries.filter(
        (entry) => retries.isDue(entry.id) && targetGroup(context, entry.blob) !== null,
      );
      await restripePage(context, group, due, retries);
      afterId = page.entries.at(-1)?.id ?? null;
      if (!page.isTruncated || afterId === null) break;
    }
  }
}

async function restripePage(
  context: CuratorContext,
  group: string,
  due: readonly OutboxEntry[],
  retries: RetrySchedule,
): Promise<void> {
  if (due.length === 0) return;
  const resolved = await resolveBlobs(
    context,
    due.map(({ blob }) => blob.blobId),
  );
  const obsolete = due.filter(({ blob }) => isUnreferenced(resolved, blob.blobId));
  await acknowledge(context, group, obsolete);
  await mapLimited(due, COPIES_IN_PARALLEL, async (entry) => {
    const reference = resolved.get(entry.blob.blobId);
    if (reference == null) return;
    context.signal.throwIfAborted();
    try {
      await restripeBlob(context, group, reference.blob);
      await acknowledge(context, group, [entry]);
    } catch (error) {
      context.signal.throwIfAborted();
      retries.postpone(entry.id);
      context.logger.warn({ blobId: entry.blob.blobId, error }, 'a blob stays reduced for now');
    }
  });
}

/** A normal group with every slot writable, of the kind that the size of the blob asks for. */
function targetGroup(context: CuratorContext, blob: BlobRef): PlacementGroup | null {
  const map = context.view.map();
  const isLarge = blob.sizeBytes > map.settings.replicaBytesMax;
  const kind = isLarge ? 'erasure' : 'replica';
  const group = chooseWriteGroup(map, {
    kind,
    isSuspect: (diskId) => context.view.isSuspect(diskId),
    random: context.random,
  });
  if (group === null || group.isReduced || !isGroupWhole(map, group)) return null;
  return kindOfProfile(group.profile) === kind ? group : null;
}

async function restripeBlob(context: CuratorContext, index: string, old: BlobRef): Promise<void> {
  const oldGroup = context.view.map().groups.get(old.pgId);
  const group = targetGroup(context, old);
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
}
