import type { Random } from '@azimuth/common';

import { isDiskReadable } from './cluster-map';
import type { ClusterMap, DiskId, PlacementGroup, StorageNodeEntry, ZoneId } from './cluster-map';

export interface ReaderChoice {
  /** Zone of the reader, whose shards cost no cross-zone bytes; null when it does not matter. */
  readonly zone: ZoneId | null;
  /**
   * `data`: data before parity, then own zone first: no decoding, and a range read touches only the
   * blocks in range. `zone`: own zone first, then data: the fewest bytes between zones.
   */
  readonly prefer: 'data' | 'zone';
  isSuspect(diskId: DiskId): boolean;
  readonly random: Random;
}

/** One shard that can be read now. */
export interface ShardReader {
  readonly shardIndex: number;
  readonly diskId: DiskId;
  readonly node: StorageNodeEntry;
  readonly isOwnZone: boolean;
  readonly isSuspect: boolean;
}

/**
 * Every readable shard in the order to ask: the first k serve the read, the rest are for hedges and
 * replacements. Disks that failed a moment ago come last; equals are in random order. Fewer than k
 * entries mean that the blob cannot be read now. With k = 1 every copy counts as data.
 */
export function chooseReaders(
  map: ClusterMap,
  group: Pick<PlacementGroup, 'slots' | 'profile'>,
  choice: ReaderChoice,
): readonly ShardReader[] {
  const { k } = group.profile;
  const [parityWeight, zoneWeight] = choice.prefer === 'data' ? [4, 2] : [2, 4];
  const ranked: { readonly rank: number; readonly reader: ShardReader }[] = [];
  group.slots.forEach((diskId, shardIndex) => {
    const node = map.nodes.get(map.disks.get(diskId)?.nodeId ?? '');
    if (node === undefined || !isDiskReadable(map, diskId)) return;
    const isOwnZone = node.zone === choice.zone;
    const isSuspect = choice.isSuspect(diskId);
    const isParity = k > 1 && shardIndex >= k;
    const weight =
      (isSuspect ? 8 : 0) + (isParity ? parityWeight : 0) + (isOwnZone ? 0 : zoneWeight);
    ranked.push({
      rank: weight + choice.random.next(),
      reader: { shardIndex, diskId, node, isOwnZone, isSuspect },
    });
  });
  ranked.sort((a, b) => a.rank - b.rank);
  return ranked.map(({ reader }) => reader);
}
