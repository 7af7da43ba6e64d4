import fc from 'fast-check';

import {
  carryOutPlan,
  DEFAULT_GROUP_PLAN_OPTIONS,
  finishBackfills,
  forecastTopology,
  isDiskWritable,
  isEmptyPlan,
  isGroupWhole,
  isUnfitTarget,
  isZoneSafe,
  kindOfProfile,
  leavingIntent,
  nodesBesideDomain,
  planGroups,
  promisedNodes,
  reasonToLeave,
  zoneConditionProblem,
} from '../src/index';
import type { ClusterMap, GroupPlanOptions, PlacementGroup } from '../src/index';
import { buildMap, withIntentOf, withStates } from './map-builder';
import type { NodeSketch } from './map-builder';

const GRACE_MS = 15 * 60_000;
const options: GroupPlanOptions = {
  ...DEFAULT_GROUP_PLAN_OPTIONS,
  // See plan-one-zone.test.ts; the property below asks of all groups.
  oneZoneGroupsPerKind: 0,
  isSettled: true,
  nowMs: 10 * GRACE_MS,
  drainedGroups: new Set(),
};

const nodesOf = (zones: string): NodeSketch[] => Array.from(zones, (zone) => ({ zone }));

/** Carries plans out until there is none left. */
function rest(map: ClusterMap, changes: Partial<GroupPlanOptions> = {}): ClusterMap {
  let at = map;
  for (let round = 0; ; round += 1) {
    const plan = planGroups(at, { ...options, ...changes });
    if (isEmptyPlan(plan)) return at;
    if (round > 2_000) throw new Error('the plan does not come to rest');
    expect(plan.backfill.length).toBeLessThanOrEqual(options.backfillsMax);
    for (const { reason } of plan.backfill) expect(reason).toMatch(/; the least loaded disk /);
    at = finishBackfills(carryOutPlan(at, plan));
  }
}

function slotsOn(map: ClusterMap, prefix: string): number {
  return [...map.groups.values()]
    .flatMap(({ slots }) => slots)
    .filter((diskId) => diskId.startsWith(prefix)).length;
}

function down(map: ClusterMap, nodeId: string, downSinceMs: number): ClusterMap {
  const nodes = new Map(map.nodes);
  nodes.set(nodeId, { ...nodes.get(nodeId)!, state: 'down', downSinceMs });
  return { ...map, nodes };
}

describe('planMoves for what an operator wants', () => {
  const nine = rest(buildMap(nodesOf('aaabbbccc')));

  it('empties a node that is drained, a few slots at a time, and nothing else moves', () => {
    const draining = withIntentOf(nine, 'node', 'n0', 'drain');
    const map = rest(draining, { isSettled: false });
    expect(slotsOn(map, 'n0')).toBe(0);
    for (const group of map.groups.values()) {
      expect(zoneConditionProblem(map, group.profile, group.slots)).toBeNull();
      const before = nine.groups.get(group.pgId)!;
      group.slots.forEach((diskId, slot) => {
        if (!before.slots[slot]!.startsWith('n0')) expect(diskId).toBe(before.slots[slot]);
      });
    }
  });

  it('writes on to what is draining, but rather to groups without it', () => {
    const draining = withIntentOf(nine, 'node', 'n0', 'drain');
    expect(isDiskWritable(draining, 'n0d0')).toBe(true);
    const during = finishBackfills(carryOutPlan(draining, planGroups(draining, options)));
    expect([...during.groups.values()].every((group) => isGroupWhole(during, group))).toBe(true);
  });

  it('fills it again by capacity when the drain is taken back', () => {
    const drained = rest(withIntentOf(nine, 'node', 'n0', 'drain'));
    const back = rest(withIntentOf(drained, 'node', 'n0', null));
    expect(slotsOn(back, 'n0')).toBeGreaterThanOrEqual(slotsOn(nine, 'n0') - 2);
  });

  it('brings a new node to its share', () => {
    const joined = buildMap(nodesOf('aaabbbcccabc'));
    const map = rest({ ...joined, groups: nine.groups });
    const counts = [...map.nodes.keys()].map((nodeId) => slotsOn(map, `${nodeId}d`));
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(3);
  });

  it('waits with even use until the nodes have settled and every slot can be written', () => {
    const joined = { ...buildMap(nodesOf('aaabbbcccabc')), groups: nine.groups };
    expect(planGroups(joined, { ...options, isSettled: false }).backfill).toEqual([]);
    const outage = down(rest(joined, { isSettled: false }), 'n1', options.nowMs);
    expect(planGroups(outage, options).backfill).toEqual([]);
  });

  it('takes no writes in a zone in maintenance, moves nothing, and opens reduced groups', () => {
    const map = rest(withIntentOf(nine, 'zone', 'a', 'maintenance'));
    expect(slotsOn(map, 'n0')).toBe(slotsOn(nine, 'n0'));
    const reduced = [...map.groups.values()].filter(({ isReduced }) => isReduced);
    expect(reduced.length).toBeGreaterThan(0);
    for (const group of reduced) {
      expect(group.slots.some((diskId) => /^n[012]d/.test(diskId))).toBe(false);
    }
    const away = down(down(down(map, 'n0', 0), 'n1', 0), 'n2', 0);
    expect(planGroups(away, options).backfill).toEqual([]);
  });
});

