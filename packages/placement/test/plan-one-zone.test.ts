import { seededRandom } from '@azimuth/common';
import fc from 'fast-check';

import {
  carryOutPlan,
  chooseWriteGroup,
  DEFAULT_GROUP_PLAN_OPTIONS,
  finishBackfills,
  forecastTopology,
  groupDurability,
  hasWholeGroup,
  isEmptyPlan,
  isGroupWhole,
  isLostInZone,
  isToBeEmptied,
  isZoneSafe,
  kindOfProfile,
  planGroups,
  profileInOneZone,
  zoneConditionProblem,
} from '../src/index';
import type { ClusterMap, GroupKind, GroupPlanOptions, PlacementGroup } from '../src/index';
import { buildMap, withIntentOf, withStates } from './map-builder';
import type { NodeSketch } from './map-builder';

const options: GroupPlanOptions = {
  ...DEFAULT_GROUP_PLAN_OPTIONS,
  groupsPerKind: 2,
  isSettled: true,
  nowMs: 1e9,
  drainedGroups: new Set(),
};

const nodesOf = (zones: string, disks = 1): NodeSketch[] =>
  Array.from(zones, (zone) => ({
    zone,
    disks: Array.from({ length: disks }, () => 'online' as const),
  }));

function rest(map: ClusterMap, changes: Partial<GroupPlanOptions> = {}): ClusterMap {
  let at = map;
  for (let round = 0; round < 500; round += 1) {
    const plan = planGroups(at, { ...options, ...changes });
    if (isEmptyPlan(plan)) return at;
    at = finishBackfills(carryOutPlan(at, plan));
  }
  throw new Error('the plan does not come to rest');
}

function inZone(map: ClusterMap, zone: string, kind?: GroupKind): PlacementGroup[] {
  return [...map.groups.values()].filter(
    (group) => group.zone === zone && (kind === undefined || kindOfProfile(group.profile) === kind),
  );
}

const profilesOf = (groups: readonly PlacementGroup[]): string[] => [
  ...new Set(groups.map(({ profile }) => `${profile.k}+${profile.m}`)),
];

function choose(
  map: ClusterMap,
  oneZoneFrom: string | undefined,
  kind: GroupKind = 'erasure',
): PlacementGroup | null {
  const random = seededRandom(7);
  return chooseWriteGroup(map, { kind, oneZoneFrom, isSuspect: () => false, random });
}

describe('groups inside one zone', () => {
  const widest: [string, number, number, string[], string[]][] = [
    // nodes a zone, disks a node, profiles of large and of small bodies
    ['one disk', 1, 1, [], []],
    ['the disks of a single node', 1, 6, ['4+2'], ['1+2']],
    ['two nodes', 2, 1, [], ['1+1']],
    ['two nodes of two disks', 2, 2, ['2+2'], ['1+1']],
    ['three nodes', 3, 1, ['2+1'], ['1+2']],
    ['four nodes', 4, 1, ['2+2'], ['1+2']],
    ['six nodes', 6, 1, ['4+2'], ['1+2']],
    ['seven nodes', 7, 1, ['4+2'], ['1+2']],
  ];

  it.each(widest)('get the widest profile that %s allow', (_name, nodes, disks, large, small) => {
    const zones = ['a', 'b', 'c'].map((zone) => zone.repeat(nodes)).join('');
    const erasureProfile = nodes * disks >= 2 ? { k: 4, m: 2 } : { k: 2, m: 1 };
    const map = rest(buildMap(nodesOf(zones, disks), { erasureProfile }));
    for (const zone of ['a', 'b', 'c']) {
      expect(profilesOf(inZone(map, zone, 'erasure'))).toEqual(large);
      expect(profilesOf(inZone(map, zone, 'replica'))).toEqual(small);
      for (const group of inZone(map, zone)) {
        for (const diskId of group.slots) expect(map.disks.get(diskId)?.zone).toBe(zone);
        expect(isZoneSafe(map, group, group.slots.keys())).toBe(true);
      }
    }
  });

  it.each(widest)(
    'are forecast as they are made: %s',
    (_name, nodesPerZone, disks, large, small) => {
      const machines = { zones: 3, nodesPerZone, disksPerNode: disks };
      const hardware = { ...machines, diskBytes: 1e12, fill: 0.5, voters: 3 };
      const forecast = (k: number, m: number): string | undefined => {
        const profile = profileInOneZone({ k, m }, hardware);
        return profile === null ? undefined : `${profile.k}+${profile.m}`;
      };
      expect(forecast(4, 2)).toBe(large[0] ?? small[0]);
      expect(forecast(1, 2)).toBe(small[0]);
      expect(profileInOneZone({ k: 4, m: 2 }, { ...hardware, zones: 1 })).toBeNull();
    },
  );

  it('are in as many groups as its disks ask for, so that none lies idle', () => {
    const map = rest(buildMap(nodesOf('a'.repeat(12) + 'b'.repeat(12) + 'c'.repeat(12))));
    const used = new Set(inZone(map, 'b').flatMap(({ slots }) => slots));
    expect(used.size).toBe(12);
  });

  it('are not opened before a whole spread group is there, nor in a cluster of one zone', () => {
    const starting = buildMap(nodesOf('aaab'), { zones: ['a', 'b', 'c'] });
    expect(inZone(rest(starting, { isSettled: false }), 'a')).toEqual([]);
    expect(inZone(rest(buildMap(nodesOf('aaaaaa'))), 'a')).toEqual([]);
  });

  it('come to a cluster that was created before there were any, and change nothing else', () => {
    const before = rest(buildMap(nodesOf('aaabbbccc')), { oneZoneGroupsPerKind: 0 });
    const after = rest(before);
    for (const [pgId, group] of before.groups) expect(after.groups.get(pgId)).toBe(group);
    expect(inZone(after, 'a').length).toBeGreaterThan(0);
  });

  it('are opened for a reason in words', () => {
    const before = rest(buildMap(nodesOf('aaabbbccc')), { oneZoneGroupsPerKind: 0 });
    const [first] = planGroups(before, options).open;
    expect(first?.reason).toBe('too few groups inside zone a, of whose disks 2+1 is made');
  });
});

