// Original file: proto/azimuth/raft/v1/raft.proto

import type { Long } from '@grpc/proto-loader';

export interface SnapshotResult {
  'accepted'?: (boolean);
  'term'?: (number | string | Long);
}

export interface SnapshotResult__Output {
  'accepted': (boolean);
  'term': (number);
}
