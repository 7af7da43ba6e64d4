import fc from 'fast-check';

import {
  carryOutPlan,
  DEFAULT_GROUP_PLAN_OPTIONS,
  finishBackfills,
  isEmptyPlan,
  isGroupWhole,
  kindOfProfile,
  planGroups,
  zoneConditionProblem,
} from '../src/index';
import type { ClusterMap, GroupPlanOptions, PlacementGroup } from '../src/index';
import { buildMap, withStates } from './map-builder';

const options: GroupPlanOptions = {
  ...DEFAULT_GROUP_PLAN_OPTIONS,
  // See plan-one-zone.test.ts; the properties below ask of all groups.
  oneZoneGroupsPerKind: 0,
  isSettled: true,
  nowMs: 0,
  drainedGroups: new Set(),
};

const SIX_NODES = buildMap(['a', 'a', 'b', 'b', 'c', 'c'].map((zone) => ({ zone })));

function grown(map: ClusterMap): ClusterMap {
  return carryOutPlan(map, planGroups(map, options));
}

function groupsOf(map: ClusterMap, filter: (group: PlacementGroup) => boolean): PlacementGroup[] {
  return [...map.groups.values()].filter(filter);
}

function profilesOf(groups: readonly PlacementGroup[]): string[] {
  return [...new Set(groups.map(({ profile }) => `${profile.k}+${profile.m}`))];
}

function slotsPerZone(map: ClusterMap, group: PlacementGroup): number[] {
  const counts = new Map<string, number>();
  for (const diskId of group.slots) {
    const { zone } = map.disks.get(diskId)!;
    counts.set(zone, (counts.get(zone) ?? 0) + 1);
  }
  return [...counts.values()].sort((a, b) => b - a);
}

describe('planGroups on a healthy cluster', () => {
  const map = grown(SIX_NODES);

  it('opens the groups of both kinds, none of them reduced', () => {
    expect(groupsOf(map, ({ profile }) => profile.k === 4)).toHaveLength(12);
    expect(groupsOf(map, ({ profile }) => profile.k === 1)).toHaveLength(12);
    expect(groupsOf(map, ({ isReduced }) => isReduced)).toHaveLength(0);
  });

  it('puts one copy and two shards into every zone', () => {
    for (const group of map.groups.values()) {
      expect(slotsPerZone(map, group)).toEqual(group.profile.k === 4 ? [2, 2, 2] : [1, 1, 1]);
    }
  });

  it('uses every disk in every role equally often', () => {
    const roles = new Map<string, number>();
    for (const group of groupsOf(map, ({ profile }) => profile.k === 4)) {
      group.slots.forEach((diskId, slot) => {
        const role = `${diskId}:${slot}`;
        roles.set(role, (roles.get(role) ?? 0) + 1);
      });
    }
    expect([...roles.values()]).toEqual(Array.from({ length: 36 }, () => 2));
  });

  it('is at rest once carried out', () => {
    expect(planGroups(map, options)).toEqual({ open: [], seal: [], backfill: [], remove: [] });
  });

  it('brings nodes that joined later into use', () => {
    const three = grown(
      buildMap(
        ['a', 'b', 'c'].map((zone) => ({ zone })),
        { zones: ['a', 'b', 'c'] },
      ),
    );
    const joined = grown({ ...SIX_NODES, groups: three.groups });
    const used = new Set(
      groupsOf(joined, ({ profile, isReduced }) => profile.k === 1 && !isReduced).flatMap(
        ({ slots }) => slots,
      ),
    );
    expect(used.size).toBe(6);
    expect(planGroups(joined, options).open).toEqual([]);
  });
});

describe('planGroups in a cluster of copies alone', () => {
  it('opens replica groups once, and nothing for the kind that does not exist', () => {
    const copies = buildMap(
      ['a', 'a', 'b', 'b', 'c', 'c'].map((zone) => ({ zone })),
      {
        erasureProfile: { k: 1, m: 2 },
      },
    );
    const map = grown(copies);
    expect(map.groups.size).toBe(12);
    expect(planGroups(map, options).open).toEqual([]);
  });
});

