// Original file: proto/azimuth/raft/v1/raft.proto

import type { Message as _azimuth_raft_v1_Message, Message__Output as _azimuth_raft_v1_Message__Output } from '../../../azimuth/raft/v1/Message';

export interface MessageBatch {
  'messages'?: (_azimuth_raft_v1_Message)[];
}

export interface MessageBatch__Output {
  'messages': (_azimuth_raft_v1_Message__Output)[];
}
