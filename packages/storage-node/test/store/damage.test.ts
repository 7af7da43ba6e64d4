import { seededRandom, silentLogger, StoreError, systemClock } from '@azimuth/common';
import { makeShard, naughty, putShard, readShard } from '@azimuth/testkit';
import type { ShardFixture } from '@azimuth/testkit';

import { ScrubPositionFile } from '../../src/scrubber/scrub-position';
import { Scrubber } from '../../src/scrubber/scrubber';
import type { Finding } from '../../src/scrubber/findings';
import type { SegmentStore } from '../../src/store/segment-store';
import { MIB, openStore, simMachine } from '../store-fixture';

const random = seededRandom(99);
const HEADER = 64;
const RECORD_HEADER = 128;

function code(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'OK',
    (error: unknown) => (error instanceof StoreError ? error.code : String(error)),
  );
}

function namesOf(findings: readonly Finding[]): string[] {
  return findings.map(({ id }) => id.blobId);
}

async function scrub(store: SegmentStore): Promise<void> {
  const pace = { periodMs: 1, floorBytesPerSecond: 2 ** 40, capBytesPerSecond: 2 ** 40 };
  const positions = new ScrubPositionFile(simMachine(1).disk);
  const shared = { clock: systemClock, logger: silentLogger };
  await new Scrubber(store, { pace, positions, ...shared }).runTour();
}

/** Two shards that share a segment, the second one at the offset returned. */
async function twoShards(): Promise<{
  machine: ReturnType<typeof simMachine>;
  store: SegmentStore;
  first: ShardFixture;
  second: ShardFixture;
  path: string;
  secondAt: number;
}> {
  const machine = simMachine(5);
  const store = await openStore(machine);
  const first = makeShard(random, { sizeBytes: 70_000 });
  const second = makeShard(random, { sizeBytes: 5_000 });
  await putShard(store, first);
  await putShard(store, second);
  const path = 'segments/shared-000000000001.segment';
  const firstBytes = Math.ceil((RECORD_HEADER + 70_000 + 8 + 32) / 64) * 64;
  return { machine, store, first, second, path, secondAt: HEADER + firstBytes };
}

