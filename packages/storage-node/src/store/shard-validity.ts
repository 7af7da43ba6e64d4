import type { ShardAttributes } from '@azimuth/clients';
import { PAGE_BYTES } from '@azimuth/clients';
import { StoreError } from '@azimuth/common';
import { isBlobId } from '@azimuth/proto';

import { SHARD_SIZE_BYTES_MAX } from '../segment/segment-format';
import type { ShardId } from '../segment/shard-id';
import type { ShardRange } from './shard-store';

/** What a tombstone says of a shard whose attributes are unknown. */
export const NO_ATTRIBUTES: ShardAttributes = {
  pgId: 0,
  profile: { k: 1, m: 0 },
  blobSizeBytes: 0,
  blockBytes: 0,
  shardSizeBytes: 0,
};

/** @throws StoreError INVALID_ARGUMENT. */
export function requireValid(id: ShardId, attributes: ShardAttributes): void {
  const { profile, shardSizeBytes, blobSizeBytes, blockBytes, pgId } = attributes;
  const isValid =
    isBlobId(id.blobId) &&
    isCount(profile.k, 1, 32) &&
    isCount(profile.m, 0, 32 - profile.k) &&
    isCount(id.shardIndex, 0, profile.k + profile.m - 1) &&
    isCount(shardSizeBytes, 1, SHARD_SIZE_BYTES_MAX) &&
    isCount(blobSizeBytes, 1, SHARD_SIZE_BYTES_MAX) &&
    isCount(blockBytes, 1, 2 ** 31) &&
    isCount(pgId, 0, 2 ** 48 - 1);
  if (!isValid) throw new StoreError('INVALID_ARGUMENT', { ...id, reason: 'shard attributes' });
}

/** @throws StoreError INVALID_ARGUMENT. */
export function requireValidRange(range: ShardRange, shardSizeBytes: number): void {
  const isValid =
    range.offsetBytes % PAGE_BYTES === 0 &&
    isCount(range.offsetBytes, 0, shardSizeBytes - 1) &&
    isCount(range.lengthBytes, 1, SHARD_SIZE_BYTES_MAX);
  if (!isValid) throw new StoreError('INVALID_ARGUMENT', { ...range, reason: 'shard range' });
}

function isCount(value: number, min: number, max: number): boolean {
  return Number.isSafeInteger(value) && value >= min && value <= max;
}
