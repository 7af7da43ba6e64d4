import { seededRandom } from '@azimuth/common';
import type { Random } from '@azimuth/common';
import { makeShard, putShard, readShard } from '@azimuth/testkit';
import type { ShardFixture, SimDisk } from '@azimuth/testkit';

import { SEGMENT_DIRECTORY } from '../../src/segment/segment-table';
import type { SegmentStore } from '../../src/store/segment-store';
import { openStore, simMachine } from '../store-fixture';
import type { Machine } from '../store-fixture';

/** What the client of a store knows: each shard is stored, deleted, or nobody can tell. */
type Knowledge = 'stored' | 'deleted' | 'unknown';

interface Client {
  readonly shards: readonly ShardFixture[];
  readonly knowledge: Map<ShardFixture, Knowledge>;
}

/** So small that the work below fills shared segments and makes own ones. */
const SMALL = { segmentBytesMax: 40_000, ownSegmentAboveBytes: 64_000 };

function makeClient(random: Random): Client {
  const sizes = [40, 17_000, 5000, 90_000, 16_384, 60_000, 65_537];
  const shards = sizes.map((sizeBytes) => makeShard(random, { sizeBytes }));
  return { shards, knowledge: new Map(shards.map((shard) => [shard, 'deleted'])) };
}

/** Puts, deletes and compacts until something fails; knows afterwards what was acknowledged. */
async function work(store: SegmentStore, client: Client): Promise<void> {
  const note = async (shard: ShardFixture, end: Knowledge, run: Promise<void>): Promise<void> => {
    const before = client.knowledge.get(shard);
    client.knowledge.set(shard, before === end ? end : 'unknown');
    await run;
    client.knowledge.set(shard, end);
  };
  const [a, b, c, d, e, f, g] = client.shards as [
    ...[ShardFixture, ShardFixture, ShardFixture, ShardFixture],
    ...[ShardFixture, ShardFixture, ShardFixture],
  ];
  const put = (shard: ShardFixture): Promise<void> => note(shard, 'stored', putShard(store, shard));
  const remove = (shard: ShardFixture): Promise<void> =>
    note(shard, 'deleted', store.delete(shard.id));
  await Promise.all([put(a), put(b), put(c)]);
  await put(d);
  await remove(b);
  await Promise.all([put(e), put(g)]);
  await remove(d);
  await Promise.all([put(f), put(b), remove(c)]);
  await store.maintain();
  await put(d);
  await store.close();
}

/** K1: acknowledged shards read back identical; K2: nothing is ever served with other bytes. */
async function check(store: SegmentStore, client: Client): Promise<void> {
  for (const [shard, knowledge] of client.knowledge) {
    const isStored = store.stat(shard.id) !== null;
    if (knowledge !== 'unknown') expect(isStored).toBe(knowledge === 'stored');
    if (isStored) expect((await readShard(store, shard.id)).equals(shard.bytes)).toBe(true);
  }
  expect(store.findings(10)).toEqual([]);
}

async function crashAt(
  operation: number,
  seed: number,
  restart: (machine: Machine, disk: SimDisk) => void,
): Promise<boolean> {
  const machine = simMachine(seed);
  const client = makeClient(seededRandom(seed));
  const store = await openStore(machine, SMALL);
  machine.disk.inject({ atOperation: operation, kind: 'crash' });
  let hasCrashed = false;
  try {
    await work(store, client);
  } catch {
    hasCrashed = machine.disk.isCrashed;
    expect(hasCrashed).toBe(true);
  }
  // What still runs of the dead process ends: every operation fails until the machine is up again.
  await store.close().catch(() => undefined);
  restart(machine, machine.disk);

  const reopened = await openStore(machine, SMALL);
  await check(reopened, client);
  for (const shard of client.shards) {
    await putShard(reopened, shard);
    client.knowledge.set(shard, 'stored');
  }
  // Whatever the first crash left counts as durable once it is acknowledged again.
  machine.disk.powerLoss();
  machine.bootId = 'boot-3';
  const third = await openStore(machine, SMALL);
  await check(third, client);
  expect(third.statistics().shardCount).toBe(client.shards.length);
  await third.close();
  return hasCrashed;
}

async function crashEverywhere(
  restart: (machine: Machine, disk: SimDisk) => void,
): Promise<number> {
  for (let operation = 1; ; operation += 1) {
    const hasCrashed = await crashAt(operation, 1000 + operation, restart);
    if (!hasCrashed) return operation - 1;
  }
}

describe('crash points', () => {
  it('keeps every acknowledged shard when the power fails at any write, sync or rename', async () => {
    const points = await crashEverywhere((machine, disk) => {
      disk.powerLoss();
      machine.bootId = 'boot-2';
    });
    expect(points).toBeGreaterThan(30);
  });

  it('keeps every acknowledged shard when the process is killed anywhere', async () => {
    const points = await crashEverywhere((_machine, disk) => disk.kill());
    expect(points).toBeGreaterThan(30);
  });

  it('keeps every acknowledged shard when the index is lost together with the power', async () => {
    const points = await crashEverywhere((machine, disk) => {
      disk.powerLoss();
      machine.bootId = 'boot-2';
      void machine.indexBackend.destroy();
    });
    expect(points).toBeGreaterThan(30);
  });

  it('does not believe an index of which a power cut has lost a part', async () => {
    const machine = simMachine(3);
    const random = seededRandom(3);
    const client = makeClient(random);
    const store = await openStore(machine, SMALL);
    for (const shard of client.shards) {
      await putShard(store, shard);
      client.knowledge.set(shard, 'stored');
    }
    // What an open segment holds is read again in any case; of a sealed one only the index tells.
    const isShared = (name: string): boolean => name.startsWith('shared-');
    while ((await machine.disk.list(SEGMENT_DIRECTORY)).filter(isShared).length < 3) {
      await putShard(store, makeShard(random, { sizeBytes: 30_000 }));
    }
    machine.disk.inject({ atOperation: 1, kind: 'crash' });
    await putShard(store, makeShard(random, { sizeBytes: 40 })).catch(() => undefined);
    await store.close().catch(() => undefined);
    // A power cut may spare all that was written to the segments; what LevelDB lost is lost.
    machine.disk.kill();
    machine.bootId = 'boot-2';
    const database = await machine.indexBackend.open();
    const lost = Buffer.from(client.shards[0]?.id.blobId ?? '', 'hex');
    for (const key of await database.keys().all()) if (key.includes(lost)) await database.del(key);
    const reopened = await openStore(machine, SMALL);
    await check(reopened, client);
    await reopened.close();
  });

  it('survives random crashes in a row (40 seeds)', async () => {
    for (let seed = 1; seed <= 40; seed += 1) {
      try {
        await crashRepeatedly(seed);
      } catch (error) {
        throw new Error(`seed ${seed} fails`, { cause: error });
      }
    }
  });
});

async function crashRepeatedly(seed: number): Promise<void> {
  const random = seededRandom(seed);
  const machine = simMachine(seed);
  const client = makeClient(random);
  for (let life = 0; life < 6; life += 1) {
    const store = await openStore(machine, SMALL);
    await check(store, client);
    machine.disk.inject({ atOperation: 1 + random.below(50), kind: 'crash' });
    await work(store, client).catch(() => undefined);
    await store.close().catch(() => undefined);
    if (random.below(2) === 0) {
      machine.disk.kill();
    } else {
      machine.disk.powerLoss();
      machine.bootId = `boot-${life + 10}`;
    }
  }
}
