import type { ShardAddress, ShardWriter } from '@azimuth/clients';
import { hasCode, StoreError } from '@azimuth/common';
import type { PlacementGroup } from '@azimuth/placement';
import { shardCount } from '@azimuth/placement';

import { addressOf, attributesOf, readSources, withSources } from './blob-shards';
import type { BlobShape } from './blob-shards';
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
  if (addresses.length === 0) return proven;

  const release = await context.rebuilds.acquire();
  try {
    await rebuild(context, blob, group, addresses);
  } finally {
    release();
  }
  for (const address of addresses) {
    if ((await verdictOf(context, address)) !== 'intact') continue;
    proven.add(address.shardIndex);
    context.metrics.shardsRebuilt.inc();
    context.metrics.bytesRebuilt.inc(attributesOf(blob).shardSizeBytes);
  }
  return proven;
}

async function verdictOf(context: CuratorContext, address: ShardAddress): Promise<string> {
  const { node, diskId, blobId, shardIndex } = address;
  const names = [{ blobId, shardIndex }];
  const [verdict] = await context.control.verifyShards(node, diskId, names, context.signal);
  return verdict ?? 'unknown';
}

/** Computes the targets window by window from k others, and resolves once they are durable. */
function rebuild(
  context: CuratorContext,
  blob: BlobShape,
  group: PlacementGroup,
  targets: readonly ShardAddress[],
): Promise<void> {
  const excluded = targets.map(({ shardIndex }) => shardIndex);
  const attributes = attributesOf(blob);
  return withSources(context, blob, group, excluded, async (sources) => {
    const writers = targets.map((address) =>
      context.storage.openShard(address, attributes, context.signal),
    );
    try {
      await rebuildFrom(context, blob, { sources, targets, writers });
      await Promise.all(writers.map(finishShard));
    } catch (error) {
      for (const writer of writers) writer.abort();
      throw error;
    }
  });
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
    readonly targets: readonly ShardAddress[];
    readonly writers: readonly ShardWriter[];
  },
): Promise<void> {
  const { codec } = context;
  const { sources, targets, writers } = parties;
  const { shardSizeBytes } = attributesOf(blob);
  const windowBytes = Math.min(WINDOW_BYTES, shardSizeBytes);
  const base = codec.arena.allocate(windowBytes * shardCount(blob.profile));
  if (base === null) throw new StoreError('OVERLOADED', { arenaFreeBytes: codec.arena.freeBytes });
  const offsetOf = (shardIndex: number): number => base + shardIndex * windowBytes;
  const blocks = new Array<number | null>(shardCount(blob.profile)).fill(null);
  for (const { shardIndex } of sources) blocks[shardIndex] = offsetOf(shardIndex);
  const outputs = targets.map(({ shardIndex }) => ({ shardIndex, offset: offsetOf(shardIndex) }));
  try {
    for (let from = 0; from < shardSizeBytes; from += windowBytes) {
      const to = Math.min(from + windowBytes, shardSizeBytes);
      await context.throttle.run(async () => {
        const bytes = await readSources(context, sources, shardSizeBytes, { from, to });
        sources.forEach(({ shardIndex }, index) => {
          codec.memory.set(bytes[index] as Uint8Array, offsetOf(shardIndex));
        });
        codec.reconstruct(blob.profile, blocks, outputs, to - from);
        await Promise.all(
          writers.map((writer, index) => {
            const { offset } = outputs[index] as { offset: number };
            return writer.write(codec.memory.subarray(offset, offset + to - from));
          }),
        );
      }, context.signal);
    }
  } finally {
    codec.arena.free(base);
  }
}
