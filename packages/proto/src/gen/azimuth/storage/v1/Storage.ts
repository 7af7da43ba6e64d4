// Original file: proto/azimuth/storage/v1/storage.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { BulkSession as _azimuth_storage_v1_BulkSession, BulkSession__Output as _azimuth_storage_v1_BulkSession__Output } from '../../../azimuth/storage/v1/BulkSession';
import type { GetHealthRequest as _azimuth_storage_v1_GetHealthRequest, GetHealthRequest__Output as _azimuth_storage_v1_GetHealthRequest__Output } from '../../../azimuth/storage/v1/GetHealthRequest';
import type { GetStatisticsRequest as _azimuth_storage_v1_GetStatisticsRequest, GetStatisticsRequest__Output as _azimuth_storage_v1_GetStatisticsRequest__Output } from '../../../azimuth/storage/v1/GetStatisticsRequest';
import type { Health as _azimuth_storage_v1_Health, Health__Output as _azimuth_storage_v1_Health__Output } from '../../../azimuth/storage/v1/Health';
import type { IssueSessionRequest as _azimuth_storage_v1_IssueSessionRequest, IssueSessionRequest__Output as _azimuth_storage_v1_IssueSessionRequest__Output } from '../../../azimuth/storage/v1/IssueSessionRequest';
import type { ListFindingsRequest as _azimuth_storage_v1_ListFindingsRequest, ListFindingsRequest__Output as _azimuth_storage_v1_ListFindingsRequest__Output } from '../../../azimuth/storage/v1/ListFindingsRequest';
import type { ListFindingsResponse as _azimuth_storage_v1_ListFindingsResponse, ListFindingsResponse__Output as _azimuth_storage_v1_ListFindingsResponse__Output } from '../../../azimuth/storage/v1/ListFindingsResponse';
import type { ListShardsRequest as _azimuth_storage_v1_ListShardsRequest, ListShardsRequest__Output as _azimuth_storage_v1_ListShardsRequest__Output } from '../../../azimuth/storage/v1/ListShardsRequest';
import type { ListShardsResponse as _azimuth_storage_v1_ListShardsResponse, ListShardsResponse__Output as _azimuth_storage_v1_ListShardsResponse__Output } from '../../../azimuth/storage/v1/ListShardsResponse';
import type { RebuildShardRequest as _azimuth_storage_v1_RebuildShardRequest, RebuildShardRequest__Output as _azimuth_storage_v1_RebuildShardRequest__Output } from '../../../azimuth/storage/v1/RebuildShardRequest';
import type { RebuildShardResponse as _azimuth_storage_v1_RebuildShardResponse, RebuildShardResponse__Output as _azimuth_storage_v1_RebuildShardResponse__Output } from '../../../azimuth/storage/v1/RebuildShardResponse';
import type { Statistics as _azimuth_storage_v1_Statistics, Statistics__Output as _azimuth_storage_v1_Statistics__Output } from '../../../azimuth/storage/v1/Statistics';
import type { VerifyShardsRequest as _azimuth_storage_v1_VerifyShardsRequest, VerifyShardsRequest__Output as _azimuth_storage_v1_VerifyShardsRequest__Output } from '../../../azimuth/storage/v1/VerifyShardsRequest';
import type { VerifyShardsResponse as _azimuth_storage_v1_VerifyShardsResponse, VerifyShardsResponse__Output as _azimuth_storage_v1_VerifyShardsResponse__Output } from '../../../azimuth/storage/v1/VerifyShardsResponse';

