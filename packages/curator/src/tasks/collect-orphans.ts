import { mapLimited } from '@azimuth/common';
import type { PlacementGroup } from '@azimuth/placement';
import { createdMsOfBlob } from '@azimuth/proto';

import { addressOf } from '../blob-shards';
import type { CuratorContext } from '../curator-context';
import { disksOfGroup, listGroup, readableDisks } from '../group-listing';
import type { ListedBlob } from '../group-listing';
import { isUnreferenced, resolveBlobs } from '../outbox';

const DELETIONS_IN_PARALLEL = 4;
const CANDIDATES_MAX = 100_000;

/** Unreferenced old blobs by id, and when a tour saw them first. Forgetting one only delays it. */
export class OrphanCandidates {
  readonly #sinceMs = new Map<string, number>();

  /** Notes a sighting; returns how long ago the first one was. */
  ageMs(blobId: string, nowMs: number): number {
    const sinceMs = this.#sinceMs.get(blobId);
    if (sinceMs !== undefined) return nowMs - sinceMs;
    if (this.#sinceMs.size < CANDIDATES_MAX) this.#sinceMs.set(blobId, nowMs);
    return 0;
  }

  forget(blobId: string): void {
    this.#sinceMs.delete(blobId);
  }
}

/**
 * Deletes shards of uploads that were never committed. A blob is an orphan only when (a) its id is
 * older, by the leader's clock, than any commit may name, (b) a linearizable read finds no
 * reference, and (c) a first such sighting was a grace period ago, so that garbage which the
 * outbox holds back for readers is not overtaken. Any error ends the tour of the group: unknown is
 * never absent.
 */
export async function collectOrphans(
  context: CuratorContext,
  group: PlacementGroup,
  candidates: OrphanCandidates,
): Promise<number> {
  const disks = readableDisks(context.view.map(), disksOfGroup(group));
  let deleted = 0;
  for await (const page of listGroup(context, group, disks)) {
    const ageMinMs = context.settings.orphanAgeMinMs;
    const old = page.filter(
      ({ blob }) => context.leaderNowMs() - createdMsOfBlob(blob.blobId) > ageMinMs,
    );
    if (old.length === 0) continue;
    const resolved = await resolveBlobs(
      context,
      old.map(({ blob }) => blob.blobId),
    );
    const orphans = old.filter(({ blob: { blobId } }) => {
      if (!isUnreferenced(resolved, blobId)) {
        candidates.forget(blobId);
        return false;
      }
      const ageMs = candidates.ageMs(blobId, context.clock.monotonicMs());
      return ageMs >= context.settings.garbageGraceMs;
    });
    await mapLimited(orphans, DELETIONS_IN_PARALLEL, async (orphan) => {
      await context.throttle.run(() => deleteFound(context, orphan), context.signal);
      candidates.forget(orphan.blob.blobId);
      deleted += 1;
    });
  }
  context.metrics.blobsDeleted.inc({ reason: 'orphan' }, deleted);
  return deleted;
}

/** Deletes just the shards that were listed; slots that are out show theirs in a later tour. */
async function deleteFound(context: CuratorContext, orphan: ListedBlob): Promise<void> {
  const map = context.view.map();
  for (const { diskId, shardIndex } of orphan.found) {
    const address = addressOf(map, diskId, orphan.blob.blobId, shardIndex);
    if (address !== null) await context.storage.deleteShard(address, context.signal);
  }
}
