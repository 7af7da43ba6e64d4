import type { ShardAddress, ShardWriter } from '@azimuth/clients';
import { StoreError } from '@azimuth/common';
import { shardCount, stripeLayout } from '@azimuth/placement';
import type { PlacementGroup, StripeLayout } from '@azimuth/placement';

import { addressOf, attributesOf, readSources, withSources } from './blob-shards';
import type { BlobShape } from './blob-shards';
import type { CuratorContext } from './curator-context';

/** Bytes of each source shard that are read at a time, at least one block. */
const READ_WINDOW_BYTES = 256 * 1024;

/**
 * Writes the bytes of `source` again as `copy`, in the stripes of the copy's own profile, and
 * resolves once every shard of the copy is durable. A copy is not done with fewer: it takes away
 * the source.
 *
 * @throws StoreError TOO_FEW_SHARDS, UNAVAILABLE (a slot of the new group is out), OVERLOADED, and
 *   what storage nodes answer. Nothing references the copy then; the source has not changed.
 */
export async function copyBlob(
  context: CuratorContext,
  source: { readonly blob: BlobShape; readonly group: PlacementGroup },
  copy: { readonly blob: BlobShape; readonly group: PlacementGroup },
): Promise<void> {
  const { blob, group } = source;
  const release = await context.rebuilds.acquire();
  try {
    await withSources(context, blob, group, [], async (sources) => {
      const writer = new StripeWriter(context, copy.blob, copy.group);
      try {
        await readBlob(context, blob, sources, (bytes) => writer.write(bytes));
        await writer.finish();
      } catch (error) {
        writer.abort();
        throw error;
      }
    });
  } finally {
    release();
  }
}

/** Pushes the bytes of a blob, in order, into `sink`, from k shards. */
async function readBlob(
  context: CuratorContext,
  blob: BlobShape,
  sources: readonly ShardAddress[],
  sink: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const layout = stripeLayout(blob.sizeBytes, blob.profile, blob.blockBytes);
  const blocksAtATime = Math.max(1, Math.floor(READ_WINDOW_BYTES / blob.blockBytes));
  const windowBytes = Math.min(blocksAtATime * blob.blockBytes, layout.shardSizeBytes);
  const { codec } = context;
  const base = codec.arena.allocate(windowBytes * shardCount(blob.profile));
  if (base === null) throw new StoreError('OVERLOADED', { arenaFreeBytes: codec.arena.freeBytes });
  const offsetOf = (shardIndex: number): number => base + shardIndex * windowBytes;
  const blocks = new Array<number | null>(shardCount(blob.profile)).fill(null);
  for (const { shardIndex } of sources) blocks[shardIndex] = offsetOf(shardIndex);
  const targets = Array.from({ length: blob.profile.k }, (_, shardIndex) => shardIndex)
    .filter((shardIndex) => blocks[shardIndex] === null)
    .map((shardIndex) => ({ shardIndex, offset: offsetOf(shardIndex) }));
  try {
    for (let from = 0; from < layout.shardSizeBytes; from += windowBytes) {
      const to = Math.min(from + windowBytes, layout.shardSizeBytes);
      await context.throttle.run(async () => {
        const bytes = await readSources(context, sources, layout.shardSizeBytes, { from, to });
        sources.forEach(({ shardIndex }, index) => {
          codec.memory.set(bytes[index] as Uint8Array, offsetOf(shardIndex));
        });
        codec.reconstruct(blob.profile, blocks, targets, to - from);
        for (const piece of dataPieces(layout, from, to)) {
          const start = offsetOf(piece.shardIndex) + piece.from - from;
          await sink(codec.memory.slice(start, start + piece.lengthBytes));
        }
      }, context.signal);
    }
  } finally {
    codec.arena.free(base);
  }
}

interface DataPiece {
  readonly shardIndex: number;
  /** Byte of the shard. */
  readonly from: number;
  readonly lengthBytes: number;
}

