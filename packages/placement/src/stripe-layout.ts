import type { Profile } from './cluster-map';

/** A tail block is rounded up to this, so that SIMD kernels never straddle its end. */
export const BLOCK_ALIGNMENT_BYTES = 16;

/**
 * How a blob of `sizeBytes` is cut: `fullStripes` stripes of k × `blockBytes`, then, when bytes are
 * left, one tail stripe of k × `tailBlockBytes` whose last bytes are zero. Every shard has the same
 * size. Block j of shard i starts at byte j × blockBytes of the shard.
 */
export interface StripeLayout {
  readonly profile: Profile;
  readonly sizeBytes: number;
  readonly blockBytes: number;
  readonly fullStripes: number;
  /** 0 when the blob ends with a full stripe. */
  readonly tailBlockBytes: number;
  readonly shardSizeBytes: number;
}

/** The layout follows from size, profile and block size alone, so no one has to store it. */
export function stripeLayout(
  sizeBytes: number,
  profile: Profile,
  blockBytes: number,
): StripeLayout {
  const stripeBytes = profile.k * blockBytes;
  const fullStripes = Math.floor(sizeBytes / stripeBytes);
  const tailBytes = sizeBytes - fullStripes * stripeBytes;
  const tailBlockBytes =
    tailBytes === 0
      ? 0
      : Math.ceil(Math.ceil(tailBytes / profile.k) / BLOCK_ALIGNMENT_BYTES) * BLOCK_ALIGNMENT_BYTES;
  return {
    profile,
    sizeBytes,
    blockBytes,
    fullStripes,
    tailBlockBytes,
    shardSizeBytes: fullStripes * blockBytes + tailBlockBytes,
  };
}
