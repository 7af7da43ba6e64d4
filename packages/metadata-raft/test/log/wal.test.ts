import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { seededRandom } from '@azimuth/common';
import { SimFileDisk, VirtualClock } from '@azimuth/testkit';

import { openFileLogDisk } from '../../src/disk/file-log-disk';
import type { LogDisk } from '../../src/disk/log-disk';
import type { LogStorage } from '../../src/log/log-storage';
import { MemoryLogStorage } from '../../src/log/memory-log';
import { Wal } from '../../src/log/wal';
import { contents, entry, logStorageSuite, MEMBERS, write } from './log-storage-suite';
import { RamDisk } from './ram-disk';

const open = async (disk: LogDisk): Promise<Wal> =>
  (await Wal.open({ disk, whenEmpty: 'bootstrap', segmentBytesMax: 600, cacheBytesMax: 300 })).wal;

logStorageSuite('memory', () => ({
  open: () => Promise.resolve(new MemoryLogStorage()),
  reopen: null,
}));

logStorageSuite('WAL', () => {
  const disk = new RamDisk();
  return {
    open: () => open(disk),
    reopen: async (old: LogStorage) => {
      await old.close();
      return open(disk);
    },
  };
});

/** Three batches of entries of two groups, the last of them acknowledged like the others. */
async function writeBatches(disk: LogDisk): Promise<Wal> {
  const { wal } = await Wal.open({ disk, whenEmpty: 'bootstrap' });
  const hardState = { currentTerm: 1, votedFor: 'n1', repairIndex: 0, isRejoining: false };
  await wal.write([write([entry(1, 1), entry(2, 1)], { hardState })]);
  await wal.write([write([entry(3, 1)]), write([entry(1, 1)], { group: 'index-0', hardState })]);
  await wal.write([write([entry(4, 1)])]);
  return wal;
}

const SEGMENT = 'wal-000001-0000000001';

