import { createHash } from 'node:crypto';

import { StoreError } from '@azimuth/common';
import type { StoreErrorCode } from '@azimuth/common';
import { isZoneSafe } from '@azimuth/placement';
import fc from 'fast-check';

import {
  BLOCK_BYTES,
  bodyOf,
  INLINE_MAX,
  makeBody,
  makeFixture,
  makeGroups,
  makeMap,
  md5,
  REPLICA_MAX,
  sourceOf,
  withoutZoneC,
} from './data-path-fixture';

const STRIPE = 4 * BLOCK_BYTES;
const SIZES = [
  0,
  1,
  INLINE_MAX,
  INLINE_MAX + 1,
  REPLICA_MAX,
  REPLICA_MAX + 1,
  STRIPE - 1,
  STRIPE,
  STRIPE + 1,
  2 * STRIPE,
  2 * STRIPE + 1,
  3 * STRIPE - 17,
  9 * STRIPE + 12_345,
];

async function codeOf(promise: Promise<unknown>): Promise<StoreErrorCode | 'no error'> {
  try {
    await promise;
    return 'no error';
  } catch (error) {
    if (error instanceof StoreError) return error.code;
    throw error;
  }
}

describe('a body comes back as it was written', () => {
  it.each(SIZES)('%i bytes, whole and around every boundary', async (sizeBytes) => {
    const fixture = makeFixture();
    const body = makeBody(sizeBytes);
    const written = await fixture.write(body);
    expect(written.digests.get('MD5')?.toString('hex')).toBe(md5(body));
    expect(written.data.missing).toEqual([]);
    expect((await fixture.read(bodyOf(written), 0, sizeBytes)).equals(body)).toBe(true);
    const cuts = [0, 1, sizeBytes >> 1, STRIPE - 1, STRIPE, STRIPE + 1, sizeBytes - 1, sizeBytes];
    for (const from of cuts) {
      for (const to of cuts) {
        if (from < 0 || from > to || to > sizeBytes) continue;
        const part = await fixture.read(bodyOf(written), from, to);
        expect(part.equals(body.subarray(from, to))).toBe(true);
      }
    }
    expect(fixture.dataPath.memoryBytes()).toEqual({ writing: 0, reading: 0 });
    expect(fixture.storage.lentBlocks.size).toBe(0);
  });

  it('small bodies are inline, middle ones copies, large ones erasure-coded', async () => {
    const fixture = makeFixture();
    expect((await fixture.write(makeBody(INLINE_MAX))).data.blobs).toEqual([]);
    expect((await fixture.write(makeBody(INLINE_MAX + 1))).data.blobs[0]?.profile.k).toBe(1);
    expect((await fixture.write(makeBody(REPLICA_MAX + 1))).data.blobs[0]?.profile.k).toBe(4);
  });

  it('every digest asked for is of the whole body', async () => {
    const body = makeBody(3 * STRIPE + 5);
    const digests = ['MD5', 'SHA1', 'SHA256', 'CRC32', 'CRC32C', 'CRC64NVME'] as const;
    const written = await makeFixture().write(body, { digests });
    const hex = (name: (typeof digests)[number]): string | undefined =>
      written.digests.get(name)?.toString('hex');
    expect(hex('SHA1')).toBe(createHash('sha1').update(body).digest('hex'));
    expect(hex('SHA256')).toBe(createHash('sha256').update(body).digest('hex'));
    const check = await makeFixture().write(Buffer.from('123456789'), { digests });
    const checkHex = digests.map((name) => check.digests.get(name)?.toString('hex'));
    expect(checkHex.slice(3)).toEqual(['cbf43926', 'e3069283', 'ae8b14860a799888']);
  });

  it('parts are read as one body', async () => {
    const fixture = makeFixture();
    const parts = [makeBody(200_000, 1), makeBody(3 * STRIPE + 1, 2), makeBody(150_000, 3)];
    const blobs = [];
    for (const part of parts) blobs.push(...(await fixture.write(part)).data.blobs);
    const body = Buffer.concat(parts);
    for (const [from, to] of [
      [0, body.length],
      [199_999, 200_001],
      [199_999, body.length - 149_999],
    ] as const) {
      const read = await fixture.read({ inline: null, blobs, parts: null }, from, to);
      expect(read.equals(body.subarray(from, to))).toBe(true);
    }
  });

  it('a small range of a large body reads pages of one shard, not stripes', async () => {
    const fixture = makeFixture();
    const written = await fixture.write(makeBody(8 * STRIPE));
    await fixture.read(bodyOf(written), 5 * STRIPE + 100, 5 * STRIPE + 200);
    expect(fixture.storage.reads).toHaveLength(1);
    expect(fixture.storage.reads[0]?.lengthBytes).toBe(65_536);
  });

  it('any range, with any m shards gone, slow, refused or corrupt (seeded)', async () => {
    const fixture = makeFixture();
    const body = makeBody(6 * STRIPE + 777);
    const written = await fixture.write(body);
    const disks = ['a0', 'a1', 'b0', 'b1', 'c0', 'c1'];
    const fault = fc.constantFrom(
      { kind: 'corrupt' } as const,
      { kind: 'refuse', code: 'UNAVAILABLE' } as const,
      { kind: 'refuse', code: 'SHARD_NOT_FOUND' } as const,
      { kind: 'frozen' } as const,
      { kind: 'slow', delayMs: 200 } as const,
    );
    const cases = fc.record({
      range: fc.tuple(fc.nat(body.length), fc.nat(body.length)),
      bad: fc.shuffledSubarray(disks, { minLength: 0, maxLength: 2 }),
      faults: fc.array(fault, { minLength: 2, maxLength: 2 }),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ range, bad, faults }) => {
        fixture.storage.faults.clear();
        bad.forEach((disk, index) => fixture.storage.faults.set(disk, faults[index]!));
        const [from, to] = range[0] < range[1] ? range : [range[1], range[0]];
        const part = await fixture.read(bodyOf(written), from, to);
        expect(part.equals(body.subarray(from, to))).toBe(true);
      }),
      { numRuns: 60 },
    );
    expect(fixture.dataPath.memoryBytes().reading).toBe(0);
  });

  it('more than m shards lost is TOO_FEW_SHARDS, never other bytes', async () => {
    const fixture = makeFixture();
    const written = await fixture.write(makeBody(3 * STRIPE));
    for (const disk of ['a0', 'b0', 'c0']) fixture.storage.faults.set(disk, { kind: 'corrupt' });
    expect(await codeOf(fixture.read(bodyOf(written), 0, 3 * STRIPE))).toBe('TOO_FEW_SHARDS');
    expect(fixture.dataPath.memoryBytes().reading).toBe(0);
  });

  it('a damaged shard is reported, once each', async () => {
    const fixture = makeFixture();
    const written = await fixture.write(makeBody(STRIPE));
    const blob = written.data.blobs[0]!;
    const slots = makeMap().groups.get(blob.pgId)!.slots;
    fixture.storage.faults.set(slots[1]!, { kind: 'corrupt' });
    await fixture.read(bodyOf(written), 0, STRIPE);
    expect(fixture.damaged).toEqual([`${blob.blobId}/1`]);
  });
});

