// Original file: proto/azimuth/raft/v1/raft.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { MessageBatch as _azimuth_raft_v1_MessageBatch, MessageBatch__Output as _azimuth_raft_v1_MessageBatch__Output } from '../../../azimuth/raft/v1/MessageBatch';
import type { SnapshotChunk as _azimuth_raft_v1_SnapshotChunk, SnapshotChunk__Output as _azimuth_raft_v1_SnapshotChunk__Output } from '../../../azimuth/raft/v1/SnapshotChunk';
import type { SnapshotResult as _azimuth_raft_v1_SnapshotResult, SnapshotResult__Output as _azimuth_raft_v1_SnapshotResult__Output } from '../../../azimuth/raft/v1/SnapshotResult';
import type { StreamEnd as _azimuth_raft_v1_StreamEnd, StreamEnd__Output as _azimuth_raft_v1_StreamEnd__Output } from '../../../azimuth/raft/v1/StreamEnd';

export interface RaftClient extends grpc.Client {
  InstallSnapshot(metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_raft_v1_SnapshotResult__Output>): grpc.ClientWritableStream<_azimuth_raft_v1_SnapshotChunk>;
  InstallSnapshot(metadata: grpc.Metadata, callback: grpc.requestCallback<_azimuth_raft_v1_SnapshotResult__Output>): grpc.ClientWritableStream<_azimuth_raft_v1_SnapshotChunk>;
  InstallSnapshot(options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_raft_v1_SnapshotResult__Output>): grpc.ClientWritableStream<_azimuth_raft_v1_SnapshotChunk>;
  InstallSnapshot(callback: grpc.requestCallback<_azimuth_raft_v1_SnapshotResult__Output>): grpc.ClientWritableStream<_azimuth_raft_v1_SnapshotChunk>;
  installSnapshot(metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_raft_v1_SnapshotResult__Output>): grpc.ClientWritableStream<_azimuth_raft_v1_SnapshotChunk>;
  installSnapshot(metadata: grpc.Metadata, callback: grpc.requestCallback<_azimuth_raft_v1_SnapshotResult__Output>): grpc.ClientWritableStream<_azimuth_raft_v1_SnapshotChunk>;
  installSnapshot(options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_raft_v1_SnapshotResult__Output>): grpc.ClientWritableStream<_azimuth_raft_v1_SnapshotChunk>;
  installSnapshot(callback: grpc.requestCallback<_azimuth_raft_v1_SnapshotResult__Output>): grpc.ClientWritableStream<_azimuth_raft_v1_SnapshotChunk>;
  
  Messages(metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_raft_v1_StreamEnd__Output>): grpc.ClientWritableStream<_azimuth_raft_v1_MessageBatch>;
  Messages(metadata: grpc.Metadata, callback: grpc.requestCallback<_azimuth_raft_v1_StreamEnd__Output>): grpc.ClientWritableStream<_azimuth_raft_v1_MessageBatch>;
  Messages(options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_raft_v1_StreamEnd__Output>): grpc.ClientWritableStream<_azimuth_raft_v1_MessageBatch>;
  Messages(callback: grpc.requestCallback<_azimuth_raft_v1_StreamEnd__Output>): grpc.ClientWritableStream<_azimuth_raft_v1_MessageBatch>;
  messages(metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_raft_v1_StreamEnd__Output>): grpc.ClientWritableStream<_azimuth_raft_v1_MessageBatch>;
  messages(metadata: grpc.Metadata, callback: grpc.requestCallback<_azimuth_raft_v1_StreamEnd__Output>): grpc.ClientWritableStream<_azimuth_raft_v1_MessageBatch>;
  messages(options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_raft_v1_StreamEnd__Output>): grpc.ClientWritableStream<_azimuth_raft_v1_MessageBatch>;
  messages(callback: grpc.requestCallback<_azimuth_raft_v1_StreamEnd__Output>): grpc.ClientWritableStream<_azimuth_raft_v1_MessageBatch>;
  
}

export interface RaftHandlers extends grpc.UntypedServiceImplementation {
  InstallSnapshot: grpc.handleClientStreamingCall<_azimuth_raft_v1_SnapshotChunk__Output, _azimuth_raft_v1_SnapshotResult>;
  
  Messages: grpc.handleClientStreamingCall<_azimuth_raft_v1_MessageBatch__Output, _azimuth_raft_v1_StreamEnd>;
  
}

export interface RaftDefinition extends grpc.ServiceDefinition {
  InstallSnapshot: MethodDefinition<_azimuth_raft_v1_SnapshotChunk, _azimuth_raft_v1_SnapshotResult, _azimuth_raft_v1_SnapshotChunk__Output, _azimuth_raft_v1_SnapshotResult__Output>
  Messages: MethodDefinition<_azimuth_raft_v1_MessageBatch, _azimuth_raft_v1_StreamEnd, _azimuth_raft_v1_MessageBatch__Output, _azimuth_raft_v1_StreamEnd__Output>
}
