export {
  INDEX_SLOT_COUNT,
  indexGroupOfSlot,
  isDiskReadable,
  isDiskWritable,
  isGroupWhole,
  shardCount,
  SHARDS_PER_BLOB_MAX,
} from './cluster-map';
export type {
  BlobId,
  ClusterMap,
  ClusterSettings,
  DiskEntry,
  DiskId,
  DiskState,
  GroupState,
  NodeId,
  NodeState,
  PlacementGroup,
  Profile,
  StorageNodeEntry,
  ZoneId,
} from './cluster-map';
export { BLOCK_ALIGNMENT_BYTES, stripeLayout } from './stripe-layout';
export type { StripeLayout } from './stripe-layout';