describe('the acknowledgement rule', () => {
  it.each([['replica', 100_000] as const, ['erasure', 400_000] as const])(
    'holds for a %s body whatever fails: durable and zone-safe, or an error (seeded)',
    async (_name, sizeBytes) => {
      const disks = ['a0', 'a1', 'b0', 'b1', 'c0', 'c1'];
      const fault = fc.constantFrom(
        { kind: 'refuse', code: 'UNAVAILABLE' } as const,
        { kind: 'refuse', code: 'DISK_FULL' } as const,
        { kind: 'die-after', bytes: 1 } as const,
        { kind: 'lose-ack' } as const,
        { kind: 'frozen' } as const,
        { kind: 'slow', delayMs: 700 } as const,
      );
      const cases = fc.record({
        seed: fc.nat(1_000_000),
        bad: fc.shuffledSubarray(disks, { minLength: 1, maxLength: 4 }),
        faults: fc.array(fault, { minLength: 4, maxLength: 4 }),
      });
      await fc.assert(
        fc.asyncProperty(cases, async ({ seed, bad, faults }) => {
          const fixture = makeFixture({ seed });
          bad.forEach((disk, index) => fixture.storage.faults.set(disk, faults[index]!));
          const body = makeBody(sizeBytes, seed);
          const outcome = await fixture.write(body).catch((error: unknown) => error);
          expect(fixture.dataPath.memoryBytes().writing).toBe(0);
          fixture.storage.faults.clear();
          if (outcome instanceof Error) {
            expect(await codeOf(Promise.reject(outcome))).toBe('QUORUM_NOT_REACHED');
            return;
          }
          const written = outcome as Awaited<ReturnType<typeof fixture.write>>;
          const blob = written.data.blobs[0]!;
          const group = makeMap().groups.get(blob.pgId)!;
          const missing = new Set(written.data.missing[0]?.shardIndexes ?? []);
          const durable = group.slots.flatMap((_, index) => (missing.has(index) ? [] : [index]));
          expect(isZoneSafe(makeMap(), group, durable)).toBe(true);
          for (const zone of ['a', 'b', 'c']) {
            const lost = { kind: 'refuse', code: 'UNAVAILABLE' } as const;
            fixture.storage.faults.set(`${zone}0`, lost).set(`${zone}1`, lost);
            const read = await fixture.read(bodyOf(written), 0, body.length);
            expect(read.equals(body)).toBe(true);
            fixture.storage.faults.clear();
          }
        }),
        { numRuns: 40 },
      );
    },
  );

  it.each([2 * STRIPE, 5 * STRIPE + 1])(
    'a large body of %i bytes in a replica group, for want of another, is to be re-striped',
    async (sizeBytes) => {
      const map = makeMap(makeGroups().filter(({ profile }) => profile.k === 1));
      const fixture = makeFixture({ map });
      const large = await fixture.write(makeBody(sizeBytes));
      expect(large.data.blobs[0]).toMatchObject({ profile: { k: 1 }, isReduced: true });
      const small = await fixture.write(makeBody(INLINE_MAX + 1));
      expect(small.data.blobs[0]).toMatchObject({ profile: { k: 1 }, isReduced: false });
    },
  );

  it('copies in two zones of three are enough, and the third is named missing', async () => {
    const fixture = makeFixture();
    fixture.storage.faults.set('c0', { kind: 'refuse', code: 'UNAVAILABLE' });
    fixture.storage.faults.set('c1', { kind: 'refuse', code: 'UNAVAILABLE' });
    const written = await fixture.write(makeBody(100_000));
    expect(written.data.missing).toHaveLength(1);
    expect(fixture.view.reported.length).toBeGreaterThan(0);
  });

  it('a straggler is waited for half a second, not until its time-out', async () => {
    const fixture = makeFixture();
    fixture.storage.faults.set('c0', { kind: 'slow', delayMs: 2_900 });
    fixture.storage.faults.set('c1', { kind: 'slow', delayMs: 2_900 });
    await fixture.write(makeBody(1_000 + INLINE_MAX));
    expect(fixture.clock.monotonicMs()).toBeLessThan(4_000);
  });

  it('W3: a write does not wait for a frozen node that the leader has marked down', async () => {
    const fixture = makeFixture({ map: makeMap(makeGroups().slice(0, 2)) });
    fixture.storage.faults.set('c0', { kind: 'frozen' }).set('c1', { kind: 'frozen' });
    fixture.clock.schedule(1_000, () => {
      fixture.view.current = withoutZoneC(fixture.view.current);
    });
    const startedMs = fixture.clock.monotonicMs();
    const buffered = fixture.write(makeBody(2 * STRIPE - 100));
    expect((await buffered).data.blobs[0]).toMatchObject({ pgId: 21, isReduced: true });
    // The time-out of the client is three seconds.
    expect(fixture.clock.monotonicMs() - startedMs).toBeLessThan(2_000);
  });

  it('a buffered body moves to a reduced group once the leader opens one', async () => {
    const fixture = makeFixture({ map: makeMap(makeGroups().slice(0, 2)) });
    const lost = { kind: 'refuse', code: 'UNAVAILABLE' } as const;
    fixture.storage.faults.set('c0', lost).set('c1', lost);
    fixture.clock.schedule(4_000, () => {
      fixture.view.current = withoutZoneC(fixture.view.current);
    });
    const body = makeBody(2 * STRIPE - 100);
    const written = await fixture.write(body);
    expect(written.data.blobs[0]).toMatchObject({ pgId: 21, isReduced: true });
    expect(fixture.clock.monotonicMs()).toBeLessThan(10_000);
    expect((await fixture.read(bodyOf(written), 0, body.length)).equals(body)).toBe(true);
    await fixture.settle(fixture.dataPath.idle());
    const left = [...fixture.storage.shards.keys()];
    expect(left.every((key) => key.includes(written.data.blobs[0]!.blobId))).toBe(true);
  });

  it('a body that moves to another group has another id there: shards of two attempts never mix', async () => {
    const fixture = makeFixture({ map: makeMap(makeGroups().slice(0, 2)) });
    const lost = { kind: 'refuse', code: 'UNAVAILABLE' } as const;
    fixture.storage.faults.set('c0', lost).set('c1', lost);
    fixture.clock.schedule(4_000, () => {
      fixture.view.current = withoutZoneC(fixture.view.current);
    });
    const groupsOfBlobs = new Map<string, Set<number>>();
    const open = fixture.storage.openShard.bind(fixture.storage);
    fixture.storage.openShard = (address, attributes) => {
      const groups = groupsOfBlobs.get(address.blobId) ?? new Set();
      groupsOfBlobs.set(address.blobId, groups.add(attributes.pgId));
      return open(address, attributes);
    };
    const { blobs } = (await fixture.write(makeBody(2 * STRIPE - 100))).data;
    expect(groupsOfBlobs.size).toBeGreaterThan(1);
    for (const groups of groupsOfBlobs.values()) expect(groups.size).toBe(1);
    expect([...groupsOfBlobs.keys()].at(-1)).toBe(blobs[0]!.blobId);
  });

  it('a streamed body that loses a shard is refused and what it wrote is deleted', async () => {
    const fixture = makeFixture();
    fixture.storage.faults.set('b1', { kind: 'die-after', bytes: 2 * BLOCK_BYTES });
    expect(await codeOf(fixture.write(makeBody(8 * STRIPE)))).toBe('QUORUM_NOT_REACHED');
    fixture.storage.faults.clear();
    await fixture.settle(fixture.dataPath.idle());
    expect(fixture.storage.shards.size).toBe(0);
    expect(fixture.dataPath.memoryBytes().writing).toBe(0);
  });

  it('a slot that moves while a body is written counts for nothing: the old disk is not asked', async () => {
    const fixture = makeFixture({ map: makeMap(makeGroups().slice(0, 1)) });
    const { current } = fixture.view;
    const group = current.groups.get(1)!;
    fixture.storage.faults.set('b0', { kind: 'slow', delayMs: 100 });
    fixture.clock.schedule(50, () => {
      const moved = { ...group, slots: group.slots.with(1, 'b9') };
      fixture.view.current = { ...current, version: 2, groups: new Map([[1, moved]]) };
    });
    // Five shards of 4+2 do not survive a zone.
    expect(await codeOf(fixture.write(makeBody(8 * STRIPE)))).toBe('QUORUM_NOT_REACHED');
  });

  it('a shard on a slot that is moving is named, as the move may have passed it by', async () => {
    const fixture = makeFixture({ map: makeMap(makeGroups().slice(0, 1)) });
    const { current } = fixture.view;
    const group = current.groups.get(1)!;
    fixture.storage.faults.set('b0', { kind: 'slow', delayMs: 100 });
    fixture.clock.schedule(50, () => {
      const backfill = { slot: 1, targetDiskId: 'b9' };
      const moving = { ...group, state: 'sealed' as const, backfill };
      fixture.view.current = { ...current, version: 2, groups: new Map([[1, moving]]) };
    });
    const written = await fixture.write(makeBody(8 * STRIPE));
    expect(written.data.missing).toMatchObject([{ shardIndexes: [1] }]);
    expect(written.data.mapVersion).toBe(2);
  });

  it('the map that is named is the one by which the shards were counted, not a later one', async () => {
    const fixture = makeFixture({ map: makeMap(makeGroups().slice(0, 1)) });
    const { current } = fixture.view;
    const writing = fixture.write(makeBody(STRIPE));
    const { data } = await writing;
    fixture.view.current = { ...current, version: 2 };
    expect(data.mapVersion).toBe(current.version);
  });

  it('no group for ten seconds is QUORUM_NOT_REACHED, before the body is read', async () => {
    const fixture = makeFixture();
    const map = makeMap();
    fixture.view.current = { ...map, groups: new Map() };
    const readInto = jest.fn();
    const options = { sizeBytes: 500_000, slot: 0, digests: [] };
    const writing = fixture.settle(fixture.dataPath.write({ readInto }, options));
    expect(await codeOf(writing)).toBe('QUORUM_NOT_REACHED');
    expect(readInto).not.toHaveBeenCalled();
    expect(fixture.clock.monotonicMs()).toBeGreaterThanOrEqual(10_000);
  });

  it('a strict bucket is refused at once while no whole normal group is left, of any size', async () => {
    const fixture = makeFixture();
    const strict = { outagePolicy: 'strict' } as const;
    for (const sizeBytes of [1, 20_000, 500_000]) {
      await fixture.write(makeBody(sizeBytes), strict);
    }
    fixture.view.current = withoutZoneC(fixture.view.current);
    const startedMs = fixture.clock.monotonicMs();
    for (const sizeBytes of [1, 20_000, 500_000]) {
      const writing = fixture.write(makeBody(sizeBytes), strict);
      expect(await codeOf(writing)).toBe('QUORUM_NOT_REACHED');
    }
    expect(fixture.clock.monotonicMs() - startedMs).toBeLessThan(1_000);
    const { data } = await fixture.write(makeBody(500_000));
    expect(data.blobs[0]).toMatchObject({ isReduced: true });
  });

  it('a stale view of the cluster refuses writes and serves reads', async () => {
    const fixture = makeFixture();
    const body = makeBody(200_000);
    const written = await fixture.write(body);
    fixture.view.viewAgeMs = 6_000;
    expect(await codeOf(fixture.write(body))).toBe('UNAVAILABLE');
    expect((await fixture.read(bodyOf(written), 0, body.length)).equals(body)).toBe(true);
  });
});

