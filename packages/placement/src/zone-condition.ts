import type { ClusterMap, DiskId, Profile, ZoneId } from './cluster-map';

/** Why a list of slots may not become a placement group. */
export type ZoneConditionProblem =
  | { readonly kind: 'wrong-slot-count'; readonly expected: number; readonly actual: number }
  | { readonly kind: 'unknown-disk'; readonly diskId: DiskId }
  | { readonly kind: 'repeated-disk'; readonly diskId: DiskId }
  | { readonly kind: 'too-many-in-zone'; readonly zone: ZoneId; readonly slots: number };

/**
 * P1: n distinct disks, and no zone holds more than m of them, so that what is left after the loss
 * of any one zone still decodes. Null when the condition holds.
 *
 * A cluster that was created with a single zone cannot meet it; there the same is asked of nodes:
 * no node holds more than m slots, and the promise is about one node.
 */
export function zoneConditionProblem(
  map: ClusterMap,
  profile: Profile,
  slots: readonly DiskId[],
): ZoneConditionProblem | null {
  const expected = profile.k + profile.m;
  if (slots.length !== expected) {
    return { kind: 'wrong-slot-count', expected, actual: slots.length };
  }
  const seen = new Set<DiskId>();
  const perDomain = new Map<string, number>();
  for (const diskId of slots) {
    const domain = failureDomainOf(map, diskId);
    if (domain === null) return { kind: 'unknown-disk', diskId };
    if (seen.has(diskId)) return { kind: 'repeated-disk', diskId };
    seen.add(diskId);
    const count = (perDomain.get(domain) ?? 0) + 1;
    perDomain.set(domain, count);
    if (count > profile.m) return { kind: 'too-many-in-zone', zone: domain, slots: count };
  }
  return null;
}

/** The unit whose loss must be survived: the zone, or the node in a cluster of one zone. */
export function failureDomainOf(map: ClusterMap, diskId: DiskId): string | null {
  const disk = map.disks.get(diskId);
  if (disk === undefined) return null;
  return map.settings.zones.length > 1 ? disk.zone : disk.nodeId;
}
