// Original file: proto/azimuth/storage/v1/storage.proto

import type { Long } from '@grpc/proto-loader';

export interface ShardDescription {
  'blobId'?: (string);
  'shardIndex'?: (number);
  'k'?: (number);
  'm'?: (number);
  'blobSizeBytes'?: (number | string | Long);
  'blockBytes'?: (number);
  'sizeBytes'?: (number | string | Long);
}

export interface ShardDescription__Output {
  'blobId': (string);
  'shardIndex': (number);
  'k': (number);
  'm': (number);
  'blobSizeBytes': (number);
  'blockBytes': (number);
  'sizeBytes': (number);
}
