import { PAGE_BYTES } from '@azimuth/clients';
import { assert, StoreError } from '@azimuth/common';
import { stripeLayout } from '@azimuth/placement';
import type { StripeLayout } from '@azimuth/placement';
import type { BlobRef, VersionBody } from '@azimuth/proto';

import type { ByteSink } from './byte-source';
import type { DataPathContext } from './data-path-context';
import { StripeReader } from './stripe-reader';

/** Stripes read by one request to each shard; fewer while memory is tight. */
const WINDOW_STRIPES_MAX = 4;

const NO_BYTES = new Uint8Array(0);

interface ByteRange {
  readonly from: number;
  readonly to: number;
}

/**
 * The read path: the blobs of a body in order, each window read ahead of the one being pushed; then
 * the bytes kept inline, which may be a small last part.
 */
export async function readObject(
  context: DataPathContext,
  body: VersionBody,
  request: { readonly range: ByteRange; readonly signal: AbortSignal },
  sink: ByteSink,
): Promise<void> {
  const { range, signal } = request;
  assert(range.from >= 0 && range.from <= range.to, 'invalid range');
  let blobStart = 0;
  for (const blob of body.blobs) {
    const from = Math.max(range.from, blobStart) - blobStart;
    const to = Math.min(range.to, blobStart + blob.sizeBytes) - blobStart;
    if (from < to) await readBlob(context, blob, { range: { from, to }, signal }, sink);
    blobStart += blob.sizeBytes;
  }
  const inline = body.inline ?? NO_BYTES;
  assert(range.to <= blobStart + inline.length, 'range beyond the body');
  const [from, to] = [Math.max(range.from, blobStart) - blobStart, range.to - blobStart];
  if (from < to) await sink(inline.subarray(from, to));
}

interface OpenWindow {
  readonly reader: StripeReader;
  readonly isRead: Promise<void>;
  readonly firstStripe: number;
  readonly endStripe: number;
}

async function readBlob(
  context: DataPathContext,
  blob: BlobRef,
  request: { readonly range: ByteRange; readonly signal: AbortSignal },
  sink: ByteSink,
): Promise<void> {
  const { range, signal } = request;
  const layout = stripeLayout(blob.sizeBytes, blob.profile, blob.blockBytes);
  const stripeBytes = blob.profile.k * blob.blockBytes;
  const endStripe = Math.floor((range.to - 1) / stripeBytes) + 1;
  const open = (firstStripe: number): OpenWindow => {
    const count = context.readPool.isTight ? 1 : WINDOW_STRIPES_MAX;
    const end = Math.min(endStripe, firstStripe + count);
    const window = shardWindow(blob, layout, { range, firstStripe, endStripe: end });
    const reader = new StripeReader(context, window, signal);
    const isRead = reader.read();
    isRead.catch(() => undefined);
    return { reader, isRead, firstStripe, endStripe: end };
  };
  let current: OpenWindow | null = open(Math.floor(range.from / stripeBytes));
  let next: OpenWindow | null = null;
  try {
    while (current !== null) {
      await current.isRead;
      next = current.endStripe < endStripe ? open(current.endStripe) : null;
      await pushWindow(layout, current, range, sink);
      if (signal.aborted) throw new StoreError('CANCELLED');
      current.reader.release();
      current = next;
      next = null;
    }
  } finally {
    current?.reader.release();
    next?.reader.release();
  }
}

async function pushWindow(
  layout: StripeLayout,
  window: OpenWindow,
  range: ByteRange,
  sink: ByteSink,
): Promise<void> {
  for (let stripe = window.firstStripe; stripe < window.endStripe; stripe += 1) {
    for (let shard = 0; shard < layout.profile.k; shard += 1) {
      const part = blockPart(layout, { stripe, shard }, range);
      if (part === null) continue;
      const wait = sink(window.reader.bytes(shard, part.from, part.to));
      if (wait !== undefined) await wait;
    }
  }
}

/** What of a block lies in `range` of the blob, as a range of the shard; null when nothing does. */
function blockPart(
  layout: StripeLayout,
  block: { readonly stripe: number; readonly shard: number },
  range: ByteRange,
): ByteRange | null {
  const { profile, blockBytes, fullStripes, tailBlockBytes, sizeBytes } = layout;
  const lengthBytes = block.stripe < fullStripes ? blockBytes : tailBlockBytes;
  const blobStart = block.stripe * profile.k * blockBytes + block.shard * lengthBytes;
  const from = Math.max(range.from, blobStart);
  const to = Math.min(range.to, blobStart + lengthBytes, sizeBytes);
  if (from >= to) return null;
  const shardStart = block.stripe * blockBytes - blobStart;
  return { from: shardStart + from, to: shardStart + to };
}

/** The smallest page-aligned part of the shards that holds `range` within the stripes. */
function shardWindow(
  blob: BlobRef,
  layout: StripeLayout,
  part: { readonly range: ByteRange; readonly firstStripe: number; readonly endStripe: number },
): ConstructorParameters<typeof StripeReader>[1] {
  const wanted = new Set<number>();
  let from = Number.POSITIVE_INFINITY;
  let to = 0;
  for (let stripe = part.firstStripe; stripe < part.endStripe; stripe += 1) {
    for (let shard = 0; shard < layout.profile.k; shard += 1) {
      const block = blockPart(layout, { stripe, shard }, part.range);
      if (block === null) continue;
      wanted.add(shard);
      from = Math.min(from, block.from);
      to = Math.max(to, block.to);
    }
  }
  assert(wanted.size > 0, 'window without bytes');
  return {
    blob,
    fromBytes: Math.floor(from / PAGE_BYTES) * PAGE_BYTES,
    toBytes: Math.min(layout.shardSizeBytes, Math.ceil(to / PAGE_BYTES) * PAGE_BYTES),
    wanted,
  };
}
