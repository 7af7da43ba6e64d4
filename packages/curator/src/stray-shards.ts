import type { Resolution } from '@azimuth/clients';
import { isDiskWritable } from '@azimuth/placement';
import type { DiskId, PlacementGroup } from '@azimuth/placement';

import { addressOf } from './blob-shards';
import { copyShard } from './copy-shard';
import type { CuratorContext } from './curator-context';
import type { ListedBlob } from './group-listing';
import { resolveBlobs } from './outbox';
import type { ShardName } from './storage-control';
import { reportMissing } from './tasks/census';

/** Each is read whole on its node, within one call's time-out. */
const VERIFY_SHARDS_MAX = 32;

/** What is known of a page of shards that lie on a disk without their slots. */
export interface StrayPage {
  readonly resolved: ReadonlyMap<string, Resolution>;
  /** What the disks of their slots say of them, by `shardKey`: they have just read them. */
  readonly inPlace: ReadonlyMap<string, string>;
}

/**
 * Learns who references the blobs of a page and whether their slots have what was found, brings
 * home what they have not, and makes repair work of it. Deletes nothing.
 */
export async function bringPageHome(
  context: CuratorContext,
  group: PlacementGroup,
  found: { readonly diskId: DiskId; readonly page: readonly ListedBlob[] },
): Promise<StrayPage> {
  const resolved = await resolveBlobs(
    context,
    found.page.map(({ blob }) => blob.blobId),
  );
  const inPlace = await verdictsInPlace(context, group, found.page);
  const missing = await bringHome(context, group, found, { resolved, inPlace });
  if (missing.length > 0) await reportMissing(context, missing, 'census');
  return { resolved, inPlace };
}

/**
 * What the disks of their slots say of shards that were found anywhere, by `shardKey`: they have
 * just read them. `unknown`, or nothing at all, proves nothing.
 */
async function verdictsInPlace(
  context: CuratorContext,
  group: PlacementGroup,
  listed: readonly ListedBlob[],
): Promise<ReadonlyMap<string, string>> {
  const byDisk = new Map<DiskId, ShardName[]>();
  for (const { blob, found } of listed) {
    for (const { shardIndex } of found) {
      const diskId = group.slots[shardIndex];
      if (diskId === undefined) continue;
      const names = byDisk.get(diskId) ?? [];
      names.push({ blobId: blob.blobId, shardIndex });
      byDisk.set(diskId, names);
    }
  }
  const inPlace = new Map<string, string>();
  for (const [diskId, names] of byDisk) {
    const verdicts = await verdictsOn(context, diskId, names);
    names.forEach((name, index) => inPlace.set(shardKey(name), verdicts[index] ?? 'unknown'));
  }
  return inPlace;
}

/**
 * Copies shards of referenced blobs from the disk that they were found on to those of their slots,
 * where they are not: a write that was under way while slots moved left them behind. More than m of
 * them, and nothing else could make the blob readable again. Returns what is to be proven there.
 */
async function bringHome(
  context: CuratorContext,
  group: PlacementGroup,
  found: { readonly diskId: DiskId; readonly page: readonly ListedBlob[] },
  known: StrayPage,
): Promise<{ readonly blobId: string; readonly shardIndexes: readonly number[] }[]> {
  const missing: { blobId: string; shardIndexes: number[] }[] = [];
  for (const { blob, found: shards } of found.page) {
    const { blobId } = blob;
    if (known.resolved.get(blobId)?.blob.pgId !== group.pgId) continue;
    const shardIndexes: number[] = [];
    for (const { shardIndex } of shards) {
      const verdict = known.inPlace.get(shardKey({ blobId, shardIndex })) ?? 'unknown';
      const diskId = group.slots[shardIndex];
      if (diskId === undefined || !['absent', 'corrupt'].includes(verdict)) continue;
      shardIndexes.push(shardIndex);
      if (!isDiskWritable(context.view.map(), diskId)) continue;
      await copyShard(context, blob, { from: found.diskId, target: { shardIndex, diskId } });
    }
    if (shardIndexes.length > 0) missing.push({ blobId, shardIndexes });
  }
  return missing;
}

export function shardKey({ blobId, shardIndex }: ShardName): string {
  return `${blobId}/${shardIndex}`;
}

async function verdictsOn(
  context: CuratorContext,
  diskId: DiskId,
  names: readonly ShardName[],
): Promise<readonly string[]> {
  const node = addressOf(context.view.map(), diskId, '', 0)?.node;
  if (node === undefined) return names.map(() => 'unknown');
  const verdicts: string[] = [];
  for (let at = 0; at < names.length; at += VERIFY_SHARDS_MAX) {
    const some = names.slice(at, at + VERIFY_SHARDS_MAX);
    await context.throttle.run(async () => {
      const answer = await context.control.verifyShards(node, diskId, some, context.signal);
      verdicts.push(...some.map((_, index) => answer[index] ?? 'unknown'));
    }, context.signal);
  }
  return verdicts;
}
