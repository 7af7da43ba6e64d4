import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { VirtualClock } from '@azimuth/testkit';

import { silentLogger } from '../src/logger';
import { SETTLE_MS, UnsettledStarts } from '../src/unsettled-starts';

describe('starts that do not settle', () => {
  let directory: string;
  let clock: VirtualClock;
  const start = () =>
    new UnsettledStarts(join(directory, 'starts'), { clock, logger: silentLogger });
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'azimuth-starts-'));
    clock = new VirtualClock();
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('discards at the third start after two that never settled, and counts anew', () => {
    expect([1, 2, 3, 4, 5].map(() => start().begin())).toEqual([false, false, true, false, true]);
  });

  it('counts a start until it has run for a while', async () => {
    for (let round = 0; round < 3; round += 1) {
      const starts = start();
      expect(starts.begin()).toBe(false);
      starts.settleLater();
      await clock.runUntil(clock.monotonicMs() + SETTLE_MS);
    }
    start().begin();
    const cutShort = start();
    cutShort.begin();
    cutShort.settleLater();
    await clock.runUntil(clock.monotonicMs() + SETTLE_MS - 1);
    expect(start().begin()).toBe(true);
  });

  it('does not count a start that ended by an error or on request', () => {
    for (let round = 0; round < 5; round += 1) {
      const starts = start();
      expect(starts.begin()).toBe(false);
      starts.settle();
      starts.settle();
    }
  });

  it('never discards what another process may have open', () => {
    writeFileSync(join(directory, 'starts'), `${process.pid}\n${process.ppid}\n`);
    expect(start().begin()).toBe(false);
  });

  it('starts all the same where nothing can be written', () => {
    mkdirSync(join(directory, 'starts'));
    expect([1, 2, 3].map(() => start().begin())).toEqual([false, false, false]);
  });
});
