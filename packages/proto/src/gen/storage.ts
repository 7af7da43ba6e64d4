import type * as grpc from '@grpc/grpc-js';
import type { EnumTypeDefinition, MessageTypeDefinition } from '@grpc/proto-loader';

import type { BulkSession as _azimuth_storage_v1_BulkSession, BulkSession__Output as _azimuth_storage_v1_BulkSession__Output } from './azimuth/storage/v1/BulkSession';
import type { DiskStatistics as _azimuth_storage_v1_DiskStatistics, DiskStatistics__Output as _azimuth_storage_v1_DiskStatistics__Output } from './azimuth/storage/v1/DiskStatistics';
import type { FailedSource as _azimuth_storage_v1_FailedSource, FailedSource__Output as _azimuth_storage_v1_FailedSource__Output } from './azimuth/storage/v1/FailedSource';
import type { Finding as _azimuth_storage_v1_Finding, Finding__Output as _azimuth_storage_v1_Finding__Output } from './azimuth/storage/v1/Finding';
import type { GetHealthRequest as _azimuth_storage_v1_GetHealthRequest, GetHealthRequest__Output as _azimuth_storage_v1_GetHealthRequest__Output } from './azimuth/storage/v1/GetHealthRequest';
import type { GetStatisticsRequest as _azimuth_storage_v1_GetStatisticsRequest, GetStatisticsRequest__Output as _azimuth_storage_v1_GetStatisticsRequest__Output } from './azimuth/storage/v1/GetStatisticsRequest';
import type { Health as _azimuth_storage_v1_Health, Health__Output as _azimuth_storage_v1_Health__Output } from './azimuth/storage/v1/Health';
import type { IssueSessionRequest as _azimuth_storage_v1_IssueSessionRequest, IssueSessionRequest__Output as _azimuth_storage_v1_IssueSessionRequest__Output } from './azimuth/storage/v1/IssueSessionRequest';
import type { ListFindingsRequest as _azimuth_storage_v1_ListFindingsRequest, ListFindingsRequest__Output as _azimuth_storage_v1_ListFindingsRequest__Output } from './azimuth/storage/v1/ListFindingsRequest';
import type { ListFindingsResponse as _azimuth_storage_v1_ListFindingsResponse, ListFindingsResponse__Output as _azimuth_storage_v1_ListFindingsResponse__Output } from './azimuth/storage/v1/ListFindingsResponse';
import type { ListShardsRequest as _azimuth_storage_v1_ListShardsRequest, ListShardsRequest__Output as _azimuth_storage_v1_ListShardsRequest__Output } from './azimuth/storage/v1/ListShardsRequest';
import type { ListShardsResponse as _azimuth_storage_v1_ListShardsResponse, ListShardsResponse__Output as _azimuth_storage_v1_ListShardsResponse__Output } from './azimuth/storage/v1/ListShardsResponse';
import type { RebuildShardRequest as _azimuth_storage_v1_RebuildShardRequest, RebuildShardRequest__Output as _azimuth_storage_v1_RebuildShardRequest__Output } from './azimuth/storage/v1/RebuildShardRequest';
import type { RebuildShardResponse as _azimuth_storage_v1_RebuildShardResponse, RebuildShardResponse__Output as _azimuth_storage_v1_RebuildShardResponse__Output } from './azimuth/storage/v1/RebuildShardResponse';
import type { RebuildSource as _azimuth_storage_v1_RebuildSource, RebuildSource__Output as _azimuth_storage_v1_RebuildSource__Output } from './azimuth/storage/v1/RebuildSource';
import type { ShardDescription as _azimuth_storage_v1_ShardDescription, ShardDescription__Output as _azimuth_storage_v1_ShardDescription__Output } from './azimuth/storage/v1/ShardDescription';
import type { ShardName as _azimuth_storage_v1_ShardName, ShardName__Output as _azimuth_storage_v1_ShardName__Output } from './azimuth/storage/v1/ShardName';
import type { Statistics as _azimuth_storage_v1_Statistics, Statistics__Output as _azimuth_storage_v1_Statistics__Output } from './azimuth/storage/v1/Statistics';
import type { StorageClient as _azimuth_storage_v1_StorageClient, StorageDefinition as _azimuth_storage_v1_StorageDefinition } from './azimuth/storage/v1/Storage';
import type { VerifyShardsRequest as _azimuth_storage_v1_VerifyShardsRequest, VerifyShardsRequest__Output as _azimuth_storage_v1_VerifyShardsRequest__Output } from './azimuth/storage/v1/VerifyShardsRequest';
import type { VerifyShardsResponse as _azimuth_storage_v1_VerifyShardsResponse, VerifyShardsResponse__Output as _azimuth_storage_v1_VerifyShardsResponse__Output } from './azimuth/storage/v1/VerifyShardsResponse';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  azimuth: {
    storage: {
      v1: {
        BulkSession: MessageTypeDefinition<_azimuth_storage_v1_BulkSession, _azimuth_storage_v1_BulkSession__Output>
        DiskStatistics: MessageTypeDefinition<_azimuth_storage_v1_DiskStatistics, _azimuth_storage_v1_DiskStatistics__Output>
        FailedSource: MessageTypeDefinition<_azimuth_storage_v1_FailedSource, _azimuth_storage_v1_FailedSource__Output>
        Finding: MessageTypeDefinition<_azimuth_storage_v1_Finding, _azimuth_storage_v1_Finding__Output>
        GetHealthRequest: MessageTypeDefinition<_azimuth_storage_v1_GetHealthRequest, _azimuth_storage_v1_GetHealthRequest__Output>
        GetStatisticsRequest: MessageTypeDefinition<_azimuth_storage_v1_GetStatisticsRequest, _azimuth_storage_v1_GetStatisticsRequest__Output>
        Health: MessageTypeDefinition<_azimuth_storage_v1_Health, _azimuth_storage_v1_Health__Output>
        IssueSessionRequest: MessageTypeDefinition<_azimuth_storage_v1_IssueSessionRequest, _azimuth_storage_v1_IssueSessionRequest__Output>
        ListFindingsRequest: MessageTypeDefinition<_azimuth_storage_v1_ListFindingsRequest, _azimuth_storage_v1_ListFindingsRequest__Output>
        ListFindingsResponse: MessageTypeDefinition<_azimuth_storage_v1_ListFindingsResponse, _azimuth_storage_v1_ListFindingsResponse__Output>
        ListShardsRequest: MessageTypeDefinition<_azimuth_storage_v1_ListShardsRequest, _azimuth_storage_v1_ListShardsRequest__Output>
        ListShardsResponse: MessageTypeDefinition<_azimuth_storage_v1_ListShardsResponse, _azimuth_storage_v1_ListShardsResponse__Output>
        RebuildShardRequest: MessageTypeDefinition<_azimuth_storage_v1_RebuildShardRequest, _azimuth_storage_v1_RebuildShardRequest__Output>
        RebuildShardResponse: MessageTypeDefinition<_azimuth_storage_v1_RebuildShardResponse, _azimuth_storage_v1_RebuildShardResponse__Output>
        RebuildSource: MessageTypeDefinition<_azimuth_storage_v1_RebuildSource, _azimuth_storage_v1_RebuildSource__Output>
        ShardDescription: MessageTypeDefinition<_azimuth_storage_v1_ShardDescription, _azimuth_storage_v1_ShardDescription__Output>
        ShardName: MessageTypeDefinition<_azimuth_storage_v1_ShardName, _azimuth_storage_v1_ShardName__Output>
        ShardVerdict: EnumTypeDefinition
        Statistics: MessageTypeDefinition<_azimuth_storage_v1_Statistics, _azimuth_storage_v1_Statistics__Output>
        Storage: SubtypeConstructor<typeof grpc.Client, _azimuth_storage_v1_StorageClient> & { service: _azimuth_storage_v1_StorageDefinition }
        VerifyShardsRequest: MessageTypeDefinition<_azimuth_storage_v1_VerifyShardsRequest, _azimuth_storage_v1_VerifyShardsRequest__Output>
        VerifyShardsResponse: MessageTypeDefinition<_azimuth_storage_v1_VerifyShardsResponse, _azimuth_storage_v1_VerifyShardsResponse__Output>
      }
    }
  }
}

