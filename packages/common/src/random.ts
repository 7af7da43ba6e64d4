import { randomBytes, randomFillSync, randomInt } from 'node:crypto';

import { assert } from './assert';

/** Randomness, injected. Seeded in tests, the operating system's in production. */
export interface Random {
  /** A uniform number in [0, 1). */
  next(): number;
  /** A uniform integer in [0, limit); `limit` is at most {@link RANDOM_LIMIT_MAX}. */
  below(limit: number): number;
  /** `sizeBytes` unpredictable bytes. */
  bytes(sizeBytes: number): Buffer;
}

/** What `randomInt` of node:crypto takes; it throws at more. */
export const RANDOM_LIMIT_MAX = 2 ** 48 - 1;

/** Asking the operating system costs 10 µs, whatever the size: ids are cut from what one call gave. */
const POOL_BYTES = 4096;
const POOLED_BYTES_MAX = 64;
const pool = Buffer.allocUnsafeSlow(POOL_BYTES);
let poolUsedBytes = POOL_BYTES;

function pooledBytes(sizeBytes: number): Buffer {
  if (poolUsedBytes + sizeBytes > POOL_BYTES) {
    randomFillSync(pool);
    poolUsedBytes = 0;
  }
  const source = pool.subarray(poolUsedBytes, poolUsedBytes + sizeBytes);
  poolUsedBytes += sizeBytes;
  const bytes = Buffer.from(source);
  // What was given out is not kept a second time: it may become a key.
  source.fill(0);
  return bytes;
}

export const systemRandom: Random = {
  next: () => Math.random(),
  below: (limit) => randomInt(limit),
  bytes: (sizeBytes) =>
    sizeBytes <= POOLED_BYTES_MAX ? pooledBytes(sizeBytes) : randomBytes(sizeBytes),
};

/** A seeded generator (mulberry32): the same seed gives the same sequence. Not for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return {
    next,
    below: (limit) => {
      assert(limit <= RANDOM_LIMIT_MAX, 'the system random would refuse this limit');
      return Math.floor(next() * limit);
    },
    bytes: (sizeBytes) => Buffer.from(Array.from({ length: sizeBytes }, () => next() * 256)),
  };
}
