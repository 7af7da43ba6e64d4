import type { ShardAddress, ShardWriter } from '@azimuth/clients';
import { hasCode, StoreError } from '@azimuth/common';
import type { PlacementGroup } from '@azimuth/placement';
import { shardCount } from '@azimuth/placement';

import { addressOf, attributesOf, countZoneBytes, readSources, withSources } from './blob-shards';
import type { BlobShape } from './blob-shards';
import { chooseSources } from './choose-sources';
import type { CuratorContext } from './curator-context';

/** A shard to have intact on a disk: the disk of its slot, or the target of a backfill. */
export interface RebuildTarget {
  readonly shardIndex: number;
  readonly diskId: string;
}

/** Bytes of each shard in the codec's memory at a time; a multiple of the page. */
export const WINDOW_BYTES = 256 * 1024;

/**
 * Makes sure that every target is on its disk, intact: asks the disk, rebuilds what is absent or
 * corrupt from k verified others, and asks the disk again. Returns the shard indexes that are
 * proven now; the rest (disks that are out) is for later. Running it again, after a crash too,
 * only verifies.
 *
 * Errors: TOO_FEW_SHARDS, and what storage nodes answer; then nothing is proven.
 */
export async function rebuildShards(
  context: CuratorContext,
  blob: BlobShape,
  group: PlacementGroup,
  targets: readonly RebuildTarget[],
): Promise<ReadonlySet<number>> {
  const map = context.view.map();
  const proven = new Set<number>();
  const addresses: ShardAddress[] = [];
  for (const { shardIndex, diskId } of targets) {
    const address = addressOf(map, diskId, blob.blobId, shardIndex);
    if (address === null) continue;
    const verdict = await verdictOf(context, address);
    if (verdict === 'intact') proven.add(shardIndex);
    // A shard that its node knows to be corrupt is replaced by the write, never deleted before it.
    else if (verdict !== 'unknown') addresses.push(address);
  }
  const failures: unknown[] = [];
  for (const address of addresses) {
    try {
      const absent = addresses
        .map(({ shardIndex }) => shardIndex)
        .filter((shardIndex) => !proven.has(shardIndex));
      await rebuildOne(context, blob, group, { address, absent });
    } catch (error) {
      if (context.signal.aborted) throw error;
      // The other shards of the blob are as urgent.
      failures.push(error);
      continue;
    }
    if ((await verdictOf(context, address)) !== 'intact') continue;
    proven.add(address.shardIndex);
    context.metrics.shardsRebuilt.inc();
    context.metrics.bytesRebuilt.inc(attributesOf(blob).shardSizeBytes);
    context.progress.rebuilt(blob.pgId, attributesOf(blob).shardSizeBytes);
  }
  if (failures.length > 0) throw failures[0];
  return proven;
}

/** The disk's own node is asked to; when it cannot, this curator does it. */
async function rebuildOne(
  context: CuratorContext,
  blob: BlobShape,
  group: PlacementGroup,
  target: { readonly address: ShardAddress; readonly absent: readonly number[] },
): Promise<void> {
  const { address, absent } = target;
  const attributes = attributesOf(blob);
  const bytes = attributes.shardSizeBytes * (blob.profile.k + 1);
  await context.repairPace.take({ bytes, operations: 1 }, { signal: context.signal });
  try {
    await rebuildAtNode(context, blob, group, target);
    return;
  } catch (error) {
    const isFinal = hasCode(
      error,
      'CANCELLED',
      'TOO_FEW_SHARDS',
      'OVERLOADED',
      'DISK_FULL',
      'DISK_FENCED',
      'DISK_UNKNOWN',
    );
    if (isFinal || context.signal.aborted) throw error;
    const { blobId, shardIndex, node } = address;
    const fields = { blobId, shardIndex, nodeId: node.nodeId, error };
    context.logger.warn(fields, 'a node could not rebuild a shard; the curator does it');
  }
  const release = await context.rebuilds.acquire();
  try {
    await rebuildHere(context, blob, group, { address, absent });
  } finally {
    release();
  }
}

/**
 * Has the node of the target pull what it needs, and others in place of sources that fail.
 *
 * @throws StoreError TOO_FEW_SHARDS when fewer than k are left to try, and what the node answers.
 */