export interface StorageClient extends grpc.Client {
  GetHealth(argument: _azimuth_storage_v1_GetHealthRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_storage_v1_Health__Output>): grpc.ClientUnaryCall;
  GetHealth(argument: _azimuth_storage_v1_GetHealthRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_azimuth_storage_v1_Health__Output>): grpc.ClientUnaryCall;
  GetHealth(argument: _azimuth_storage_v1_GetHealthRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_storage_v1_Health__Output>): grpc.ClientUnaryCall;
  GetHealth(argument: _azimuth_storage_v1_GetHealthRequest, callback: grpc.requestCallback<_azimuth_storage_v1_Health__Output>): grpc.ClientUnaryCall;
  getHealth(argument: _azimuth_storage_v1_GetHealthRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_storage_v1_Health__Output>): grpc.ClientUnaryCall;
  getHealth(argument: _azimuth_storage_v1_GetHealthRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_azimuth_storage_v1_Health__Output>): grpc.ClientUnaryCall;
  getHealth(argument: _azimuth_storage_v1_GetHealthRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_storage_v1_Health__Output>): grpc.ClientUnaryCall;
  getHealth(argument: _azimuth_storage_v1_GetHealthRequest, callback: grpc.requestCallback<_azimuth_storage_v1_Health__Output>): grpc.ClientUnaryCall;
  
  GetStatistics(argument: _azimuth_storage_v1_GetStatisticsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_storage_v1_Statistics__Output>): grpc.ClientUnaryCall;
  GetStatistics(argument: _azimuth_storage_v1_GetStatisticsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_azimuth_storage_v1_Statistics__Output>): grpc.ClientUnaryCall;
  GetStatistics(argument: _azimuth_storage_v1_GetStatisticsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_storage_v1_Statistics__Output>): grpc.ClientUnaryCall;
  GetStatistics(argument: _azimuth_storage_v1_GetStatisticsRequest, callback: grpc.requestCallback<_azimuth_storage_v1_Statistics__Output>): grpc.ClientUnaryCall;
  getStatistics(argument: _azimuth_storage_v1_GetStatisticsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_storage_v1_Statistics__Output>): grpc.ClientUnaryCall;
  getStatistics(argument: _azimuth_storage_v1_GetStatisticsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_azimuth_storage_v1_Statistics__Output>): grpc.ClientUnaryCall;
  getStatistics(argument: _azimuth_storage_v1_GetStatisticsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_storage_v1_Statistics__Output>): grpc.ClientUnaryCall;
  getStatistics(argument: _azimuth_storage_v1_GetStatisticsRequest, callback: grpc.requestCallback<_azimuth_storage_v1_Statistics__Output>): grpc.ClientUnaryCall;
  
  IssueSession(argument: _azimuth_storage_v1_IssueSessionRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_storage_v1_BulkSession__Output>): grpc.ClientUnaryCall;
  IssueSession(argument: _azimuth_storage_v1_IssueSessionRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_azimuth_storage_v1_BulkSession__Output>): grpc.ClientUnaryCall;
  IssueSession(argument: _azimuth_storage_v1_IssueSessionRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_storage_v1_BulkSession__Output>): grpc.ClientUnaryCall;
  IssueSession(argument: _azimuth_storage_v1_IssueSessionRequest, callback: grpc.requestCallback<_azimuth_storage_v1_BulkSession__Output>): grpc.ClientUnaryCall;
  issueSession(argument: _azimuth_storage_v1_IssueSessionRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_storage_v1_BulkSession__Output>): grpc.ClientUnaryCall;
  issueSession(argument: _azimuth_storage_v1_IssueSessionRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_azimuth_storage_v1_BulkSession__Output>): grpc.ClientUnaryCall;
  issueSession(argument: _azimuth_storage_v1_IssueSessionRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_storage_v1_BulkSession__Output>): grpc.ClientUnaryCall;
  issueSession(argument: _azimuth_storage_v1_IssueSessionRequest, callback: grpc.requestCallback<_azimuth_storage_v1_BulkSession__Output>): grpc.ClientUnaryCall;
  
  ListFindings(argument: _azimuth_storage_v1_ListFindingsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_storage_v1_ListFindingsResponse__Output>): grpc.ClientUnaryCall;
  ListFindings(argument: _azimuth_storage_v1_ListFindingsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_azimuth_storage_v1_ListFindingsResponse__Output>): grpc.ClientUnaryCall;
  ListFindings(argument: _azimuth_storage_v1_ListFindingsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_storage_v1_ListFindingsResponse__Output>): grpc.ClientUnaryCall;
  ListFindings(argument: _azimuth_storage_v1_ListFindingsRequest, callback: grpc.requestCallback<_azimuth_storage_v1_ListFindingsResponse__Output>): grpc.ClientUnaryCall;
  listFindings(argument: _azimuth_storage_v1_ListFindingsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_storage_v1_ListFindingsResponse__Output>): grpc.ClientUnaryCall;
  listFindings(argument: _azimuth_storage_v1_ListFindingsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_azimuth_storage_v1_ListFindingsResponse__Output>): grpc.ClientUnaryCall;
  listFindings(argument: _azimuth_storage_v1_ListFindingsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_storage_v1_ListFindingsResponse__Output>): grpc.ClientUnaryCall;
  listFindings(argument: _azimuth_storage_v1_ListFindingsRequest, callback: grpc.requestCallback<_azimuth_storage_v1_ListFindingsResponse__Output>): grpc.ClientUnaryCall;
  
