export {
  INDEX_SLOT_COUNT,
  indexGroupOfSlot,
  intentKey,
  intentsOf,
  isDiskReadable,
  isDiskWritable,
  isGroupWhole,
  leavingIntent,
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
  Intent,
  IntentKind,
  IntentScope,
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
export { chooseWriteGroup, hasWholeGroup, isZoneSafe, kindOfProfile } from './choose-write-group';
export type { GroupKind, OutagePolicy, WriteGroupChoice } from './choose-write-group';
export { forecastTopology, withIntent, zoneIntentProblem } from './forecast-topology';
export type { ForecastMove, TopologyChange, TopologyForecast } from './forecast-topology';
export { describeReason, groupDurability } from './durability';
export type { GroupDurability, RiskReason, Survival } from './durability';
export {
  forecastInOneZone,
  forecastLayout,
  layoutProblem,
  profileInOneZone,
} from './forecast-layout';
export type {
  Hardware,
  LayoutForecast,
  LayoutProblem,
  OperatingConditions,
} from './forecast-layout';
export { forecastLoss } from './loss-model';
export type { LossRates, ObjectLayout } from './loss-model';
export { describeLosses, survivedLosses, weakestLosses } from './survived-losses';
export type { PlacedReplica, SurvivedLosses } from './survived-losses';
export { DEFAULT_GROUP_PLAN_OPTIONS } from './group-plan';
export type { GroupPlan, GroupPlanOptions, NewGroup } from './group-plan';
export {
  carryOutPlan,
  finishBackfills,
  isEmptyPlan,
  planGroups,
  stateAfterBackfill,
} from './plan-groups';
export { isGivenUp, isLostInZone, isToBeEmptied } from './plan-one-zone';
export { isUnfitTarget, reasonToLeave } from './plan-moves';
export type { MoveOptions, SlotMove } from './plan-moves';
export {
  nodesBesideDomain,
  profileProblem,
  promisedNodes,
  zoneConditionProblem,
} from './zone-condition';
export type { ZoneConditionProblem } from './zone-condition';
