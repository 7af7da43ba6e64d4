import { LEVEL_UNREADABLE, riskLevel } from '../src/risk-level';
import { RiskQueue } from '../src/risk-queue';
import { FakeCluster } from './fake-cluster';

const SLOTS = ['n0d0', 'n2d0', 'n4d0', 'n1d0', 'n3d0', 'n5d0'];
const WIDE = { pgId: 1, profile: { k: 4, m: 2 }, slots: SLOTS, isReduced: false };
/** Two shards of one node. */
const NARROW = { ...WIDE, pgId: 2, slots: ['n0d0', 'n0d1', 'n2d0', 'n3d0', 'n4d0', 'n5d0'] };
const COPIES = { ...WIDE, pgId: 3, profile: { k: 1, m: 2 }, slots: ['n0d0', 'n2d0', 'n4d0'] };

describe('how much may still go wrong', () => {
  it.each([
    ['nothing missing', WIDE, [], [], 2],
    ['a shard missing', WIDE, [1], [], 1],
    ['two missing', WIDE, [1, 4], [], 0],
    ['one missing, another on a node that is out', WIDE, [1], ['n0'], 0],
    ['the missing one on the node that is out', WIDE, [0], ['n0'], 1],
    ['more missing than can be', WIDE, [0, 1, 2], [], LEVEL_UNREADABLE],
    ['two shards on one node', NARROW, [], [], 1],
    ['two on one node, and one missing', NARROW, [2], [], 0],
    ['one of three copies', COPIES, [0, 1], [], 0],
    ['all copies out', COPIES, [], ['n0', 'n2', 'n4'], LEVEL_UNREADABLE],
  ])('%s', (_, group, shardIndexes, nodesOut, level) => {
    const cluster = new FakeCluster([WIDE, NARROW, COPIES]);
    for (const nodeId of nodesOut) cluster.setNode(nodeId, 'down');
    const blob = cluster.putBlob(Buffer.from('x'), group.pgId);
    expect(riskLevel(cluster.map, { blob, shardIndexes })).toBe(level);
  });

  it('is nothing that is known of a group that is gone', () => {
    const cluster = new FakeCluster([WIDE]);
    const blob = { ...cluster.putBlob(Buffer.from('x'), 1), pgId: 9 };
    expect(riskLevel(cluster.map, { blob, shardIndexes: [0] })).toBe(LEVEL_UNREADABLE);
  });
});

describe('the order of repair', () => {
  const work = (name: string, createdMs: number) => ({ name, createdMs });

  it('is the fewest losses left, then age', () => {
    const queue = new RiskQueue<ReturnType<typeof work>>(10, ({ createdMs }) => createdMs);
    queue.add(work('safe', 1), 2);
    queue.add(work('young', 9), 0);
    queue.add(work('waits', 0), LEVEL_UNREADABLE);
    queue.add(work('old', 3), 0);
    queue.add(work('middle', 2), 1);
    const order = [...queue.drain(2)].flat().map(({ name }) => name);
    expect(order).toEqual(['old', 'young', 'middle', 'safe', 'waits']);
    expect(queue.size).toBe(0);
  });

  it('keeps the riskiest when there is more than it may hold', () => {
    const queue = new RiskQueue<ReturnType<typeof work>>(3, ({ createdMs }) => createdMs);
    for (let at = 0; at < 100; at += 1) queue.add(work(`safe-${at}`, at), 2);
    queue.add(work('risky', 200), 0);
    queue.add(work('middle', 201), 1);
    expect(queue.size).toBe(3);
    const order = [...queue.drain(10)].flat().map(({ name }) => name);
    expect(order).toEqual(['risky', 'middle', 'safe-0']);
  });
});
