import fc from 'fast-check';

import { Pace, PaceCore } from '../src/index';
import type { Clock } from '../src/index';

const LIMITS = { bytesPerSecond: 1_000_000, operationsPerSecond: 100 };
const BURST_MS = 1_000;
const FLOOR = 0.1;

const arrivals = fc.array(
  fc.record({
    afterMs: fc.nat(500),
    bytes: fc.nat(300_000),
    operations: fc.nat(3),
    share: fc.double({ min: FLOOR, max: 1, noNaN: true }),
  }),
  { minLength: 1, maxLength: 60 },
);

interface Start {
  readonly atMs: number;
  readonly bytes: number;
  readonly operations: number;
}

function run(
  pieces: readonly { afterMs: number; bytes: number; operations: number; share: number }[],
) {
  const core = new PaceCore(LIMITS, 0);
  let nowMs = 0;
  return pieces.map(({ afterMs, share, ...cost }) => {
    nowMs += afterMs;
    const atMs = core.reserve(cost, share, nowMs);
    return { ...cost, atMs, waitedMs: atMs - nowMs, share };
  });
}

describe('pace', () => {
  it('lets no more start in any time than its rates, its burst and one piece (B1)', () => {
    fc.assert(
      fc.property(arrivals, (pieces) => {
        const starts: Start[] = run(pieces);
        for (const [first, { atMs: fromMs }] of starts.entries()) {
          for (let last = first; last < starts.length; last += 1) {
            const earned = (starts[last]!.atMs - fromMs + BURST_MS) / 1_000;
            // The last one was let in by the token before it.
            const during = starts.slice(first, last);
            const bytes = during.reduce((sum, start) => sum + start.bytes, 0);
            const operations = during.reduce((sum, start) => sum + start.operations, 0);
            expect(bytes).toBeLessThanOrEqual(earned * LIMITS.bytesPerSecond + 1);
            expect(operations).toBeLessThanOrEqual(earned * LIMITS.operationsPerSecond + 1e-3);
          }
        }
      }),
    );
  });

  it('is fair, and never slower than the floor: repair always ends (B2, B3)', () => {
    fc.assert(
      fc.property(arrivals, (pieces) => {
        const starts = run(pieces);
        let backlogMs = 0;
        starts.forEach((start, index) => {
          const before = starts[index - 1];
          if (before !== undefined) expect(start.atMs).toBeGreaterThanOrEqual(before.atMs);
          expect(start.waitedMs).toBeLessThanOrEqual(backlogMs + 1e-6);
          backlogMs +=
            1_000 *
            (start.bytes / (FLOOR * LIMITS.bytesPerSecond) +
              start.operations / (FLOOR * LIMITS.operationsPerSecond));
        });
      }),
    );
  });

  it('refuses at once, without a token, what would wait too long', async () => {
    let nowMs = 0;
    const clock: Clock = {
      wallMs: () => nowMs,
      monotonicMs: () => nowMs,
      schedule: () => () => undefined,
      sleep: (delayMs) => {
        nowMs += delayMs;
        return Promise.resolve();
      },
    };
    const pace = new Pace(clock, LIMITS);
    await pace.take({ bytes: 3_000_000, operations: 1 });
    expect(nowMs).toBe(0);
    const impatient = pace.take({ bytes: 1, operations: 1 }, { waitMaxMs: 1_999 });
    await expect(impatient).rejects.toThrow('OVERLOADED');
    await pace.take({ bytes: 1, operations: 1 }, { waitMaxMs: 2_000 });
    expect(nowMs).toBe(2_000);
  });
});
