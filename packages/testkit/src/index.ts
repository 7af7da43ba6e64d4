export { makeShard, putShard, readShard, wireOf } from './conformance/shard-fixture';
export type { ShardFixture } from './conformance/shard-fixture';
export { ShardStoreModel } from './conformance/shard-store-model';
export { runShardStoreCase, seedOfCase, SHARD_STORE_CASES } from './conformance/shard-store-suite';
export type { ShardStoreCase, ShardStoreHarness } from './conformance/shard-store-suite';
export { startDevCluster } from './dev-cluster';
export type {
  DevAction,
  DevCluster,
  DevClusterStart,
  DevExplanation,
  DevProcessDescription,
  DevStatus,
} from './dev-cluster';
export { MemoryIndexBackend } from './memory-index-backend';
export { MemoryMetadataClient } from './memory-metadata-client';
export type { MemoryMetadataOptions } from './memory-metadata-client';
export { naughty } from './naughty';
export type { Misbehaviour } from './naughty';
export { SimDisk } from './sim-disk';
export type { SimDiskOptions, SimFault, SimOperation } from './sim-disk';
export { SimFileDisk } from './sim-file-disk';
export type { SimFile, SimMount } from './sim-file-disk';
export { PERFECT_NETWORK, SimNetwork } from './sim-network';
export type { NetworkFaults } from './sim-network';
export { VirtualClock } from './virtual-clock';
