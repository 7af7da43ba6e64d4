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
export { chooseReaders } from './choose-readers';
export type { ReaderChoice, ShardReader } from './choose-readers';
export { chooseWriteGroup, isZoneSafe, kindOfProfile } from './choose-write-group';
export type { GroupKind, WriteGroupChoice } from './choose-write-group';
export { blobSurvival } from './durability';
export type { Survival } from './durability';
export { DEFAULT_GROUP_PLAN_OPTIONS, planGroups } from './plan-groups';
export type { GroupPlan, GroupPlanOptions, NewGroup } from './plan-groups';
export { zoneConditionProblem } from './zone-condition';
export type { ZoneConditionProblem } from './zone-condition';
