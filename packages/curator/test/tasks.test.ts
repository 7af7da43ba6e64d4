import { seededRandom, StoreError, systemClock } from '@azimuth/common';

import { dataPieces } from '../src/blob-copy';
import { RetrySchedule } from '../src/retry-schedule';
import { backfillGroup } from '../src/tasks/backfill';
import { CensusSchedule, takeCensus } from '../src/tasks/census';
import { collectGarbage } from '../src/tasks/collect-garbage';
import { collectOrphans, OrphanCandidates } from '../src/tasks/collect-orphans';
import { finishBucketDeletions } from '../src/tasks/finish-bucket-deletion';
import { repairOutbox } from '../src/tasks/repair-outbox';
import { reportFindings } from '../src/tasks/report-findings';
import { restripeOutbox } from '../src/tasks/restripe-outbox';
import { retireGroups, SealedGroups } from '../src/tasks/retire-groups';
import { crashAfter, encodeBlob, FakeCluster } from './fake-cluster';
import { retireAfter } from './retire-after';
import type { BlobRef } from '@azimuth/proto';

const LARGE = {
  pgId: 1,
  profile: { k: 4, m: 2 },
  slots: ['n0d0', 'n2d0', 'n4d0', 'n1d0', 'n3d0', 'n5d0'],
  isReduced: false,
};
const SMALL = {
  pgId: 2,
  profile: { k: 1, m: 2 },
  slots: ['n0d0', 'n2d0', 'n4d0'],
  isReduced: false,
};
const REDUCED = {
  pgId: 3,
  profile: { k: 2, m: 2 },
  slots: ['n2d0', 'n4d0', 'n3d0', 'n5d0'],
  isReduced: true,
};

const LARGE_BYTES = seededRandom(3).bytes(700_001);
const SMALL_BYTES = seededRandom(4).bytes(500);
/** Several windows of every shard; the period is prime to blocks and windows. */
const HUGE_BYTES = Buffer.alloc(3_333_333, seededRandom(5).bytes(65_537));
const ALL = [0, 1, 2, 3, 4, 5];
const HOUR_MS = 3_600_000;

let cluster: FakeCluster;

/** No delay: a task may be tried again at once. */
function retries(): RetrySchedule {
  return new RetrySchedule(systemClock, 0);
}

function groupOf(pgId: number) {
  return cluster.map.groups.get(pgId)!;
}

beforeEach(() => {
  cluster = new FakeCluster([LARGE, SMALL, REDUCED]);
});

