import type { ClusterMap, DiskId, PlacementGroup, Profile, ZoneId } from './cluster-map';

/** Why a list of slots may not become a placement group. */
export type ZoneConditionProblem =
  | { readonly kind: 'wrong-slot-count'; readonly expected: number; readonly actual: number }
  | { readonly kind: 'unknown-disk'; readonly diskId: DiskId }
  | { readonly kind: 'repeated-disk'; readonly diskId: DiskId }
  | { readonly kind: 'too-many-in-zone'; readonly zone: ZoneId; readonly slots: number }
  | { readonly kind: 'outside-zone'; readonly diskId: DiskId };

/**
 * P1: n distinct disks, and no zone holds more than m of them, so that what is left after the loss
 * of any one zone still decodes. Null when the condition holds.
 *
 * A cluster that was created with a single zone cannot meet it; there the same is asked of nodes:
 * no node holds more than m slots, and the promise is about one node. So it is with a group that is
 * all in one `zone`; where that has a single node, each disk stands for itself.
 */
export function zoneConditionProblem(
  map: ClusterMap,
  profile: Profile,
  slots: readonly DiskId[],
  zone?: ZoneId,
): ZoneConditionProblem | null {
  const expected = profile.k + profile.m;
  if (slots.length !== expected) {
    return { kind: 'wrong-slot-count', expected, actual: slots.length };
  }
  const seen = new Set<DiskId>();
  const perDomain = new Map<string, number>();
  for (const diskId of slots) {
    const domain = failureDomainOf(map, diskId, zone);
    if (domain === null) return { kind: 'unknown-disk', diskId };
    if (zone !== undefined && map.disks.get(diskId)?.zone !== zone) {
      return { kind: 'outside-zone', diskId };
    }
    if (seen.has(diskId)) return { kind: 'repeated-disk', diskId };
    seen.add(diskId);
    const count = (perDomain.get(domain) ?? 0) + 1;
    perDomain.set(domain, count);
    if (count > profile.m) return { kind: 'too-many-in-zone', zone: domain, slots: count };
  }
  return null;
}

/**
 * The unit whose loss must be survived: the zone, or the node in a cluster of one zone. Inside one
 * `zone` the node; the disk when no other node has disks there.
 */
export function failureDomainOf(map: ClusterMap, diskId: DiskId, zone?: ZoneId): string | null {
  const disk = map.disks.get(diskId);
  if (disk === undefined) return null;
  if (zone !== undefined) return isZoneOfOneNode(map, zone) ? disk.diskId : disk.nodeId;
  return map.settings.zones.length > 1 ? disk.zone : disk.nodeId;
}

function isZoneOfOneNode({ disks }: ClusterMap, zone: ZoneId): boolean {
  let nodeId: string | null = null;
  for (const disk of disks.values()) {
    if (disk.zone !== zone) continue;
    if (nodeId !== null && nodeId !== disk.nodeId) return false;
    nodeId = disk.nodeId;
  }
  return true;
}

/**
 * After the loss of any one failure domain, any this many nodes of the others may be lost too and k
 * slots are left; -1 when a domain alone is too much. Worst case arithmetic: `c + f <= m` with c
 * slots in the fullest domain and one slot a node.
 */
export function nodesBesideDomain(
  map: ClusterMap,
  profile: Profile,
  slots: readonly DiskId[],
  zone?: ZoneId,
): number {
  const placed = slots
    .map((diskId) => ({ domain: failureDomainOf(map, diskId, zone), disk: map.disks.get(diskId) }))
    .filter(({ domain }) => domain !== null);
  let fewest = placed.length >= profile.k ? Number.POSITIVE_INFINITY : -1;
  for (const lost of new Set(placed.map(({ domain }) => domain))) {
    const left = placed.filter(({ domain }) => domain !== lost);
    const perNode = new Map<string, number>();
    for (const { disk } of left) {
      const nodeId = disk?.nodeId ?? '';
      perNode.set(nodeId, (perNode.get(nodeId) ?? 0) + 1);
    }
    let spare = left.length - profile.k;
    let nodes = spare < 0 ? -1 : 0;
    for (const count of [...perNode.values()].sort((a, b) => b - a)) {
      spare -= count;
      if (spare < 0) break;
      nodes += 1;
    }
    fewest = Math.min(fewest, nodes);
  }
  return Number.isFinite(fewest) ? fewest : -1;
}

/** Nodes that may be lost beside a zone, as the cluster promises it. */
export function promisedNodes({ settings }: Pick<ClusterMap, 'settings'>): number {
  return settings.survive === 'zone+1' ? 1 : 0;
}

/** The same of a group: one that is all in one zone promises no more than a node. */
export function promisedNodesOf(
  map: Pick<ClusterMap, 'settings'>,
  { zone }: Pick<PlacementGroup, 'zone'>,
): number {
  return zone === undefined ? promisedNodes(map) : 0;
}

/**
 * Why a profile cannot keep the promise over this many zones; null when it can. With one zone the
 * domains are nodes, of which there may be any number.
 */
export function profileProblem(
  profile: Profile,
  zoneCount: number,
  nodesBeside: number,
): string | null {
  const { k, m } = profile;
  if (zoneCount <= 1) return null;
  const perZone = Math.ceil((k + m) / zoneCount);
  if (perZone + nodesBeside <= m) return null;
  const beside = nodesBeside > 0 ? ` and ${nodesBeside} more node` : '';
  return (
    `${k}+${m} over ${zoneCount} zones puts ${perZone} shards into one; ` +
    `to lose it${beside} takes ${perZone + nodesBeside} parity shards, and there are ${m}`
  );
}
