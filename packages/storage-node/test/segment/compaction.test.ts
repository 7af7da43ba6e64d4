import { seededRandom } from '@azimuth/common';
import { makeShard, putShard, readShard } from '@azimuth/testkit';
import type { ShardFixture } from '@azimuth/testkit';

import type { SegmentStore } from '../../src/store/segment-store';
import { openStore, simMachine } from '../store-fixture';

const random = seededRandom(12);
const SMALL = { segmentBytesMax: 100_000 };

async function filled(): Promise<{
  machine: ReturnType<typeof simMachine>;
  store: SegmentStore;
  kept: ShardFixture[];
  gone: ShardFixture[];
}> {
  const machine = simMachine(1);
  const store = await openStore(machine, SMALL);
  const kept: ShardFixture[] = [];
  const gone: ShardFixture[] = [];
  for (let index = 0; index < 40; index += 1) {
    const shard = makeShard(random, { sizeBytes: 10_000 });
    await putShard(store, shard);
    (index % 4 === 0 ? kept : gone).push(shard);
  }
  for (const shard of gone) await store.delete(shard.id);
  return { machine, store, kept, gone };
}

async function compactAll(store: SegmentStore): Promise<void> {
  for (let round = 0; round < 20; round += 1) await store.maintain();
}

async function expectContent(
  store: SegmentStore,
  kept: readonly ShardFixture[],
  gone: readonly ShardFixture[],
): Promise<void> {
  for (const shard of kept) {
    expect((await readShard(store, shard.id)).equals(shard.bytes)).toBe(true);
  }
  for (const shard of gone) expect(store.stat(shard.id)).toBeNull();
  expect(store.statistics().shardCount).toBe(kept.length);
  expect(store.findings(10)).toEqual([]);
}

describe('compaction', () => {
  it('gives the space of deleted shards back and keeps the others', async () => {
    const { store, kept, gone } = await filled();
    const before = store.statistics().usedBytes;
    await compactAll(store);
    expect(store.statistics().usedBytes).toBeLessThan(before / 2);
    await expectContent(store, kept, gone);
    await store.close();
  });

  it('C2: a rebuild after compaction brings no deleted shard back', async () => {
    const { machine, store, kept, gone } = await filled();
    await compactAll(store);
    await store.close();
    await machine.indexBackend.destroy();
    machine.disk.powerLoss();
    machine.bootId = 'boot-2';
    const reopened = await openStore(machine, SMALL);
    await expectContent(reopened, kept, gone);
    await compactAll(reopened);
    await expectContent(reopened, kept, gone);
    await reopened.close();
  });

  it('C2: a tombstone outlives its segment while an older one may hold the shard', async () => {
    const machine = simMachine(2);
    const store = await openStore(machine, SMALL);
    const shardsOf = (count: number): ShardFixture[] =>
      Array.from({ length: count }, () => makeShard(random, { sizeBytes: 10_000 }));
    const [deleted, ...kept] = shardsOf(10) as [ShardFixture, ...ShardFixture[]];
    const shortLived = shardsOf(10);
    for (const shard of [deleted, ...kept]) await putShard(store, shard);
    // The tombstone lies among shards that die, behind a segment that stays.
    await store.delete(deleted.id);
    for (const shard of shortLived) await putShard(store, shard);
    for (const shard of shortLived) await store.delete(shard.id);
    await compactAll(store);
    expect(machine.disk.paths()).toContain('segments/shared-000000000001.segment');
    expect(machine.disk.paths()).not.toContain('segments/shared-000000000002.segment');
    await store.close();
    await machine.indexBackend.destroy();
    const reopened = await openStore(machine, SMALL);
    await expectContent(reopened, kept, [deleted, ...shortLived]);
    await reopened.close();
  });

  it('C3: keeps every shard when the power fails at any point of it', async () => {
    for (let operation = 1; operation < 60; operation += 3) {
      const { machine, store, kept, gone } = await filled();
      machine.disk.inject({ atOperation: operation, kind: 'crash' });
      await compactAll(store).catch(() => undefined);
      const hasCrashed = machine.disk.isCrashed;
      await store.close();
      machine.disk.powerLoss();
      machine.bootId = 'boot-2';
      const reopened = await openStore(machine, SMALL);
      await expectContent(reopened, kept, gone);
      for (const shard of kept) await reopened.delete(shard.id);
      await compactAll(reopened);
      await reopened.close();
      machine.bootId = 'boot-3';
      await machine.indexBackend.destroy();
      const third = await openStore(machine, SMALL);
      await expectContent(third, [], [...kept, ...gone]);
      await third.close();
      if (!hasCrashed) return;
    }
  });

  it('C1: shards may be read, put and deleted while they are moved', async () => {
    const { store, kept, gone } = await filled();
    const deleted = kept.splice(0, 3);
    const added = [1, 2, 3].map(() => makeShard(random, { sizeBytes: 9_000 }));
    await Promise.all([
      compactAll(store),
      ...deleted.map((shard) => store.delete(shard.id)),
      ...added.map((shard) => putShard(store, shard)),
      ...kept.map(async (shard) => {
        expect((await readShard(store, shard.id)).equals(shard.bytes)).toBe(true);
      }),
    ]);
    await expectContent(store, [...kept, ...added], [...gone, ...deleted]);
    await store.close();
  });

  it('leaves a segment with a damaged record alone and reports the shard', async () => {
    const { machine, store, kept } = await filled();
    const first = kept[0] as ShardFixture;
    machine.disk.flip('segments/shared-000000000001.segment', 64 + 128 + 50);
    await compactAll(store);
    expect(store.findings(10).map(({ id }) => id.blobId)).toEqual([first.id.blobId]);
    expect(machine.disk.paths()).toContain('segments/shared-000000000001.segment');
    await putShard(store, first);
    await compactAll(store);
    expect(machine.disk.paths()).not.toContain('segments/shared-000000000001.segment');
    await store.close();
  });
});