describe('writes that may be all in one zone', () => {
  const map = rest(buildMap(nodesOf('aaabbbccc')));
  const zoneDown = withStates(map, { nodes: { n0: 'down', n1: 'down', n2: 'down' } });

  it('go to the zone of the gateway, and no other write does', () => {
    expect(choose(map, 'b')?.zone).toBe('b');
    expect(choose(map, 'b', 'replica')).toMatchObject({ zone: 'b', profile: { k: 1, m: 2 } });
    expect(choose(map, undefined)?.zone).toBeUndefined();
  });

  it('go to another zone while their own is out, or only a node of it', () => {
    expect(choose(zoneDown, 'a')?.zone).toMatch(/[bc]/);
    const nodeDown = withStates(map, { nodes: { n0: 'down' } });
    expect(choose(nodeDown, 'a')?.zone).toMatch(/[bc]/);
  });

  it('go to a spread group when no zone can hold them: that is safer, not less safe', () => {
    const small = rest(buildMap(nodesOf('abc'), { erasureProfile: { k: 2, m: 1 } }));
    expect(choose(small, 'a')).toMatchObject({ profile: { k: 2, m: 1 }, isReduced: false });
  });

  it('take copies in their own zone when its nodes allow no more', () => {
    const pairs = rest(buildMap(nodesOf('aabbcc')));
    expect(choose(pairs, 'c')).toMatchObject({ zone: 'c', profile: { k: 1, m: 1 } });
  });

  it('keep a strict bucket writable while a zone has a whole group', () => {
    expect(hasWholeGroup(zoneDown, 'erasure')).toBe(false);
    expect(hasWholeGroup(zoneDown, 'erasure', true)).toBe(true);
  });

  it('are acknowledged only when any one node of the zone may be lost', () => {
    const group = inZone(map, 'a', 'erasure')[0]!;
    expect(isZoneSafe(map, group, [0, 1, 2])).toBe(true);
    expect(isZoneSafe(map, group, [0, 1])).toBe(false);
  });
});

