import { isDiskReadable } from '@azimuth/placement';
import type { ClusterMap, PlacementGroup } from '@azimuth/placement';

import { addressOf, attributesOf } from '../blob-shards';
import type { BlobShape } from '../blob-shards';
import type { CuratorContext } from '../curator-context';
import { listGroup } from '../group-listing';
import type { ListedBlob } from '../group-listing';
import { resolveBlobs } from '../outbox';
import type { ShardVerdict } from '../storage-control';
import { reportMissing } from './census';

/** Of one call, which reads them all before it answers. */
const VERIFY_BYTES_MAX = 64 * 1024 * 1024;
const VERIFY_SHARDS_MAX = 200;

/**
 * The census after which repair is done: reads back every shard, on the disk of its slot, of each
 * group of which something was missing since the last one. It begins when the groups have all their
 * disks and no repair waits for them; what it finds becomes repair work, and the group is read
 * again.
 */
export async function proveGroups(context: CuratorContext): Promise<void> {
  const { progress, view } = context;
  const map = view.map();
  const args = {};
  const record = await context.metadata.queryRoot('GetRepair', args, { signal: context.signal });
  progress.restore(record, map.groups.keys());
  progress.keepOnly(map.groups);
  for (const group of map.groups.values()) {
    if (!hasAllDisks(map, group)) progress.doubt(group.pgId);
  }
  const wanted = [...progress.unproven]
    .map((pgId) => map.groups.get(pgId))
    .filter((group) => group !== undefined)
    .filter((group) => isReady(context, map, group));
  if (wanted.length === 0) return;
  progress.beginCensus(wanted.length, context.leaderNowMs());
  for (const group of wanted) {
    const missing = await proveGroup(context, group);
    progress.groupDone(group.pgId, missing === 0 && isUnchanged(context, group));
  }
  progress.endCensus(context.leaderNowMs());
  const { blobs, shards, shardsMissing } = progress.census ?? {};
  context.logger.info({ groups: wanted.length, blobs, shards, shardsMissing }, 'census taken');
}

function hasAllDisks(map: ClusterMap, group: PlacementGroup): boolean {
  return group.slots.every((diskId) => isDiskReadable(map, diskId));
}

/** Reading a group back while it is being repaired would only find what is known. */
function isReady({ progress }: CuratorContext, map: ClusterMap, group: PlacementGroup): boolean {
  const { backlog } = progress;
  const isWaiting = backlog === null || backlog.groups.has(group.pgId);
  return !isWaiting && group.backfill === null && hasAllDisks(map, group);
}

function isUnchanged({ view }: CuratorContext, group: PlacementGroup): boolean {
  const now = view.map().groups.get(group.pgId);
  return now !== undefined && now.slots.every((diskId, slot) => diskId === group.slots[slot]);
}

/** Returns the number of shards that are not intact on the disk of their slot. */
async function proveGroup(context: CuratorContext, group: PlacementGroup): Promise<number> {
  let missing = 0;
  for await (const page of listGroup(context, group, group.slots)) {
    const resolved = await resolveBlobs(
      context,
      page.map(({ blob }) => blob.blobId),
    );
    const blobs = page
      .filter(({ blob }) => resolved.get(blob.blobId) != null)
      .map(({ blob }: ListedBlob) => blob);
    const short = await verifyBlobs(context, group, blobs);
    const shardsMissing = short.reduce((sum, { shardIndexes }) => sum + shardIndexes.length, 0);
    if (short.length > 0) await reportMissing(context, short, 'census');
    const shards = blobs.length * group.slots.length;
    context.progress.counted({ blobs: blobs.length, shards, shardsMissing });
    missing += shardsMissing;
  }
  return missing;
}

/** Blobs with the shards of theirs that are not intact; unknown is not intact, and not reported. */
async function verifyBlobs(
  context: CuratorContext,
  group: PlacementGroup,
  blobs: readonly BlobShape[],
): Promise<{ readonly blobId: string; readonly shardIndexes: readonly number[] }[]> {
  const missing = new Map<string, number[]>();
  for (const batch of batches(blobs)) {
    await context.throttle.run(async () => {
      const bySlot = await Promise.all(
        group.slots.map((diskId, slot) => verdictsOf(context, { diskId, slot }, batch)),
      );
      batch.forEach(({ blobId }, index) => {
        const bad = [...group.slots.keys()].filter((slot) => bySlot[slot]?.[index] !== 'intact');
        if (bad.length > 0) missing.set(blobId, bad);
      });
    }, context.signal);
  }
  return [...missing].map(([blobId, shardIndexes]) => ({ blobId, shardIndexes }));
}

async function verdictsOf(
  context: CuratorContext,
  { diskId, slot }: { readonly diskId: string; readonly slot: number },
  blobs: readonly BlobShape[],
): Promise<readonly ShardVerdict[]> {
  const [first] = blobs;
  const address =
    first === undefined ? null : addressOf(context.view.map(), diskId, first.blobId, slot);
  if (address === null) return [];
  const bytes = blobs.reduce((sum, blob) => sum + attributesOf(blob).shardSizeBytes, 0);
  await context.repairPace.take({ bytes, operations: blobs.length }, { signal: context.signal });
  const names = blobs.map(({ blobId }) => ({ blobId, shardIndex: slot }));
  return context.control.verifyShards(address.node, diskId, names, context.signal);
}

/** Cuts a list so that no call reads for too long. */
function* batches(blobs: readonly BlobShape[]): Generator<readonly BlobShape[]> {
  let batch: BlobShape[] = [];
  let bytes = 0;
  for (const blob of blobs) {
    batch.push(blob);
    bytes += attributesOf(blob).shardSizeBytes;
    if (bytes < VERIFY_BYTES_MAX && batch.length < VERIFY_SHARDS_MAX) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}