describe.each([
  ['by the nodes of the targets', true],
  ['by the curator', false],
])('repair %s', (_, nodesRebuild) => {
  beforeEach(() => {
    cluster.nodesRebuild = nodesRebuild;
  });

  function lose(blob: BlobRef, ...indexes: number[]): void {
    for (const index of indexes) cluster.dropShard(blob, index);
    cluster.addEntry('repair', blob, indexes);
  }

  it('rebuilds what is missing, byte for byte, and acknowledges', async () => {
    const large = cluster.putBlob(LARGE_BYTES, 1);
    const small = cluster.putBlob(SMALL_BYTES, 2);
    lose(large, 1, 4);
    lose(small, 0, 2);
    await repairOutbox(cluster.context(), retries());
    expect(cluster.intactSlots(large, LARGE_BYTES)).toEqual(ALL);
    expect(cluster.intactSlots(small, SMALL_BYTES)).toEqual([0, 1, 2]);
    expect(cluster.outbox).toEqual([]);
  });

  it('keeps the entry while one of its slots is out, and ends when that returns (R3)', async () => {
    const blob = cluster.putBlob(LARGE_BYTES, 1);
    lose(blob, 0, 1);
    cluster.setNode('n0', 'down');
    await repairOutbox(cluster.context(), retries());
    expect(cluster.intactSlots(blob, LARGE_BYTES)).toEqual([1, 2, 3, 4, 5]);
    expect(cluster.outbox).toHaveLength(1);
    cluster.setNode('n0', 'up');
    await repairOutbox(cluster.context(), retries());
    expect(cluster.intactSlots(blob, LARGE_BYTES)).toEqual(ALL);
    expect(cluster.outbox).toEqual([]);
  });

  it('keeps the entry when what was written does not verify (R3)', async () => {
    const blob = cluster.putBlob(LARGE_BYTES, 1);
    lose(blob, 0);
    cluster.gate = (call) => {
      const written = cluster.shard('n0d0', blob, 0);
      if (call === 'verifyShards' && written !== undefined) written.isCorrupt = true;
    };
    await repairOutbox(cluster.context(), retries());
    expect(cluster.outbox).toHaveLength(1);
    cluster.gate = () => undefined;
    await repairOutbox(cluster.context(), retries());
    expect(cluster.intactSlots(blob, LARGE_BYTES)).toEqual(ALL);
    expect(cluster.outbox).toEqual([]);
  });

  it('goes through shards that are longer than a window', async () => {
    const blob = cluster.putBlob(HUGE_BYTES, 1);
    lose(blob, 0, 5);
    await repairOutbox(cluster.context(), retries());
    expect(cluster.intactSlots(blob, HUGE_BYTES)).toEqual(ALL);
  });

  it('uses another source when one turns out to be corrupt', async () => {
    const blob = cluster.putBlob(LARGE_BYTES, 1);
    lose(blob, 5);
    cluster.shard('n2d0', blob, 1)!.isCorrupt = true;
    await repairOutbox(cluster.context(), retries());
    expect(cluster.intactSlots(blob, LARGE_BYTES)).toEqual([0, 2, 3, 4, 5]);
    expect(cluster.outbox).toEqual([]);
  });

  it('replaces a corrupt shard', async () => {
    const blob = cluster.putBlob(LARGE_BYTES, 1);
    cluster.shard('n2d0', blob, 1)!.isCorrupt = true;
    cluster.shard('n2d0', blob, 1)!.bytes = Buffer.alloc(10);
    cluster.addEntry('repair', blob, [1]);
    await repairOutbox(cluster.context(), retries());
    expect(cluster.intactSlots(blob, LARGE_BYTES)).toEqual(ALL);
  });

  it('does not delete a corrupt shard that cannot be rebuilt (R2)', async () => {
    const blob = cluster.putBlob(LARGE_BYTES, 1);
    cluster.shard('n2d0', blob, 1)!.isCorrupt = true;
    cluster.addEntry('repair', blob, [1]);
    for (const nodeId of ['n0', 'n4']) cluster.setNode(nodeId, 'down');
    await repairOutbox(cluster.context(), retries());
    expect(cluster.shard('n2d0', blob, 1)).toBeDefined();
    expect(cluster.outbox).toHaveLength(1);
  });

  it('drops the entry of a blob that nothing references any more', async () => {
    const blob = cluster.putBlob(LARGE_BYTES, 1, { isReferenced: false });
    lose(blob, 1);
    await repairOutbox(cluster.context(), retries());
    expect(cluster.outbox).toEqual([]);
    expect(cluster.shard('n2d0', blob, 1)).toBeUndefined();
  });

  it('ends right after a crash at any of its calls', async () => {
    for (let calls = 0; ; calls += 1) {
      cluster = new FakeCluster([LARGE, SMALL, REDUCED]);
      cluster.nodesRebuild = nodesRebuild;
      const blob = cluster.putBlob(LARGE_BYTES, 1);
      lose(blob, 0, 3);
      cluster.gate = crashAfter(calls);
      const outcome = await repairOutbox(cluster.context(), retries()).then(
        () => cluster.outbox.length === 0,
        () => false,
      );
      if (!outcome) {
        expect(cluster.outbox).toHaveLength(1);
        cluster.gate = () => undefined;
        await repairOutbox(cluster.context(), retries());
      }
      expect(cluster.intactSlots(blob, LARGE_BYTES)).toEqual(ALL);
      expect(cluster.outbox).toEqual([]);
      if (outcome) break;
    }
  });
});