describe('changes of a zone that has groups of its own', () => {
  it('a drained node is replaced by another one of the zone, slot by slot', () => {
    const map = rest(buildMap(nodesOf('aaaabbbbcccc'), { replicaProfile: { k: 1, m: 1 } }));
    const drained = rest(withIntentOf(map, 'node', 'n0', 'drain'));
    const copies = inZone(drained, 'a', 'replica');
    expect(copies.filter((group) => group.slots.includes('n0d0'))).toEqual([]);
    expect(copies.some(isToBeEmptied)).toBe(false);
  });

  it('a group that no disk of the zone can complete is sealed to be emptied, with the reason', () => {
    const map = rest(buildMap(nodesOf('aaabbbccc')));
    const draining = withIntentOf(map, 'node', 'n0', 'drain');
    const { seal } = planGroups(draining, options);
    expect(seal.length).toBe(inZone(map, 'a').length);
    expect(seal[0]?.reason).toMatch(/^node n0: drain; no other disk of zone a can take slot \d$/);
    const after = rest(draining);
    expect(profilesOf(inZone(after, 'a').filter(({ state }) => state === 'active'))).toEqual([
      '1+1',
    ]);
  });

  it('an emptied group is removed once it is proven to be empty, and not before', () => {
    const map = rest(buildMap(nodesOf('aaabbbccc')));
    const draining = rest(withIntentOf(map, 'node', 'n0', 'drain'));
    const [emptied] = inZone(draining, 'a').filter(isToBeEmptied);
    expect(planGroups(draining, options).remove).toEqual([]);
    const proven = { ...options, drainedGroups: new Set([emptied!.pgId]) };
    expect(planGroups(draining, proven).remove).toEqual([
      { pgId: emptied!.pgId, reason: 'drained' },
    ]);
  });

  it('a zone that reboots keeps its groups as they are', () => {
    const map = rest(buildMap(nodesOf('aaabbbccc')));
    const nodes = new Map(map.nodes);
    for (const id of ['n0', 'n1', 'n2']) {
      nodes.set(id, { ...nodes.get(id)!, state: 'down', downSinceMs: 0 });
    }
    const out = rest({ ...map, nodes });
    expect(inZone(out, 'a')).toEqual(inZone(map, 'a'));
    const { survival } = groupDurability(out, inZone(out, 'a')[0]!);
    expect(survival.risk).toBe('lost');
  });

  describe('a node of it that is down for longer than the grace', () => {
    const minute = 60_000;
    const downFor = (map: ClusterMap, minutes: number): ClusterMap => {
      const downSinceMs = options.nowMs - minutes * minute;
      const node = { ...map.nodes.get('n0')!, state: 'down' as const, downSinceMs };
      return { ...map, nodes: new Map(map.nodes).set('n0', node) };
    };
    const emptied = (map: ClusterMap): string[] =>
      profilesOf(inZone(map, 'a').filter(isToBeEmptied));

    it.each([
      ['aaabbbccc', 1, ['2+1', '1+2']],
      ['aaabbbccc', 4, ['2+1']],
      ['aabbcc', 2, ['2+2', '1+1']],
      ['aaaabbbbcccc', 1, ['2+2']],
      ['aaaabbbbcccc', 2, []],
      ['aaaaaabbbbbbcccccc', 1, ['4+2']],
      ['aaaaaaabbbbbbbccccccc', 1, []],
    ])('empties what its zone has no disk for: %s, of %i disks', (zones, disks, expected) => {
      const map = rest(buildMap(nodesOf(zones, disks)));
      expect(emptied(rest(downFor(map, 15)))).toEqual([]);
      expect(emptied(rest(downFor(map, 16)))).toEqual(expected);
    });

    it('does not when the zone is in maintenance by then', () => {
      const map = rest(buildMap(nodesOf('aaabbbccc')));
      expect(emptied(rest(downFor(withIntentOf(map, 'zone', 'a', 'maintenance'), 99)))).toEqual([]);
    });

    it('ends what has begun when it returns, and gets new groups', () => {
      const map = rest(buildMap(nodesOf('aaabbbccc')));
      const late = rest(downFor(map, 16));
      expect(choose(late, 'a')?.zone).toMatch(/[bc]/);
      const back = rest({ ...late, nodes: map.nodes });
      expect(emptied(back)).toEqual(['2+1', '1+2']);
      expect(choose(back, 'a')).toMatchObject({ zone: 'a', profile: { k: 2, m: 1 } });
    });
  });

  it('a node that joins widens the profile once the cluster has settled', () => {
    const pairs = rest(buildMap(nodesOf('aabbcc')));
    const joined = { ...buildMap(nodesOf('aabbcca')), groups: pairs.groups };
    const unsettled = rest(joined, { isSettled: false });
    expect(inZone(unsettled, 'a').some(isToBeEmptied)).toBe(false);
    const settled = rest(joined);
    const active = inZone(settled, 'a').filter(({ state }) => state === 'active');
    expect(profilesOf(active)).toEqual(['2+1', '1+2']);
  });

  it('a group on the disks of a single node is emptied when a second node joins', () => {
    const single = rest(buildMap(nodesOf('abc', 6)));
    const joined = {
      ...buildMap([...nodesOf('abc', 6), ...nodesOf('a', 6)]),
      groups: single.groups,
    };
    const before = new Set(inZone(single, 'a').map(({ pgId }) => pgId));
    const map = rest(joined);
    for (const group of inZone(map, 'a', 'erasure')) {
      expect(isToBeEmptied(group)).toBe(before.has(group.pgId));
    }
    // Of three copies one has moved, and that is enough.
    for (const { profile, slots, zone } of inZone(map, 'a', 'replica')) {
      expect(zoneConditionProblem(map, profile, slots, zone)).toBeNull();
    }
  });
});

