/**
 * The cluster map: what there is and in which state. Committed in the `root` group, watched by
 * every gateway and curator. Pure data; the functions of this package decide over it.
 */

export type NodeId = string;
export type ZoneId = string;
/** 32 hexadecimal digits, chosen when the disk is formatted; a reformatted disk is another disk. */
export type DiskId = string;
/** 32 hexadecimal digits; see `blob-id.ts` in `@azimuth/proto` for what they say. */
export type BlobId = string;

/** k data shards and m parity shards; k = 1 is replication with m + 1 copies. */
export interface Profile {
  readonly k: number;
  readonly m: number;
}

export type NodeState = 'up' | 'down';

export interface StorageNodeEntry {
  readonly nodeId: NodeId;
  readonly zone: ZoneId;
  readonly host: string;
  /** Port of the HTTP shard server. */
  readonly bulkPort: number;
  /** Port of the gRPC server (sessions, statistics, health). */
  readonly rpcPort: number;
  readonly adminPort: number;
  /** Changes at every start of the process. */
  readonly incarnation: string;
  readonly state: NodeState;
  /** Since when it has been down, by the leader's clock; absent while it is up. */
  readonly downSinceMs?: number;
}

/**
 * `online` takes writes · `full` serves reads and deletes only · `fenced` had a failed fsync: reads
 * only, to be replaced · `lost` will not return: its node lives without it, or an operator said so.
 */
export type DiskState = 'online' | 'full' | 'fenced' | 'lost';

export interface DiskEntry {
  readonly diskId: DiskId;
  readonly nodeId: NodeId;
  readonly zone: ZoneId;
  readonly capacityBytes: number;
  readonly state: DiskState;
  /** When a census proved that nothing referenced is on a disk that is leaving; absent before. */
  readonly drainedMs?: number;
}

export type IntentScope = 'disk' | 'node' | 'zone';

/**
 * What an operator wants of a disk, a node or a zone; one without an intent is in service.
 *
 * `drain` serves on while its slots move to other disks · `replace` the same, without waiting for
 * it to return and for as long as it takes until its successor is there · `retire` will not return:
 * takes no writes, and its slots move · `maintenance` goes away for a while: takes no writes, and
 * none of its slots move.
 */
export type IntentKind = 'drain' | 'replace' | 'retire' | 'maintenance';

export interface Intent {
  readonly scope: IntentScope;
  /** Disk id, node id or zone. */
  readonly name: string;
  readonly kind: IntentKind;
  readonly sinceMs: number;
}

/**
 * `active` takes new blobs · `sealed` takes none (a slot is being backfilled, or it is retired).
 */
export type GroupState = 'active' | 'sealed';

export interface PlacementGroup {
  readonly pgId: number;
  readonly profile: Profile;
  /**
   * Disk of shard i. n = k + m distinct disks; no zone holds more than m of them, and no node of a
   * group that is all in one zone.
   */
  readonly slots: readonly DiskId[];
  readonly state: GroupState;
  /** Opened while no whole normal group was left; its blobs are re-striped when nodes return. */
  readonly isReduced: boolean;
  /** A slot that moves to another disk: shards are rebuilt there before the slot flips. */
  readonly backfill: { readonly slot: number; readonly targetDiskId: DiskId } | null;
  /**
   * The zone of every slot, whose loss is the end of the blobs (storage class ONEZONE_IA). Absent:
   * the group is spread over the zones.
   */
  readonly zone?: ZoneId;
}

/** Fixed when the cluster is created, except for `zones`. */
export interface ClusterSettings {
  readonly clusterId: string;
  readonly region: string;
  readonly zones: readonly ZoneId[];
  /** Profile of bodies above `replicaBytesMax`. */
  readonly erasureProfile: Profile;
  /** Profile of bodies above `inlineBytesMax`, up to `replicaBytesMax`. */
  readonly replicaProfile: Profile;
  readonly inlineBytesMax: number;
  readonly replicaBytesMax: number;
  /** Bytes of one shard in a full stripe. */
  readonly blockBytes: number;
  /** Number of index groups G; the slot table maps 256 slots onto them. */
  readonly indexGroups: number;
  /** What acknowledged data survives: a zone, or a zone and then one more node. Absent: `zone`. */
  readonly survive?: 'zone' | 'zone+1';
}

export interface ClusterMap {
  /** The root log index of the last change. */
  readonly version: number;
  readonly settings: ClusterSettings;
  readonly nodes: ReadonlyMap<NodeId, StorageNodeEntry>;
  readonly disks: ReadonlyMap<DiskId, DiskEntry>;
  readonly groups: ReadonlyMap<number, PlacementGroup>;
  /** By `intentKey`; absent is none. */
  readonly intents?: ReadonlyMap<string, Intent>;
}

export const INDEX_SLOT_COUNT = 256;
export const SHARDS_PER_BLOB_MAX = 32;

/** The group that serves an index slot: `index-0` … `index-(G-1)`, even and fixed. */
export function indexGroupOfSlot(slot: number, indexGroups: number): string {
  return `index-${slot % indexGroups}`;
}

/** True when shards on this disk can be read now. */
export function isDiskReadable(map: ClusterMap, diskId: DiskId): boolean {
  const disk = map.disks.get(diskId);
  if (disk === undefined || disk.state === 'lost') return false;
  return map.nodes.get(disk.nodeId)?.state === 'up';
}

/** True when shards can be written to this disk now. */
export function isDiskWritable(map: ClusterMap, diskId: DiskId): boolean {
  if (!isDiskReadable(map, diskId) || map.disks.get(diskId)?.state !== 'online') return false;
  return intentsOf(map, diskId).every(({ kind }) => kind !== 'maintenance' && kind !== 'retire');
}

/** Names an intent in `ClusterMap.intents`. */
export function intentKey(scope: IntentScope, name: string): string {
  return `${scope}/${name}`;
}

/** The intents that concern a disk: its own, its node's and its zone's. */
export function intentsOf(map: ClusterMap, diskId: DiskId): readonly Intent[] {
  const disk = map.disks.get(diskId);
  if (map.intents === undefined || map.intents.size === 0 || disk === undefined) return NO_INTENTS;
  return [
    map.intents.get(intentKey('disk', diskId)),
    map.intents.get(intentKey('node', disk.nodeId)),
    map.intents.get(intentKey('zone', disk.zone)),
  ].filter((intent) => intent !== undefined);
}

const NO_INTENTS: readonly Intent[] = [];

/** Why a disk is to hold nothing any more; null when it may hold slots. */
export function leavingIntent(map: ClusterMap, diskId: DiskId): Intent | null {
  return intentsOf(map, diskId).find(({ kind }) => kind !== 'maintenance') ?? null;
}

/** Zones that are meant to hold data: all but those that are drained or retired. */
export function zonesInService({ settings, intents }: ClusterMap): readonly ZoneId[] {
  return settings.zones.filter((zone) => {
    const kind = intents?.get(intentKey('zone', zone))?.kind;
    return kind === undefined || kind === 'maintenance';
  });
}

/** True when every slot of the group can be written now. */
export function isGroupWhole(map: ClusterMap, group: PlacementGroup): boolean {
  return group.slots.every((diskId) => isDiskWritable(map, diskId));
}

export function shardCount(profile: Profile): number {
  return profile.k + profile.m;
}