describe('census', () => {
  it('reports what a readable slot does not list, if the index says that it should (R4)', async () => {
    const blob = cluster.putBlob(LARGE_BYTES, 1);
    const orphan = cluster.putBlob(LARGE_BYTES, 1, { isReferenced: false });
    const outSlot = cluster.putBlob(LARGE_BYTES, 1);
    cluster.dropShard(blob, 2);
    cluster.dropShard(orphan, 2);
    cluster.dropShard(outSlot, 5);
    cluster.setNode('n5', 'down');
    const result = await takeCensus(cluster.context(), groupOf(1));
    expect(result).toEqual({ blobs: 3, reportedShards: 1 });
    expect(cluster.outbox).toMatchObject([{ kind: 'repair', shardIndexes: [2] }]);
    expect(cluster.outbox[0]!.blob.blobId).toBe(blob.blobId);
  });

  it('reports nothing when a list fails: unknown is not absent (R2)', async () => {
    const blob = cluster.putBlob(LARGE_BYTES, 1);
    cluster.dropShard(blob, 2);
    cluster.gate = (call) => {
      if (call === 'listShards') throw new StoreError('TIMEOUT');
    };
    await expect(takeCensus(cluster.context(), groupOf(1))).rejects.toThrow('TIMEOUT');
    expect(cluster.outbox).toEqual([]);
  });

  it('is due for the groups of a disk that came back, and once an interval', () => {
    const schedule = new CensusSchedule(HOUR_MS);
    const context = cluster.context();
    const due = (): number[] =>
      schedule.due(context).map(({ pgId }) => {
        schedule.done(context, pgId);
        return pgId;
      });
    expect(due().sort()).toEqual([1, 2, 3]);
    expect(due()).toEqual([]);
    cluster.setNode('n1', 'down');
    expect(due()).toEqual([]);
    cluster.setNode('n1', 'up');
    expect(due()).toEqual([1]);
    cluster.setNode('n5', 'up', 'i2');
    expect(due().sort()).toEqual([1, 3]);
    cluster.nowMs += HOUR_MS;
    expect(due().sort()).toEqual([1, 2, 3]);
  });
});

describe('backfill', () => {
  const move = { state: 'sealed' as const, backfill: { slot: 0, targetDiskId: 'n0d1' } };

  it('rebuilds the slot on its target and flips it', async () => {
    const blobs = [1, 2, 3].map(() => cluster.putBlob(LARGE_BYTES, 1));
    cluster.setDisk('n0d0', 'lost');
    cluster.setGroup(1, move);
    await backfillGroup(cluster.context(), groupOf(1));
    expect(groupOf(1)).toMatchObject({ backfill: null, state: 'active' });
    expect(groupOf(1).slots[0]).toBe('n0d1');
    for (const blob of blobs) expect(cluster.intactSlots(blob, LARGE_BYTES)).toEqual(ALL);
  });

  it('does not flip while one blob is not proven on the target (R3)', async () => {
    const blob = cluster.putBlob(LARGE_BYTES, 1);
    cluster.putBlob(LARGE_BYTES, 1);
    cluster.setDisk('n0d0', 'lost');
    for (const index of [1, 2]) cluster.dropShard(blob, index);
    cluster.setGroup(1, move);
    await backfillGroup(cluster.context(), groupOf(1));
    expect(groupOf(1).backfill).not.toBeNull();
  });

  it('does not flip when too few slots can be listed to know every blob', async () => {
    cluster.setDisk('n0d0', 'lost');
    for (const nodeId of ['n2', 'n4']) cluster.setNode(nodeId, 'down');
    cluster.setGroup(1, move);
    await expect(backfillGroup(cluster.context(), groupOf(1))).rejects.toThrow('UNAVAILABLE');
    expect(groupOf(1).backfill).not.toBeNull();
  });

  it('of more parity than data waits for slots that may hold what no other slot has', async () => {
    cluster = new FakeCluster([{ ...LARGE, profile: { k: 2, m: 4 } }]);
    const blob = cluster.putBlob(LARGE_BYTES, 1);
    // All that is left of it is on the slot that moves and on another one; both are out.
    for (const index of [2, 3, 4, 5]) cluster.dropShard(blob, index);
    cluster.setNode('n0', 'down');
    cluster.setNode('n2', 'down');
    cluster.setGroup(1, { ...move, backfill: { slot: 0, targetDiskId: 'n4d1' } });
    const disks = new Map(cluster.map.disks);
    disks.set('n4d1', { ...disks.get('n0d1')!, diskId: 'n4d1', nodeId: 'n4', zone: 'c' });
    cluster.map = { ...cluster.map, disks };
    await expect(backfillGroup(cluster.context(), groupOf(1))).rejects.toThrow('UNAVAILABLE');
    cluster.setNode('n2', 'up');
    await backfillGroup(cluster.context(), groupOf(1));
    // It knows the blob now, and cannot prove a shard of it yet.
    expect(groupOf(1).backfill).not.toBeNull();
  });

  it('waits for no lost disk: two of three copies are gone, and the third is enough', async () => {
    cluster = new FakeCluster([{ ...LARGE, profile: { k: 2, m: 4 } }]);
    const blob = cluster.putBlob(LARGE_BYTES, 1);
    for (const diskId of ['n0d0', 'n2d0', 'n4d0']) cluster.setDisk(diskId, 'lost');
    cluster.setGroup(1, move);
    await backfillGroup(cluster.context(), groupOf(1));
    expect(groupOf(1).slots[0]).toBe('n0d1');
    expect(cluster.intactSlots(blob, LARGE_BYTES)).toContain(0);
  });

  it('ends right after a crash at any of its calls', async () => {
    for (let calls = 0; ; calls += 1) {
      cluster = new FakeCluster([LARGE, SMALL, REDUCED]);
      const blob = cluster.putBlob(LARGE_BYTES, 1);
      cluster.setDisk('n0d0', 'lost');
      cluster.setGroup(1, move);
      cluster.gate = crashAfter(calls);
      await backfillGroup(cluster.context(), groupOf(1)).catch(() => undefined);
      const isDone = groupOf(1).backfill === null;
      cluster.gate = () => undefined;
      if (!isDone) await backfillGroup(cluster.context(), groupOf(1));
      expect(cluster.intactSlots(blob, LARGE_BYTES)).toEqual(ALL);
      if (isDone) break;
    }
  });
});