describe('forecastTopology of groups inside one zone', () => {
  const map = rest(buildMap(nodesOf('aaabbbccc', 2), { erasureProfile: { k: 2, m: 2 } }));

  it('draining a zone copies what is all in it to other zones', () => {
    const four = rest(buildMap(nodesOf('aabbccdd', 2), { erasureProfile: { k: 2, m: 2 } }));
    const change = { scope: 'zone', name: 'a', kind: 'drain' } as const;
    const { problems, emptied, lost, stuck } = forecastTopology(four, change, new Map());
    expect(problems).toEqual([]);
    expect(stuck).toEqual([]);
    expect(lost).toEqual([]);
    expect(emptied).toEqual(inZone(four, 'a').map(({ pgId }) => pgId));
  });

  it('retiring a zone that is gone says what is lost with it, and is not refused for it', () => {
    const four = rest(buildMap(nodesOf('aabbccdd', 2), { erasureProfile: { k: 2, m: 2 } }));
    const gone = withStates(four, { nodes: { n0: 'down', n1: 'down' } });
    const change = { scope: 'zone', name: 'a', kind: 'retire' } as const;
    const { problems, lost, after } = forecastTopology(gone, change, new Map());
    expect(problems).toEqual([]);
    expect(lost).toEqual(inZone(four, 'a').map(({ pgId }) => pgId));
    expect([...after.groups.values()].filter((group) => isLostInZone(after, group))).toHaveLength(
      lost.length,
    );
  });

  it('a node whose slots its zone can take moves them and empties nothing', () => {
    const change = { scope: 'disk', name: 'n0d0', kind: 'drain' } as const;
    const { emptied, moves, problems } = forecastTopology(map, change, new Map());
    expect(problems).toEqual([]);
    expect(emptied).toEqual([]);
    expect(moves.length).toBeGreaterThan(0);
  });
});

describe('planOneZone on any map', () => {
  const node = fc.record({
    zone: fc.constantFrom('a', 'b', 'c'),
    state: fc.constantFrom('up' as const, 'up' as const, 'up' as const, 'down' as const),
    disks: fc.array(fc.constantFrom('online' as const, 'online' as const, 'lost' as const), {
      minLength: 1,
      maxLength: 3,
    }),
  });
  const maps = fc
    .array(node, { minLength: 3, maxLength: 12 })
    .map((nodes) => buildMap(nodes, { zones: ['a', 'b', 'c'], erasureProfile: { k: 2, m: 2 } }));

  it('keeps every group in its zone and spread over its nodes, and comes to rest', () => {
    fc.assert(
      fc.property(maps, fc.nat(11), fc.boolean(), (start, index, isDrain) => {
        const first = rest(start);
        const nodeId = `n${index % start.nodes.size}`;
        const map = rest(
          isDrain
            ? withIntentOf(first, 'node', nodeId, 'drain')
            : withStates(first, { nodes: { [nodeId]: 'down' } }),
        );
        for (const group of map.groups.values()) {
          const { profile, slots, zone } = group;
          expect(zoneConditionProblem(map, profile, slots, zone)).toBeNull();
          if (zone === undefined || !first.groups.has(group.pgId)) continue;
          // Any one node may be lost: what is left decodes.
          if (isGroupWhole(map, group)) expect(isZoneSafe(map, group, slots.keys())).toBe(true);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('a write that must survive a zone never gets a group inside one', () => {
    fc.assert(
      fc.property(maps, fc.constantFrom('erasure' as const, 'replica' as const), (start, kind) => {
        expect(choose(rest(start), undefined, kind)?.zone).toBeUndefined();
      }),
      { numRuns: 40 },
    );
  });
});
