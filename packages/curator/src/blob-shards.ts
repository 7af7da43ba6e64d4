import { PAGE_BYTES } from '@azimuth/clients';
import type { ShardAddress, ShardAttributes } from '@azimuth/clients';
import { hasCode, StoreError } from '@azimuth/common';
import { chooseReaders, isDiskReadable, stripeLayout } from '@azimuth/placement';
import type { BlobId, ClusterMap, DiskId, PlacementGroup, Profile } from '@azimuth/placement';

import type { CuratorContext } from './curator-context';

const OVERLOADED_RETRIES_MAX = 6;
const OVERLOADED_PAUSE_MS = 250;

/** What is needed of a blob to read and write its shards. */
export interface BlobShape {
  readonly blobId: BlobId;
  readonly pgId: number;
  readonly sizeBytes: number;
  readonly profile: Profile;
  readonly blockBytes: number;
}

/** The shard on a disk that can be reached now, or null. */
export function addressOf(
  map: ClusterMap,
  diskId: DiskId,
  blobId: BlobId,
  shardIndex: number,
): ShardAddress | null {
  const node = map.nodes.get(map.disks.get(diskId)?.nodeId ?? '');
  if (node === undefined || !isDiskReadable(map, diskId)) return null;
  return { node, diskId, blobId, shardIndex };
}

export function attributesOf(blob: BlobShape): ShardAttributes {
  const { pgId, profile, sizeBytes, blockBytes } = blob;
  const { shardSizeBytes } = stripeLayout(sizeBytes, profile, blockBytes);
  return { pgId, profile, blobSizeBytes: sizeBytes, blockBytes, shardSizeBytes };
}

/** Reads any range of a shard; pages are the unit of verification, so whole pages travel. */
export async function readRange(
  context: CuratorContext,
  address: ShardAddress,
  shardSizeBytes: number,
  range: { readonly from: number; readonly to: number },
): Promise<Uint8Array> {
  const from = Math.floor(range.from / PAGE_BYTES) * PAGE_BYTES;
  const to = Math.min(shardSizeBytes, Math.ceil(range.to / PAGE_BYTES) * PAGE_BYTES);
  const pages = { offsetBytes: from, lengthBytes: to - from };
  const bytes = await readPatiently(context, address, pages);
  countZoneBytes(context, { fromZone: address.node.zone, toZone: context.zone }, to - from);
  return bytes.subarray(range.from - from, range.to - from);
}

/** A node that gives way to its clients has not failed: it is asked again, a little later. */
async function readPatiently(
  { storage, clock, signal }: CuratorContext,
  address: ShardAddress,
  range: { readonly offsetBytes: number; readonly lengthBytes: number },
): Promise<Uint8Array> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await storage.readShard(address, range, { signal });
    } catch (error) {
      if (!hasCode(error, 'OVERLOADED') || attempt > OVERLOADED_RETRIES_MAX) throw error;
      await clock.sleep(attempt * OVERLOADED_PAUSE_MS, signal);
    }
  }
}

/** Counts bytes that pass through this curator. */
export function countZoneBytes(
  { metrics }: CuratorContext,
  { fromZone, toZone }: { readonly fromZone: string; readonly toZone: string },
  bytes: number,
): void {
  metrics.zoneBytes.inc({ from_zone: fromZone, to_zone: toZone, purpose: 'curator' }, bytes);
}

/**
 * Runs `use` with k shards that can be read, and again with others when one of them fails. `use`
 * must start anew each time.
 *
 * @throws StoreError TOO_FEW_SHARDS when fewer than k are left to try.
 */
export async function withSources<T>(
  context: CuratorContext,
  blob: BlobShape,
  group: PlacementGroup,
  excluded: readonly number[],
  use: (sources: readonly ShardAddress[]) => Promise<T>,
): Promise<T> {
  const failed = new Set(excluded);
  for (;;) {
    const map = context.view.map();
    const sources = chooseReaders(map, group, {
      zone: null,
      prefer: 'data',
      isSuspect: (diskId) => context.view.isSuspect(diskId),
      random: context.random,
    })
      .filter(({ shardIndex }) => !failed.has(shardIndex))
      .slice(0, blob.profile.k)
      .map(({ node, diskId, shardIndex }) => ({ node, diskId, blobId: blob.blobId, shardIndex }));
    if (sources.length < blob.profile.k) {
      throw new StoreError('TOO_FEW_SHARDS', { blobId: blob.blobId, readable: sources.length });
    }
    try {
      return await use(sources);
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      failed.add(error.shardIndex);
      const isGone = hasCode(error.cause, 'SHARD_NOT_FOUND', 'SHARD_CORRUPT', 'DISK_UNKNOWN');
      const diskId = group.slots[error.shardIndex];
      if (!isGone && diskId !== undefined) context.view.reportDiskFailure(diskId);
    }
  }
}

/** A shard that was to be read could not be; another may serve instead. */
export class SourceError extends Error {
  readonly shardIndex: number;

  constructor(shardIndex: number, cause: unknown) {
    super(`shard ${shardIndex} cannot be read`, { cause });
    this.shardIndex = shardIndex;
  }
}

/** Reads one range of each source, and says which one failed. */
export async function readSources(
  context: CuratorContext,
  sources: readonly ShardAddress[],
  shardSizeBytes: number,
  range: { readonly from: number; readonly to: number },
): Promise<readonly Uint8Array[]> {
  const results = await Promise.allSettled(
    sources.map((source) => readRange(context, source, shardSizeBytes, range)),
  );
  return results.map((result, index) => {
    if (result.status === 'fulfilled') return result.value;
    if (context.signal.aborted) throw new StoreError('CANCELLED');
    throw new SourceError(sources[index]?.shardIndex ?? -1, result.reason);
  });
}