describe('planMoves for nodes that are down', () => {
  const nine = rest(buildMap(nodesOf('aaabbbccc')));

  it('moves the slots of a node only after the grace', () => {
    const early = down(nine, 'n0', options.nowMs - GRACE_MS);
    expect(planGroups(early, options).backfill).toEqual([]);
    const late = down(nine, 'n0', options.nowMs - GRACE_MS - 1);
    expect(planGroups(late, options).backfill).toHaveLength(4);
    expect(slotsOn(rest(late), 'n0')).toBe(0);
  });

  it('never moves a slot of a zone that is down as a whole, until it is retired', () => {
    const four = rest(buildMap(nodesOf('aabbccdd')));
    const outage = rest(down(down(four, 'n0', 0), 'n1', 0));
    expect(slotsOn(outage, 'n0')).toBe(slotsOn(four, 'n0'));
    const retired = rest(withIntentOf(outage, 'zone', 'a', 'retire'));
    expect(slotsOn(retired, 'n0') + slotsOn(retired, 'n1')).toBe(0);
    for (const group of retired.groups.values()) {
      expect(zoneConditionProblem(retired, group.profile, group.slots)).toBeNull();
    }
  });

  it('keeps a backfill whose target is away for a moment, and sends it on after the grace', () => {
    const twelve = rest(buildMap(nodesOf('aaaabbbbcccc')));
    const lost = withStates(twelve, { disks: { n0d0: 'lost' } });
    const plan = planGroups(lost, options);
    const [{ pgId, targetDiskId }] = plan.backfill as [(typeof plan.backfill)[0]];
    const started = carryOutPlan(lost, plan);
    const nodeId = started.disks.get(targetDiskId)!.nodeId;
    const away = planGroups(down(started, nodeId, options.nowMs), options);
    expect(away.backfill.map((move) => move.pgId)).not.toContain(pgId);
    const gone = planGroups(down(started, nodeId, 0), options);
    const again = gone.backfill.find((move) => move.pgId === pgId);
    expect(again?.targetDiskId ?? targetDiskId).not.toBe(targetDiskId);
  });
});

describe('planMoves when a target is full', () => {
  it('sends the backfill on to another disk: a full one may stay full', () => {
    const twelve = rest(buildMap(nodesOf('aaaabbbbcccc')));
    const lost = withStates(twelve, { disks: { n0d0: 'lost' } });
    const plan = planGroups(lost, options);
    const [{ pgId, targetDiskId }] = plan.backfill as [(typeof plan.backfill)[0]];
    const full = withStates(carryOutPlan(lost, plan), { disks: { [targetDiskId]: 'full' } });
    expect(isUnfitTarget(full, targetDiskId)).toBe(true);
    const again = planGroups(full, options).backfill.find((move) => move.pgId === pgId);
    expect(again).toBeDefined();
    expect(again?.targetDiskId).not.toBe(targetDiskId);
  });
});