describe('nothing is left behind', () => {
  it('by a source that fails, at any byte of any size class', async () => {
    const fixture = makeFixture();
    for (const sizeBytes of [5_000, 100_000, 400_000, 5 * STRIPE]) {
      for (const failAt of [0, sizeBytes >> 1, sizeBytes - 1]) {
        const body = makeBody(sizeBytes);
        const source = {
          async readInto(sink: Parameters<ReturnType<typeof sourceOf>['readInto']>[0]) {
            await sourceOf(body.subarray(0, failAt), 30_000).readInto(sink);
            throw new StoreError('CANCELLED');
          },
        };
        const options = { sizeBytes, slot: 1, digests: ['MD5'] as const };
        const writing = fixture.settle(fixture.dataPath.write(source, options));
        expect(await codeOf(writing)).toBe('CANCELLED');
      }
    }
    await fixture.settle(fixture.dataPath.idle());
    expect(fixture.storage.shards.size).toBe(0);
    expect(fixture.dataPath.memoryBytes().writing).toBe(0);
  });

  it.each([-1, 1])('by a body %i byte longer than announced', async (difference) => {
    const fixture = makeFixture();
    for (const sizeBytes of [5_000, 100_000, 400_000, 5 * STRIPE]) {
      const writing = fixture.write(makeBody(sizeBytes + difference), { sizeBytes });
      expect(await codeOf(writing)).toBe('INVALID_ARGUMENT');
    }
    await fixture.settle(fixture.dataPath.idle());
    expect(fixture.storage.shards.size).toBe(0);
    expect(fixture.dataPath.memoryBytes().writing).toBe(0);
  });

  it('by a reader that goes away', async () => {
    const fixture = makeFixture();
    const written = await fixture.write(makeBody(20 * STRIPE));
    const range = { from: 0, to: 20 * STRIPE };
    let pushed = 0;
    const reading = fixture.dataPath.read(bodyOf(written), range, () => {
      pushed += 1;
      if (pushed === 9) throw new StoreError('CANCELLED');
      return undefined;
    });
    expect(await codeOf(fixture.settle(reading))).toBe('CANCELLED');
    const abort = new AbortController();
    fixture.storage.faults.set('a0', { kind: 'frozen' });
    const aborted = fixture.dataPath.read(bodyOf(written), range, () => undefined, abort.signal);
    abort.abort();
    expect(await codeOf(fixture.settle(aborted))).toBe('CANCELLED');
    await fixture.settle(fixture.clock.sleep(5_000));
    expect(fixture.dataPath.memoryBytes().reading).toBe(0);
  });

  it('and memory is bounded: bodies beyond it wait, or are refused as OVERLOADED', async () => {
    const arenaBytes = 4 * 1024 * 1024;
    const fixture = makeFixture({ arenaBytes });
    const body = makeBody(6 * STRIPE);
    let peak = 0;
    const watch = (): void => {
      const { writing, reading } = fixture.dataPath.memoryBytes();
      peak = Math.max(peak, writing + reading);
    };
    const writes = Array.from({ length: 40 }, () =>
      fixture.dataPath.write(
        {
          readInto: (sink) =>
            sourceOf(body, 60_000).readInto((chunk) => {
              watch();
              return sink(chunk);
            }),
        },
        { sizeBytes: body.length, slot: 0, digests: [] },
      ),
    );
    const results = await fixture.settle(Promise.allSettled(writes));
    const stored = results.filter(({ status }) => status === 'fulfilled');
    expect(stored.length).toBe(40);
    expect(peak).toBeGreaterThan(0);
    expect(peak).toBeLessThanOrEqual(arenaBytes / 2);
    const reads = stored.map((result) =>
      fixture.read(bodyOf((result as PromiseFulfilledResult<never>).value), 0, body.length),
    );
    for (const read of await Promise.all(reads)) expect(read.equals(body)).toBe(true);
    expect(fixture.dataPath.memoryBytes()).toEqual({ writing: 0, reading: 0 });
  });
});