describe('repair of what fails again and again', () => {
  it('does not keep back what is less at risk', async () => {
    const lost = cluster.putBlob(LARGE_BYTES, 1);
    for (const index of [0, 1, 2]) cluster.dropShard(lost, index);
    for (let entry = 0; entry < 300; entry += 1) cluster.addEntry('repair', lost, [0, 1]);
    const blob = cluster.putBlob(LARGE_BYTES, 1);
    cluster.dropShard(blob, 0);
    cluster.addEntry('repair', blob, [0]);
    cluster.gate = (call) => {
      if (call === 'verifyShards') cluster.nowMs += 100;
    };
    const context = cluster.context();
    const schedule = new RetrySchedule(context.clock, 5_000);
    for (let tour = 0; tour < 4; tour += 1) await repairOutbox(context, schedule);
    expect(cluster.intactSlots(blob, LARGE_BYTES)).toEqual(ALL);
    expect(cluster.outbox).toHaveLength(300);
  });
});

describe('restripe', () => {
  function currentBlob(): BlobRef {
    const [blob] = [...cluster.references.values()];
    return blob!;
  }

  it('does not replace a blob by a copy from under which a slot has moved', async () => {
    const old = cluster.putBlob(LARGE_BYTES, 3);
    cluster.addEntry('restripe', old);
    cluster.gate = (call) => {
      if (call === 'finish') cluster.setGroup(1, { slots: LARGE.slots.with(0, 'n0d1') });
    };
    await restripeOutbox(cluster.context(), retries());
    expect([...cluster.references.keys()]).toEqual([old.blobId]);
    cluster.gate = () => undefined;
    await restripeOutbox(cluster.context(), retries());
    const [copy] = [...cluster.references.values()];
    expect(copy?.pgId).toBe(1);
    expect(cluster.intactSlots(copy!, LARGE_BYTES)).toEqual(ALL);
  });

  it('copies a blob under a new id and leaves the old one to the collector (R1)', async () => {
    const old = cluster.putBlob(LARGE_BYTES, 3);
    cluster.addEntry('restripe', old);
    cluster.dropShard(old, 0);
    await restripeOutbox(cluster.context(), retries());
    const blob = currentBlob();
    expect(blob).toMatchObject({ pgId: 1, profile: { k: 4, m: 2 }, isReduced: false });
    expect(blob.blobId.slice(0, 2)).toBe(old.blobId.slice(0, 2));
    expect(cluster.intactSlots(blob, LARGE_BYTES)).toEqual(ALL);
    expect(cluster.outbox).toMatchObject([{ kind: 'garbage', blob: { blobId: old.blobId } }]);
    expect(cluster.shardsOf(old.blobId)).toHaveLength(3);
  });

  it('reads every size right, tails and padding included', async () => {
    for (const sizeBytes of [1_001, 65_536, 131_072, 131_073, 400_000, 524_288]) {
      cluster = new FakeCluster([LARGE, SMALL, REDUCED]);
      const bytes = HUGE_BYTES.subarray(sizeBytes, 2 * sizeBytes);
      const old = cluster.putBlob(bytes, 3);
      cluster.addEntry('restripe', old);
      cluster.dropShard(old, 1);
      await restripeOutbox(cluster.context(), retries());
      expect(cluster.intactSlots(currentBlob(), bytes)).toEqual(ALL);
    }
  });

  it('copies a blob of many windows, with a shard of it missing', async () => {
    const old = cluster.putBlob(HUGE_BYTES, 3);
    cluster.addEntry('restripe', old);
    cluster.dropShard(old, 0);
    await restripeOutbox(cluster.context(), retries());
    expect(cluster.intactSlots(currentBlob(), HUGE_BYTES)).toEqual(ALL);
  });

  it('waits until a normal group is whole', async () => {
    const old = cluster.putBlob(LARGE_BYTES, 3);
    cluster.addEntry('restripe', old);
    cluster.setNode('n0', 'down');
    await restripeOutbox(cluster.context(), retries());
    expect(cluster.outbox).toMatchObject([{ kind: 'restripe' }]);
    expect(currentBlob()).toBe(old);
  });

  it('deletes nothing when the outcome of the exchange is unknown (R2)', async () => {
    const old = cluster.putBlob(LARGE_BYTES, 3);
    cluster.addEntry('restripe', old);
    cluster.gate = (call) => {
      if (call === 'ReplaceBlob') throw new StoreError('OUTCOME_UNKNOWN');
    };
    await restripeOutbox(cluster.context(), retries());
    const copies = new Set([...cluster.shards.keys()].map((key) => key.split('/')[1]));
    expect(copies.size).toBe(2);
    for (const blobId of copies) expect(cluster.shardsOf(blobId!).length).toBeGreaterThan(3);
  });

  it('leaves the copy to the collector when the owner is gone meanwhile', async () => {
    const old = cluster.putBlob(LARGE_BYTES, 3);
    cluster.addEntry('restripe', old);
    cluster.gate = (call) => {
      if (call === 'ReplaceBlob') cluster.references.delete(old.blobId);
    };
    await restripeOutbox(cluster.context(), retries());
    expect(cluster.outbox).toMatchObject([{ kind: 'garbage', blob: { pgId: 1 } }]);
  });

  it('keeps every byte through a crash at any of its calls', async () => {
    for (let calls = 0; ; calls += 1) {
      cluster = new FakeCluster([LARGE, SMALL, REDUCED]);
      const old = cluster.putBlob(LARGE_BYTES, 3);
      cluster.addEntry('restripe', old);
      cluster.gate = crashAfter(calls);
      const context = cluster.context();
      await restripeOutbox(context, retries()).catch(() => undefined);
      const isDone = !cluster.outbox.some(({ kind }) => kind === 'restripe');
      const shardCount = currentBlob().profile.k + currentBlob().profile.m;
      expect(cluster.intactSlots(currentBlob(), LARGE_BYTES)).toHaveLength(shardCount);
      cluster.gate = () => undefined;
      await restripeOutbox(cluster.context(), retries());
      expect(cluster.outbox).toMatchObject([{ kind: 'garbage', blob: { blobId: old.blobId } }]);
      expect(currentBlob().pgId).toBe(1);
      expect(cluster.intactSlots(currentBlob(), LARGE_BYTES)).toEqual(ALL);
      if (isDone) break;
    }
  });

  it('cuts a window of shards into the bytes of the blob', () => {
    const layout = { profile: { k: 2, m: 1 }, sizeBytes: 37, blockBytes: 16 };
    const whole = { ...layout, fullStripes: 1, tailBlockBytes: 16, shardSizeBytes: 32 };
    expect(dataPieces(whole, 0, 32)).toEqual([
      { shardIndex: 0, from: 0, lengthBytes: 16 },
      { shardIndex: 1, from: 0, lengthBytes: 16 },
      { shardIndex: 0, from: 16, lengthBytes: 5 },
    ]);
  });
});

