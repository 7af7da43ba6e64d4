export type { ClusterView } from './cluster-view';
export { WATCH_AGE_MAX_MS } from './cluster-view';
export type { CallOptions, MetadataClient } from './metadata-client';
export { PAGE_BYTES, PAGE_CHECKSUM_BYTES } from './storage-client';
export type {
  ShardAddress,
  ShardAttributes,
  ShardListEntry,
  ShardWriter,
  StorageClient,
} from './storage-client';
