// Original file: proto/azimuth/storage/v1/storage.proto

import type { Long } from '@grpc/proto-loader';

export interface BulkSession {
  'sessionId'?: (string);
  'key'?: (Buffer | Uint8Array | string);
  'expiresMs'?: (number | string | Long);
  'generation'?: (string);
  'issuedMs'?: (number | string | Long);
}

export interface BulkSession__Output {
  'sessionId': (string);
  'key': (Buffer);
  'expiresMs': (number);
  'generation': (string);
  'issuedMs': (number);
}