describe('garbage', () => {
  const GRACE_MS = 600_000;

  it('waits for the grace period, then deletes every shard and acknowledges', async () => {
    const blob = cluster.putBlob(LARGE_BYTES, 1, { isReferenced: false });
    cluster.addEntry('garbage', blob);
    cluster.nowMs += GRACE_MS - 1;
    await collectGarbage(cluster.context());
    expect(cluster.shardsOf(blob.blobId)).toHaveLength(6);
    cluster.nowMs += 1;
    await collectGarbage(cluster.context());
    expect(cluster.shardsOf(blob.blobId)).toEqual([]);
    expect(cluster.outbox).toEqual([]);
  });

  it('never deletes what is referenced when it executes (R2: re-check)', async () => {
    const blob = cluster.putBlob(LARGE_BYTES, 1);
    cluster.addEntry('garbage', blob);
    cluster.nowMs += GRACE_MS;
    await collectGarbage(cluster.context());
    expect(cluster.intactSlots(blob, LARGE_BYTES)).toEqual(ALL);
  });

  it('never deletes when the re-check fails or answers short (R2: unknown is not absent)', async () => {
    const blob = cluster.putBlob(LARGE_BYTES, 1, { isReferenced: false });
    cluster.addEntry('garbage', blob);
    cluster.nowMs += GRACE_MS;
    cluster.gate = (call) => {
      if (call === 'ResolveBlobs') throw new StoreError('UNAVAILABLE');
    };
    await expect(collectGarbage(cluster.context())).rejects.toThrow('UNAVAILABLE');
    cluster.gate = () => undefined;
    const context = cluster.context();
    const queryIndex: typeof context.metadata.queryIndex = (group, name, args) =>
      name === 'ResolveBlobs'
        ? Promise.resolve([] as never)
        : context.metadata.queryIndex(group, name, args);
    await collectGarbage({ ...context, metadata: { ...context.metadata, queryIndex } });
    expect(cluster.shardsOf(blob.blobId)).toHaveLength(6);
    expect(cluster.outbox).toHaveLength(1);
  });

  it('keeps the entry until every slot has answered, however long it was away (R5)', async () => {
    const blob = cluster.putBlob(LARGE_BYTES, 1, { isReferenced: false });
    cluster.addEntry('garbage', blob);
    cluster.nowMs += GRACE_MS;
    cluster.setNode('n0', 'down');
    await collectGarbage(cluster.context());
    expect(cluster.outbox).toHaveLength(1);
    cluster.setNode('n0', 'up');
    cluster.setDisk('n1d0', 'lost');
    await collectGarbage(cluster.context());
    expect(cluster.outbox).toEqual([]);
    expect(cluster.shardsOf(blob.blobId)).toHaveLength(1);
  });

  it('keeps the entry when one deletion of many fails, and ends the next time', async () => {
    const blob = cluster.putBlob(LARGE_BYTES, 1, { isReferenced: false });
    cluster.addEntry('garbage', blob);
    cluster.nowMs += GRACE_MS;
    let deletions = 0;
    cluster.gate = (call) => {
      if (call === 'deleteShard') deletions += 1;
      if (call === 'deleteShard' && deletions === 3) throw new StoreError('TIMEOUT');
    };
    await collectGarbage(cluster.context());
    expect(cluster.shardsOf(blob.blobId)).toHaveLength(1);
    expect(cluster.outbox).toHaveLength(1);
    await collectGarbage(cluster.context());
    expect(cluster.shardsOf(blob.blobId)).toEqual([]);
    expect(cluster.outbox).toEqual([]);
  });

  it('keeps the entry of a group that this view does not know', async () => {
    const blob = cluster.putBlob(LARGE_BYTES, 1, { isReferenced: false });
    cluster.addEntry('garbage', { ...blob, pgId: 99 });
    cluster.nowMs += GRACE_MS;
    await collectGarbage(cluster.context());
    expect(cluster.outbox).toHaveLength(1);
  });

  it('ends right after a crash at any of its calls', async () => {
    for (let calls = 0; ; calls += 1) {
      cluster = new FakeCluster([LARGE, SMALL, REDUCED]);
      const kept = cluster.putBlob(LARGE_BYTES, 1);
      const blob = cluster.putBlob(LARGE_BYTES, 1, { isReferenced: false });
      cluster.addEntry('garbage', blob);
      cluster.nowMs += GRACE_MS;
      cluster.gate = crashAfter(calls);
      await collectGarbage(cluster.context()).catch(() => undefined);
      const isDone = cluster.outbox.length === 0;
      cluster.gate = () => undefined;
      await collectGarbage(cluster.context());
      expect(cluster.shardsOf(blob.blobId)).toEqual([]);
      expect(cluster.outbox).toEqual([]);
      expect(cluster.intactSlots(kept, LARGE_BYTES)).toEqual(ALL);
      if (isDone) break;
    }
  });
});

