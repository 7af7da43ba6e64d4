import { isDiskReadable } from '@azimuth/placement';
import type {
  ClusterMap,
  DiskId,
  PlacementGroup,
  StorageNodeEntry,
  ZoneId,
} from '@azimuth/placement';

export interface RebuildSource {
  readonly shardIndex: number;
  readonly diskId: DiskId;
  readonly node: StorageNodeEntry;
}

/**
 * The k shards from which a shard in `zone` is rebuilt with the fewest streams between zones: those
 * of its own zone, and then whole zones, those that hold the most first, as each of them sends one
 * sum. Disks that are suspect come last. Fewer than k when there are no more. Pure.
 */
export function chooseSources(
  map: ClusterMap,
  group: Pick<PlacementGroup, 'slots' | 'profile'>,
  zone: ZoneId,
  choice: {
    readonly excluded: ReadonlySet<number>;
    readonly isSuspect: (diskId: DiskId) => boolean;
  },
): readonly RebuildSource[] {
  const candidates = group.slots.flatMap((diskId, shardIndex) => {
    const node = map.nodes.get(map.disks.get(diskId)?.nodeId ?? '');
    const isOut = node === undefined || !isDiskReadable(map, diskId);
    return isOut || choice.excluded.has(shardIndex) ? [] : [{ shardIndex, diskId, node }];
  });
  const trusted = candidates.filter(({ diskId }) => !choice.isSuspect(diskId));
  const perZone = new Map<ZoneId, number>();
  for (const { node } of trusted) perZone.set(node.zone, (perZone.get(node.zone) ?? 0) + 1);
  const rank = (source: RebuildSource): readonly number[] => [
    choice.isSuspect(source.diskId) ? 1 : 0,
    source.node.zone === zone ? 0 : 1,
    -(perZone.get(source.node.zone) ?? 0),
    // Zones that hold as many: one after the other.
    map.settings.zones.indexOf(source.node.zone),
    source.shardIndex,
  ];
  return candidates
    .map((source) => ({ source, rank: rank(source) }))
    .sort((a, b) => compare(a.rank, b.rank))
    .slice(0, group.profile.k)
    .map(({ source }) => source);
}

function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at === -1 ? 0 : (a[at] as number) - (b[at] as number);
}