/**
 * The pieces of data shards in `[from, to)` of every shard, in the order of the blob's bytes.
 * Pure.
 */
export function dataPieces(layout: StripeLayout, from: number, to: number): readonly DataPiece[] {
  const { profile, blockBytes, fullStripes, tailBlockBytes, sizeBytes } = layout;
  const pieces: DataPiece[] = [];
  for (let stripe = Math.floor(from / blockBytes); stripe * blockBytes < to; stripe += 1) {
    const isFull = stripe < fullStripes;
    const length = isFull ? blockBytes : tailBlockBytes;
    for (let shardIndex = 0; shardIndex < profile.k; shardIndex += 1) {
      const blobOffset = stripe * profile.k * blockBytes + shardIndex * length;
      const lengthBytes = Math.min(length, sizeBytes - blobOffset);
      if (lengthBytes > 0) pieces.push({ shardIndex, from: stripe * blockBytes, lengthBytes });
    }
  }
  return pieces;
}

/** Cuts bytes into stripes of one profile, encodes, and writes all n shards. */
class StripeWriter {
  readonly #context: CuratorContext;
  readonly #layout: StripeLayout;
  readonly #writers: readonly ShardWriter[];
  /** Data of the current stripe, k blocks behind each other. */
  readonly #stripe: Uint8Array;
  #filledBytes = 0;
  #stripeIndex = 0;

  constructor(context: CuratorContext, blob: BlobShape, group: PlacementGroup) {
    this.#context = context;
    this.#layout = stripeLayout(blob.sizeBytes, blob.profile, blob.blockBytes);
    const map = context.view.map();
    const addresses = group.slots.map((diskId, slot) => addressOf(map, diskId, blob.blobId, slot));
    const attributes = attributesOf(blob);
    this.#writers = addresses.map((address) => {
      if (address === null) throw new StoreError('UNAVAILABLE', { pgId: group.pgId });
      return context.storage.openShard(address, attributes, context.signal);
    });
    this.#stripe = new Uint8Array(blob.profile.k * this.#blockBytes());
  }

  async write(bytes: Uint8Array): Promise<void> {
    let at = 0;
    while (at < bytes.length) {
      const stripeBytes = this.#layout.profile.k * this.#blockBytes();
      const taken = Math.min(bytes.length - at, stripeBytes - this.#filledBytes);
      this.#stripe.set(bytes.subarray(at, at + taken), this.#filledBytes);
      this.#filledBytes += taken;
      at += taken;
      if (this.#filledBytes === stripeBytes) await this.#flush();
    }
  }

  async finish(): Promise<void> {
    if (this.#filledBytes > 0) await this.#flush();
    await Promise.all(this.#writers.map((writer) => writer.finish()));
  }

  abort(): void {
    for (const writer of this.#writers) writer.abort();
  }

  #blockBytes(): number {
    const { fullStripes, blockBytes, tailBlockBytes } = this.#layout;
    return this.#stripeIndex < fullStripes ? blockBytes : tailBlockBytes;
  }

  async #flush(): Promise<void> {
    const { codec } = this.#context;
    const { profile } = this.#layout;
    const blockBytes = this.#blockBytes();
    const base = codec.arena.allocate(blockBytes * shardCount(profile));
    if (base === null) throw new StoreError('OVERLOADED');
    try {
      this.#stripe.fill(0, this.#filledBytes);
      codec.memory.set(this.#stripe.subarray(0, profile.k * blockBytes), base);
      codec.encode(profile, base, base + profile.k * blockBytes, blockBytes);
      await Promise.all(
        this.#writers.map((writer, slot) => {
          const start = base + slot * blockBytes;
          return writer.write(codec.memory.subarray(start, start + blockBytes));
        }),
      );
    } finally {
      codec.arena.free(base);
    }
    this.#stripeIndex += 1;
    this.#filledBytes = 0;
  }
}
