import { isDiskReadable } from './cluster-map';
import type { ClusterMap, DiskId, NodeId, PlacementGroup, ZoneId } from './cluster-map';
import { describeLosses, survivedLosses } from './survived-losses';
import type { SurvivedLosses } from './survived-losses';

/** What a blob of a group still survives, given the shards that are there. */
export interface Survival {
  readonly shardsPresent: number;
  readonly shardsTotal: number;
  /** Shards, so disks, that may still be lost; negative when the blob cannot be read. */
  readonly spareShards: number;
  readonly losses: SurvivedLosses;
  /** Zones each of which would be the end of it. */
  readonly fatalZones: readonly ZoneId[];
  /** See {@link blobSurvival}. */
  readonly risk: 'none' | 'degraded' | 'at-risk' | 'lost';
  readonly text: string;
}

/**
 * Exact, over where the present shards are. `degraded`: shards are missing. `at-risk`: no further
 * shard may be lost. `lost`: fewer than k shards can be read now; those on nodes that are down may
 * return.
 */
export function blobSurvival(
  map: ClusterMap,
  group: Pick<PlacementGroup, 'slots' | 'profile'>,
  presentSlots: Iterable<number>,
): Survival {
  const { k, m } = group.profile;
  const disks = [...new Set(presentSlots)]
    .map((slot) => map.disks.get(group.slots[slot] ?? ''))
    .filter((disk) => disk !== undefined);
  const spareShards = disks.length - k;
  const zones = [...new Set(disks.map(({ zone }) => zone))].sort();
  const survival = {
    shardsPresent: disks.length,
    shardsTotal: k + m,
    spareShards,
    losses: survivedLosses(disks, k),
    fatalZones: zones.filter((lost) => disks.filter(({ zone }) => zone !== lost).length < k),
    risk: riskOf(spareShards, m),
  };
  return { ...survival, text: describe(group, survival) };
}

function riskOf(spareShards: number, m: number): Survival['risk'] {
  if (spareShards < 0) return 'lost';
  if (spareShards === 0) return 'at-risk';
  return spareShards < m ? 'degraded' : 'none';
}

function describe(
  group: Pick<PlacementGroup, 'profile'>,
  { shardsPresent, shardsTotal, losses, risk }: Omit<Survival, 'text'>,
): string {
  const state = `${group.profile.k}+${group.profile.m}, ${shardsPresent} of ${shardsTotal} shards`;
  if (risk === 'lost') return `${state}: cannot be read now`;
  return `${state}: survives ${describeLosses(losses)}`;
}

/** Why a group protects less than its profile does on healthy nodes, or may soon. */
export type RiskReason =
  | { readonly kind: 'reduced' }
  | { readonly kind: 'zone-down'; readonly zone: ZoneId; readonly slots: number }
  | { readonly kind: 'node-down'; readonly nodeId: NodeId; readonly slots: number }
  | { readonly kind: 'disk-state'; readonly diskId: DiskId; readonly state: string }
  | { readonly kind: 'backfill'; readonly slot: number; readonly targetDiskId: DiskId }
  | { readonly kind: 'missing'; readonly slots: readonly number[] };

export interface GroupDurability {
  readonly zones: readonly {
    readonly zone: ZoneId;
    /** Shards that can be read now, of `slots`. */
    readonly live: number;
    readonly slots: number;
  }[];
  readonly survival: Survival;
  /** Empty when all is as it should be. */
  readonly reasons: readonly RiskReason[];
}

/**
 * What the blobs of a group survive now: those that have all their shards, or, with `missingSlots`,
 * one blob that lacks these. What is still being written to the target of a backfill counts for
 * nothing.
 */
export function groupDurability(
  map: ClusterMap,
  group: Omit<PlacementGroup, 'pgId' | 'state'>,
  missingSlots: readonly number[] = [],
): GroupDurability {
  const live = group.slots.flatMap((diskId, slot) =>
    isDiskReadable(map, diskId) && !missingSlots.includes(slot) ? [slot] : [],
  );
  const zoneOf = (slot: number): ZoneId => map.disks.get(group.slots[slot] ?? '')?.zone ?? '?';
  const allSlots = group.slots.map((_disk, slot) => slot);
  const zones = [...new Set(allSlots.map(zoneOf))].sort().map((zone) => ({
    zone,
    live: live.filter((slot) => zoneOf(slot) === zone).length,
    slots: allSlots.filter((slot) => zoneOf(slot) === zone).length,
  }));
  const reasons = riskReasons(map, group, missingSlots);
  return { zones, survival: blobSurvival(map, group, live), reasons };
}

/** In the order of how much they take: zones, nodes, disks, single shards. */
function riskReasons(
  map: ClusterMap,
  group: Omit<PlacementGroup, 'pgId' | 'state'>,
  missingSlots: readonly number[],
): RiskReason[] {
  const disks = group.slots.map((diskId) => ({ diskId, disk: map.disks.get(diskId) }));
  const downNodes = countBy(
    disks
      .map(({ disk }) => map.nodes.get(disk?.nodeId ?? ''))
      .filter((node) => node?.state === 'down')
      .map((node) => node?.nodeId ?? ''),
  );
  const zoneOfNode = (nodeId: NodeId): ZoneId => map.nodes.get(nodeId)?.zone ?? '?';
  const downZones = [...new Set([...downNodes.keys()].map(zoneOfNode))].filter((zone) =>
    [...map.nodes.values()].every((node) => node.zone !== zone || node.state === 'down'),
  );
  const slotsOfZone = (zone: ZoneId): number =>
    disks.filter(({ disk }) => disk?.zone === zone).length;
  const nodes = [...downNodes].filter(([nodeId]) => !downZones.includes(zoneOfNode(nodeId)));
  return [
    ...downZones.map((zone) => ({ kind: 'zone-down' as const, zone, slots: slotsOfZone(zone) })),
    ...nodes.map(([nodeId, slots]) => ({ kind: 'node-down' as const, nodeId, slots })),
    ...disks
      .map(({ diskId, disk }) => ({ diskId, state: disk?.state ?? 'unknown' }))
      // A full disk keeps what it has as well as any other.
      .filter(({ state }) => state !== 'online' && state !== 'full')
      .map((disk) => ({ kind: 'disk-state' as const, ...disk })),
    ...(missingSlots.length === 0 ? [] : [{ kind: 'missing' as const, slots: missingSlots }]),
    ...(group.backfill === null ? [] : [{ kind: 'backfill' as const, ...group.backfill }]),
    ...(group.isReduced ? [{ kind: 'reduced' as const }] : []),
  ];
}

export function describeReason(reason: RiskReason): string {
  switch (reason.kind) {
    case 'zone-down':
      return `zone ${reason.zone} is down with ${slotCount(reason.slots)}`;
    case 'node-down':
      return `node ${reason.nodeId} is down with ${slotCount(reason.slots)}`;
    case 'disk-state':
      return `disk ${reason.diskId.slice(0, 8)} is ${reason.state}`;
    case 'missing':
      return `shard${reason.slots.length === 1 ? '' : 's'} ${reason.slots.join(', ')} missing`;
    case 'backfill':
      return `slot ${reason.slot} is being moved to disk ${reason.targetDiskId.slice(0, 8)}`;
    case 'reduced':
      return 'reduced profile, to be re-striped';
  }
}

function slotCount(slots: number): string {
  return `${slots} shard${slots === 1 ? '' : 's'}`;
}

function countBy(keys: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}
