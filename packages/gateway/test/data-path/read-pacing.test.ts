import fc from 'fast-check';

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

  it('in any time at most 5 % are extra, those of stalls too, and a burst', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('read' as const), count: fc.integer({ min: 1, max: 60 }) }),
      fc.record({ kind: fc.constant('hedge' as const), count: fc.integer({ min: 1, max: 4 }) }),
      fc.record({ kind: fc.constant('stall' as const), count: fc.integer({ min: 1, max: 4 }) }),
      fc.record({ kind: fc.constant('probe' as const), count: fc.constant(1) }),
      fc.record({ kind: fc.constant('replace' as const), count: fc.integer({ min: 1, max: 4 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const some = new ReadPacing(clock);
        some.record('d', SIZE_BYTES, 5);
        some.record('slow', SIZE_BYTES, 900);
        const sums = [{ primary: 0, extra: 0 }];
        for (const { kind, count } of steps) {
          nowMs += 1_000;
          if (kind === 'read') some.earn(count);
          else if (kind === 'probe') some.takeProbe('slow');
          else if (kind === 'replace') some.replace(count);
          else some.trySpend(count, kind === 'stall');
          const { primary, hedge, probe } = some.counts;
          sums.push({ primary, extra: hedge + probe });
        }
        // Every window begins and ends at one of these.
        for (const [index, from] of sums.entries()) {
          for (const to of sums.slice(index)) {
            const allowed = 0.05 * (to.primary - from.primary) + 20 + 20;
            expect(to.extra - from.extra).toBeLessThanOrEqual(allowed + 1e-6);
          }
        }
      }),
      { numRuns: 50 },
    );
  });

  it('what replaces failed shards is always sent, and leaves nothing for hedges', () => {
    while (pacing.trySpend(1));
    pacing.replace(3);
    expect(pacing.counts.replacement).toBe(3);
    expect(pacing.trySpend(1)).toBe(false);
    pacing.earn(60);
    expect(pacing.trySpend(1)).toBe(false);
    pacing.earn(40);
    expect(pacing.trySpend(1)).toBe(true);
  });

  it('hedges and probes are at most 5 % of what is needed, and stalls take some in advance', () => {
    const { primary } = pacing.counts;
    let spent = 0;
    while (pacing.trySpend(1)) spent += 1;
    // Half of the first hedges is given in advance.
    expect(spent).toBeLessThanOrEqual(primary * 0.05 + 5);
    expect(pacing.trySpend(1, true)).toBe(true);
    while (pacing.trySpend(1, true)) spent += 1;
    expect(spent + 1).toBeLessThanOrEqual(primary * 0.05 + 5 + 20);
    expect(pacing.counts).toEqual({ primary, hedge: spent + 1, probe: 0, replacement: 0 });
    pacing.record('slow', SIZE_BYTES, 200);
    nowMs += 60_000;
    expect(pacing.takeProbe('slow')).toBe(false);
  });
});