describe('orphans', () => {
  const old = { isReferenced: false, ageMs: 25 * HOUR_MS };

  it('deletes old unreferenced blobs at the second sighting, a grace period later', async () => {
    const orphan = cluster.putBlob(LARGE_BYTES, 1, old);
    cluster.dropShard(orphan, 3);
    const candidates = new OrphanCandidates();
    expect(await collectOrphans(cluster.context(), groupOf(1), candidates)).toBe(0);
    cluster.nowMs += 600_000;
    expect(await collectOrphans(cluster.context(), groupOf(1), candidates)).toBe(1);
    expect(cluster.shardsOf(orphan.blobId)).toEqual([]);
  });

  it('never touches what is young or referenced', async () => {
    const young = cluster.putBlob(LARGE_BYTES, 1, { isReferenced: false, ageMs: 23 * HOUR_MS });
    const used = cluster.putBlob(LARGE_BYTES, 1, { ageMs: 25 * HOUR_MS });
    const candidates = new OrphanCandidates();
    for (let tour = 0; tour < 3; tour += 1) {
      await collectOrphans(cluster.context(), groupOf(1), candidates);
      cluster.nowMs += 600_000;
    }
    for (const blob of [young, used]) expect(cluster.shardsOf(blob.blobId)).toHaveLength(6);
  });

  it('spares a blob that is referenced by the second sighting', async () => {
    const blob = cluster.putBlob(LARGE_BYTES, 1, old);
    const candidates = new OrphanCandidates();
    await collectOrphans(cluster.context(), groupOf(1), candidates);
    cluster.references.set(blob.blobId, blob);
    cluster.nowMs += 600_000;
    await collectOrphans(cluster.context(), groupOf(1), candidates);
    expect(cluster.shardsOf(blob.blobId)).toHaveLength(6);
  });

  it('deletes nothing when the reference check fails (R2: unknown is not absent)', async () => {
    const orphan = cluster.putBlob(LARGE_BYTES, 1, old);
    const candidates = new OrphanCandidates();
    await collectOrphans(cluster.context(), groupOf(1), candidates);
    cluster.nowMs += 600_000;
    cluster.gate = (call) => {
      if (call === 'ResolveBlobs') throw new StoreError('TIMEOUT');
    };
    const tour = collectOrphans(cluster.context(), groupOf(1), candidates);
    await expect(tour).rejects.toThrow('TIMEOUT');
    expect(cluster.shardsOf(orphan.blobId)).toHaveLength(6);
  });

  type Testimony = FakeCluster['testimony'];
  const doubts: [string, Testimony][] = [
    [
      'another replica knows its owner (a byte flipped under the leader)',
      (nodeId, honest) => (nodeId === 'm3' ? { ...honest, isReferenced: [true] } : honest),
    ],
    ['only a minority answers', (nodeId, honest) => (nodeId === 'm1' ? honest : null)],
    [
      'the others are behind the time up to which it could be committed',
      (nodeId, honest) =>
        nodeId === 'm1' ? honest : { ...honest, appliedMs: honest.appliedMs - 14 * HOUR_MS },
    ],
    ['one replica answers for all', (_nodeId, honest) => ({ ...honest, nodeId: 'm1' })],
    ['the answers are too short', (_nodeId, honest) => ({ ...honest, isReferenced: [] })],
  ];

  it.each(doubts)('P4, R2: a blob that the leader does not know stays when %s', async (_, says) => {
    const blob = cluster.putBlob(LARGE_BYTES, 1, old);
    const candidates = new OrphanCandidates();
    cluster.testimony = says;
    for (let tour = 0; tour < 3; tour += 1) {
      expect(await collectOrphans(cluster.context(), groupOf(1), candidates)).toBe(0);
      cluster.nowMs += 600_000;
    }
    expect(cluster.shardsOf(blob.blobId)).toHaveLength(6);
  });
});