describe('damage on the disk', () => {
  it.each([
    ['record header', 40],
    ['shard bytes', RECORD_HEADER + 4_000],
    ['page checksum table', RECORD_HEADER + 70_000 + 5],
  ])('never serves a shard with a flipped byte in its %s, and finds it', async (_part, at) => {
    const { machine, store, first, second, path } = await twoShards();
    machine.disk.flip(path, HEADER + at);
    expect(await code(readShard(store, first.id))).toBe('SHARD_CORRUPT');
    expect(await store.verify(first.id)).toBe('corrupt');
    expect(namesOf(store.findings(10))).toEqual([first.id.blobId]);
    expect((await readShard(store, second.id)).equals(second.bytes)).toBe(true);
    expect(store.statistics().corruptShards).toBe(1);
    await store.close();
  });

  it('serves the intact pages of a damaged shard', async () => {
    const { machine, store, first, path } = await twoShards();
    machine.disk.flip(path, HEADER + RECORD_HEADER + 69_000);
    const firstPage = await readShard(store, first.id, 0, 65_536);
    expect(firstPage.equals(first.bytes.subarray(0, 65_536))).toBe(true);
    expect(await code(readShard(store, first.id, 65_536, 10))).toBe('SHARD_CORRUPT');
    await store.close();
  });

  it('finds a flipped byte by a scrub tour, in shared and own segments', async () => {
    const machine = simMachine(6);
    const store = await openStore(machine);
    const shards = [5_000, MIB + 5].map((sizeBytes) => makeShard(random, { sizeBytes }));
    for (const shard of shards) await putShard(store, shard);
    await scrub(store);
    expect(store.findings(10)).toEqual([]);
    machine.disk.flip('segments/shared-000000000001.segment', HEADER + RECORD_HEADER + 17);
    machine.disk.flip('segments/own-000000000002.segment', MIB / 2);
    await scrub(store);
    expect(namesOf(store.findings(10)).sort()).toEqual(shards.map(({ id }) => id.blobId).sort());
    await store.close();
  });

  it('takes a repaired shard in place of a damaged one, and forgets the finding', async () => {
    for (const sizeBytes of [5_000, MIB + 5]) {
      const machine = simMachine(7);
      const store = await openStore(machine);
      const shard = makeShard(random, { sizeBytes });
      await putShard(store, shard);
      const path = machine.disk.paths().find((name) => name.endsWith('.segment')) ?? '';
      machine.disk.flip(path, HEADER + RECORD_HEADER + 100);
      await scrub(store);
      expect(store.statistics().corruptShards).toBe(1);
      await putShard(store, shard);
      expect((await readShard(store, shard.id)).equals(shard.bytes)).toBe(true);
      expect(store.findings(10)).toEqual([]);
      expect(store.statistics().shardCount).toBe(1);
      await store.close();
    }
  });

  it('never acknowledges a repeated PUT against stored bytes that are damaged', async () => {
    const { machine, store, first, path } = await twoShards();
    machine.disk.flip(path, HEADER + RECORD_HEADER + 4_000);
    await putShard(store, first);
    expect((await readShard(store, first.id)).equals(first.bytes)).toBe(true);
    await store.close();
  });

  it('remembers findings over a restart', async () => {
    const { machine, store, first, path } = await twoShards();
    machine.disk.flip(path, HEADER + RECORD_HEADER + 4_000);
    await scrub(store);
    await store.close();
    const reopened = await openStore(machine);
    expect(namesOf(reopened.findings(10))).toEqual([first.id.blobId]);
    await reopened.delete(first.id);
    expect(reopened.findings(10)).toEqual([]);
    await reopened.close();
  });

  it.each(['repair', 'delete'])(
    'keeps no finding of a record that a %s had done away with before a slow reader met its damage',
    async (change) => {
      const { machine, store, first, path } = await twoShards();
      const read = await store.openRead(first.id, { offsetBytes: 0, lengthBytes: 70_000 });
      machine.disk.flip(path, HEADER + RECORD_HEADER + 4_000);
      if (change === 'repair') await putShard(store, first);
      else await store.delete(first.id);
      expect(await code(read.next())).toBe('SHARD_CORRUPT');
      read.close();
      await store.close();
      const reopened = await openStore(machine);
      expect(reopened.findings(10)).toEqual([]);
      await reopened.close();
    },
  );

  it('ends a finding when the whole shard reads intact again', async () => {
    const { machine, store, first, path } = await twoShards();
    machine.disk.flip(path, HEADER + RECORD_HEADER + 4_000);
    expect(await store.verify(first.id)).toBe('corrupt');
    machine.disk.flip(path, HEADER + RECORD_HEADER + 4_000);
    expect(await store.verify(first.id)).toBe('intact');
    expect(store.findings(10)).toEqual([]);
    await store.close();
    const reopened = await openStore(machine);
    expect(reopened.findings(10)).toEqual([]);
    await reopened.close();
  });

  it('takes a sector that cannot be read for damage', async () => {
    const machine = simMachine(8);
    const shard = makeShard(random, { sizeBytes: 5_000 });
    const first = await openStore(machine);
    await putShard(first, shard);
    await first.close();
    const eio = Object.assign(new Error('EIO'), { code: 'EIO' });
    const disk = machine.disk;
    const broken: Partial<typeof disk> = {
      open: async (...args: Parameters<typeof disk.open>) => {
        const file = await disk.open(...args);
        return args[1] === 'read' && args[0].startsWith('segments/')
          ? naughty(file, { method: 'read', nth: 3, error: eio })
          : file;
      },
    };
    const store = await openStore({ ...machine, disk: proxied(disk, broken) });
    expect(await store.verify(shard.id)).toBe('corrupt');
    await store.close();
  });
});

/** Methods of `changes`, and those of `disk` for the rest: private fields need the real `this`. */
function proxied<T extends object>(disk: T, changes: Partial<T>): T {
  return new Proxy(disk, {
    get(target, property) {
      const own: unknown = Reflect.get(changes, property);
      if (own !== undefined) return own;
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== 'function') return value;
      const bound: unknown = Function.prototype.bind.call(value, target);
      return bound;
    },
  });
}