  ListShards(argument: _azimuth_storage_v1_ListShardsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_storage_v1_ListShardsResponse__Output>): grpc.ClientUnaryCall;
  ListShards(argument: _azimuth_storage_v1_ListShardsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_azimuth_storage_v1_ListShardsResponse__Output>): grpc.ClientUnaryCall;
  ListShards(argument: _azimuth_storage_v1_ListShardsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_storage_v1_ListShardsResponse__Output>): grpc.ClientUnaryCall;
  ListShards(argument: _azimuth_storage_v1_ListShardsRequest, callback: grpc.requestCallback<_azimuth_storage_v1_ListShardsResponse__Output>): grpc.ClientUnaryCall;
  listShards(argument: _azimuth_storage_v1_ListShardsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_storage_v1_ListShardsResponse__Output>): grpc.ClientUnaryCall;
  listShards(argument: _azimuth_storage_v1_ListShardsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_azimuth_storage_v1_ListShardsResponse__Output>): grpc.ClientUnaryCall;
  listShards(argument: _azimuth_storage_v1_ListShardsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_storage_v1_ListShardsResponse__Output>): grpc.ClientUnaryCall;
  listShards(argument: _azimuth_storage_v1_ListShardsRequest, callback: grpc.requestCallback<_azimuth_storage_v1_ListShardsResponse__Output>): grpc.ClientUnaryCall;
  
  RebuildShard(argument: _azimuth_storage_v1_RebuildShardRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_storage_v1_RebuildShardResponse__Output>): grpc.ClientUnaryCall;
  RebuildShard(argument: _azimuth_storage_v1_RebuildShardRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_azimuth_storage_v1_RebuildShardResponse__Output>): grpc.ClientUnaryCall;
  RebuildShard(argument: _azimuth_storage_v1_RebuildShardRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_storage_v1_RebuildShardResponse__Output>): grpc.ClientUnaryCall;
  RebuildShard(argument: _azimuth_storage_v1_RebuildShardRequest, callback: grpc.requestCallback<_azimuth_storage_v1_RebuildShardResponse__Output>): grpc.ClientUnaryCall;
  rebuildShard(argument: _azimuth_storage_v1_RebuildShardRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_storage_v1_RebuildShardResponse__Output>): grpc.ClientUnaryCall;
  rebuildShard(argument: _azimuth_storage_v1_RebuildShardRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_azimuth_storage_v1_RebuildShardResponse__Output>): grpc.ClientUnaryCall;
  rebuildShard(argument: _azimuth_storage_v1_RebuildShardRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_storage_v1_RebuildShardResponse__Output>): grpc.ClientUnaryCall;
  rebuildShard(argument: _azimuth_storage_v1_RebuildShardRequest, callback: grpc.requestCallback<_azimuth_storage_v1_RebuildShardResponse__Output>): grpc.ClientUnaryCall;
  
