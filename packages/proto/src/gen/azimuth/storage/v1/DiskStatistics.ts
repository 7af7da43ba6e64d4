// Original file: proto/azimuth/storage/v1/storage.proto

import type { Long } from '@grpc/proto-loader';

export interface DiskStatistics {
  'diskId'?: (string);
  'state'?: (string);
  'capacityBytes'?: (number | string | Long);
  'usedBytes'?: (number | string | Long);
  'shardCount'?: (number | string | Long);
  'corruptShards'?: (number | string | Long);
  'scrubbedBytes'?: (number | string | Long);
  'scrubTourStartedMs'?: (number | string | Long);
  'scrubTourBytes'?: (number | string | Long);
  'scrubShare'?: (number | string);
  'scrubExpectedEndMs'?: (number | string | Long);
  'scrubLastPassMs'?: (number | string | Long);
  'isScrubLate'?: (boolean);
}

export interface DiskStatistics__Output {
  'diskId': (string);
  'state': (string);
  'capacityBytes': (number);
  'usedBytes': (number);
  'shardCount': (number);
  'corruptShards': (number);
  'scrubbedBytes': (number);
  'scrubTourStartedMs': (number);
  'scrubTourBytes': (number);
  'scrubShare': (number);
  'scrubExpectedEndMs': (number);
  'scrubLastPassMs': (number);
  'isScrubLate': (boolean);
}
