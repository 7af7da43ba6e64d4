import type { ClusterMap, Intent, PlacementGroup } from '@azimuth/placement';

import { progressOf, resolveName } from '../src/topology-change';

const PORTS = { host: 'h', bulkPort: 1, rpcPort: 2, adminPort: 3, incarnation: 'i' };

function mapOf(changes: {
  readonly intents?: readonly Intent[];
  readonly groups?: readonly PlacementGroup[];
  readonly drained?: readonly string[];
}): ClusterMap {
  const zones = ['a', 'b', 'c'];
  const nodes = zones.map((zone) => ({
    nodeId: `n-${zone}`,
    zone,
    ...PORTS,
    state: 'up' as const,
  }));
  const disks = nodes.map(({ nodeId, zone }) => ({
    ...{ diskId: `1${zone}`, nodeId, zone, capacityBytes: 1, state: 'online' as const },
    ...(changes.drained?.includes(`1${zone}`) === true ? { drainedMs: 1 } : {}),
  }));
  return {
    version: 1,
    settings: {
      ...{ clusterId: 'c', region: 'r', zones, indexGroups: 1 },
      ...{ erasureProfile: { k: 2, m: 1 }, replicaProfile: { k: 1, m: 2 } },
      ...{ inlineBytesMax: 1, replicaBytesMax: 2, blockBytes: 3 },
    },
    nodes: new Map(nodes.map((node) => [node.nodeId, node])),
    disks: new Map(disks.map((disk) => [disk.diskId, disk])),
    groups: new Map((changes.groups ?? []).map((group) => [group.pgId, group])),
    intents: new Map((changes.intents ?? []).map((each) => [`${each.scope}/${each.name}`, each])),
  };
}

function groupOn(...slots: string[]): PlacementGroup {
  const profile = { k: 1, m: slots.length - 1 };
  return { pgId: 1, profile, slots, state: 'active', isReduced: false, backfill: null };
}

const DRAIN: Intent = { scope: 'node', name: 'n-a', kind: 'drain', sinceMs: 0 };

describe('progress of a change', () => {
  it('is not done before the map says that it was asked for', () => {
    expect(progressOf(mapOf({}), DRAIN).isDone).toBe(false);
  });

  it('a drain is done when no slot is left and every disk is proven to be empty', () => {
    const intents = [DRAIN];
    const left = progressOf(mapOf({ intents, groups: [groupOn('1a', '1b')] }), DRAIN);
    expect(left).toMatchObject({ slotsLeft: 1, disksProven: 0, disksToProve: 1, isDone: false });
    expect(progressOf(mapOf({ intents }), DRAIN).isDone).toBe(false);
    expect(progressOf(mapOf({ intents, drained: ['1a'] }), DRAIN).isDone).toBe(true);
  });

  it('maintenance has begun when no group that takes writes is in the zone', () => {
    const intent = { scope: 'zone', name: 'a', kind: 'maintenance', sinceMs: 0 } as const;
    const at = (groups: readonly PlacementGroup[]): boolean =>
      progressOf(mapOf({ intents: [intent], groups }), intent).isDone;
    expect(at([groupOn('1a', '1b')])).toBe(false);
    expect(at([groupOn('1a', '1b'), { ...groupOn('1b', '1c'), pgId: 2, isReduced: true }])).toBe(
      true,
    );
  });

  it('a disk may be named by the beginning of its id, when that is one disk', () => {
    expect(resolveName(mapOf({}), 'disk', '1a')).toBe('1a');
    expect(() => resolveName(mapOf({}), 'disk', '1')).toThrow('INVALID_ARGUMENT');
    expect(() => resolveName(mapOf({}), 'disk', '2')).toThrow('NOT_FOUND');
    expect(() => resolveName(mapOf({}), 'node', '1a')).toThrow('NOT_FOUND');
  });
});