describe('planGroups on the first start', () => {
  it('waits for the other nodes instead of opening reduced groups', () => {
    const partial = buildMap([{ zone: 'a' }, { zone: 'b' }, { zone: 'b' }], {
      zones: ['a', 'b', 'c'],
    });
    const plan = planGroups(partial, { ...options, isSettled: false });
    expect(plan.open).toEqual([]);
  });
});

describe('planGroups while something is out', () => {
  const normal = grown(SIX_NODES);

  it('opens 3+2 with 2, 2 and 1 slots when one of six nodes is out', () => {
    const map = grown(withStates(normal, { nodes: { n5: 'down' } }));
    const reduced = groupsOf(map, ({ isReduced }) => isReduced);
    expect(profilesOf(reduced)).toEqual(['3+2']);
    expect(reduced).toHaveLength(4);
    for (const group of reduced) expect(slotsPerZone(map, group)).toEqual([2, 2, 1]);
    expect(groupsOf(map, (g) => g.profile.k === 1 && isGroupWhole(map, g)).length).toBeGreaterThan(
      0,
    );
  });

  it('opens 2+2, and three copies as 2+1, when a zone is out', () => {
    const map = grown(withStates(normal, { nodes: { n0: 'down', n1: 'down' } }));
    const reduced = groupsOf(map, ({ isReduced }) => isReduced);
    expect(profilesOf(reduced)).toEqual(['2+2', '1+2']);
    for (const group of reduced) {
      expect(slotsPerZone(map, group)).toEqual(group.profile.k === 2 ? [2, 2] : [2, 1]);
      expect(isGroupWhole(map, group)).toBe(true);
    }
  });

  it('refuses to plan writes that one more zone would destroy', () => {
    const nodes = { n0: 'down', n1: 'down', n2: 'down', n3: 'down' } as const;
    expect(planGroups(withStates(normal, { nodes }), options).open).toEqual([]);
  });

  it('seals the reduced groups when the nodes are back, and takes them again at the next outage', () => {
    const outage = { nodes: { n0: 'down', n1: 'down' } } as const;
    const back = { nodes: { n0: 'up', n1: 'up' } } as const;
    const during = grown(withStates(normal, outage));
    const after = grown(withStates(during, back));
    const reduced = groupsOf(after, ({ isReduced }) => isReduced);
    expect(reduced.map(({ state }) => state)).toEqual(reduced.map(() => 'sealed'));
    const again = planGroups(withStates(after, outage), options);
    expect(again.open).toEqual([]);
    expect(again.seal.map(({ isSealed }) => isSealed)).toEqual(reduced.map(() => false));
  });

  it('removes a sealed reduced group only when told that it is drained', () => {
    const during = grown(withStates(normal, { nodes: { n5: 'down' } }));
    const after = grown(withStates(during, { nodes: { n5: 'up' } }));
    const [drained] = groupsOf(after, ({ isReduced }) => isReduced);
    const drainedGroups = new Set([drained!.pgId, 1]);
    expect(planGroups(after, options).remove).toEqual([]);
    const plan = planGroups(after, { ...options, drainedGroups });
    expect(plan.remove.map(({ pgId }) => pgId)).toEqual([drained!.pgId]);
    const stillActive = { ...during, groups: during.groups };
    expect(planGroups(stillActive, { ...options, drainedGroups }).remove).toEqual([]);
  });
});

