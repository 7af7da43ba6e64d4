// Original file: proto/azimuth/storage/v1/storage.proto

import type { DiskStatistics as _azimuth_storage_v1_DiskStatistics, DiskStatistics__Output as _azimuth_storage_v1_DiskStatistics__Output } from '../../../azimuth/storage/v1/DiskStatistics';

export interface Statistics {
  'disks'?: (_azimuth_storage_v1_DiskStatistics)[];
}

export interface Statistics__Output {
  'disks': (_azimuth_storage_v1_DiskStatistics__Output)[];
}
