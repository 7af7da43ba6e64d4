import { isUnreferenced } from '@azimuth/clients';
import { mapLimited } from '@azimuth/common';
import { isGivenUp } from '@azimuth/placement';
import type { ClusterMap, PlacementGroup } from '@azimuth/placement';
import type { OutboxEntry } from '@azimuth/proto';

import { addressOf } from '../blob-shards';
import { indexGroups } from '../curator-context';
import type { CuratorContext } from '../curator-context';
import { disksOfGroup } from '../group-listing';
import { acknowledge, listOutbox, resolveBlobs } from '../outbox';

const DELETIONS_IN_PARALLEL = 8;

/**
 * Deletes what commits have left unreferenced, by the rule for everything that destroys (R2): a
 * committed entry says "unreferenced", a grace period has passed by the leader's clock, and a
 * linearizable read at execution says it again. An entry goes only when every slot of its group has
 * answered; a crash in between deletes again, which is harmless.
 */
export async function collectGarbage(context: CuratorContext): Promise<void> {
  for (const group of indexGroups(context)) {
    let afterId: string | null = null;
    for (;;) {
      const page = await listOutbox(context, group, 'garbage', afterId);
      const dueMs = context.leaderNowMs() - context.settings.garbageGraceMs;
      const due = page.entries.filter(({ createdMs }) => createdMs <= dueMs);
      if (due.length > 0) await collectPage(context, group, due);
      afterId = page.entries.at(-1)?.id ?? null;
      // Oldest first: behind an entry that is too young there are only younger ones.
      const isAllDue = due.length === page.entries.length;
      if (!page.isTruncated || afterId === null || !isAllDue) break;
    }
  }
}

async function collectPage(
  context: CuratorContext,
  group: string,
  due: readonly OutboxEntry[],
): Promise<void> {
  const possible = due.filter((entry) => canDelete(context.view.map(), entry));
  if (possible.length === 0) return;
  const resolved = await resolveBlobs(
    context,
    possible.map(({ blob }) => blob.blobId),
  );
  const deleted = await mapLimited(possible, DELETIONS_IN_PARALLEL, async (entry) => {
    if (!isUnreferenced(resolved, entry.blob.blobId)) {
      context.logger.error({ blobId: entry.blob.blobId }, 'garbage is referenced; it stays');
      return null;
    }
    const placement = context.view.map().groups.get(entry.blob.pgId);
    if (placement === undefined) return null;
    const isDeleted = await context.throttle.run(
      () => deleteEverywhere(context, placement, entry.blob.blobId),
      context.signal,
    );
    return isDeleted ? entry : null;
  });
  const gone = deleted.filter((entry) => entry !== null);
  await acknowledge(context, group, gone);
  context.metrics.blobsDeleted.inc({ reason: 'garbage' }, gone.length);
}

/** False when a disk of the group is out, or the group is not known (yet): then the entry waits. */
function canDelete(map: ClusterMap, entry: OutboxEntry): boolean {
  const group = map.groups.get(entry.blob.pgId);
  return group !== undefined && disksToAsk(map, group).every((disk) => disk.isReachable);
}

/**
 * Disks that must say that a shard is gone. One that is lost for good has nothing to say, nor one
 * that an operator has given up: should it return after all, what is on it are orphans.
 */
function disksToAsk(
  map: ClusterMap,
  group: PlacementGroup,
): { readonly diskId: string; readonly slot: number; readonly isReachable: boolean }[] {
  return disksOfGroup(group)
    .map((diskId, index) => ({
      diskId,
      slot: index < group.slots.length ? index : (group.backfill?.slot ?? 0),
      isReachable: addressOf(map, diskId, '', 0) !== null,
    }))
    .filter(({ diskId }) => !isGivenUp(map, diskId));
}

/** True when every disk that counts has answered that the shard is gone. */
export async function deleteEverywhere(
  context: CuratorContext,
  group: PlacementGroup,
  blobId: string,
): Promise<boolean> {
  const map = context.view.map();
  const results = await Promise.allSettled(
    disksToAsk(map, group).map(async ({ diskId, slot }) => {
      const address = addressOf(map, diskId, blobId, slot);
      if (address === null) throw new RangeError(`disk ${diskId} is out`);
      await context.storage.deleteShard(address, context.signal);
    }),
  );
  return results.every(({ status }) => status === 'fulfilled');
}
