// Original file: proto/azimuth/storage/v1/storage.proto

import type { ShardName as _azimuth_storage_v1_ShardName, ShardName__Output as _azimuth_storage_v1_ShardName__Output } from '../../../azimuth/storage/v1/ShardName';
import type { RebuildSource as _azimuth_storage_v1_RebuildSource, RebuildSource__Output as _azimuth_storage_v1_RebuildSource__Output } from '../../../azimuth/storage/v1/RebuildSource';
import type { Long } from '@grpc/proto-loader';

export interface RebuildShardRequest {
  'diskId'?: (string);
  'shard'?: (_azimuth_storage_v1_ShardName | null);
  'pgId'?: (number | string | Long);
  'k'?: (number);
  'm'?: (number);
  'blobSizeBytes'?: (number | string | Long);
  'blockBytes'?: (number);
  'sources'?: (_azimuth_storage_v1_RebuildSource)[];
}

export interface RebuildShardRequest__Output {
  'diskId': (string);
  'shard': (_azimuth_storage_v1_ShardName__Output | null);
  'pgId': (number);
  'k': (number);
  'm': (number);
  'blobSizeBytes': (number);
  'blockBytes': (number);
  'sources': (_azimuth_storage_v1_RebuildSource__Output)[];
}