describe('slow and frozen nodes', () => {
  it('a frozen zone delays reads by less than a second, without a time-out', async () => {
    const fixture = makeFixture();
    const body = makeBody(STRIPE);
    const written = await fixture.write(body);
    fixture.storage.faults.set('b0', { kind: 'frozen' }).set('b1', { kind: 'frozen' });
    for (let count = 0; count < 50; count += 1) {
      const startedMs = fixture.clock.monotonicMs();
      expect((await fixture.read(bodyOf(written), 0, STRIPE)).equals(body)).toBe(true);
      expect(fixture.clock.monotonicMs() - startedMs).toBeLessThan(1_000);
    }
  });

  it('P3: what is behind a cut link is replaced from other zones, whichever shards are there', async () => {
    for (const zone of ['b', 'c']) {
      for (let seed = 1; seed <= 20; seed += 1) {
        const fixture = makeFixture({ seed });
        const body = makeBody(STRIPE);
        const written = await fixture.write(body);
        for (const disk of [`${zone}0`, `${zone}1`]) {
          fixture.storage.faults.set(disk, { kind: 'frozen' });
        }
        const startedMs = fixture.clock.monotonicMs();
        expect((await fixture.read(bodyOf(written), 0, STRIPE)).equals(body)).toBe(true);
        expect(fixture.clock.monotonicMs() - startedMs).toBeLessThan(1_000);
      }
    }
  });

  it('R4: a shard that is silent is not read a second time into the same memory', async () => {
    const fixture = makeFixture({ map: makeMap(makeGroups().slice(0, 1)) });
    const { faults, reads } = fixture.storage;
    const body = makeBody(STRIPE);
    const written = await fixture.write(body);
    // Too few answer in the first round, while two reads are under way.
    for (const disk of ['b0', 'b1']) faults.set(disk, { kind: 'frozen' });
    for (const disk of ['a0', 'a1', 'c0']) {
      faults.set(disk, { kind: 'refuse', code: 'UNAVAILABLE' });
      fixture.clock.schedule(100, () => faults.delete(disk));
    }
    reads.length = 0;
    expect((await fixture.read(bodyOf(written), 0, STRIPE)).equals(body)).toBe(true);
    const silent = reads.map(({ key }) => key).filter((key) => key.startsWith('b'));
    expect(silent).toHaveLength(2);
  });

  it('a shard of a frozen node is given up when the leader marks it down, without a budget', async () => {
    const fixture = makeFixture({ map: makeMap(makeGroups().slice(0, 1)) });
    const body = makeBody(REPLICA_MAX + 9_000);
    const written = await fixture.write(body);
    // More reads at once than stalls may take in advance.
    fixture.storage.faults.set('b0', { kind: 'frozen' });
    fixture.clock.schedule(3_000, () => {
      const { current } = fixture.view;
      const nodes = new Map(current.nodes);
      nodes.set('b0', { ...nodes.get('b0')!, state: 'down' });
      fixture.view.current = { ...current, version: 2, nodes };
    });
    const startedMs = fixture.clock.monotonicMs();
    const reads = Array.from({ length: 40 }, () => fixture.read(bodyOf(written), 0, body.length));
    for (const bytes of await Promise.all(reads)) expect(bytes.equals(body)).toBe(true);
    expect(fixture.clock.monotonicMs() - startedMs).toBeLessThan(3_500);
  });

  it('ranges around a slow disk are decoded within the budget, and read from it beyond', async () => {
    const fixture = makeFixture();
    const body = makeBody(STRIPE);
    const written = await fixture.write(body);
    for (const disk of ['a0', 'a1', 'b0', 'b1', 'c0', 'c1']) {
      fixture.storage.faults.set(disk, { kind: 'slow', delayMs: 5 });
    }
    const readOf = (shard: number) =>
      fixture.read(bodyOf(written), shard * BLOCK_BYTES, shard * BLOCK_BYTES + 1_000);
    for (let count = 0; count < 100; count += 1) await readOf(count % 4);
    fixture.storage.faults.set('a0', { kind: 'slow', delayMs: 200 });
    fixture.storage.reads.length = 0;
    for (let count = 0; count < 200; count += 1) await readOf(count % 4);
    expect(fixture.storage.reads.length).toBeLessThanOrEqual(200 * 1.05 + 40);
  });

  it('damage on a disk that reads go around is found by its probe', async () => {
    const fixture = makeFixture({ map: makeMap(makeGroups().slice(0, 1)) });
    const { faults } = fixture.storage;
    const body = makeBody(STRIPE);
    const written = await fixture.write(body);
    for (const disk of ['a1', 'b0', 'b1', 'c0', 'c1']) {
      faults.set(disk, { kind: 'slow', delayMs: 5 });
    }
    for (let count = 0; count < 50; count += 1) await fixture.read(bodyOf(written), 0, STRIPE);
    faults.set('a0', { kind: 'slow', delayMs: 200 });
    for (let count = 0; count < 50; count += 1) await fixture.read(bodyOf(written), 0, STRIPE);
    expect(fixture.damaged).toEqual([]);
    faults.set('a0', { kind: 'corrupt' });
    for (let count = 0; count < 10; count += 1) {
      await fixture.settle(fixture.clock.sleep(1_000));
      expect((await fixture.read(bodyOf(written), 0, STRIPE)).equals(body)).toBe(true);
    }
    const [blob] = written.data.blobs;
    const shardIndex = fixture.view.current.groups.get(blob!.pgId)!.slots.indexOf('a0');
    expect(new Set(fixture.damaged)).toEqual(new Set([`${blob!.blobId}/${shardIndex}`]));
  });

  it('one slow node is soon asked last, and hedges stay a few per cent', async () => {
    const fixture = makeFixture();
    const written = await fixture.write(makeBody(STRIPE));
    for (const disk of ['a1', 'b0', 'b1', 'c0', 'c1']) {
      fixture.storage.faults.set(disk, { kind: 'slow', delayMs: 5 });
    }
    for (let count = 0; count < 50; count += 1) await fixture.read(bodyOf(written), 0, STRIPE);
    fixture.storage.faults.set('a0', { kind: 'slow', delayMs: 200 });
    fixture.storage.reads.length = 0;
    const elapsed: number[] = [];
    for (let count = 0; count < 200; count += 1) {
      const startedMs = fixture.clock.monotonicMs();
      await fixture.read(bodyOf(written), 0, STRIPE);
      elapsed.push(fixture.clock.monotonicMs() - startedMs);
    }
    elapsed.sort((a, b) => a - b);
    expect(elapsed[Math.floor(elapsed.length * 0.95)]).toBeLessThan(100);
    expect(fixture.storage.reads.length).toBeLessThan(200 * 4 * 1.06);
  });
});
