import { STATE_FILE_NAME } from '../../src/log/state-storage';
import { Wal } from '../../src/log/wal';
import { contents, entry, MEMBERS, write } from './log-storage-suite';
import { RamDisk } from './ram-disk';

const SEGMENT = 'wal-000001-0000000001';
const hardState = { currentTerm: 1, votedFor: 'n1', repairIndex: 0, isRejoining: false };
const noPace = (): Promise<void> => Promise.resolve();

async function openWritten(disk: RamDisk): Promise<Wal> {
  const { wal } = await Wal.open({ disk, whenEmpty: 'bootstrap' });
  await wal.write([write([entry(1, 1), entry(2, 1)], { hardState })]);
  await wal.write([write([entry(3, 1)]), write([entry(1, 1)], { group: 'index-0', hardState })]);
  return wal;
}

describe('a log that is verified while it is in use', () => {
  it('notices every flipped byte, also of the segment that is written to', async () => {
    const disk = new RamDisk();
    const wal = await openWritten(disk);
    expect(await wal.verify(noPace)).toBe(true);
    const { length } = disk.contents(SEGMENT);
    const missed: number[] = [];
    for (let offset = 0; offset < length; offset += 1) {
      disk.flipLive(SEGMENT, offset);
      if (await wal.verify(noPace)) missed.push(offset);
      disk.flipLive(SEGMENT, offset);
    }
    expect(missed).toEqual([]);
    expect(await wal.verify(noPace)).toBe(true);
  });

  it('gets rid of a damaged segment once every group is compacted, without a new entry', async () => {
    const disk = new RamDisk();
    const wal = await openWritten(disk);
    disk.flipLive(SEGMENT, 100);
    expect(await wal.verify(noPace)).toBe(false);
    const snapshot = (index: number) => ({ index, term: 1, configuration: MEMBERS });
    await wal.write([
      write([], { snapshot: snapshot(3) }),
      write([], { group: 'index-0', snapshot: snapshot(1) }),
    ]);
    expect(await wal.verify(noPace)).toBe(true);
    await wal.write([write([entry(4, 1)])]);
    await wal.close();
    const reopened = await Wal.open({ disk, whenEmpty: 'bootstrap' });
    expect(reopened.condition).toBe('whole');
    expect(contents(reopened.wal)).toEqual(contents(wal));
  });

  it('makes a damaged copy of the votes whole again', async () => {
    const disk = new RamDisk();
    const wal = await openWritten(disk);
    const bytes = disk.contents(STATE_FILE_NAME);
    const starts = [0, 64 * 1024, 128 * 1024, 192 * 1024].filter((at) => at + 40 < bytes.length);
    expect(starts).toHaveLength(4);
    for (const start of starts) {
      disk.flipLive(STATE_FILE_NAME, start + 30);
      expect(await wal.verifyVotes()).toBe(false);
      expect(await wal.verifyVotes()).toBe(true);
    }
  });

  it('forgets one group for good, and keeps its vote and the other groups', async () => {
    const disk = new RamDisk();
    const wal = await openWritten(disk);
    const configuration = { voters: ['n1', 'n2'], outgoing: null, learners: [] };
    await wal.forget('root', configuration);
    await wal.close();
    const { wal: reopened } = await Wal.open({ disk, whenEmpty: 'bootstrap' });
    expect(reopened.group('root').hardState()).toEqual({ ...hardState, repairIndex: 3 });
    expect(reopened.group('root').snapshotConfiguration()).toEqual(configuration);
    expect(reopened.group('index-0').lastIndex()).toBe(1);
    expect(reopened.group('index-0').hardState()).toEqual(hardState);
  });
});