describe('recovery of the WAL', () => {
  it('cuts a torn tail at each byte, and loses no earlier batch (pitfall 8)', async () => {
    const disk = new RamDisk();
    await writeBatches(disk);
    const whole = disk.contents(SEGMENT);
    const lastRecordBytes = 60 + 'root'.length + '4@1'.length;
    for (let cut = 1; cut <= lastRecordBytes; cut += 1) {
      const torn = disk.copy();
      torn.put(SEGMENT, whole.subarray(0, whole.length - cut));
      const { wal, condition } = await Wal.open({ disk: torn, whenEmpty: 'bootstrap' });
      expect(condition).toBe(cut === lastRecordBytes ? 'whole' : 'torn');
      expect(wal.group('root').lastIndex()).toBe(3);
      expect(wal.group('root').hardState().repairIndex).toBe(0);
      const hardState = { currentTerm: 2, votedFor: 'n1', repairIndex: 0, isRejoining: false };
      await wal.write([write([entry(4, 2)], { hardState })]);
      expect(contents(await open(torn))).toEqual(contents(wal));
    }
  });

  it('cuts a tail whose second half arrived without the first (pitfall 8)', async () => {
    const disk = new RamDisk();
    const wal = await writeBatches(disk);
    const before = disk.contents(SEGMENT).length;
    await wal.write([write([entry(5, 1), entry(6, 1), entry(7, 1)])]);
    const bytes = disk.contents(SEGMENT);
    bytes.fill(0, before, before + 40);
    disk.put(SEGMENT, bytes);
    const { wal: recovered, condition } = await Wal.open({ disk, whenEmpty: 'bootstrap' });
    expect(condition).toBe('torn');
    expect(recovered.group('root').lastIndex()).toBe(4);
  });

  it('never drops acknowledged entries in silence, whichever byte flips (pitfall 9)', async () => {
    const disk = new RamDisk();
    const wal = await writeBatches(disk);
    await wal.checkpoint();
    const whole = disk.contents(SEGMENT);
    for (let offset = 0; offset < whole.length; offset += 1) {
      const rotten = disk.copy();
      const bytes = Buffer.from(whole);
      bytes.writeUInt8(bytes.readUInt8(offset) ^ 0x10, offset);
      rotten.put(SEGMENT, bytes);
      const { wal: recovered, condition } = await Wal.open({
        disk: rotten,
        whenEmpty: 'bootstrap',
      });
      expect({ offset, condition }).toEqual({ offset, condition: 'damaged' });
      // At least as far as it was acknowledged, whatever is left of it.
      expect(recovered.group('root').hardState().repairIndex).toBeGreaterThanOrEqual(4);
      expect(recovered.group('index-0').hardState().repairIndex).toBeGreaterThanOrEqual(1);
      // Found once, it is remembered although the damaged file is gone.
      const again = await Wal.open({ disk: rotten, whenEmpty: 'bootstrap' });
      expect(again.condition).toBe('whole');
      expect(contents(again.wal)).toEqual(contents(recovered));
    }
  });

  it('knows a damaged middle by what follows it, without a checkpoint (pitfall 9)', async () => {
    const disk = new RamDisk();
    await writeBatches(disk);
    const bytes = disk.contents(SEGMENT);
    bytes.writeUInt8(bytes.readUInt8(60) ^ 1, 60);
    disk.put(SEGMENT, bytes);
    const { condition } = await Wal.open({ disk, whenEmpty: 'bootstrap' });
    expect(condition).toBe('damaged');
  });

  it('knows a rotten header by what follows it, without a checkpoint (pitfall 9)', async () => {
    const disk = new RamDisk();
    const { wal } = await Wal.open({ disk, whenEmpty: 'bootstrap', segmentBytesMax: 1 });
    const hardState = { currentTerm: 1, votedFor: 'n1', repairIndex: 0, isRejoining: false };
    await wal.write([write([entry(1, 1)], { hardState })]);
    await wal.write([write([entry(2, 1)])]);
    const last = 'wal-000001-0000000002';
    const bytes = disk.contents(last);
    bytes.writeUInt8(bytes.readUInt8(3) ^ 1, 3);
    disk.put(last, bytes);
    const { wal: recovered, condition } = await Wal.open({ disk, whenEmpty: 'bootstrap' });
    expect(condition).toBe('damaged');
    expect(recovered.group('root').hardState().repairIndex).toBe(2);
  });

  it('knows a rotten end of a segment by the next, still empty, segment (pitfall 9)', async () => {
    const disk = new RamDisk();
    await writeBatches(disk);
    const bytes = disk.contents(SEGMENT);
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
    disk.put(SEGMENT, bytes);
    disk.put('wal-000001-0000000002', Buffer.alloc(0));
    const { condition } = await Wal.open({ disk, whenEmpty: 'bootstrap' });
    expect(condition).toBe('damaged');
  });

  it('keeps a vote when either copy or the older version rots', async () => {
    const disk = new RamDisk();
    const wal = await writeBatches(disk);
    const hardState = { currentTerm: 9, votedFor: 'n3', repairIndex: 0, isRejoining: false };
    await wal.write([write([], { hardState })]);
    const whole = disk.contents('raft-state');
    for (let copy = 0; copy < 4; copy += 1) {
      const rotten = disk.copy();
      const bytes = Buffer.from(whole);
      bytes.writeUInt8(bytes.readUInt8(copy * 65536 + 30) ^ 1, copy * 65536 + 30);
      rotten.put('raft-state', bytes);
      expect((await open(rotten)).group('root').hardState()).toEqual(hardState);
    }
    disk.put('raft-state', Buffer.alloc(whole.length));
    await expect(open(disk)).rejects.toMatchObject({ code: 'STATE_CORRUPT' });
  });

  it('does not run with a log whose votes are gone (pitfall 17)', async () => {
    const disk = new RamDisk();
    await writeBatches(disk);
    await disk.remove('raft-state');
    await expect(open(disk)).rejects.toMatchObject({ code: 'STATE_CORRUPT' });
  });

  it.each(['process', 'power'] as const)(
    'opens after a first start that was cut short anywhere (%s)',
    async (kind) => {
      for (let crashMs = 0; crashMs < 16; crashMs += 0.5) {
        const clock = new VirtualClock();
        const disk = new SimFileDisk(clock, seededRandom(crashMs * 2));
        void Wal.open({ disk: disk.mount(), whenEmpty: 'bootstrap' });
        await clock.runUntil(crashMs);
        disk.crash(kind);
        const opening = Wal.open({ disk: disk.mount(), whenEmpty: 'bootstrap' });
        await clock.runUntil(crashMs + 100);
        const { wal, condition } = await opening;
        expect(['created', 'whole']).toContain(condition);
        const written = wal.write([write([entry(1, 1)])]);
        await clock.runUntil(crashMs + 200);
        await written;
      }
    },
  );

  it('abstains after a lost disk until it is repaired (pitfall 17)', async () => {
    const disk = new RamDisk();
    const first = await Wal.open({ disk, whenEmpty: 'rejoin' });
    await first.wal.close();
    const { wal } = await Wal.open({ disk, whenEmpty: 'bootstrap' });
    const rejoining = { currentTerm: 0, votedFor: null, repairIndex: 1, isRejoining: true };
    expect(wal.group('root').hardState()).toEqual(rejoining);
    const hardState = { ...rejoining, currentTerm: 7 };
    await wal.write([{ group: 'root', hardState, snapshot: null, entries: [] }]);
    await wal.close();
    const again = await Wal.open({ disk, whenEmpty: 'bootstrap' });
    expect(again.wal.group('root').hardState()).toEqual(hardState);
  });

  it('accepts nothing after a failed sync (pitfall 10)', async () => {
    const disk = new RamDisk();
    const wal = await writeBatches(disk);
    disk.isSyncFailing = true;
    await expect(wal.write([write([entry(5, 1)])])).rejects.toMatchObject({ code: 'DISK_FENCED' });
    disk.isSyncFailing = false;
    await expect(wal.write([write([entry(5, 1)])])).rejects.toMatchObject({ code: 'DISK_FENCED' });
    expect(wal.group('root').lastIndex()).toBe(4);
  });

  it('frees segments once every group has a snapshot, and survives that (pitfall 25)', async () => {
    const disk = new RamDisk();
    const wal = await open(disk);
    const hardState = { currentTerm: 1, votedFor: null, repairIndex: 0, isRejoining: false };
    await wal.write([write([], { hardState }), write([], { group: 'b', hardState })]);
    for (let index = 1; index <= 40; index += 1) {
      await wal.write([write([entry(index, 1)]), write([entry(index, 1)], { group: 'b' })]);
    }
    const before = (await disk.list()).length;
    await wal.write([write([], { snapshot: { index: 38, term: 1, configuration: MEMBERS } })]);
    expect((await disk.list()).length).toBe(before);
    await wal.write([
      write([], { group: 'b', snapshot: { index: 38, term: 1, configuration: MEMBERS } }),
    ]);
    expect((await disk.list()).length).toBeLessThan(5);
    const again = await Wal.open({ disk, whenEmpty: 'bootstrap' });
    expect(again.condition).toBe('whole');
    expect(contents(again.wal)).toEqual(contents(wal));
  });

  it('syncs file and directory when it creates a segment (pitfall 7)', async () => {
    const disk = new RamDisk();
    await open(disk);
    const order = disk.calls.filter((call) => !call.startsWith('list'));
    expect(order.slice(0, 4)).toEqual([
      `write ${SEGMENT}`,
      `sync ${SEGMENT}`,
      'sync directory',
      'write raft-state.new',
    ]);
    expect(order.slice(-2)).toEqual(['sync raft-state.new', 'sync directory']);
  });

  it('works over real files', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'azimuth-wal-'));
    try {
      const disk = await openFileLogDisk(join(directory, 'a', 'b'));
      const wal = await writeBatches(disk);
      const expected = contents(wal);
      await wal.close();
      const again = await open(await openFileLogDisk(join(directory, 'a', 'b')));
      expect(contents(again)).toEqual(expected);
      await again.close();
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });

  it('refuses to read an entry that has rotted since', async () => {
    const disk = new RamDisk();
    const wal = await open(disk);
    for (let index = 1; index <= 20; index += 1) await wal.write([write([entry(index, 1)])]);
    disk.flipLive(SEGMENT, 40);
    expect(() => wal.group('root').entries(1, 2, 1)).toThrow(/LOG_CORRUPT/);
  });
});
