import {
  carryOutPlan,
  DEFAULT_GROUP_PLAN_OPTIONS,
  describeReason,
  groupDurability,
  planGroups,
} from '../src/index';
import type { ClusterMap, PlacementGroup } from '../src/index';
import { buildMap, withStates } from './map-builder';

const SIX = buildMap(['a', 'a', 'b', 'b', 'c', 'c'].map((zone) => ({ zone })));
const SLOTS = ['n0d0', 'n2d0', 'n4d0', 'n1d0', 'n3d0', 'n5d0'];
const GROUP: PlacementGroup = {
  pgId: 1,
  profile: { k: 4, m: 2 },
  slots: SLOTS,
  state: 'active',
  isReduced: false,
  backfill: null,
};

function said(
  map: ClusterMap,
  group: PlacementGroup,
  missing?: readonly number[],
): readonly [string, string, string] {
  const { survival, reasons } = groupDurability(map, group, missing);
  return [survival.risk, survival.text, reasons.map(describeReason).join('; ')];
}

const down = (...nodes: readonly string[]): ClusterMap =>
  withStates(SIX, { nodes: Object.fromEntries(nodes.map((node) => [node, 'down' as const])) });

describe('groupDurability', () => {
  it.each<[string, ClusterMap, PlacementGroup, readonly number[], readonly string[]]>([
    [
      'a healthy group',
      SIX,
      GROUP,
      [],
      ['none', '4+2, 6 of 6 shards: survives any one zone, or any two nodes', ''],
    ],
    [
      'a node that is down',
      down('n0'),
      GROUP,
      [],
      ['degraded', '4+2, 5 of 6 shards: survives any one node', 'node n0 is down with 1 shard'],
    ],
    [
      'a zone that is down, said once',
      down('n2', 'n3'),
      GROUP,
      [],
      ['at-risk', '4+2, 4 of 6 shards: survives nothing more', 'zone b is down with 2 shards'],
    ],
    [
      'a zone and a node, which is an outage and may be no loss',
      down('n2', 'n3', 'n0'),
      GROUP,
      [],
      [
        'lost',
        '4+2, 3 of 6 shards: cannot be read now',
        'zone b is down with 2 shards; node n0 is down with 1 shard',
      ],
    ],
    [
      'a disk that is lost, on its way to another',
      withStates(SIX, { disks: { n0d0: 'lost' } }),
      { ...GROUP, state: 'sealed', backfill: { slot: 0, targetDiskId: 'n1d0' } },
      [],
      [
        'degraded',
        '4+2, 5 of 6 shards: survives any one node',
        'disk n0d0 is lost; slot 0 is being moved to disk n1d0',
      ],
    ],
    [
      'a fenced disk, which still reads',
      withStates(SIX, { disks: { n0d0: 'fenced' } }),
      GROUP,
      [],
      [
        'none',
        '4+2, 6 of 6 shards: survives any one zone, or any two nodes',
        'disk n0d0 is fenced',
      ],
    ],
    [
      'a full disk, which keeps what it has',
      withStates(SIX, { disks: { n0d0: 'full' } }),
      GROUP,
      [],
      ['none', '4+2, 6 of 6 shards: survives any one zone, or any two nodes', ''],
    ],
    [
      'a reduced group',
      SIX,
      { ...GROUP, profile: { k: 3, m: 2 }, slots: SLOTS.slice(0, 5), isReduced: true },
      [],
      [
        'none',
        '3+2, 5 of 5 shards: survives any one zone, or any two nodes',
        'reduced profile, to be re-striped',
      ],
    ],
    [
      'a blob that lacks shards',
      SIX,
      GROUP,
      [1, 4],
      ['at-risk', '4+2, 4 of 6 shards: survives nothing more', 'shards 1, 4 missing'],
    ],
    [
      'a missing shard on a node that is down, counted once',
      down('n0'),
      GROUP,
      [0],
      [
        'degraded',
        '4+2, 5 of 6 shards: survives any one node',
        'node n0 is down with 1 shard; shard 0 missing',
      ],
    ],
  ])('of %s', (_what, map, group, missing, expected) => {
    expect(said(map, group, missing)).toEqual(expected);
  });

  it('names the zones that would be the end, and counts live shards by zone', () => {
    const { zones, survival } = groupDurability(down('n0'), GROUP);
    expect(zones).toEqual([
      { zone: 'a', live: 1, slots: 2 },
      { zone: 'b', live: 2, slots: 2 },
      { zone: 'c', live: 2, slots: 2 },
    ]);
    expect(survival.fatalZones).toEqual(['b', 'c']);
  });

  it('is zone-safe for every group that the planner opens, in every outage of one node', () => {
    const options = {
      ...DEFAULT_GROUP_PLAN_OPTIONS,
      isSettled: true,
      nowMs: 0,
      drainedGroups: new Set<number>(),
    };
    for (const node of ['n0', 'n3', 'n5']) {
      const map = withStates(SIX, { nodes: { [node]: 'down' } });
      const during = carryOutPlan(map, planGroups(map, options));
      expect(during.groups.size).toBeGreaterThan(0);
      for (const group of during.groups.values()) {
        expect(groupDurability(during, group).survival.losses.length).toBeGreaterThan(1);
      }
    }
  });
});
