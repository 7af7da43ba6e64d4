// Original file: proto/azimuth/storage/v1/storage.proto

import type { Long } from '@grpc/proto-loader';

export interface ListShardsRequest {
  'diskId'?: (string);
  'pgId'?: (number | string | Long);
  'afterBlobId'?: (string);
  'limit'?: (number);
}

export interface ListShardsRequest__Output {
  'diskId': (string);
  'pgId': (number);
  'afterBlobId': (string);
  'limit': (number);
}