async function rebuildAtNode(
  context: CuratorContext,
  blob: BlobShape,
  group: PlacementGroup,
  { address, absent }: { readonly address: ShardAddress; readonly absent: readonly number[] },
): Promise<void> {
  const { control, view, signal } = context;
  const { blobId } = blob;
  const excluded = new Set(absent);
  const isSuspect = (diskId: string): boolean => view.isSuspect(diskId);
  for (;;) {
    const choice = { excluded, isSuspect };
    const sources = chooseSources(view.map(), group, address.node.zone, choice);
    if (sources.length < blob.profile.k) {
      throw new StoreError('TOO_FEW_SHARDS', { blobId, readable: sources.length });
    }
    const addresses = sources.map((source) => ({ ...source, blobId }));
    const attributes = attributesOf(blob);
    const outcome = await control.rebuildShard(address, attributes, addresses, signal);
    if (outcome.isWritten) {
      context.metrics.rebuilds.inc({ by: 'node' });
      return;
    }
    if (outcome.failedSources.length === 0) throw new StoreError('UNAVAILABLE', { blobId });
    for (const { shardIndex, code } of outcome.failedSources) {
      excluded.add(shardIndex);
      const diskId = group.slots[shardIndex];
      // A node that gives way to clients is not a bad one.
      const isBad = !['SHARD_NOT_FOUND', 'SHARD_CORRUPT', 'DISK_UNKNOWN', 'OVERLOADED'].includes(
        code,
      );
      if (isBad && diskId !== undefined) view.reportDiskFailure(diskId);
    }
  }
}

async function verdictOf(context: CuratorContext, address: ShardAddress): Promise<string> {
  const { node, diskId, blobId, shardIndex } = address;
  const names = [{ blobId, shardIndex }];
  const [verdict] = await context.control.verifyShards(node, diskId, names, context.signal);
  return verdict ?? 'unknown';
}

/** Computes the shard window by window from k others, and resolves once it is durable. */
async function rebuildHere(
  context: CuratorContext,
  blob: BlobShape,
  group: PlacementGroup,
  { address, absent }: { readonly address: ShardAddress; readonly absent: readonly number[] },
): Promise<void> {
  const attributes = attributesOf(blob);
  await withSources(context, blob, group, absent, async (sources) => {
    const writer = context.storage.openShard(address, attributes, context.signal);
    try {
      await rebuildFrom(context, blob, { sources, target: address, writer });
      await finishShard(writer);
    } catch (error) {
      writer.abort();
      throw error;
    }
  });
  const toZone = address.node.zone;
  countZoneBytes(context, { fromZone: context.zone, toZone }, attributes.shardSizeBytes);
  context.metrics.rebuilds.inc({ by: 'curator' });
}

async function finishShard(writer: ShardWriter): Promise<void> {
  try {
    await writer.finish();
  } catch (error) {
    // Someone else has written it meanwhile: the census that follows says whether it is intact.
    if (!hasCode(error, 'SHARD_EXISTS')) throw error;
  }
}

async function rebuildFrom(
  context: CuratorContext,
  blob: BlobShape,
  parties: {
    readonly sources: readonly ShardAddress[];
    readonly target: ShardAddress;
    readonly writer: ShardWriter;
  },
): Promise<void> {
  const { codec } = context;
  const { sources, target, writer } = parties;
  const { shardIndex } = target;
  const { shardSizeBytes } = attributesOf(blob);
  const windowBytes = Math.min(WINDOW_BYTES, shardSizeBytes);
  const base = codec.arena.allocate(windowBytes * shardCount(blob.profile));
  if (base === null) throw new StoreError('OVERLOADED', { arenaFreeBytes: codec.arena.freeBytes });
  const offsetOf = (shardIndex: number): number => base + shardIndex * windowBytes;
  const blocks = new Array<number | null>(shardCount(blob.profile)).fill(null);
  for (const source of sources) blocks[source.shardIndex] = offsetOf(source.shardIndex);
  const output = { shardIndex, offset: offsetOf(shardIndex) };
  try {
    for (let from = 0; from < shardSizeBytes; from += windowBytes) {
      const to = Math.min(from + windowBytes, shardSizeBytes);
      await context.throttle.run(async () => {
        const bytes = await readSources(context, sources, shardSizeBytes, { from, to });
        sources.forEach((source, index) => {
          codec.memory.set(bytes[index] as Uint8Array, offsetOf(source.shardIndex));
        });
        codec.reconstruct(blob.profile, blocks, [output], to - from);
        await writer.write(codec.memory.subarray(output.offset, output.offset + to - from));
      }, context.signal);
    }
  } finally {
    codec.arena.free(base);
  }
}