describe('scrub findings', () => {
  it('become repair work once, for referenced shards in their place', async () => {
    const blob = cluster.putBlob(LARGE_BYTES, 1);
    const orphan = cluster.putBlob(LARGE_BYTES, 1, { isReferenced: false });
    const finding = { pgId: 1, diskId: 'n2d0', shardIndex: 1 };
    cluster.findings.push({ ...finding, blobId: blob.blobId });
    cluster.findings.push({ ...finding, blobId: orphan.blobId });
    cluster.findings.push({ ...finding, blobId: blob.blobId, shardIndex: 2 });
    const context = cluster.context();
    const reported = new RetrySchedule(context.clock, 600_000);
    await reportFindings(context, reported);
    await reportFindings(context, reported);
    expect(cluster.outbox).toMatchObject([{ kind: 'repair', shardIndexes: [1] }]);
    expect(cluster.outbox[0]!.blob.blobId).toBe(blob.blobId);
  });
});

describe('abandoned bucket deletions', () => {
  const bucket = {
    name: 'photos',
    bucketId: 'b1',
    createdMs: 0,
    owner: 'o',
    versioning: 'unversioned' as const,
    deletingSinceMs: 1,
    deletionMark: 1,
    configurations: {},
  };

  it('are finished when the bucket is empty; uploads are aborted', async () => {
    cluster.buckets = [{ ...bucket, deletingSinceMs: cluster.nowMs - 60_001 }];
    cluster.uploads.set('index-1/b1', ['u1']);
    await finishBucketDeletions(cluster.context());
    expect(cluster.rootCommands).toEqual([{ name: 'RemoveBucket', args: { name: 'photos' } }]);
    expect(cluster.fenced.size).toBe(3);
    expect(cluster.uploads.size).toBe(0);
  });

  it('are undone when any group still holds a version', async () => {
    cluster.buckets = [{ ...bucket, deletingSinceMs: cluster.nowMs - 60_001 }];
    cluster.bucketsWithVersions.add('index-2/b1');
    await finishBucketDeletions(cluster.context());
    expect(cluster.rootCommands.map(({ name }) => name)).toEqual(['MarkBucketDeleting']);
    expect(cluster.fenced.size).toBe(0);
  });

  it('are left to their gateway for a minute', async () => {
    cluster.buckets = [{ ...bucket, deletingSinceMs: cluster.nowMs - 60_000 }];
    await finishBucketDeletions(cluster.context());
    expect(cluster.rootCommands).toEqual([]);
    expect(cluster.fenced.size).toBe(0);
  });

  it('never remove a bucket when one group cannot be fenced', async () => {
    cluster.buckets = [{ ...bucket, deletingSinceMs: cluster.nowMs - 60_001 }];
    let fences = 0;
    cluster.gate = (call) => {
      if (call !== 'FenceBucket') return;
      fences += 1;
      if (fences === 3) throw new StoreError('UNAVAILABLE');
    };
    await expect(finishBucketDeletions(cluster.context())).rejects.toThrow('UNAVAILABLE');
    expect(cluster.rootCommands).toEqual([]);
  });
});

