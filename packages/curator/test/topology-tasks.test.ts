import { seededRandom } from '@azimuth/common';

import { backfillGroup } from '../src/tasks/backfill';
import { collectStrays } from '../src/tasks/collect-strays';
import { confirmDrainedDisks } from '../src/tasks/leaving-disks';
import { repairOutbox } from '../src/tasks/repair-outbox';
import { RetrySchedule } from '../src/retry-schedule';
import { crashAfter, FakeCluster } from './fake-cluster';

const LARGE = {
  pgId: 1,
  profile: { k: 4, m: 2 },
  slots: ['n0d0', 'n2d0', 'n4d0', 'n1d0', 'n3d0', 'n5d0'],
  isReduced: false,
};
const BYTES = seededRandom(3).bytes(700_001);
const MOVE = { state: 'sealed' as const, backfill: { slot: 0, targetDiskId: 'n0d1' } };
const ALL = [0, 1, 2, 3, 4, 5];
const DAY_MS = 86_400_000;

let cluster: FakeCluster;

function group() {
  return cluster.map.groups.get(1)!;
}

function drain(diskId: string): void {
  const intent = { scope: 'disk', name: diskId, kind: 'drain', sinceMs: 0 } as const;
  cluster.map = { ...cluster.map, intents: new Map([[`disk/${diskId}`, intent]]) };
}

/** Calls of one kind while `work` runs. */
async function callsOf(call: string, work: () => Promise<void>): Promise<number> {
  let calls = 0;
  cluster.gate = (name) => {
    if (name === call) calls += 1;
  };
  await work();
  cluster.gate = () => undefined;
  return calls;
}

beforeEach(() => {
  cluster = new FakeCluster([LARGE]);
});

describe('backfill from a disk that is alive', () => {
  it('copies the one shard instead of reading k others', async () => {
    const blob = cluster.putBlob(BYTES, 1);
    cluster.setGroup(1, MOVE);
    const reads = await callsOf('readShard', () => backfillGroup(cluster.context(), group()));
    expect(reads).toBe(1);
    expect(group()).toMatchObject({ backfill: null, state: 'active' });
    expect(cluster.intactSlots(blob, BYTES)).toEqual(ALL);
  });

  it('rebuilds what is damaged there', async () => {
    const blob = cluster.putBlob(BYTES, 1);
    cluster.shard('n0d0', blob, 0)!.isCorrupt = true;
    cluster.setGroup(1, MOVE);
    await backfillGroup(cluster.context(), group());
    expect(cluster.intactSlots(blob, BYTES)).toEqual(ALL);
  });

  it('does not end when its slot went to another disk meanwhile and came back', async () => {
    cluster.putBlob(BYTES, 1);
    cluster.setGroup(1, MOVE);
    cluster.gate = (call) => {
      if (call === 'finish') cluster.setGroup(1, { backfill: { ...MOVE.backfill } });
    };
    await backfillGroup(cluster.context(), group());
    expect(group().backfill).not.toBeNull();
    cluster.gate = () => undefined;
    await backfillGroup(cluster.context(), group());
    expect(group().backfill).toBeNull();
  });

  it('ends right after a crash at any of its calls', async () => {
    for (let calls = 0; ; calls += 1) {
      cluster = new FakeCluster([LARGE]);
      const blob = cluster.putBlob(BYTES, 1);
      cluster.setGroup(1, MOVE);
      cluster.gate = crashAfter(calls);
      await backfillGroup(cluster.context(), group()).catch(() => undefined);
      const isDone = group().backfill === null;
      cluster.gate = () => undefined;
      if (!isDone) await backfillGroup(cluster.context(), group());
      expect(cluster.intactSlots(blob, BYTES)).toEqual(ALL);
      if (isDone) break;
    }
  });
});

describe('a blob that a write stored while a slot of it was moving', () => {
  it('is done only when the shard is where the slot went, though it is intact where it was', async () => {
    const blob = cluster.putBlob(BYTES, 1);
    cluster.addEntry('repair', blob, [0]);
    cluster.setGroup(1, MOVE);
    const context = cluster.context();
    await repairOutbox(context, new RetrySchedule(context.clock, 0));
    expect(cluster.outbox).toHaveLength(1);
    // The move passed it by.
    cluster.setGroup(1, { slots: group().slots.with(0, 'n0d1'), state: 'active', backfill: null });
    await repairOutbox(context, new RetrySchedule(context.clock, 0));
    expect(cluster.outbox).toEqual([]);
    expect(cluster.intactSlots(blob, BYTES)).toEqual(ALL);
  });
});