describe('zone+1: 5+4 on nine nodes', () => {
  const zonePlus = { erasureProfile: { k: 5, m: 4 }, survive: 'zone+1' as const };
  const map = rest(buildMap(nodesOf('aaabbbccc'), zonePlus));
  /** Two disks a node: a slot can go beside another one of its group. */
  const full = rest(
    buildMap(
      nodesOf('aaabbbccc').map((node) => ({ ...node, disks: ['online', 'online'] as const })),
      zonePlus,
    ),
  );
  const erasure = (at: ClusterMap): PlacementGroup[] =>
    [...at.groups.values()].filter(({ profile }) => kindOfProfile(profile) === 'erasure');

  it('survives any zone and any node beside it, with three copies for small bodies too', () => {
    for (const group of map.groups.values()) {
      expect(nodesBesideDomain(map, group.profile, group.slots)).toBeGreaterThanOrEqual(1);
    }
  });

  it('acknowledges only what survives a zone and a node: one shard of 5+4 missing is too little', () => {
    const [group] = erasure(map) as [PlacementGroup];
    const all = [...group.slots.keys()];
    expect(isZoneSafe(map, group, all)).toBe(true);
    expect(
      all.some((missing) =>
        isZoneSafe(
          map,
          group,
          all.filter((s) => s !== missing),
        ),
      ),
    ).toBe(false);
  });

  it('opens 4+4 with a node out, 2+4 with a zone out, and both survive a zone and a node', () => {
    for (const [nodes, text] of [
      [{ n0: 'down' }, '4+4'],
      [{ n0: 'down', n1: 'down', n2: 'down' }, '2+4'],
    ] as const) {
      const outage = rest(withStates(map, { nodes }));
      const reduced = erasure(outage).filter(({ isReduced }) => isReduced);
      expect(reduced.map(({ profile: { k, m } }) => `${k}+${m}`)).toEqual(reduced.map(() => text));
      expect(reduced.length).toBeGreaterThan(0);
      for (const group of reduced) {
        expect(nodesBesideDomain(outage, group.profile, group.slots)).toBe(1);
      }
    }
  });

  it('opens 2+3 with a zone and a node out: everything can be written, zone-safe', () => {
    const nodes = { n0: 'down', n1: 'down', n2: 'down', n3: 'down' } as const;
    const outage = rest(withStates(map, { nodes }));
    const reduced = erasure(outage).filter(({ isReduced }) => isReduced);
    expect(reduced.map(({ profile: { k, m } }) => `${k}+${m}`)).toEqual(reduced.map(() => '2+3'));
    for (const group of reduced) {
      expect(isZoneSafe(outage, group, group.slots.keys())).toBe(true);
    }
  });

  it('puts a lost shard beside another one rather than nowhere, and spreads again when it can', () => {
    const lost = withStates(full, { disks: { n0d0: 'lost', n0d1: 'lost' } });
    const crowded = rest(lost);
    expect(slotsOn(crowded, 'n0')).toBe(0);
    expect(erasure(crowded).some((g) => nodesBesideDomain(crowded, g.profile, g.slots) < 1)).toBe(
      true,
    );
    const back = withStates(crowded, { disks: { n0d0: 'online', n0d1: 'online' } });
    for (const { reason } of planGroups(back, options).backfill) {
      expect(reason).toMatch(/survives less than is promised/);
    }
    const returned = rest(back);
    for (const group of erasure(returned)) {
      expect(nodesBesideDomain(returned, group.profile, group.slots)).toBeGreaterThanOrEqual(1);
    }
  });

  it('does not drain a node when that would break the promise, and says so', () => {
    const change = { scope: 'node', name: 'n0', kind: 'drain' } as const;
    for (const cluster of [map, full]) {
      const { problems } = forecastTopology(cluster, change, new Map());
      expect(problems.join()).toMatch(/no disk can take \d+ slots of \d+ groups/);
    }
  });
});