describe('planGroups for a lost disk', () => {
  it('moves the slot to a disk of the same zone, a few groups at a time, until none is left', () => {
    const nodes = ['a', 'a', 'b', 'b', 'c', 'c'].map((zone) => ({ zone }));
    let map = grown(buildMap(nodes));
    const replaced = buildMap(nodes.with(0, { zone: 'a', disks: ['lost', 'online'] } as never));
    map = { ...map, disks: replaced.disks };
    for (let round = 0; round < 20; round += 1) {
      const plan = planGroups(map, options);
      expect(plan.backfill.length).toBeLessThanOrEqual(4);
      for (const { targetDiskId } of plan.backfill) {
        expect(map.disks.get(targetDiskId)?.zone).toBe('a');
      }
      map = finishBackfills(carryOutPlan(map, plan));
    }
    expect(groupsOf(map, ({ slots }) => slots.includes('n0d0'))).toEqual([]);
    // The replacement fills up by backfill; only the outage itself opened a few more.
    expect(map.groups.size).toBeLessThanOrEqual(24 + 2 * options.groupsPerOutage);
  });

  it('waits when no disk keeps the zone condition', () => {
    const map = withStates(grown(SIX_NODES), { disks: { n0d0: 'lost' } });
    const large = planGroups(map, options).backfill.filter(
      ({ pgId }) => map.groups.get(pgId)!.profile.k === 4,
    );
    expect(large).toEqual([]);
  });
});

describe('planGroups on any map', () => {
  const node = fc.record({
    zone: fc.constantFrom('a', 'b', 'c', 'd'),
    state: fc.constantFrom('up' as const, 'up' as const, 'up' as const, 'down' as const),
    disks: fc.array(
      fc.constantFrom(
        'online' as const,
        'online' as const,
        'full' as const,
        'fenced' as const,
        'lost' as const,
      ),
      { minLength: 1, maxLength: 3 },
    ),
  });
  const profile = fc.record({
    k: fc.integer({ min: 2, max: 8 }),
    m: fc.integer({ min: 1, max: 4 }),
  });
  const maps = fc
    .record({
      nodes: fc.array(node, { maxLength: 14 }),
      profile,
      copies: fc.integer({ min: 1, max: 3 }),
    })
    .map(({ nodes, profile: erasureProfile, copies }) =>
      buildMap(nodes, {
        zones: ['a', 'b', 'c', 'd'],
        erasureProfile,
        replicaProfile: { k: 1, m: copies },
      }),
    );
  const outages = fc.array(
    fc.record({
      nodeId: fc.nat(13).map((index) => `n${index}`),
      state: fc.constantFrom('up' as const, 'down' as const),
    }),
    { maxLength: 6 },
  );

  it('never breaks the zone condition, opens only whole groups, and comes to rest', () => {
    fc.assert(
      fc.property(maps, outages, fc.boolean(), (start, changes, isSettled) => {
        let map = start;
        for (const change of [null, ...changes]) {
          if (change !== null && map.nodes.has(change.nodeId)) {
            map = withStates(map, { nodes: { [change.nodeId]: change.state } });
          }
          for (let round = 0; ; round += 1) {
            const plan = planGroups(map, { ...options, oneZoneGroupsPerKind: 2, isSettled });
            if (isEmptyPlan(plan)) break;
            expect(round).toBeLessThan(300);
            const before = map.groups;
            map = carryOutPlan(map, plan);
            for (const group of map.groups.values()) {
              const { profile: shape, slots, zone } = group;
              expect(zoneConditionProblem(map, shape, slots, zone)).toBeNull();
              if (!before.has(group.pgId)) expect(isGroupWhole(map, group)).toBe(true);
            }
            map = finishBackfills(map);
            for (const { profile: shape, slots, zone } of map.groups.values()) {
              expect(zoneConditionProblem(map, shape, slots, zone)).toBeNull();
            }
          }
        }
      }),
      { numRuns: 150 },
    );
  });

  it('never opens a reduced group while a whole normal one of the kind is left', () => {
    fc.assert(
      fc.property(maps, (start) => {
        const map = grown(start);
        for (const kind of ['erasure', 'replica'] as const) {
          const groups = groupsOf(map, ({ profile: p }) => kindOfProfile(p) === kind);
          const hasNormal = groups.some((g) => !g.isReduced && isGroupWhole(map, g));
          if (hasNormal) expect(groups.filter(({ isReduced }) => isReduced)).toEqual([]);
        }
      }),
    );
  });
});
