import { seededRandom, StoreError, systemClock } from '@azimuth/common';

import { RetrySchedule } from '../src/retry-schedule';
import { collectGarbage } from '../src/tasks/collect-garbage';
import { emptyGroups } from '../src/tasks/empty-groups';
import { repairOutbox } from '../src/tasks/repair-outbox';
import { FakeCluster } from './fake-cluster';
import { retireAfter } from './retire-after';

const PAIR = { profile: { k: 1, m: 1 }, isReduced: false };
const IN_A = { ...PAIR, pgId: 1, slots: ['n0d0', 'n1d0'], zone: 'a' };
const IN_B = { ...PAIR, pgId: 2, slots: ['n2d0', 'n3d0'], zone: 'b' };
const SPREAD = {
  pgId: 3,
  profile: { k: 4, m: 2 },
  slots: ['n0d0', 'n2d0', 'n4d0', 'n1d0', 'n3d0', 'n5d0'],
  isReduced: false,
};
const BYTES = seededRandom(3).bytes(300_001);

let cluster: FakeCluster;

beforeEach(() => {
  cluster = new FakeCluster([IN_A, IN_B, SPREAD]);
});

const empty = (): Promise<void> =>
  emptyGroups(cluster.context(), new RetrySchedule(systemClock, 0));

function placeOfOnlyBlob(): number | undefined {
  return [...cluster.references.values()][0]?.pgId;
}

describe('a group inside one zone that is to be emptied', () => {
  it('is left alone while it takes writes, and while a slot of it moves', async () => {
    cluster.putBlob(BYTES, 1);
    await empty();
    cluster.setGroup(1, { state: 'sealed', backfill: { slot: 0, targetDiskId: 'n0d1' } });
    await empty();
    expect(placeOfOnlyBlob()).toBe(1);
  });

  it('hands its blobs to a group of another zone, byte for byte, one copy being lost', async () => {
    const old = cluster.putBlob(BYTES, 1);
    cluster.dropShard(old, 0);
    cluster.setGroup(1, { state: 'sealed' });
    await empty();
    const [blob] = [...cluster.references.values()];
    expect(blob).toMatchObject({ pgId: 2, profile: PAIR.profile, isReduced: false });
    expect(cluster.intactSlots(blob!, BYTES)).toEqual([0, 1]);
    expect(cluster.outbox).toMatchObject([{ kind: 'garbage', blob: { blobId: old.blobId } }]);
  });

  it('hands them to a spread group when no zone has one, and waits when nothing is whole', async () => {
    cluster.putBlob(BYTES, 1);
    cluster.setGroup(1, { state: 'sealed' });
    cluster.setNode('n3', 'down');
    await empty();
    expect(placeOfOnlyBlob()).toBe(1);
    cluster.setNode('n3', 'up');
    cluster.setGroup(2, { state: 'sealed' });
    await empty();
    expect(placeOfOnlyBlob()).toBe(3);
  });

  it('is emptied though a disk of another one cannot say what it has', async () => {
    cluster.putBlob(BYTES, 1);
    const elsewhere = cluster.putBlob(BYTES, 2);
    for (const pgId of [1, 2]) cluster.setGroup(pgId, { state: 'sealed' });
    let lists = 0;
    cluster.gate = (call) => {
      if (call !== 'listShards') return;
      lists += 1;
      if (lists <= 2) throw new StoreError('TIMEOUT');
    };
    await empty();
    expect(placeOfOnlyBlob()).toBe(1);
    expect(cluster.references.has(elsewhere.blobId)).toBe(false);
  });

  it('keeps what nothing references for the collectors', async () => {
    const { blobId } = cluster.putBlob(BYTES, 1, { isReferenced: false });
    cluster.setGroup(1, { state: 'sealed' });
    await empty();
    expect(cluster.shardsOf(blobId)).toHaveLength(2);
    expect(cluster.references.size).toBe(0);
  });
});

describe('a group inside one zone with nothing left in it', () => {
  const REMOVED = [{ name: 'RemoveGroup', args: { pgId: 1 } }];

  it('is removed a minute after it was sealed', async () => {
    cluster.setGroup(1, { state: 'sealed' });
    expect(await retireAfter(cluster, 61_000)).toEqual(REMOVED);
  });

  it('stays before that, and while a disk of it lists anything', async () => {
    cluster.setGroup(1, { state: 'sealed' });
    expect(await retireAfter(cluster, 59_000)).toEqual([]);
    cluster.putBlob(BYTES, 1, { isReferenced: false });
    expect(await retireAfter(cluster, 61_000)).toEqual([]);
  });

  it('is removed when the disk that cannot be asked is lost, as no blob was on it alone', async () => {
    cluster.setGroup(1, { state: 'sealed' });
    cluster.setNode('n0', 'down');
    expect(await retireAfter(cluster, 61_000)).toEqual([]);
    cluster.setDisk('n0d0', 'lost');
    expect(await retireAfter(cluster, 61_000)).toEqual(REMOVED);
  });

  it('is removed when a node of it was given up: its entries wait for no answer from there', async () => {
    const old = cluster.putBlob(BYTES, 1);
    cluster.addEntry('repair', old, [0]);
    cluster.setGroup(1, { state: 'sealed' });
    cluster.setNode('n0', 'down');
    await empty();
    const collect = async (): Promise<void> => {
      await repairOutbox(cluster.context(), new RetrySchedule(systemClock, 0));
      await collectGarbage(cluster.context());
    };
    cluster.nowMs += 600_000;
    await collect();
    // It may return, and then it is asked.
    expect(cluster.outbox).toMatchObject([{ kind: 'garbage', blob: { pgId: 1 } }]);
    const intent = { scope: 'node', name: 'n0', kind: 'retire', sinceMs: 0 } as const;
    cluster.map = { ...cluster.map, intents: new Map([['node/n0', intent]]) };
    await collect();
    expect(cluster.outbox).toEqual([]);
    expect(await retireAfter(cluster, 61_000)).toEqual(REMOVED);
  });

  it('stays when all of its disks are lost: what was in it is reported, not forgotten', async () => {
    cluster.setGroup(1, { state: 'sealed' });
    cluster.setDisk('n0d0', 'lost');
    cluster.setDisk('n1d0', 'lost');
    expect(await retireAfter(cluster, 61_000)).toEqual([]);
  });
});
