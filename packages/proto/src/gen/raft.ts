import type * as grpc from '@grpc/grpc-js';
import type { EnumTypeDefinition, MessageTypeDefinition } from '@grpc/proto-loader';

import type { Entry as _azimuth_raft_v1_Entry, Entry__Output as _azimuth_raft_v1_Entry__Output } from './azimuth/raft/v1/Entry';
import type { Message as _azimuth_raft_v1_Message, Message__Output as _azimuth_raft_v1_Message__Output } from './azimuth/raft/v1/Message';
import type { MessageBatch as _azimuth_raft_v1_MessageBatch, MessageBatch__Output as _azimuth_raft_v1_MessageBatch__Output } from './azimuth/raft/v1/MessageBatch';
import type { RaftClient as _azimuth_raft_v1_RaftClient, RaftDefinition as _azimuth_raft_v1_RaftDefinition } from './azimuth/raft/v1/Raft';
import type { SnapshotChunk as _azimuth_raft_v1_SnapshotChunk, SnapshotChunk__Output as _azimuth_raft_v1_SnapshotChunk__Output } from './azimuth/raft/v1/SnapshotChunk';
import type { SnapshotResult as _azimuth_raft_v1_SnapshotResult, SnapshotResult__Output as _azimuth_raft_v1_SnapshotResult__Output } from './azimuth/raft/v1/SnapshotResult';
import type { StreamEnd as _azimuth_raft_v1_StreamEnd, StreamEnd__Output as _azimuth_raft_v1_StreamEnd__Output } from './azimuth/raft/v1/StreamEnd';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  azimuth: {
    raft: {
      v1: {
        Entry: MessageTypeDefinition<_azimuth_raft_v1_Entry, _azimuth_raft_v1_Entry__Output>
        Message: MessageTypeDefinition<_azimuth_raft_v1_Message, _azimuth_raft_v1_Message__Output>
        MessageBatch: MessageTypeDefinition<_azimuth_raft_v1_MessageBatch, _azimuth_raft_v1_MessageBatch__Output>
        MessageType: EnumTypeDefinition
        Raft: SubtypeConstructor<typeof grpc.Client, _azimuth_raft_v1_RaftClient> & { service: _azimuth_raft_v1_RaftDefinition }
        SnapshotChunk: MessageTypeDefinition<_azimuth_raft_v1_SnapshotChunk, _azimuth_raft_v1_SnapshotChunk__Output>
        SnapshotResult: MessageTypeDefinition<_azimuth_raft_v1_SnapshotResult, _azimuth_raft_v1_SnapshotResult__Output>
        StreamEnd: MessageTypeDefinition<_azimuth_raft_v1_StreamEnd, _azimuth_raft_v1_StreamEnd__Output>
      }
    }
  }
}

