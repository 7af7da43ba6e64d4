import { WATCH_AGE_MAX_MS, isUnreferenced } from '@azimuth/clients';
import { leavingIntent } from '@azimuth/placement';
import type { DiskId, PlacementGroup } from '@azimuth/placement';
import { createdMsOfBlob } from '@azimuth/proto';

import { addressOf } from '../blob-shards';
import type { CuratorContext } from '../curator-context';
import { disksOfGroup, listGroup, readableDisks } from '../group-listing';
import type { ListedBlob } from '../group-listing';
import { bringPageHome, shardKey } from '../stray-shards';
import { withWitnesses } from './collect-orphans';

/**
 * Deletes what slots left behind on the disks that they moved from: shards that nobody can find,
 * because readers ask the disk of the slot. A shard goes only when a linearizable read says who
 * references the blob and the disk of its slot has just read the same shard and found it intact;
 * or when nothing references the blob, as a majority of the replicas say, it is too old to be
 * committed, and its slot does not have it either. A shard that its slot should have and does not
 * is copied there. Disks that are leaving keep theirs: they go as a whole.
 */
export async function collectStrays(context: CuratorContext, group: PlacementGroup): Promise<void> {
  const map = context.view.map();
  const own = new Set(disksOfGroup(group));
  const foreign = [...map.disks.keys()].filter(
    (diskId) => !own.has(diskId) && leavingIntent(map, diskId) === null,
  );
  for (const diskId of readableDisks(map, foreign)) {
    for await (const page of listGroup(context, group, [diskId])) {
      await collectPage(context, group, { diskId, page });
    }
  }
}

async function collectPage(
  context: CuratorContext,
  group: PlacementGroup,
  { diskId, page }: { readonly diskId: DiskId; readonly page: readonly ListedBlob[] },
): Promise<void> {
  const { resolved, inPlace } = await bringPageHome(context, group, { diskId, page });
  const old = page.filter(
    ({ blob: { blobId } }) =>
      isUnreferenced(resolved, blobId) &&
      context.leaderNowMs() - createdMsOfBlob(blobId) > context.settings.orphanAgeMinMs,
  );
  const dead = new Set((await withWitnesses(context, old)).map(({ blob }) => blob.blobId));
  const strays = page.flatMap(({ blob: { blobId }, found }) => {
    const isDead = dead.has(blobId);
    const isLive = resolved.get(blobId)?.blob.pgId === group.pgId;
    return found
      .map(({ shardIndex }) => ({ blobId, shardIndex }))
      .filter((shard) => {
        const verdict = inPlace.get(shardKey(shard));
        return (isLive && verdict === 'intact') || (isDead && verdict === 'absent');
      });
  });
  for (const { blobId, shardIndex } of strays) {
    // What was found holds for the slots as they were looked at. A slot that comes to this disk
    // meanwhile would take its shards for its own.
    const isStale = context.view.ageMs() > WATCH_AGE_MAX_MS;
    if (isStale || context.view.map().groups.get(group.pgId) !== group) return;
    const address = addressOf(context.view.map(), diskId, blobId, shardIndex);
    if (address === null) return;
    await context.throttle.run(
      () => context.storage.deleteShard(address, context.signal),
      context.signal,
    );
    context.metrics.straysDeleted.inc();
  }
}