describe('forecastTopology', () => {
  const nine = rest(buildMap(nodesOf('aaabbbccc')));
  const forecastOf = (
    map: ClusterMap,
    scope: 'disk' | 'node' | 'zone',
    name: string,
    kind: never,
  ) => forecastTopology(map, { scope, name, kind }, new Map([['n0d0', 1_000]]));

  it('shows every slot that moves, how many bytes, and what is survived meanwhile', () => {
    const { moves, problems, meanwhile } = forecastOf(nine, 'disk', 'n0d0', 'drain' as never);
    expect(problems).toEqual([]);
    const real = rest(withIntentOf(nine, 'disk', 'n0d0', 'drain'), { isSettled: false });
    expect(moves).toHaveLength(slotsOn(nine, 'n0d0'));
    for (const { pgId, slot, to } of moves) expect(real.groups.get(pgId)!.slots[slot]).toBe(to);
    expect(moves.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0)).toBeCloseTo(1_000, -2);
    expect(meanwhile.map(({ text }) => text).join()).toMatch(/4\+2, 6 of 6 shards: survives/);
  });

  it('refuses what would leave too few zones, whatever disks there are', () => {
    const { problems } = forecastOf(nine, 'zone', 'a', 'retire' as never);
    expect(problems[0]).toBe(
      'too few zones would be left: 4+2 over 2 zones puts 3 shards into one; ' +
        'to lose it takes 3 parity shards, and there are 2',
    );
  });

  it('retires a zone of four', () => {
    const four = rest(buildMap(nodesOf('aabbccdd')));
    const { problems, after } = forecastOf(four, 'zone', 'd', 'retire' as never);
    expect(problems).toEqual([]);
    expect(slotsOn(after, 'n6') + slotsOn(after, 'n7')).toBe(0);
  });

  it('refuses what does not fit', () => {
    const used = new Map([...nine.disks.keys()].map((diskId) => [diskId, 0.7e12]));
    const change = { scope: 'node', name: 'n0', kind: 'drain' } as const;
    const { problems } = forecastTopology(nine, change, used);
    expect(problems.join()).toMatch(/not enough capacity: disk n\dd0 would be 1\d\d % full/);
  });

  it('refuses maintenance of a second zone, and of one without which nothing could be written', () => {
    expect(forecastOf(nine, 'zone', 'a', 'maintenance' as never).problems).toEqual([]);
    const one = withIntentOf(nine, 'zone', 'b', 'maintenance');
    expect(forecastOf(one, 'zone', 'a', 'maintenance' as never).problems[0]).toMatch(/zone b is/);
    const outage = withStates(nine, { nodes: { n3: 'down', n4: 'down', n5: 'down' } });
    const { problems } = forecastOf(outage, 'zone', 'a', 'maintenance' as never);
    expect(problems.join()).toMatch(/no erasure write would be zone-safe/);
  });
});

