import { seededRandom, StoreError } from '@azimuth/common';
import { naughty, SimFileDisk, VirtualClock } from '@azimuth/testkit';

import { ValueHolds } from '../../src/state-machine/value-holds';
import { RamDisk } from '../log/ram-disk';

const CUTS = 40;
/** A hold on three files takes about ten milliseconds of the simulated disk. */
const CUT_STEP_MS = 0.4;

describe('holds on value files, on a disk that fails', () => {
  it('a power cut during a hold leaves it whole or absent, and those before it as they were', async () => {
    const isNewHeld = new Set<boolean>();
    for (let cut = 0; cut < CUTS; cut += 1) {
      const clock = new VirtualClock();
      const disk = new SimFileDisk(clock, seededRandom(cut));
      const within = async <T>(work: Promise<T>): Promise<T> => {
        await clock.runUntil(clock.monotonicMs() + 100);
        return work;
      };
      const holds = await within(ValueHolds.open(disk.mount()));
      await within(holds.add(10, [1, 2]));
      const acknowledged: number[] = [];
      void holds.add(20, [2, 3, 4]).then(() => acknowledged.push(20));
      await clock.runUntil(clock.monotonicMs() + cut * CUT_STEP_MS);
      disk.crash('power');
      const reopened = await within(ValueHolds.open(disk.mount()));
      expect([1, 2].map((file) => reopened.isHeld(file))).toEqual([true, true]);
      // One that cannot be read would hold every file for ever; a whole one holds its own.
      expect(reopened.isHeld(99)).toBe(false);
      expect(reopened.isHeld(3)).toBe(reopened.isHeld(4));
      if (acknowledged.length > 0) expect(reopened.isHeld(3)).toBe(true);
      isNewHeld.add(reopened.isHeld(3));
    }
    expect(isNewHeld).toEqual(new Set([true, false]));
  });

  it.each([
    ['open', new StoreError('DISK_FULL')],
    ['rename', Object.assign(new Error('no space'), { code: 'ENOSPC' })],
    ['syncDirectory', new StoreError('DISK_FENCED')],
  ] as const)(
    'a hold is not acknowledged when %s fails, and its files stay',
    async (method, error) => {
      const disk = new RamDisk();
      const holds = await ValueHolds.open(naughty(disk, { method, nth: 1, error }));
      await expect(holds.add(10, [1])).rejects.toBe(error);
      expect(holds.isHeld(1)).toBe(true);
      await holds.add(20, [2]);
      const reopened = await ValueHolds.open(disk);
      expect(reopened.isHeld(2)).toBe(true);
      expect(reopened.isHeld(99)).toBe(false);
    },
  );

  it('a hold whose sync fails is not acknowledged, and its files stay', async () => {
    const disk = new RamDisk();
    const holds = await ValueHolds.open(disk);
    disk.isSyncFailing = true;
    await expect(holds.add(10, [1])).rejects.toMatchObject({ code: 'DISK_FENCED' });
    expect(holds.isHeld(1)).toBe(true);
    disk.isSyncFailing = false;
    expect((await ValueHolds.open(disk)).isHeld(99)).toBe(false);
  });
});
