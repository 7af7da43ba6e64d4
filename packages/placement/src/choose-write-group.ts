import type { Random } from '@azimuth/common';

import { isDiskWritable } from './cluster-map';
import type { ClusterMap, DiskId, PlacementGroup, Profile } from './cluster-map';
import { failureDomainOf } from './zone-condition';

/** `erasure` for large bodies, `replica` for small ones. */
export type GroupKind = 'erasure' | 'replica';

/** Replica groups are those with k = 1, reduced or not; all others hold erasure-coded blobs. */
export function kindOfProfile(profile: Profile): GroupKind {
  return profile.k === 1 ? 'replica' : 'erasure';
}

export interface WriteGroupChoice {
  readonly kind: GroupKind;
  /** Disks that this process saw fail a moment ago, before the cluster map knows. */
  isSuspect(diskId: DiskId): boolean;
  /** Groups that this write tried already. */
  readonly excluded?: ReadonlySet<number> | undefined;
  readonly random: Random;
}

/**
 * A group for a new blob. Best is a normal group with every slot usable, then a reduced one with
 * every slot usable; then whatever would still be zone-safe, with the fewest slots out. Only when
 * there is no group of the kind does a large body go to a replica group. Of equals a random one,
 * so that gateways spread without talking. Null when nothing can take a zone-safe write now.
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

/** A slot that is out weighs more than being reduced: a whole group owes nothing to repair. */
const SLOT_OUT_RANK = 2;
const OTHER_KIND_RANK = 1_000;

/** 0 is best; null for a group that cannot take the write. */
function writeRank(
  map: ClusterMap,
  group: PlacementGroup,
  choice: WriteGroupChoice,
): number | null {
  const isOtherKind = kindOfProfile(group.profile) !== choice.kind;
  if (isOtherKind && choice.kind === 'replica') return null;
  const usable: number[] = [];
  group.slots.forEach((diskId, slot) => {
    if (isDiskWritable(map, diskId) && !choice.isSuspect(diskId)) usable.push(slot);
  });
  if (!isZoneSafe(map, group, usable)) return null;
  const slotsOut = group.slots.length - usable.length;
  return SLOT_OUT_RANK * slotsOut + (group.isReduced ? 1 : 0) + (isOtherKind ? OTHER_KIND_RANK : 0);
}

/**
 * The acknowledgement rule: the shards of `ackedSlots` are durable, and after the loss of any one
 * zone k of them are left. It asks about every zone that holds an acknowledged shard; a zone that
 * is out holds none, so this is "any one zone of those alive". In a cluster of one zone it asks
 * about nodes instead.
 */
export function isZoneSafe(
  map: ClusterMap,
  group: Pick<PlacementGroup, 'slots' | 'profile'>,
  ackedSlots: Iterable<number>,
): boolean {
  const perDomain = new Map<string, number>();
  const counted = new Set<number>();
  for (const slot of ackedSlots) {
    const diskId = group.slots[slot];
    const domain = diskId === undefined ? null : failureDomainOf(map, diskId);
    if (domain === null || counted.has(slot)) continue;
    counted.add(slot);
    perDomain.set(domain, (perDomain.get(domain) ?? 0) + 1);
  }
  const worst = Math.max(0, ...perDomain.values());
  return counted.size - worst >= group.profile.k;
}
