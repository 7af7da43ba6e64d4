import { mapLimited } from '@azimuth/common';
import { isToBeEmptied } from '@azimuth/placement';
import type { DiskId, PlacementGroup } from '@azimuth/placement';

import type { CuratorContext } from '../curator-context';
import { listGroup, readableDisks } from '../group-listing';
import type { ListedBlob } from '../group-listing';
import { moveBlob, targetGroup } from '../move-blob';
import { groupOfBlob, resolveBlobs } from '../outbox';
import type { RetrySchedule } from '../retry-schedule';

const COPIES_IN_PARALLEL = 8;

/**
 * Copies what sealed groups of one zone hold into others: of the same zone if it has any, else of
 * another one, else spread over the zones. Their slots cannot leave the zone one at a time, so it
 * is the blobs that go. `retireGroups` removes a group once nothing is left in it.
 */
export async function emptyGroups(context: CuratorContext, retries: RetrySchedule): Promise<void> {
  for (const group of context.view.map().groups.values()) {
    if (!isToBeEmptied(group)) continue;
    const readable = readableDisks(context.view.map(), group.slots);
    if (readable.length < group.profile.k) continue;
    // A disk that cannot say what it has stops no other group.
    await emptyGroup(context, group, { readable, retries }).catch((error: unknown) => {
      context.signal.throwIfAborted();
      context.logger.info({ pgId: group.pgId, error }, 'a group could not be emptied yet');
    });
  }
}

async function emptyGroup(
  context: CuratorContext,
  group: PlacementGroup,
  { readable, retries }: { readonly readable: readonly DiskId[]; readonly retries: RetrySchedule },
): Promise<void> {
  let moved = 0;
  for await (const page of listGroup(context, group, readable)) {
    moved += await emptyPage(context, group, page, retries);
  }
  if (moved > 0) context.logger.info({ pgId: group.pgId, moved }, 'blobs left a group');
}

/** @returns how many blobs have moved. */
async function emptyPage(
  context: CuratorContext,
  group: PlacementGroup,
  page: readonly ListedBlob[],
  retries: RetrySchedule,
): Promise<number> {
  const due = page.map(({ blob }) => blob.blobId).filter((blobId) => retries.isDue(blobId));
  const resolved = await resolveBlobs(context, due);
  const moves = await mapLimited(due, COPIES_IN_PARALLEL, async (blobId) => {
    const blob = resolved.get(blobId)?.blob;
    if (blob === undefined || blob.pgId !== group.pgId) return false;
    context.signal.throwIfAborted();
    const target = targetGroup(context, blob, group.zone);
    if (target === null) return false;
    try {
      return await moveBlob(context, groupOfBlob(context, blobId), blob, target);
    } catch (error) {
      context.signal.throwIfAborted();
      retries.postpone(blobId);
      context.logger.warn({ pgId: group.pgId, blobId, error }, 'a blob cannot leave its group yet');
      return false;
    }
  });
  return moves.filter((isMoved) => isMoved).length;
}
