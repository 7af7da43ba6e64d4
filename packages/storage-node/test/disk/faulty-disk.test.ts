import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { NO_FAULTS, systemClock } from '@azimuth/common';
import type { Clock, Faults } from '@azimuth/common';

import { FaultyDisk } from '../../src/disk/faulty-disk';
import { FileDisk } from '../../src/disk/file-disk';

describe('a disk that fails when it is told to', () => {
  const directory = mkdtempSync(join(tmpdir(), 'azimuth-faulty-disk-'));
  let faults: Faults = NO_FAULTS;
  const slept: number[] = [];
  const clock: Clock = {
    ...systemClock,
    sleep: (delayMs) => {
      slept.push(delayMs);
      return Promise.resolve();
    },
  };
  const disk = new FaultyDisk(new FileDisk(directory), {
    faults: { current: () => faults, close: () => undefined },
    clock,
  });

  afterAll(() => rmSync(directory, { recursive: true }));

  it('fails what it was told to and nothing else', async () => {
    const file = await disk.open('shard', 'create');
    await file.write([Buffer.from('bytes')], 0);
    const target = Buffer.alloc(5);
    faults = { ...NO_FAULTS, diskErrors: 'write' };
    await expect(file.write([target], 0)).rejects.toMatchObject({ code: 'EIO' });
    await expect(file.datasync()).rejects.toMatchObject({ code: 'EIO' });
    expect(await file.read(target, 0)).toBe(5);
    faults = { ...NO_FAULTS, diskErrors: 'read' };
    await expect(file.read(target, 0)).rejects.toMatchObject({ code: 'EIO' });
    faults = { ...NO_FAULTS, isDiskFull: true };
    await expect(file.write([target], 0)).rejects.toMatchObject({ code: 'ENOSPC' });
    expect((await disk.freeSpace()).freeBytes).toBe(0);
    // What a full disk took before is kept: a sync that failed would say that it is lost.
    await file.datasync();
    expect(await file.read(target, 0)).toBe(5);
    faults = { ...NO_FAULTS, diskDelayMs: 9 };
    await file.datasync();
    expect(slept).toEqual([9]);
    faults = NO_FAULTS;
    expect(target.toString()).toBe('bytes');
    await file.close();
  });
});
