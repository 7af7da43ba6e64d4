import type { BlobId } from '@azimuth/placement';

/** A shard's name inside the cluster: shard `shardIndex` of a blob. Immutable once written. */
export interface ShardId {
  readonly blobId: BlobId;
  readonly shardIndex: number;
}

/** `blobId/shardIndex`, as a key of maps and in logs. */
export function shardName(id: ShardId): string {
  return `${id.blobId}/${id.shardIndex}`;
}
