import type { Profile } from './cluster-map';
import type { GroupKind } from './choose-write-group';
import type { DisksByDomain } from './place-slots';

/**
 * The profile that new writes get while the normal one cannot be placed: m stays as long as it
 * can, and k is the largest that still puts at most m shards into any zone, each on a node of its
 * own. Six nodes 4+2: one node out gives 3+2 (2, 2 and 1 slots), a zone out gives 2+2. Nine nodes
 * 5+4: one node out gives 4+4, a zone out 2+4, and both of them 2+3. Null when nothing can survive
 * the loss of one more zone.
 *
 * Nodes before disks: only when too few nodes are left do two disks of one node count as two.
 */
export function reducedProfile(
  disks: DisksByDomain,
  normal: Profile,
  kind: GroupKind,
): Profile | null {
  const domains = [...disks.values()];
  const nodes = domains.map((each) => new Set(each.map(({ nodeId }) => nodeId)).size);
  return profileForCounts({ nodes, disks: domains.map((each) => each.length) }, normal, kind);
}

/** The same by how many nodes and how many disks each failure domain has. */
export function profileForCounts(
  { nodes, disks }: { readonly nodes: readonly number[]; readonly disks: readonly number[] },
  normal: Profile,
  kind: GroupKind,
): Profile | null {
  const kMin = kind === 'erasure' ? 2 : 1;
  for (const counts of [nodes, disks]) {
    for (let m = normal.m; m >= 1; m -= 1) {
      const slots = counts.reduce((sum, count) => sum + Math.min(count, m), 0);
      const k = Math.min(normal.k, slots - m);
      if (k >= Math.min(kMin, normal.k)) return { k, m };
    }
  }
  return null;
}
