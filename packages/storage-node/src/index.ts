export type { Disk, DiskFile, FreeSpace, OpenMode } from './disk/disk';
export { isSystemError } from './disk/disk';
export { openDiskIdentity } from './disk/disk-identity';
export type { DiskIdentity, DiskOwner } from './disk/disk-identity';
export { FileDisk } from './disk/file-disk';
export { LevelIndexBackend } from './index/index-backend';
export type { IndexBackend, IndexDatabase } from './index/index-backend';
export type { Finding } from './scrubber/findings';
export type { ShardId } from './segment/shard-id';
export { SegmentStore } from './store/segment-store';
export type { SegmentStoreOptions } from './store/segment-store';
export type {
  ShardRange,
  ShardReader,
  ShardStore,
  ShardStoreStatistics,
  ShardUpload,
  ShardVerdict,
} from './store/shard-store';
export { silentObserver } from './store/store-observer';
export type { StoreObserver } from './store/store-observer';
export { runStorage } from './main';
export { startStorageNode } from './storage-node';
export type { StorageNode, StorageNodeSettings, StorageNodeWiring } from './storage-node';