  VerifyShards(argument: _azimuth_storage_v1_VerifyShardsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_storage_v1_VerifyShardsResponse__Output>): grpc.ClientUnaryCall;
  VerifyShards(argument: _azimuth_storage_v1_VerifyShardsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_azimuth_storage_v1_VerifyShardsResponse__Output>): grpc.ClientUnaryCall;
  VerifyShards(argument: _azimuth_storage_v1_VerifyShardsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_storage_v1_VerifyShardsResponse__Output>): grpc.ClientUnaryCall;
  VerifyShards(argument: _azimuth_storage_v1_VerifyShardsRequest, callback: grpc.requestCallback<_azimuth_storage_v1_VerifyShardsResponse__Output>): grpc.ClientUnaryCall;
  verifyShards(argument: _azimuth_storage_v1_VerifyShardsRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_storage_v1_VerifyShardsResponse__Output>): grpc.ClientUnaryCall;
  verifyShards(argument: _azimuth_storage_v1_VerifyShardsRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_azimuth_storage_v1_VerifyShardsResponse__Output>): grpc.ClientUnaryCall;
  verifyShards(argument: _azimuth_storage_v1_VerifyShardsRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_azimuth_storage_v1_VerifyShardsResponse__Output>): grpc.ClientUnaryCall;
  verifyShards(argument: _azimuth_storage_v1_VerifyShardsRequest, callback: grpc.requestCallback<_azimuth_storage_v1_VerifyShardsResponse__Output>): grpc.ClientUnaryCall;
  
}

export interface StorageHandlers extends grpc.UntypedServiceImplementation {
  GetHealth: grpc.handleUnaryCall<_azimuth_storage_v1_GetHealthRequest__Output, _azimuth_storage_v1_Health>;
  
  GetStatistics: grpc.handleUnaryCall<_azimuth_storage_v1_GetStatisticsRequest__Output, _azimuth_storage_v1_Statistics>;
  
  IssueSession: grpc.handleUnaryCall<_azimuth_storage_v1_IssueSessionRequest__Output, _azimuth_storage_v1_BulkSession>;
  
  ListFindings: grpc.handleUnaryCall<_azimuth_storage_v1_ListFindingsRequest__Output, _azimuth_storage_v1_ListFindingsResponse>;
  
  ListShards: grpc.handleUnaryCall<_azimuth_storage_v1_ListShardsRequest__Output, _azimuth_storage_v1_ListShardsResponse>;
  
  RebuildShard: grpc.handleUnaryCall<_azimuth_storage_v1_RebuildShardRequest__Output, _azimuth_storage_v1_RebuildShardResponse>;
  
  VerifyShards: grpc.handleUnaryCall<_azimuth_storage_v1_VerifyShardsRequest__Output, _azimuth_storage_v1_VerifyShardsResponse>;
  
}

export interface StorageDefinition extends grpc.ServiceDefinition {
  GetHealth: MethodDefinition<_azimuth_storage_v1_GetHealthRequest, _azimuth_storage_v1_Health, _azimuth_storage_v1_GetHealthRequest__Output, _azimuth_storage_v1_Health__Output>
  GetStatistics: MethodDefinition<_azimuth_storage_v1_GetStatisticsRequest, _azimuth_storage_v1_Statistics, _azimuth_storage_v1_GetStatisticsRequest__Output, _azimuth_storage_v1_Statistics__Output>
  IssueSession: MethodDefinition<_azimuth_storage_v1_IssueSessionRequest, _azimuth_storage_v1_BulkSession, _azimuth_storage_v1_IssueSessionRequest__Output, _azimuth_storage_v1_BulkSession__Output>
  ListFindings: MethodDefinition<_azimuth_storage_v1_ListFindingsRequest, _azimuth_storage_v1_ListFindingsResponse, _azimuth_storage_v1_ListFindingsRequest__Output, _azimuth_storage_v1_ListFindingsResponse__Output>
  ListShards: MethodDefinition<_azimuth_storage_v1_ListShardsRequest, _azimuth_storage_v1_ListShardsResponse, _azimuth_storage_v1_ListShardsRequest__Output, _azimuth_storage_v1_ListShardsResponse__Output>
  RebuildShard: MethodDefinition<_azimuth_storage_v1_RebuildShardRequest, _azimuth_storage_v1_RebuildShardResponse, _azimuth_storage_v1_RebuildShardRequest__Output, _azimuth_storage_v1_RebuildShardResponse__Output>
  VerifyShards: MethodDefinition<_azimuth_storage_v1_VerifyShardsRequest, _azimuth_storage_v1_VerifyShardsResponse, _azimuth_storage_v1_VerifyShardsRequest__Output, _azimuth_storage_v1_VerifyShardsResponse__Output>
}
