// Original file: proto/azimuth/storage/v1/storage.proto

import type { ShardDescription as _azimuth_storage_v1_ShardDescription, ShardDescription__Output as _azimuth_storage_v1_ShardDescription__Output } from '../../../azimuth/storage/v1/ShardDescription';

export interface ListShardsResponse {
  'shards'?: (_azimuth_storage_v1_ShardDescription)[];
  'isTruncated'?: (boolean);
}

export interface ListShardsResponse__Output {
  'shards': (_azimuth_storage_v1_ShardDescription__Output)[];
  'isTruncated': (boolean);
}
