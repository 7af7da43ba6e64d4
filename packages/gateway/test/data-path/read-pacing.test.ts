import type { Clock } from '@azimuth/common';
import { systemClock } from '@azimuth/common';

import { ReadPacing } from '../../src/data-path/read-pacing';

const SIZE_BYTES = 65_536;

describe('the pace of reads', () => {
  let nowMs = 0;
  const clock: Clock = { ...systemClock, monotonicMs: () => nowMs };
  let pacing: ReadPacing;

  beforeEach(() => {
    nowMs = 0;
    pacing = new ReadPacing(clock);
    for (let count = 0; count < 200; count += 1) {
      pacing.earn(1);
      pacing.record(`d${count % 5}`, SIZE_BYTES, 5);
    }
  });

  it('one slow read is enough to avoid a disk', () => {
    pacing.record('slow', SIZE_BYTES, 200);
    expect(pacing.isSlow('slow')).toBe(true);
    expect(pacing.isSlow('d1')).toBe(false);
  });

  it('a read that was given up early proves no disk fast', () => {
    pacing.record('slow', SIZE_BYTES, 200);
    for (let count = 0; count < 50; count += 1) pacing.recordGivenUp('slow', SIZE_BYTES, 6);
    expect(pacing.isSlow('slow')).toBe(true);
  });

  it('a slow disk stays avoided, however long ago, until a probe finds it fast', () => {
    pacing.record('slow', SIZE_BYTES, 200);
    nowMs += 60_000;
    expect(pacing.isSlow('slow')).toBe(true);
    expect(pacing.takeProbe('slow')).toBe(true);
    expect(pacing.takeProbe('slow')).toBe(false);
    pacing.recordProbe('slow', SIZE_BYTES, 210);
    expect(pacing.isSlow('slow')).toBe(true);
    nowMs += 1_000;
    expect(pacing.takeProbe('slow')).toBe(true);
    pacing.recordProbe('slow', SIZE_BYTES, 5);
    expect(pacing.isSlow('slow')).toBe(false);
    expect(pacing.takeProbe('slow')).toBe(false);
  });

  it('slow reads among the others hardly delay a hedge', () => {
    for (let count = 0; count < 200; count += 1) {
      pacing.record(`d${count % 5}`, SIZE_BYTES, count % 5 === 0 ? 200 : 5);
    }
    expect(pacing.hedgeDelayMs(SIZE_BYTES)).toBeLessThanOrEqual(30);
  });

  it('hedges and probes are at most 5 % of what is needed, but for those of stalls', () => {
    const { primary } = pacing.counts;
    let spent = 0;
    while (pacing.trySpend(1)) spent += 1;
    // Half of the first hedges is given in advance.
    expect(spent).toBeLessThanOrEqual(primary * 0.05 + 5);
    expect(pacing.trySpend(1, true)).toBe(true);
    expect(pacing.counts).toEqual({ primary, hedge: spent + 1, probe: 0 });
    pacing.record('slow', SIZE_BYTES, 200);
    nowMs += 60_000;
    expect(pacing.takeProbe('slow')).toBe(false);
  });
});