describe('reduced groups', () => {
  const LONG_MS = 14 * HOUR_MS;

  it('are removed when sealed for long, empty, and named by no outbox', async () => {
    cluster.setGroup(3, { state: 'sealed' });
    expect(await retireAfter(cluster, LONG_MS)).toEqual([
      { name: 'RemoveGroup', args: { pgId: 3 } },
    ]);
  });

  it('stay while a commit may still name a blob of them', async () => {
    cluster.setGroup(3, { state: 'sealed' });
    expect(await retireAfter(cluster, 12 * HOUR_MS)).toEqual([]);
  });

  it('stay while they hold a shard, an outbox names them, or a slot is out', async () => {
    cluster.setGroup(3, { state: 'sealed' });
    const blob = cluster.putBlob(LARGE_BYTES, 3, { isReferenced: false });
    expect(await retireAfter(cluster, LONG_MS)).toEqual([]);
    cluster.shards.clear();
    cluster.addEntry('garbage', blob);
    expect(await retireAfter(cluster, LONG_MS)).toEqual([]);
    cluster.outbox = [];
    cluster.setNode('n2', 'down');
    expect(await retireAfter(cluster, LONG_MS)).toEqual([]);
  });

  it('R2: stay when an outage took them into use between two looks', async () => {
    cluster.setGroup(3, { state: 'sealed' });
    const sealed = new SealedGroups();
    await retireGroups(cluster.context(), sealed);
    cluster.nowMs += LONG_MS;
    cluster.setGroup(3, { state: 'active' });
    cluster.setGroup(3, { state: 'sealed' });
    await retireGroups(cluster.context(), sealed);
    expect(cluster.rootCommands).toEqual([]);
  });

  it('R2: stay when they are taken into use while their disks are listed', async () => {
    cluster.setGroup(3, { state: 'sealed' });
    cluster.gate = (call) => {
      if (call !== 'ListOutbox') return;
      cluster.setGroup(3, { state: 'active' });
      cluster.setGroup(3, { state: 'sealed' });
    };
    expect(await retireAfter(cluster, LONG_MS)).toEqual([]);
  });

  it('R2: stay while a disk is lost: it may return, and has not said that it is empty', async () => {
    cluster.setGroup(3, { state: 'sealed' });
    for (const diskId of REDUCED.slots) cluster.setDisk(diskId, 'lost');
    expect(await retireAfter(cluster, LONG_MS)).toEqual([]);
  });
});

describe('the fake', () => {
  it('lays a blob out as the layout says', () => {
    const bytes = seededRandom(1).bytes(100);
    const shards = encodeBlob(bytes, { k: 2, m: 1 }, 16);
    expect(shards.map(({ length }) => length)).toEqual([64, 64, 64]);
    expect(Buffer.compare(shards[0]!.subarray(0, 16), bytes.subarray(0, 16))).toBe(0);
    expect(Buffer.compare(shards[1]!.subarray(0, 16), bytes.subarray(16, 32))).toBe(0);
  });
});
