export type { ClusterView, IdentitySnapshot } from './cluster-view';
export { CUT_OFF_AGE_MS, WATCH_AGE_MAX_MS } from './cluster-view';
export { groupOfBlob, isUnreferenced, resolveBlobs } from './blob-references';
export type { Resolution } from './blob-references';
export { IdentityTable } from './identity-table';
export type { CallOptions, MetadataClient } from './metadata-client';
export { createMetadataClient } from './session-metadata-client';
export type {
  MetadataAdministration,
  MetadataClientOptions,
  WatchingMetadataClient,
} from './session-metadata-client';
export { watchLeaders } from './leader-watch';
export type { LeaderWatch } from './leader-watch';
export { createClusterView } from './watched-cluster-view';
export type { ClosableClusterView, ClusterViewOptions } from './watched-cluster-view';
export { PAGE_BYTES, PAGE_CHECKSUM_BYTES } from './storage-client';
export type {
  ReadShardOptions,
  ShardAddress,
  ShardAttributes,
  ShardListEntry,
  ShardSumReader,
  ShardWriter,
  StorageClient,
} from './storage-client';
export type { SessionIssuer } from './bulk-session';
export type { BulkSessionKey } from './bulk-session';
export { createStorageClient } from './http-storage-client';
export type { StorageClientOptions } from './http-storage-client';
export { checksumTableBytes, pageChecksum, PageChecksums } from './page-checksums';
export { SettingsPrecedence } from './settings-precedence';
export { isShardSumTarget, parseShardSum, SUM_RANGE_BYTES_MAX } from './shard-sum';
export type { ShardSumRequest, ShardSumTerm, SumNode } from './shard-sum';
export { SuspectDisks } from './suspect-disks';
