// Original file: proto/azimuth/storage/v1/storage.proto

import type { ShardVerdict as _azimuth_storage_v1_ShardVerdict, ShardVerdict__Output as _azimuth_storage_v1_ShardVerdict__Output } from '../../../azimuth/storage/v1/ShardVerdict';

export interface VerifyShardsResponse {
  'verdicts'?: (_azimuth_storage_v1_ShardVerdict)[];
}

export interface VerifyShardsResponse__Output {
  'verdicts': (_azimuth_storage_v1_ShardVerdict__Output)[];
}
