// Original file: proto/azimuth/raft/v1/raft.proto

import type { MessageType as _azimuth_raft_v1_MessageType, MessageType__Output as _azimuth_raft_v1_MessageType__Output } from '../../../azimuth/raft/v1/MessageType';
import type { Entry as _azimuth_raft_v1_Entry, Entry__Output as _azimuth_raft_v1_Entry__Output } from '../../../azimuth/raft/v1/Entry';
import type { Long } from '@grpc/proto-loader';

export interface Message {
  'group'?: (string);
  'type'?: (_azimuth_raft_v1_MessageType);
  'from'?: (string);
  'to'?: (string);
  'term'?: (number | string | Long);
  'prevLogIndex'?: (number | string | Long);
  'prevLogTerm'?: (number | string | Long);
  'entries'?: (_azimuth_raft_v1_Entry)[];
  'leaderCommit'?: (number | string | Long);
  'success'?: (boolean);
  'matchIndex'?: (number | string | Long);
  'conflictIndex'?: (number | string | Long);
  'conflictTerm'?: (number | string | Long);
  'lastLogIndex'?: (number | string | Long);
  'lastLogTerm'?: (number | string | Long);
  'voteGranted'?: (boolean);
  'leadershipTransfer'?: (boolean);
  'readContext'?: (number | string | Long);
  'readIndex'?: (number | string | Long);
  'logDamaged'?: (boolean);
  'rejoinNonce'?: (number | string | Long);
}

export interface Message__Output {
  'group': (string);
  'type': (_azimuth_raft_v1_MessageType__Output);
  'from': (string);
  'to': (string);
  'term': (number);
  'prevLogIndex': (number);
  'prevLogTerm': (number);
  'entries': (_azimuth_raft_v1_Entry__Output)[];
  'leaderCommit': (number);
  'success': (boolean);
  'matchIndex': (number);
  'conflictIndex': (number);
  'conflictTerm': (number);
  'lastLogIndex': (number);
  'lastLogTerm': (number);
  'voteGranted': (boolean);
  'leadershipTransfer': (boolean);
  'readContext': (number);
  'readIndex': (number);
  'logDamaged': (boolean);
  'rejoinNonce': (number);
}
