import type { Random } from '@azimuth/common';

import { isDiskWritable, isGroupWhole, leavingIntent } from './cluster-map';
import type { ClusterMap, DiskId, PlacementGroup, Profile, ZoneId } from './cluster-map';
import { failureDomainOf, nodesBesideDomain, promisedNodesOf } from './zone-condition';

/** `erasure` for large bodies, `replica` for small ones. */
export type GroupKind = 'erasure' | 'replica';

/** Replica groups are those with k = 1, reduced or not; all others hold erasure-coded blobs. */
export function kindOfProfile(profile: Profile): GroupKind {
  return profile.k === 1 ? 'replica' : 'erasure';
}

/**
 * What writes do while no whole normal group is left: `reduced` goes on with the declared reduced
 * profile, `strict` refuses until there is one.
 */
export type OutagePolicy = 'strict' | 'reduced';

export interface WriteGroupChoice {
  readonly kind: GroupKind;
  /** Disks that this process saw fail a moment ago, before the cluster map knows. */
  isSuspect(diskId: DiskId): boolean;
  /** Only normal groups with every slot usable: see `OutagePolicy`. */
  readonly wholeOnly?: boolean | undefined;
  /** Groups that this write tried already. */
  readonly excluded?: ReadonlySet<number> | undefined;
  /**
   * The blob may be all in one zone, best in this one. Absent: only in groups that are spread over
   * the zones.
   */
  readonly oneZoneFrom?: ZoneId | undefined;
  readonly random: Random;
}

/**
 * A group for a new blob. Best is a normal group with every slot usable, then a reduced one with
 * every slot usable; then whatever would still be zone-safe, with the fewest slots out. Only when
 * there is no group of the kind does a large body go to a replica group. Of equals a random one,
 * so that gateways spread without talking. Null when nothing can take a zone-safe write now.
 *
 * With `oneZoneFrom` the groups of that zone come first, then those of other zones, so that a zone
 * that is out costs nothing; a spread group, which is safer, only when no zone has one.
 */
export function chooseWriteGroup(map: ClusterMap, choice: WriteGroupChoice): PlacementGroup | null {
  let best: PlacementGroup[] = [];
  let bestRank = Number.POSITIVE_INFINITY;
  for (const group of map.groups.values()) {
    if (group.state !== 'active' || choice.excluded?.has(group.pgId) === true) continue;
    const rank = writeRank(map, group, choice);
    if (rank === null || rank > bestRank) continue;
    if (rank < bestRank) best = [];
    bestRank = rank;
    best.push(group);
  }
  return best[choice.random.below(Math.max(1, best.length))] ?? null;
}

/**
 * A slot that is out weighs more than being reduced: a whole group owes nothing to repair. Least
 * weighs a slot that will move: it only makes more to move.
 */
const LEAVING_RANK = 1;
const REDUCED_RANK = 2;
const SLOT_OUT_RANK = 4;
const OTHER_KIND_RANK = 1_000;
/** Of groups in one zone. Copies there are often all that its nodes allow: no reason to leave it. */
const COPIES_RANK = 2;
const OTHER_ZONE_RANK = 4;
const ONE_ZONE_SLOT_OUT_RANK = 8;
const SPREAD_RANK = 10_000;

/** 0 is best; null for a group that cannot take the write. */
function writeRank(
  map: ClusterMap,
  group: PlacementGroup,
  choice: WriteGroupChoice,
): number | null {
  if (group.zone !== undefined && choice.oneZoneFrom === undefined) return null;
  const isOtherKind = kindOfProfile(group.profile) !== choice.kind;
  if (isOtherKind && choice.kind === 'replica') return null;
  const usable: number[] = [];
  group.slots.forEach((diskId, slot) => {
    if (isDiskWritable(map, diskId) && !choice.isSuspect(diskId)) usable.push(slot);
  });
  const slotsOut = group.slots.length - usable.length;
  if (choice.wholeOnly === true && (slotsOut > 0 || group.isReduced)) return null;
  if (!isZoneSafe(map, group, usable)) return null;
  const isLeaving = group.slots.some((diskId) => leavingIntent(map, diskId) !== null);
  const rank = (isLeaving ? LEAVING_RANK : 0) + rankOfPlace(group, choice, slotsOut);
  return isOtherKind ? rank + (group.zone === undefined ? OTHER_KIND_RANK : COPIES_RANK) : rank;
}

function rankOfPlace(group: PlacementGroup, choice: WriteGroupChoice, slotsOut: number): number {
  if (group.zone !== undefined) {
    const isOtherZone = group.zone !== choice.oneZoneFrom;
    return (isOtherZone ? OTHER_ZONE_RANK : 0) + ONE_ZONE_SLOT_OUT_RANK * slotsOut;
  }
  return (
    (choice.oneZoneFrom === undefined ? 0 : SPREAD_RANK) +
    (group.isReduced ? REDUCED_RANK : 0) +
    SLOT_OUT_RANK * slotsOut
  );
}

/**
 * True while a normal group of the kind can take every shard: what `strict` buckets wait for.
 * Groups in one zone count for blobs that may be there.
 */
export function hasWholeGroup(map: ClusterMap, kind: GroupKind, isOneZone = false): boolean {
  for (const group of map.groups.values()) {
    if (group.state !== 'active' || group.isReduced) continue;
    if (group.zone !== undefined) {
      if (isOneZone && isGroupWhole(map, group)) return true;
      continue;
    }
    if (kindOfProfile(group.profile) === kind && isGroupWhole(map, group)) return true;
  }
  return false;
}

/**
 * The acknowledgement rule: the shards of `ackedSlots` are durable, and after the loss of any one
 * zone k of them are left. It asks about every zone that holds an acknowledged shard; a zone that
 * is out holds none, so this is "any one zone of those alive". In a cluster of one zone it asks
 * about nodes instead. Where one more node is promised (`zone+1`), it may be lost as well, unless
 * the group with all its shards does not survive that either: a reduced one over few nodes. Of a
 * group in one zone it asks about nodes as well, or about disks where that has a single node.
 */
export function isZoneSafe(
  map: ClusterMap,
  group: Pick<PlacementGroup, 'slots' | 'profile' | 'zone'>,
  ackedSlots: Iterable<number>,
): boolean {
  const perDomain = new Map<string, number>();
  const counted = new Set<number>();
  for (const slot of ackedSlots) {
    const diskId = group.slots[slot];
    const domain = diskId === undefined ? null : failureDomainOf(map, diskId, group.zone);
    if (domain === null || counted.has(slot)) continue;
    counted.add(slot);
    perDomain.set(domain, (perDomain.get(domain) ?? 0) + 1);
  }
  const worst = Math.max(0, ...perDomain.values());
  if (counted.size - worst < group.profile.k) return false;
  const promised = promisedNodesOf(map, group);
  if (promised === 0) return true;
  const acked = [...counted].map((slot) => group.slots[slot] as DiskId);
  const possible = nodesBesideDomain(map, group.profile, group.slots);
  return nodesBesideDomain(map, group.profile, acked) >= Math.min(promised, possible);
}
