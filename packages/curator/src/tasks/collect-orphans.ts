import { isUnreferenced } from '@azimuth/clients';
import { mapLimited } from '@azimuth/common';
import type { PlacementGroup } from '@azimuth/placement';
import { BLOB_COMMIT_AGE_MAX_MS, createdMsOfBlob } from '@azimuth/proto';
import type { BlobWitnesses } from '@azimuth/proto';

import { addressOf } from '../blob-shards';
import type { CuratorContext } from '../curator-context';
import { disksOfGroup, listGroup, readableDisks } from '../group-listing';
import type { ListedBlob } from '../group-listing';
import { groupOfBlob, resolveBlobs } from '../outbox';

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
 * reference, (c) a first such sighting was a grace period ago, so that garbage which the outbox
 * holds back for readers is not overtaken, and (d) a majority of the replicas say the same, each
 * from its own disk. For no committed record says that an orphan is one: that a record is absent is
 * all there is to go by, and one rotten byte can make it so on one replica without an error. Any
 * error ends the tour of the group: unknown is never absent.
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
    const suspected = old.filter(({ blob: { blobId } }) => {
      if (!isUnreferenced(resolved, blobId)) {
        candidates.forget(blobId);
        return false;
      }
      const ageMs = candidates.ageMs(blobId, context.clock.monotonicMs());
      return ageMs >= context.settings.garbageGraceMs;
    });
    const orphans = await withWitnesses(context, suspected);
    await mapLimited(orphans, DELETIONS_IN_PARALLEL, async (orphan) => {
      await context.throttle.run(() => deleteFound(context, orphan), context.signal);
      candidates.forget(orphan.blob.blobId);
      deleted += 1;
    });
  }
  context.metrics.blobsDeleted.inc({ reason: 'orphan' }, deleted);
  return deleted;
}

/** Those of which a majority of the replicas know that nothing references them, and none says else. */
export async function withWitnesses(
  context: CuratorContext,
  suspected: readonly ListedBlob[],
): Promise<readonly ListedBlob[]> {
  const byGroup = new Map<string, ListedBlob[]>();
  for (const listed of suspected) {
    const group = groupOfBlob(context, listed.blob.blobId);
    const inGroup = byGroup.get(group);
    if (inGroup === undefined) byGroup.set(group, [listed]);
    else inGroup.push(listed);
  }
  const proven: ListedBlob[] = [];
  for (const [group, listed] of byGroup) {
    const blobIds = listed.map(({ blob }) => blob.blobId);
    const answer = await context.metadata.witnessBlobs(group, blobIds, { signal: context.signal });
    const isProven = (blobId: string, index: number): boolean =>
      isWitnessed(context, answer, { blobId, index });
    proven.push(...listed.filter(({ blob }, index) => isProven(blob.blobId, index)));
  }
  return proven;
}

function isWitnessed(
  { settings, logger }: CuratorContext,
  { nodeCount, witnesses }: BlobWitnesses,
  { blobId, index }: { readonly blobId: string; readonly index: number },
): boolean {
  const commitAgeMs = Math.min(BLOB_COMMIT_AGE_MAX_MS, settings.orphanAgeMinMs);
  const holder = witnesses.find(({ isReferenced }) => isReferenced[index] === true);
  if (holder !== undefined) {
    logger.error({ blobId, nodeId: holder.nodeId }, 'a replica has lost who uses a blob; it stays');
    return false;
  }
  const knowing = witnesses.filter(
    ({ isReferenced, appliedMs }) =>
      isReferenced[index] === false && appliedMs > createdMsOfBlob(blobId) + commitAgeMs,
  );
  return new Set(knowing.map(({ nodeId }) => nodeId)).size > nodeCount / 2;
}

/** Deletes just the shards that were listed; slots that are out show theirs in a later tour. */
async function deleteFound(context: CuratorContext, orphan: ListedBlob): Promise<void> {
  const map = context.view.map();
  for (const { diskId, shardIndex } of orphan.found) {
    const address = addressOf(map, diskId, orphan.blob.blobId, shardIndex);
    if (address !== null) await context.storage.deleteShard(address, context.signal);
  }
}
