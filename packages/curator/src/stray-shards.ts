import type { DiskId, PlacementGroup } from '@azimuth/placement';

import { addressOf } from './blob-shards';
import type { CuratorContext } from './curator-context';
import type { ListedBlob } from './group-listing';
import type { ShardName } from './storage-control';

/** Each is read whole on its node, within one call's time-out. */
const VERIFY_SHARDS_MAX = 32;

/**
 * What the disks of their slots say of shards that were found anywhere, by `shardKey`: they have
 * just read them. `unknown`, or nothing at all, proves nothing.
 */
export async function verdictsInPlace(
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
