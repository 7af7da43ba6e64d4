import { seededRandom } from '@azimuth/common';
import { SimFileDisk, VirtualClock } from '@azimuth/testkit';
import { crc32c } from '@node-rs/crc32';

import type { LogDisk } from '../../src/disk/log-disk';
import { SnapshotStore } from '../../src/driver/snapshot-store';
import { FailingDisk } from '../log/failing-disk';
import type { DiskFailure } from '../log/failing-disk';
import { RamDisk } from '../log/ram-disk';

const GROUP = 'index-0';
const CONFIGURATION = { voters: ['n1'], outgoing: null, learners: [] };
const CUTS = 60;
const CUT_STEP_MS = 0.8;
/** Does not deflate. */
const NOISE = seededRandom(1).bytes(5_000);

/** Deflates well in its first half, not at all in its second. */
function contentOf(index: number): Buffer {
  return Buffer.concat([Buffer.alloc(5_000, `snapshot ${index} `), NOISE]);
}

async function* chunksOf(index: number): AsyncGenerator<Buffer> {
  const content = contentOf(index);
  for (const from of [0, 5_000]) yield await Promise.resolve(content.subarray(from, from + 5_000));
}

async function contentIn(store: SnapshotStore, index: number): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const chunk of store.read(GROUP, index)) all.push(Buffer.from(chunk));
  return Buffer.concat(all);
}

const mark = (index: number, baseIndex: number | null) => ({
  ...{ index, term: 1, baseIndex, configuration: CONFIGURATION },
});

/** Two whole snapshots, and changes between them; tells what was acknowledged. */
async function story(disk: LogDisk, acknowledge: (index: number) => void): Promise<void> {
  const store = await SnapshotStore.open(disk);
  for (const [index, baseIndex] of [
    [10, null],
    [20, 10],
    [30, 20],
    [40, null],
  ] as const) {
    await store.save(GROUP, mark(index, baseIndex), chunksOf(index));
    acknowledge(index);
  }
  await store.removeOlder(GROUP, 40);
}

/** What was acknowledged is there with all that it needs, byte for byte. */
async function expectWhole(disk: LogDisk, acknowledged: number): Promise<void> {
  const store = await SnapshotStore.open(disk);
  const newest = store.newest(GROUP);
  expect(newest?.index ?? 0).toBeGreaterThanOrEqual(acknowledged);
  if (newest === null) return;
  const chain = store.chain(GROUP, newest.index);
  expect(chain[0]?.baseIndex).toBeNull();
  for (const { index } of chain) {
    expect((await contentIn(store, index)).equals(contentOf(index))).toBe(true);
  }
  expect((await disk.list()).filter((name) => name.endsWith('.part'))).toEqual([]);
}

describe('snapshots on a disk that fails', () => {
  it('what is acknowledged survives a power cut at any time', async () => {
    const seen = new Set<number>();
    for (let cut = 0; cut < CUTS; cut += 1) {
      const clock = new VirtualClock();
      const disk = new SimFileDisk(clock, seededRandom(cut));
      let acknowledged = 0;
      void story(disk.mount(), (index) => (acknowledged = index));
      await clock.runUntil(cut * CUT_STEP_MS);
      disk.crash('power');
      const checked = expectWhole(disk.mount(), acknowledged);
      await clock.runUntil(clock.monotonicMs() + 100);
      await checked;
      seen.add(acknowledged);
    }
    expect([...seen].sort((a, b) => a - b)).toEqual([0, 10, 20, 30, 40]);
  });

  it.each<DiskFailure>(['EIO', 'ENOSPC', 'short read'])(
    'what is acknowledged survives %s of any operation, and nothing else is',
    async (failure) => {
      let isOver = false;
      for (let nth = 1; !isOver; nth += 1) {
        const ram = new RamDisk();
        const disk = new FailingDisk(ram, failure, nth);
        let acknowledged = 0;
        const told = story(disk, (index) => (acknowledged = index));
        const error: unknown = await told.then(
          () => null,
          (reason: unknown) => reason,
        );
        expect(error !== null).toBe(disk.hasFailed);
        isOver = !disk.hasFailed && nth > disk.operations;
        await expectWhole(ram, acknowledged);
      }
    },
  );

  it.each<DiskFailure>(['EIO', 'short read'])(
    'never reads other bytes, whatever read answers %s',
    async (failure) => {
      const ram = new RamDisk();
      await story(ram, () => undefined);
      let isOver = false;
      for (let nth = 1; !isOver; nth += 1) {
        const disk = new FailingDisk(ram, failure, nth);
        const content = await SnapshotStore.open(disk)
          .then(
            (store) => (store.newest(GROUP) === null ? null : contentIn(store, 40)),
            () => null,
          )
          .catch(() => null);
        expect(content === null || content.equals(contentOf(40))).toBe(true);
        isOver = nth > disk.operations;
      }
    },
  );

  it('a flipped bit anywhere in a file is found, and what builds on it is not believed', async () => {
    const ram = new RamDisk();
    const store = await SnapshotStore.open(ram);
    await store.save(GROUP, mark(10, null), chunksOf(10));
    await store.save(GROUP, mark(20, 10), chunksOf(20));
    const name = (await ram.list()).find((each) => each.endsWith('10')) ?? '';
    const size = ram.contents(name).length;
    for (let offset = 0; offset < size; offset += offset < 200 ? 1 : 97) {
      const disk = ram.copy();
      disk.flipLive(name, offset);
      const found = await SnapshotStore.open(disk);
      // Without its base a snapshot is none.
      if (found.newest(GROUP) === null) continue;
      expect(found.newest(GROUP)?.index).toBe(20);
      await expect(contentIn(found, 10)).rejects.toMatchObject({ code: 'STATE_CORRUPT' });
    }
  });

  it('reads files of before there were snapshots of changes', async () => {
    const disk = new RamDisk();
    const header = Buffer.alloc(32);
    header.write('AZRSNAP1', 'latin1');
    header.writeBigUInt64LE(10n, 8);
    header.writeBigUInt64LE(3n, 16);
    header.writeUInt32LE(crc32c(header.subarray(0, 28)), 28);
    const body = contentOf(10);
    const head = Buffer.alloc(8);
    head.writeUInt32LE(body.length, 0);
    head.writeUInt32LE(crc32c(body), 4);
    const end = Buffer.alloc(8);
    end.writeUInt32LE(crc32c(head.subarray(4)), 4);
    disk.put(`snapshot-${GROUP}-0000000000000010`, Buffer.concat([header, head, body, end]));
    const store = await SnapshotStore.open(disk);
    const mark = { index: 10, term: 3, baseIndex: null, configuration: null };
    expect(store.newest(GROUP)).toEqual(mark);
    expect((await contentIn(store, 10)).equals(body)).toBe(true);
  });
});
