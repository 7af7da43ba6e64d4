// Original file: proto/azimuth/storage/v1/storage.proto

import type { ShardName as _azimuth_storage_v1_ShardName, ShardName__Output as _azimuth_storage_v1_ShardName__Output } from '../../../azimuth/storage/v1/ShardName';

export interface VerifyShardsRequest {
  'diskId'?: (string);
  'shards'?: (_azimuth_storage_v1_ShardName)[];
}

export interface VerifyShardsRequest__Output {
  'diskId': (string);
  'shards': (_azimuth_storage_v1_ShardName__Output)[];
}
