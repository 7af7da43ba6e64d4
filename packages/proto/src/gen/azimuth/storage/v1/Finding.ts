// Original file: proto/azimuth/storage/v1/storage.proto

import type { ShardName as _azimuth_storage_v1_ShardName, ShardName__Output as _azimuth_storage_v1_ShardName__Output } from '../../../azimuth/storage/v1/ShardName';
import type { Long } from '@grpc/proto-loader';

export interface Finding {
  'pgId'?: (number | string | Long);
  'shard'?: (_azimuth_storage_v1_ShardName | null);
  'problem'?: (string);
}

export interface Finding__Output {
  'pgId': (number);
  'shard': (_azimuth_storage_v1_ShardName__Output | null);
  'problem': (string);
}
