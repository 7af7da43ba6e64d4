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
