import { seededRandom, systemClock } from '@azimuth/common';

import { RepairProgress } from '../src/repair-progress';
import { RetrySchedule } from '../src/retry-schedule';
import { proveGroups } from '../src/tasks/prove-groups';
import { repairOutbox } from '../src/tasks/repair-outbox';
import { ProgressReporter } from '../src/tasks/report-progress';
import { FakeCluster, START_MS } from './fake-cluster';

const WIDE = {
  pgId: 1,
  profile: { k: 4, m: 2 },
  slots: ['n0d0', 'n2d0', 'n4d0', 'n1d0', 'n3d0', 'n5d0'],
  isReduced: false,
};
const COPIES = { ...WIDE, pgId: 2, profile: { k: 1, m: 2 }, slots: ['n0d0', 'n2d0', 'n4d0'] };
const BYTES = seededRandom(3).bytes(300_001);

let cluster: FakeCluster;
let reporter: ProgressReporter;

beforeEach(() => {
  cluster = new FakeCluster([WIDE, COPIES]);
  reporter = new ProgressReporter();
});

/** One turn of the tasks. */
async function turn(): Promise<void> {
  const context = cluster.context();
  await repairOutbox(context, new RetrySchedule(systemClock, 0));
  await proveGroups(context);
  cluster.nowMs += 1_000;
  await reporter.report(context);
}

function report() {
  return cluster.repairRecord!.report!;
}

describe('repair is done', () => {
  it('after every shard was read back, and then only', async () => {
    const blob = cluster.putBlob(BYTES, 1);
    cluster.putBlob(BYTES, 2);
    await turn();
    expect(report()).toMatchObject({ groupsUnproven: 0, shardsToDo: 0 });
    expect(report().census).toMatchObject({ blobs: 2, shards: 9, shardsMissing: 0 });
    const first = report().census!.startedMs;

    cluster.setNode('n2', 'down');
    await turn();
    expect(report()).toMatchObject({ groupsUnproven: 2, census: { startedMs: first } });

    cluster.dropShard(blob, 1);
    cluster.addEntry('repair', blob, [1]);
    await turn();
    expect(report()).toMatchObject({ groupsUnproven: 2, shardsToDo: 1, blobsAtRisk: [0, 1] });

    cluster.setNode('n2', 'up');
    await turn();
    // The shard was rebuilt in this turn, but its tour began with work to do.
    expect(report()).toMatchObject({ groupsUnproven: 1 });
    await turn();
    expect(report()).toMatchObject({ groupsUnproven: 0, shardsToDo: 0, blobsAtRisk: [] });
    expect(report().census).toMatchObject({ groupsTotal: 1, groupsDone: 1, shardsMissing: 0 });
    expect(report().census!.startedMs).toBeGreaterThan(first);
    expect(cluster.intactSlots(blob, BYTES)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('not while a shard that is listed has rotted', async () => {
    const blob = cluster.putBlob(BYTES, 1);
    cluster.shard('n4d0', blob, 2)!.isCorrupt = true;
    await turn();
    expect(report().census).toMatchObject({ shardsMissing: 1 });
    expect(report().groupsUnproven).toBe(1);
    expect(cluster.outbox).toMatchObject([{ kind: 'repair', shardIndexes: [2] }]);
    await turn();
    await turn();
    expect(report()).toMatchObject({ groupsUnproven: 0, census: { shardsMissing: 0 } });
    expect(cluster.intactSlots(blob, BYTES)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('without what nothing references', async () => {
    const orphan = cluster.putBlob(BYTES, 1, { isReferenced: false });
    cluster.dropShard(orphan, 3);
    await turn();
    expect(report()).toMatchObject({ groupsUnproven: 0, census: { blobs: 0, shardsMissing: 0 } });
  });

  it('not when a list fails: unknown is not absent, and not intact either (R2)', async () => {
    cluster.putBlob(BYTES, 1);
    cluster.gate = (call) => {
      if (call === 'verifyShards') throw new Error('the node does not answer');
    };
    await expect(turn()).rejects.toThrow('does not answer');
    expect(cluster.progress.unproven.size).toBe(2);
    cluster.gate = () => undefined;
    await turn();
    expect(report().groupsUnproven).toBe(0);
  });
});

describe('another curator', () => {
  const census = {
    startedMs: START_MS,
    finishedMs: START_MS,
    groupsTotal: 2,
    groupsDone: 2,
    blobs: 1,
    shards: 6,
    shardsMissing: 0,
  };
  const counts = { shardsToDo: 0, bytesToDo: 0, bytesPerSecond: 0, blobsAtRisk: [] };
  const clean = { holder: 'before', ...counts, groupsUnproven: 0, census };

  it('believes what was proven, and doubts everything when something was not', () => {
    const record = { reportedMs: START_MS, report: clean, censusRequestedMs: 0 };
    const trusting = new RepairProgress();
    trusting.restore(record, [1, 2]);
    expect([...trusting.unproven]).toEqual([]);
    for (const report of [
      null,
      { ...clean, groupsUnproven: 1 },
      { ...clean, census: { ...census, finishedMs: null } },
      { ...clean, census: null },
    ]) {
      const doubting = new RepairProgress();
      doubting.restore({ ...record, report }, [1, 2]);
      expect([...doubting.unproven]).toEqual([1, 2]);
    }
  });

  it('takes the census that an operator asked for, once', async () => {
    cluster.putBlob(BYTES, 1);
    await turn();
    const before = report().census!.startedMs;
    await turn();
    expect(report().census!.startedMs).toBe(before);
    cluster.repairRecord = { ...cluster.repairRecord!, censusRequestedMs: cluster.nowMs };
    cluster.nowMs += 10;
    await turn();
    const asked = report().census!.startedMs;
    expect(asked).toBeGreaterThan(before);
    await turn();
    expect(report().census!.startedMs).toBe(asked);
  });

  it('reports the rate of the rebuilt bytes', () => {
    const progress = new RepairProgress();
    progress.restore(null, []);
    progress.report('c', 0);
    progress.rebuilt(1, 1_000_000);
    expect(progress.report('c', 1_000).bytesPerSecond).toBe(300_000);
    for (let second = 2; second < 60; second += 1) {
      progress.rebuilt(1, 1_000_000);
      progress.report('c', second * 1_000);
    }
    expect(progress.report('c', 59_001).bytesPerSecond).toBeGreaterThan(600_000);
  });
});
