import type { StoreError, StoreErrorCode } from '@azimuth/common';
import type { ClusterMap } from '@azimuth/placement';

import {
  bodyOf,
  INLINE_MAX,
  makeBody,
  makeFixture,
  makeGroup,
  makeGroups,
  makeMap,
  REPLICA_MAX,
  withoutZoneC,
} from './data-path-fixture';

const PAIRS = ['a', 'b', 'c'].map((zone, index) => ({
  ...makeGroup(31 + index, { k: 1, m: 1 }, [`${zone}0`, `${zone}1`]),
  zone,
}));
const MAP = makeMap([...makeGroups(), ...PAIRS]);
const ONE_ZONE = { isOneZone: true };

function withDown(map: ClusterMap, ...nodeIds: readonly string[]): ClusterMap {
  const nodes = [...map.nodes.values()].map((node) =>
    nodeIds.includes(node.nodeId) ? ({ ...node, state: 'down' } as const) : node,
  );
  return { ...map, version: map.version + 1, nodes: new Map(nodes.map((n) => [n.nodeId, n])) };
}

function codeOf(reading: Promise<unknown>): Promise<StoreErrorCode | 'no error'> {
  return reading.then(
    () => 'no error' as const,
    (error: unknown) => (error as StoreError).code,
  );
}

describe('a body that may be all in one zone', () => {
  it.each([INLINE_MAX + 1, REPLICA_MAX + 1, 3_000_000])(
    'of %i bytes is in the zone of the gateway, complete, and comes back',
    async (sizeBytes) => {
      const fixture = makeFixture({ map: MAP });
      const body = makeBody(sizeBytes);
      const written = await fixture.write(body, ONE_ZONE);
      expect(written.data.blobs).toMatchObject([{ pgId: 31, isReduced: false }]);
      expect(written.data.missing).toEqual([]);
      expect((await fixture.read(bodyOf(written), 0, sizeBytes)).equals(body)).toBe(true);
    },
  );

  it('is not there unless that is asked for', async () => {
    const { data } = await makeFixture({ map: MAP }).write(makeBody(REPLICA_MAX + 1));
    expect(data.blobs[0]?.profile.k).toBe(4);
  });

  it('goes to another zone when a disk of its own fails', async () => {
    const fixture = makeFixture({ map: MAP });
    fixture.storage.faults.set('a1', { kind: 'refuse', code: 'UNAVAILABLE' });
    const { data } = await fixture.write(makeBody(REPLICA_MAX + 1), ONE_ZONE);
    expect([32, 33]).toContain(data.blobs[0]?.pgId);
    expect(data.missing).toEqual([]);
  });

  it('is written in a strict bucket while another zone is out', async () => {
    const fixture = makeFixture({ map: withoutZoneC(MAP) });
    const strict = { ...ONE_ZONE, outagePolicy: 'strict' as const };
    const { data } = await fixture.write(makeBody(REPLICA_MAX + 1), strict);
    expect(data.blobs[0]?.pgId).toBe(31);
  });

  it('is not acknowledged in a group that is being emptied by then', async () => {
    const fixture = makeFixture({ map: MAP });
    fixture.storage.faults.set('a0', { kind: 'slow', delayMs: 300 });
    const writing = fixture.write(makeBody(REPLICA_MAX + 1), ONE_ZONE);
    fixture.clock.schedule(100, () => {
      const groups = new Map(MAP.groups);
      groups.set(31, { ...PAIRS[0]!, state: 'sealed' });
      fixture.view.current = { ...MAP, version: MAP.version + 1, groups };
    });
    const { data } = await writing;
    expect([32, 33]).toContain(data.blobs[0]?.pgId);
  });
});

