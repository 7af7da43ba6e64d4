import { seededRandom } from '@azimuth/common';
import fc from 'fast-check';

import {
  carryOutPlan,
  chooseReaders,
  chooseWriteGroup,
  DEFAULT_GROUP_PLAN_OPTIONS,
  isZoneSafe,
  planGroups,
  zoneConditionProblem,
} from '../src/index';
import type { ClusterMap, PlacementGroup } from '../src/index';
import { buildMap, withStates } from './map-builder';

const options = {
  ...DEFAULT_GROUP_PLAN_OPTIONS,
  isSettled: true,
  nowMs: 0,
  drainedGroups: new Set<number>(),
};
const empty = buildMap(['a', 'a', 'b', 'b', 'c', 'c'].map((zone) => ({ zone })));
const healthy = carryOutPlan(empty, planGroups(empty, options));
const random = seededRandom(1);
const nothingSuspect = { isSuspect: () => false, random };

function groupOf(map: ClusterMap, k: number): PlacementGroup {
  return [...map.groups.values()].find(({ profile }) => profile.k === k)!;
}

function zoneOf(map: ClusterMap, group: PlacementGroup, slot: number): string {
  return map.disks.get(group.slots[slot]!)!.zone;
}

describe('zoneConditionProblem', () => {
  it('names what is wrong', () => {
    const profile = { k: 1, m: 1 };
    expect(zoneConditionProblem(healthy, profile, ['n0d0', 'n2d0'])).toBeNull();
    expect(zoneConditionProblem(healthy, profile, ['n0d0'])?.kind).toBe('wrong-slot-count');
    expect(zoneConditionProblem(healthy, profile, ['n0d0', 'x'])?.kind).toBe('unknown-disk');
    expect(zoneConditionProblem(healthy, profile, ['n0d0', 'n1d0'])?.kind).toBe('too-many-in-zone');
    const repeated = zoneConditionProblem(healthy, { k: 1, m: 2 }, ['n0d0', 'n0d0', 'n2d0']);
    expect(repeated?.kind).toBe('repeated-disk');
  });

  it('speaks of nodes in a cluster of one zone', () => {
    const one = buildMap([{ zone: 'a' }, { zone: 'a', disks: ['online', 'online'] }]);
    expect(zoneConditionProblem(one, { k: 1, m: 1 }, ['n0d0', 'n1d0'])).toBeNull();
    expect(zoneConditionProblem(one, { k: 1, m: 1 }, ['n1d0', 'n1d1'])?.kind).toBe(
      'too-many-in-zone',
    );
  });
});

describe('isZoneSafe', () => {
  it('is exactly: k of the acknowledged shards are left whichever zone is lost', () => {
    const slots = fc.uniqueArray(fc.nat(5), { maxLength: 6 });
    fc.assert(
      fc.property(slots, fc.constantFrom(4, 1), (all, k) => {
        const group = groupOf(healthy, k);
        const acked = all.filter((slot) => slot < group.slots.length);
        const survivors = ['a', 'b', 'c'].map(
          (zone) => acked.filter((slot) => zoneOf(healthy, group, slot) !== zone).length,
        );
        expect(isZoneSafe(healthy, group, acked)).toBe(Math.min(...survivors) >= k);
      }),
    );
  });

  it('does not count a slot twice', () => {
    const group = groupOf(healthy, 1);
    expect(isZoneSafe(healthy, group, [0, 0])).toBe(false);
    expect(isZoneSafe(healthy, group, [0, 1])).toBe(true);
  });
});

describe('chooseWriteGroup', () => {
  it('takes a whole normal group while there is one', () => {
    const map = withStates(healthy, { nodes: { n0: 'down' } });
    const group = chooseWriteGroup(map, { kind: 'replica', ...nothingSuspect });
    expect(group?.isReduced).toBe(false);
    expect(group?.slots).not.toContain('n0d0');
  });

  it('takes a reduced group when no normal one is whole', () => {
    const out = withStates(healthy, { nodes: { n0: 'down' } });
    const meanwhile = chooseWriteGroup(out, { kind: 'erasure', ...nothingSuspect });
    expect(meanwhile).toMatchObject({ isReduced: false, profile: { k: 1, m: 2 } });
    const map = carryOutPlan(out, planGroups(out, options));
    const group = chooseWriteGroup(map, { kind: 'erasure', ...nothingSuspect });
    expect(group).toMatchObject({ isReduced: true, profile: { k: 3, m: 2 } });
  });

  it('avoids suspect disks and groups that were tried', () => {
    const tried = new Set<number>();
    for (;;) {
      const choice = { kind: 'replica' as const, random, excluded: tried };
      const isSuspect = (diskId: string): boolean => diskId === 'n3d0';
      const group = chooseWriteGroup(healthy, { ...choice, isSuspect });
      if (group === null) break;
      tried.add(group.pgId);
      const isLast = group.slots.includes('n3d0');
      if (isLast) break;
    }
    const clean = [...healthy.groups.values()].filter(
      ({ profile, slots }) => profile.k === 1 && !slots.includes('n3d0'),
    );
    for (const { pgId } of clean) expect(tried).toContain(pgId);
  });

  it('never takes a sealed group', () => {
    const groups = new Map(
      [...healthy.groups].map(([id, g]) => [id, { ...g, state: 'sealed' as const }]),
    );
    expect(
      chooseWriteGroup({ ...healthy, groups }, { kind: 'erasure', ...nothingSuspect }),
    ).toBeNull();
  });
});

describe('chooseReaders', () => {
  const group = groupOf(healthy, 4);

  it('asks data shards first, in the own zone first', () => {
    const readers = chooseReaders(healthy, group, { zone: 'a', prefer: 'data', ...nothingSuspect });
    expect(readers.map(({ shardIndex }) => shardIndex >= 4)).toEqual([
      ...[false, false, false, false],
      ...[true, true],
    ]);
    const own = readers.slice(0, 4).map(({ isOwnZone }) => isOwnZone);
    expect(own).toEqual([...own].sort().reverse());
  });

  it('asks the own zone first when told so', () => {
    const readers = chooseReaders(healthy, group, { zone: 'b', prefer: 'zone', ...nothingSuspect });
    expect(readers.map(({ isOwnZone }) => isOwnZone)).toEqual([
      true,
      true,
      ...Array(4).fill(false),
    ]);
  });

  it('leaves out what cannot be read, and puts suspects last', () => {
    const map = withStates(healthy, { nodes: { n0: 'down' }, disks: { n1d0: 'lost' } });
    const isSuspect = (diskId: string): boolean => diskId === 'n2d0';
    const readers = chooseReaders(map, group, { zone: 'b', prefer: 'data', isSuspect, random });
    expect(readers).toHaveLength(4);
    expect(readers.at(-1)?.diskId).toBe('n2d0');
  });
});