describe('recovery of damaged segments', () => {
  it('pitfall 9: steps over a damaged middle record, reports it, keeps what follows', async () => {
    for (const at of [40, RECORD_HEADER + 100, RECORD_HEADER + 70_000 + 8 + 3]) {
      const { machine, store, first, second, path } = await twoShards();
      // The power goes before the segment is sealed; everything in it was synced.
      machine.disk.inject({ atOperation: 1, kind: 'crash' });
      await store.close();
      machine.disk.powerLoss();
      machine.disk.flip(path, HEADER + at);
      machine.bootId = 'boot-2';
      const reopened = await openStore(machine);
      expect((await readShard(reopened, second.id)).equals(second.bytes)).toBe(true);
      // A damaged trailer leaves the bytes as they were: they are served, and repaired all the same.
      const isTrailer = at > RECORD_HEADER + 70_000;
      expect(await code(readShard(reopened, first.id))).toBe(isTrailer ? 'OK' : 'SHARD_CORRUPT');
      expect(await reopened.verify(first.id)).toBe('corrupt');
      expect(namesOf(reopened.findings(10))).toEqual([first.id.blobId]);
      await reopened.close();
    }
  });

  it('pitfall 8: cuts a torn tail at any place of the last record', async () => {
    const { machine, store, second, path, secondAt } = await twoShards();
    await store.close();
    const whole = machine.disk.contentOf(path).subarray(0, secondAt + 5_248);
    const classes = [0, 1, 63, 64, 127, 128, 129, 3_000, 5_127, 5_128, 5_131, 5_132, 5_163, 5_164];
    for (const torn of classes) {
      const other = simMachine(9);
      await (await openStore(other)).close();
      other.disk.replace('disk.json', machine.disk.contentOf('disk.json'));
      other.disk.replace(path, whole.subarray(0, secondAt + torn));
      other.bootId = `boot-${torn}`;
      const reopened = await openStore(other);
      expect(reopened.stat(second.id) !== null).toBe(torn >= 5_164);
      expect(reopened.statistics().shardCount).toBe(torn >= 5_164 ? 2 : 1);
      const sealed = await openAgain(other, reopened);
      expect(sealed.statistics().shardCount).toBe(torn >= 5_164 ? 2 : 1);
      await sealed.close();
    }
  });

  it('reads the records when the footer or the segment header is damaged', async () => {
    for (const fromEnd of [10, 70, 0]) {
      const { machine, store, first, second, path } = await twoShards();
      await store.close();
      const size = machine.disk.contentOf(path).byteLength;
      machine.disk.flip(path, fromEnd === 0 ? 20 : size - fromEnd);
      machine.bootId = 'boot-2';
      await machine.indexBackend.destroy();
      const reopened = await openStore(machine);
      for (const shard of [first, second]) {
        expect((await readShard(reopened, shard.id)).equals(shard.bytes)).toBe(true);
      }
      await reopened.close();
    }
  });

  it('rebuilds an index that lost entries without an error', async () => {
    const { machine, store, first, second } = await twoShards();
    await store.close();
    const database = await machine.indexBackend.open();
    await database.del(Buffer.concat([Buffer.from('b'), keyOf(first)]));
    await database.close();
    const reopened = await openStore(machine);
    for (const shard of [first, second]) {
      expect((await readShard(reopened, shard.id)).equals(shard.bytes)).toBe(true);
    }
    await reopened.close();
  });

  it('rebuilds an index with a flipped byte in a value', async () => {
    const { machine, store, first } = await twoShards();
    await store.close();
    const database = await machine.indexBackend.open();
    const key = Buffer.concat([Buffer.from('b'), keyOf(first)]);
    const value = Buffer.from((await database.get(key)) ?? Buffer.alloc(0));
    value.writeUInt8(value.readUInt8(8) ^ 1, 8);
    await database.put(key, value);
    await database.close();
    const reopened = await openStore(machine);
    expect((await readShard(reopened, first.id)).equals(first.bytes)).toBe(true);
    await reopened.close();
  });

  it('answers SHARD_CORRUPT for an index entry damaged while it runs, and a PUT repairs it', async () => {
    const { machine, store, first } = await twoShards();
    const database = await machine.indexBackend.open();
    const key = Buffer.concat([Buffer.from('b'), keyOf(first)]);
    await database.put(key, Buffer.alloc(64, 1));
    expect(await code(readShard(store, first.id))).toBe('SHARD_CORRUPT');
    await putShard(store, first);
    expect((await readShard(store, first.id)).equals(first.bytes)).toBe(true);
    await store.close();
  });

  it('reports a shard whose segment file is gone', async () => {
    const { machine, store, first } = await twoShards();
    const own = makeShard(random, { sizeBytes: MIB + 1 });
    await putShard(store, own);
    await store.close();
    await machine.disk.unlink('segments/own-000000000002.segment');
    const reopened = await openStore(machine);
    expect(await code(readShard(reopened, own.id))).toBe('SHARD_CORRUPT');
    expect(namesOf(reopened.findings(10))).toEqual([own.id.blobId]);
    expect((await readShard(reopened, first.id)).equals(first.bytes)).toBe(true);
    await reopened.close();
  });
});

async function openAgain(
  machine: Parameters<typeof openStore>[0],
  store: SegmentStore,
): Promise<SegmentStore> {
  await store.close();
  machine.bootId += '-again';
  await machine.indexBackend.destroy();
  return openStore(machine);
}

function keyOf({ id }: ShardFixture): Buffer {
  return Buffer.concat([Buffer.from(id.blobId, 'hex'), Buffer.from([id.shardIndex])]);
}
