// Original file: proto/azimuth/storage/v1/storage.proto

import type { Finding as _azimuth_storage_v1_Finding, Finding__Output as _azimuth_storage_v1_Finding__Output } from '../../../azimuth/storage/v1/Finding';

export interface ListFindingsResponse {
  'findings'?: (_azimuth_storage_v1_Finding)[];
}

export interface ListFindingsResponse__Output {
  'findings': (_azimuth_storage_v1_Finding__Output)[];
}
