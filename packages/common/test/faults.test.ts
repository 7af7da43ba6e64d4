import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { NO_FAULTS, openFaults, silentLogger, steppedClock, systemClock } from '../src/index';
import type { Clock, FaultSource } from '../src/index';

describe('faults of a development node', () => {
  const directory = mkdtempSync(join(tmpdir(), 'azimuth-faults-'));
  const faultsFile = join(directory, 'faults.json');
  let poll: () => void = () => undefined;
  const clock: Clock = {
    ...systemClock,
    wallMs: () => 1_000_000,
    schedule: (_delayMs, callback) => {
      poll = callback;
      return () => undefined;
    },
  };
  const wiring = { clock, logger: silentLogger };

  afterAll(() => rmSync(directory, { recursive: true }));

  it('are refused where others than this machine could be served', () => {
    for (const host of ['0.0.0.0', '198.17.0.1', '10.198.18.1', '198.18.0.1.example']) {
      expect(() => openFaults({ faultsFile, host }, wiring)).toThrow('INVALID_ARGUMENT');
    }
    openFaults({ faultsFile, host: '198.19.4.1' }, wiring)?.close();
  });

  it('do not exist without the setting', () => {
    expect(openFaults({ host: '127.0.0.1' }, wiring)).toBeNull();
    expect(steppedClock(clock, null)).toBe(clock);
  });

  it('follow the file, and what cannot be read is no fault', () => {
    const faults = openFaults({ faultsFile, host: '127.0.0.1' }, wiring) as FaultSource;
    const stepped = steppedClock(clock, faults);
    expect(faults.current()).toEqual(NO_FAULTS);
    writeFileSync(faultsFile, JSON.stringify({ wallOffsetMs: -3_600_000, diskDelayMs: 7 }));
    poll();
    expect(stepped.wallMs()).toBe(1_000_000 - 3_600_000);
    expect(faults.current().diskDelayMs).toBe(7);
    writeFileSync(faultsFile, '{"diskErrors": "some"}');
    poll();
    expect(faults.current()).toEqual(NO_FAULTS);
  });
});
