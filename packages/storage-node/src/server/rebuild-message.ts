import { StoreError } from '@azimuth/common';
import { stripeLayout } from '@azimuth/placement';
import { isBlobId } from '@azimuth/proto';

import type { RebuildRequest } from '../repair/shard-rebuilder';

/** `RebuildShardRequest` of proto/azimuth/storage/v1 as it is decoded. */
export interface RebuildMessage {
  readonly diskId: string;
  readonly shard: { readonly blobId: string; readonly shardIndex: number } | null;
  readonly pgId: number;
  readonly k: number;
  readonly m: number;
  readonly blobSizeBytes: number;
  readonly blockBytes: number;
  readonly sources: readonly {
    readonly shardIndex: number;
    readonly diskId: string;
    readonly nodeId: string;
    readonly zone: string;
    readonly incarnation: string;
    readonly host: string;
    readonly bulkPort: number;
    readonly rpcPort: number;
  }[];
}

const SHARD_COUNT_MAX = 32;

/** @throws StoreError INVALID_ARGUMENT. */
export function parseRebuildRequest(message: RebuildMessage, ownNodeId: string): RebuildRequest {
  const { shard, pgId, k, m, blobSizeBytes, blockBytes, sources } = message;
  if (shard === null || !isBlobId(shard.blobId)) throw invalid('shard');
  const isProfile = k >= 1 && m >= 1 && k + m <= SHARD_COUNT_MAX;
  if (!isProfile || blobSizeBytes < 1 || blockBytes < 1) throw invalid('attributes');
  if (sources.length !== k) throw invalid('sources');
  const profile = { k, m };
  const { shardSizeBytes } = stripeLayout(blobSizeBytes, profile, blockBytes);
  return {
    id: { blobId: shard.blobId, shardIndex: shard.shardIndex },
    attributes: { pgId, profile, blobSizeBytes, blockBytes, shardSizeBytes },
    sources: sources.map(({ shardIndex, diskId, zone, ...node }) => ({
      shardIndex,
      diskId,
      zone,
      node: node.nodeId === ownNodeId ? null : node,
    })),
  };
}

function invalid(reason: string): StoreError {
  return new StoreError('INVALID_ARGUMENT', { reason });
}
