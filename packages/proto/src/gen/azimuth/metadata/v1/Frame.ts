// Original file: proto/azimuth/metadata/v1/metadata.proto

import type { Long } from '@grpc/proto-loader';

export interface Frame {
  'id'?: (number | string | Long);
  'body'?: (Buffer | Uint8Array | string);
}

export interface Frame__Output {
  'id': (number);
  'body': (Buffer);
}