describe('a read of a body that is all in one zone', () => {
  const SIZES = [REPLICA_MAX, 1_000_000];

  it.each(SIZES)('of %i bytes says that the zone is out, whole or in ranges', async (sizeBytes) => {
    const fixture = makeFixture({ map: MAP });
    const body = bodyOf(await fixture.write(makeBody(sizeBytes), ONE_ZONE));
    fixture.view.current = withDown(MAP, 'a0', 'a1');
    expect(await codeOf(fixture.read(body, 0, sizeBytes))).toBe('ZONE_OUT');
    expect(await codeOf(fixture.read(body, sizeBytes - 10, sizeBytes))).toBe('ZONE_OUT');
    expect(fixture.dataPath.memoryBytes().reading).toBe(0);
    fixture.view.current = MAP;
    expect((await fixture.read(body, 0, sizeBytes)).length).toBe(sizeBytes);
  });

  it.each(SIZES)('of %i bytes says so before the map does', async (sizeBytes) => {
    const fixture = makeFixture({ map: MAP });
    const body = bodyOf(await fixture.write(makeBody(sizeBytes), ONE_ZONE));
    for (const disk of ['a0', 'a1']) {
      fixture.storage.faults.set(disk, { kind: 'refuse', code: 'UNAVAILABLE' });
    }
    expect(await codeOf(fixture.read(body, 0, sizeBytes))).toBe('ZONE_OUT');
  });

  it('survives a node, and does not call damage or load the loss of a zone', async () => {
    const fixture = makeFixture({ map: MAP });
    const body = bodyOf(await fixture.write(makeBody(REPLICA_MAX), ONE_ZONE));
    fixture.view.current = withDown(MAP, 'a0');
    expect((await fixture.read(body, 0, REPLICA_MAX)).length).toBe(REPLICA_MAX);
    fixture.storage.faults.set('a1', { kind: 'refuse', code: 'OVERLOADED' });
    expect(await codeOf(fixture.read(body, 0, REPLICA_MAX))).toBe('TOO_FEW_SHARDS');
    fixture.storage.faults.set('a1', { kind: 'corrupt' });
    expect(await codeOf(fixture.read(body, 0, REPLICA_MAX))).toBe('TOO_FEW_SHARDS');
  });

  it('does not call disks that will not return the loss of a zone', async () => {
    const fixture = makeFixture({ map: MAP });
    const body = bodyOf(await fixture.write(makeBody(REPLICA_MAX), ONE_ZONE));
    const disks = new Map(MAP.disks);
    for (const diskId of ['a0', 'a1']) {
      disks.set(diskId, { ...disks.get(diskId)!, state: 'lost' });
    }
    fixture.view.current = { ...MAP, version: MAP.version + 1, disks };
    expect(await codeOf(fixture.read(body, 0, REPLICA_MAX))).toBe('TOO_FEW_SHARDS');
  });

  it('does not call time-outs, nor what failed a read before, the loss of a zone', async () => {
    const fixture = makeFixture({ map: MAP });
    const body = bodyOf(await fixture.write(makeBody(REPLICA_MAX), ONE_ZONE));
    // The first makes both disks suspect.
    for (const code of ['UNAVAILABLE', 'TIMEOUT', 'OVERLOADED'] as const) {
      for (const disk of ['a0', 'a1']) fixture.storage.faults.set(disk, { kind: 'refuse', code });
      const expected = code === 'UNAVAILABLE' ? 'ZONE_OUT' : 'TOO_FEW_SHARDS';
      expect(await codeOf(fixture.read(body, 0, REPLICA_MAX))).toBe(expected);
    }
  });

  it('goes by what a disk answered last', async () => {
    const fixture = makeFixture({ map: MAP });
    const body = bodyOf(await fixture.write(makeBody(REPLICA_MAX), ONE_ZONE));
    fixture.view.current = withDown(MAP, 'a0');
    fixture.storage.faults.set('a1', { kind: 'refuse', code: 'UNAVAILABLE' });
    const refuse = { kind: 'refuse', code: 'OVERLOADED' } as const;
    fixture.clock.schedule(100, () => fixture.storage.faults.set('a1', refuse));
    expect(await codeOf(fixture.read(body, 0, REPLICA_MAX))).toBe('TOO_FEW_SHARDS');
  });

  it('is about such groups only: one over the zones has too few shards', async () => {
    const fixture = makeFixture({ map: MAP });
    const body = bodyOf(await fixture.write(makeBody(1_000_000)));
    fixture.view.current = withDown(MAP, 'a0', 'a1', 'b0', 'b1');
    expect(await codeOf(fixture.read(body, 0, 1_000_000))).toBe('TOO_FEW_SHARDS');
  });
});
