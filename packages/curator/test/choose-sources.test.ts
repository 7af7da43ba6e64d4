import { chooseSources } from '../src/choose-sources';
import { FakeCluster } from './fake-cluster';

const GROUP = {
  pgId: 1,
  profile: { k: 4, m: 2 },
  slots: ['n0d0', 'n2d0', 'n4d0', 'n1d0', 'n3d0', 'n5d0'],
  isReduced: false,
};

/** Zones that send a stream to `zone`: one each, as a zone adds up what it sends. */
function foreignZones(zone: string, excluded: number[], suspects: string[] = []): string[] {
  const { map } = new FakeCluster([GROUP]);
  const choice = {
    excluded: new Set(excluded),
    isSuspect: (diskId: string) => suspects.includes(diskId),
  };
  const sources = chooseSources(map, GROUP, zone, choice);
  expect(sources).toHaveLength(4);
  return sources.map(({ node }) => node.zone).filter((from) => from !== zone);
}

describe('the sources of a rebuild', () => {
  it('are the own zone, and then a whole zone, before another one is asked', () => {
    expect(foreignZones('a', [0])).toEqual(['b', 'b', 'c']);
    expect(foreignZones('c', [5])).toEqual(['a', 'a', 'b']);
  });

  it('are the zone that has more of them left', () => {
    expect(foreignZones('a', [0, 1])).toEqual(['c', 'c', 'b']);
    expect(foreignZones('a', [0, 3])).toEqual(['b', 'b', 'c', 'c']);
  });

  it('are suspects last', () => {
    expect(foreignZones('a', [0], ['n2d0'])).toEqual(['c', 'c', 'b']);
    expect(foreignZones('a', [0, 1], ['n4d0'])).toEqual(['b', 'c', 'c']);
  });

  it('are fewer than k when there are no more', () => {
    const cluster = new FakeCluster([GROUP]);
    cluster.setNode('n2', 'down');
    cluster.setDisk('n3d0', 'lost');
    const choice = { excluded: new Set([0]), isSuspect: () => false };
    expect(chooseSources(cluster.map, GROUP, 'a', choice)).toHaveLength(3);
  });
});
