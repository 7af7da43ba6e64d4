// Original file: proto/azimuth/raft/v1/raft.proto

import type { Long } from '@grpc/proto-loader';

export interface SnapshotChunk {
  'group'?: (string);
  'from'?: (string);
  'term'?: (number | string | Long);
  'lastIncludedIndex'?: (number | string | Long);
  'lastIncludedTerm'?: (number | string | Long);
  'voters'?: (string)[];
  'offset'?: (number | string | Long);
  'data'?: (Buffer | Uint8Array | string);
  'done'?: (boolean);
  'outgoing'?: (string)[];
  'learners'?: (string)[];
}

export interface SnapshotChunk__Output {
  'group': (string);
  'from': (string);
  'term': (number);
  'lastIncludedIndex': (number);
  'lastIncludedTerm': (number);
  'voters': (string)[];
  'offset': (number);
  'data': (Buffer);
  'done': (boolean);
  'outgoing': (string)[];
  'learners': (string)[];
}