describe('even use of disks of many sizes', () => {
  it('is within a slot and a half of the smaller disk, where any disk of a zone may hold a slot', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 2, maxLength: 4 });
    fc.assert(
      fc.property(sizes, sizes, sizes, (a, b, c) => {
        const nodes = [a, b, c].flatMap((zone, index) =>
          zone.map((tb) => ({ zone: 'abc'[index]!, capacityBytes: tb * 1e12 })),
        );
        // One slot a zone: nothing but capacity says which disk it is.
        const start = buildMap(nodes, { erasureProfile: { k: 2, m: 1 } });
        const map = rest(start);
        for (const kind of ['erasure', 'replica'] as const) {
          const slots = [...map.groups.values()]
            .filter(({ profile }) => kindOfProfile(profile) === kind)
            .flatMap((group) => group.slots);
          const disks = [...map.disks.values()].map((disk) => ({
            ...disk,
            slots: slots.filter((diskId) => diskId === disk.diskId).length,
          }));
          for (const x of disks) {
            for (const y of disks.filter(({ zone }) => zone === x.zone)) {
              const difference = x.slots / x.capacityBytes - y.slots / y.capacityBytes;
              const smaller = Math.min(x.capacityBytes, y.capacityBytes);
              expect(difference).toBeLessThan(1.5 / smaller);
            }
          }
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe('even use of zones of many sizes', () => {
  it('puts no second copy into a zone, however much room there is', () => {
    const nodes = nodesOf('aabbcc').map((node) =>
      node.zone === 'c' ? { ...node, capacityBytes: 8e12 } : node,
    );
    const map = rest(buildMap(nodes));
    for (const group of map.groups.values()) {
      const zones = group.slots.map((diskId) => map.disks.get(diskId)!.zone);
      expect(new Set(zones).size).toBe(3);
    }
  });
});

describe('planMoves after any sequence of changes', () => {
  const clusters = fc
    .record({
      perZone: fc.integer({ min: 2, max: 4 }),
      zones: fc.integer({ min: 3, max: 4 }),
      sizes: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 16, maxLength: 16 }),
      profile: fc.constantFrom({ k: 4, m: 2 }, { k: 2, m: 1 }, { k: 5, m: 4 }, { k: 3, m: 3 }),
    })
    .map(({ perZone, zones, sizes, profile: erasureProfile }) => {
      const names = ['a', 'b', 'c', 'd'].slice(0, zones);
      const nodes = names.flatMap((zone, index) =>
        Array.from({ length: perZone }, (_, i) => ({
          zone,
          disks: ['online', 'online'] as const,
          capacityBytes: sizes[index * 4 + i]! * 1e12,
        })),
      );
      const survive = erasureProfile.m > erasureProfile.k - 2 ? 'zone+1' : 'zone';
      return buildMap(nodes, { zones: names, erasureProfile, survive });
    });
  const event = fc.record({
    kind: fc.constantFrom('drain', 'undo', 'lose', 'fence', 'down', 'up', 'replace', 'maintain'),
    node: fc.nat(15),
    disk: fc.nat(1),
    isSmall: fc.boolean(),
  });

  function change(map: ClusterMap, { kind, node, disk, isSmall }: fcEvent): ClusterMap {
    const nodeId = `n${node % map.nodes.size}`;
    const diskId = `${nodeId}d${disk}`;
    const { zone } = map.nodes.get(nodeId)!;
    switch (kind) {
      case 'drain':
        return withIntentOf(map, isSmall ? 'disk' : 'node', isSmall ? diskId : nodeId, 'drain');
      case 'undo':
        return { ...map, intents: new Map() };
      case 'lose':
        return withStates(map, { disks: { [diskId]: 'lost' } });
      case 'fence':
        return withStates(map, { disks: { [diskId]: 'fenced' } });
      case 'down':
        return down(map, nodeId, isSmall ? 0 : options.nowMs);
      case 'replace':
        return withStates(map, { disks: { [diskId]: 'online' } });
      case 'maintain':
        return withIntentOf(map, 'zone', zone, isSmall ? 'maintenance' : null);
      default:
        return withStates(map, { nodes: { [nodeId]: 'up' } });
    }
  }
  type fcEvent = typeof event extends fc.Arbitrary<infer E> ? E : never;

  /** By trying every disk: no slot that is to leave could go anywhere. */
  function expectNothingLeftToMove(map: ClusterMap): void {
    const targets = [...map.disks.keys()].filter(
      (diskId) => isDiskWritable(map, diskId) && leavingIntent(map, diskId) === null,
    );
    for (const group of map.groups.values()) {
      const { profile, slots, zone } = group;
      slots.forEach((diskId, slot) => {
        const leave = reasonToLeave(map, diskId, options);
        if (leave === null) return;
        const promised = zone === undefined ? promisedNodes(map) : 0;
        const kept = Math.min(promised, nodesBesideDomain(map, profile, slots, zone));
        const floor = leave.urgency === 2 ? Math.max(0, kept) : 0;
        const fitting = targets.filter(
          (target) =>
            zoneConditionProblem(map, profile, slots.with(slot, target), zone) === null &&
            nodesBesideDomain(map, profile, slots.with(slot, target), zone) >= floor,
        );
        expect(fitting).toEqual([]);
      });
    }
  }

  it('comes to rest with the zone condition kept everywhere and nothing left that could move', () => {
    fc.assert(
      fc.property(clusters, fc.array(event, { maxLength: 6 }), (start, events) => {
        const all = { oneZoneGroupsPerKind: 2 };
        let map = rest(start, all);
        for (const each of events) {
          map = rest(change(map, each), all);
          for (const { profile, slots, zone, backfill } of map.groups.values()) {
            expect(zoneConditionProblem(map, profile, slots, zone)).toBeNull();
            expect(backfill).toBeNull();
          }
          expectNothingLeftToMove(map);
        }
      }),
      { numRuns: 12 },
    );
  });
});
