// Original file: proto/azimuth/storage/v1/storage.proto

import type { FailedSource as _azimuth_storage_v1_FailedSource, FailedSource__Output as _azimuth_storage_v1_FailedSource__Output } from '../../../azimuth/storage/v1/FailedSource';

export interface RebuildShardResponse {
  'isWritten'?: (boolean);
  'failedSources'?: (_azimuth_storage_v1_FailedSource)[];
}

export interface RebuildShardResponse__Output {
  'isWritten': (boolean);
  'failedSources': (_azimuth_storage_v1_FailedSource__Output)[];
}
