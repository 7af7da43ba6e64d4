import type { Codec } from './codec';
import { VECTOR_BYTES } from './codec';
import type { ErasureProfile } from './encoding-matrix';

/** Bytes of each shard that are in the arena at a time. */
const CHUNK_BYTES = 65_536;

/**
 * The parity of `data` (k arrays of one length, any length), in new arrays. Copies: for callers
 * whose bytes do not live in the codec's memory.
 *
 * @throws RangeError for unequal lengths, or when the arena has no (k + m) · 64 KiB left.
 */
export function encodeShards(
  codec: Codec,
  profile: ErasureProfile,
  data: readonly Uint8Array[],
): Uint8Array[] {
  const missing = Array.from({ length: profile.m }, (_, index) => profile.k + index);
  return reconstructShards(codec, profile, [...data, ...missing.map(() => null)], missing);
}

/**
 * The shards named by `targets` (which must be null in `shards`), in new arrays, from the first k
 * that are present.
 *
 * @throws RangeError as `encodeShards`, and when fewer than k shards are present.
 */
export function reconstructShards(
  codec: Codec,
  profile: ErasureProfile,
  shards: readonly (Uint8Array | null)[],
  targets: readonly number[],
): Uint8Array[] {
  const sizeBytes = shards.find((shard) => shard !== null)?.length ?? 0;
  if (shards.some((shard) => shard !== null && shard.length !== sizeBytes)) {
    throw new RangeError('shards differ in length');
  }
  const rebuilt = targets.map(() => new Uint8Array(sizeBytes));
  const chunkBytes = Math.min(CHUNK_BYTES, roundUp(sizeBytes));
  if (chunkBytes === 0) return rebuilt;
  const base = codec.arena.allocate(chunkBytes * shards.length);
  if (base === null) throw new RangeError('the arena is full');
  try {
    const blocks = shards.map((shard, index) =>
      shard === null ? null : base + index * chunkBytes,
    );
    const destinations = targets.map((shardIndex) => ({
      shardIndex,
      offset: base + shardIndex * chunkBytes,
    }));
    for (let from = 0; from < sizeBytes; from += chunkBytes) {
      const lengthBytes = Math.min(chunkBytes, sizeBytes - from);
      blocks.forEach((offset, index) => {
        if (offset === null) return;
        const chunk = shards[index]?.subarray(from, from + lengthBytes) as Uint8Array;
        codec.memory.set(chunk, offset);
      });
      codec.reconstruct(profile, blocks, destinations, roundUp(lengthBytes));
      destinations.forEach(({ offset }, index) => {
        rebuilt[index]?.set(codec.memory.subarray(offset, offset + lengthBytes), from);
      });
    }
  } finally {
    codec.arena.free(base);
  }
  return rebuilt;
}

function roundUp(sizeBytes: number): number {
  return Math.ceil(sizeBytes / VECTOR_BYTES) * VECTOR_BYTES;
}