describe('a disk that is drained', () => {
  const confirmed = (): unknown[] => cluster.rootCommands.map(({ name, args }) => [name, args]);

  /** A blob that a write put on the disk of the slot while that moved away. */
  function putLate(options: { readonly isReferenced?: boolean; readonly ageMs?: number } = {}) {
    const blob = cluster.putBlob(BYTES, 1, options);
    cluster.setGroup(1, { slots: group().slots.with(0, 'n0d1') });
    return blob;
  }

  it('is confirmed once no slot is on it and every shard of it is intact elsewhere', async () => {
    const blob = cluster.putBlob(BYTES, 1);
    drain('n0d0');
    await confirmDrainedDisks(cluster.context());
    expect(confirmed()).toEqual([]);
    cluster.setGroup(1, MOVE);
    await backfillGroup(cluster.context(), group());
    await confirmDrainedDisks(cluster.context());
    expect(confirmed().at(-1)).toEqual(['ConfirmDrained', { diskId: 'n0d0' }]);
    expect(cluster.shard('n0d0', blob, 0)).toBeDefined();
  });

  it('is not confirmed while a referenced shard is only there; that is repaired', async () => {
    const blob = putLate();
    drain('n0d0');
    await confirmDrainedDisks(cluster.context());
    expect(confirmed()).toEqual([]);
    expect(cluster.outbox).toMatchObject([
      { kind: 'repair', blob: { blobId: blob.blobId }, shardIndexes: [0] },
    ]);
  });

  it('gives back shards that no other disk has: more slots moved during a write than m', async () => {
    const blob = putLate();
    drain('n0d0');
    for (const slot of [1, 2]) cluster.dropShard(blob, slot);
    await confirmDrainedDisks(cluster.context());
    expect(confirmed()).toEqual([]);
    const context = cluster.context();
    await repairOutbox(context, new RetrySchedule(context.clock, 0));
    expect(cluster.intactSlots(blob, BYTES)).toContain(0);
    await confirmDrainedDisks(cluster.context());
    expect(confirmed()).toHaveLength(1);
  });

  it('is not confirmed while a write may still commit what is on it', async () => {
    putLate({ isReferenced: false });
    drain('n0d0');
    await confirmDrainedDisks(cluster.context());
    expect(confirmed()).toEqual([]);
    cluster.nowMs += 60_000;
    await confirmDrainedDisks(cluster.context());
    expect(confirmed()).toHaveLength(1);
  });

  it('is not confirmed when the disk of a slot cannot say that it has the shard', async () => {
    putLate();
    drain('n0d0');
    cluster.setNode('n0', 'down');
    cluster.setNode('n0', 'up');
    cluster.setDisk('n0d1', 'lost');
    await confirmDrainedDisks(cluster.context());
    expect(confirmed()).toEqual([]);
  });
});

describe('strays', () => {
  it('go once the disk of the slot has the shard, and never before', async () => {
    const blob = cluster.putBlob(BYTES, 1);
    cluster.setGroup(1, MOVE);
    await collectStrays(cluster.context(), group());
    expect(cluster.shard('n0d0', blob, 0)).toBeDefined();
    await backfillGroup(cluster.context(), group());
    cluster.shard('n0d1', blob, 0)!.isCorrupt = true;
    await collectStrays(cluster.context(), group());
    expect(cluster.shard('n0d0', blob, 0)).toBeDefined();
    cluster.shard('n0d1', blob, 0)!.isCorrupt = false;
    await collectStrays(cluster.context(), group());
    expect(cluster.shard('n0d0', blob, 0)).toBeUndefined();
    expect(cluster.intactSlots(blob, BYTES)).toEqual(ALL);
  });

  it('are copied to the disk of the slot when that has none, and stay until it is proven', async () => {
    const blob = cluster.putBlob(BYTES, 1);
    for (const slot of [1, 2]) cluster.dropShard(blob, slot);
    cluster.setGroup(1, { slots: group().slots.with(0, 'n0d1') });
    await collectStrays(cluster.context(), group());
    expect(cluster.intactSlots(blob, BYTES)).toEqual([0, 3, 4, 5]);
    expect(cluster.shard('n0d0', blob, 0)).toBeDefined();
    expect(cluster.outbox).toMatchObject([{ kind: 'repair', shardIndexes: [0] }]);
    await collectStrays(cluster.context(), group());
    expect(cluster.shard('n0d0', blob, 0)).toBeUndefined();
  });

  it('of a blob that nothing references go only when it is old and its slot has none', async () => {
    const blob = cluster.putBlob(BYTES, 1, { isReferenced: false });
    cluster.setGroup(1, { slots: group().slots.with(0, 'n0d1') });
    const isThere = async (): Promise<boolean> => {
      await collectStrays(cluster.context(), group());
      return cluster.shard('n0d0', blob, 0) !== undefined;
    };
    expect(await isThere()).toBe(true);
    cluster.nowMs += DAY_MS + 1;
    cluster.setDisk('n0d1', 'lost');
    expect(await isThere()).toBe(true);
    cluster.setDisk('n0d1', 'online');
    cluster.testimony = () => null;
    expect(await isThere()).toBe(true);
    cluster.testimony = (_, honest) => honest;
    expect(await isThere()).toBe(false);
  });

  it('stay on a disk that is leaving: it goes as a whole', async () => {
    const blob = cluster.putBlob(BYTES, 1);
    drain('n0d0');
    cluster.setGroup(1, MOVE);
    await backfillGroup(cluster.context(), group());
    await collectStrays(cluster.context(), group());
    expect(cluster.shard('n0d0', blob, 0)).toBeDefined();
  });
});
