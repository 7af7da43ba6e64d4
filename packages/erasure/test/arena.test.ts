import fc from 'fast-check';

import { Arena } from '../src/index';

const CAPACITY_BYTES = 64 * 64;

describe('Arena', () => {
  it('never hands out a byte twice, and is whole again once all is freed', () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ allocate: fc.integer({ min: 1, max: 900 }) }),
        fc.record({ free: fc.nat(40) }),
      ),
      { maxLength: 80 },
    );
    fc.assert(
      fc.property(steps, (sequence) => {
        const arena = new Arena(128, CAPACITY_BYTES);
        const live: { from: number; to: number }[] = [];
        for (const step of sequence) {
          if ('free' in step) {
            const [range] = live.splice(step.free % Math.max(1, live.length), 1);
            if (range !== undefined) arena.free(range.from);
            continue;
          }
          const from = arena.allocate(step.allocate);
          if (from === null) continue;
          const range = { from, to: from + step.allocate };
          expect(range.from).toBeGreaterThanOrEqual(128);
          expect(range.to).toBeLessThanOrEqual(128 + CAPACITY_BYTES);
          expect(live.every((other) => other.to <= range.from || range.to <= other.from)).toBe(
            true,
          );
          live.push(range);
        }
        for (const range of live) arena.free(range.from);
        expect(arena.freeBytes).toBe(CAPACITY_BYTES);
        expect(arena.allocate(CAPACITY_BYTES)).toBe(128);
      }),
    );
  });

  it('answers null when it is full', () => {
    const arena = new Arena(0, 128);
    expect(arena.allocate(65)).toBe(0);
    expect(arena.allocate(1)).toBeNull();
  });

  it('refuses a double free', () => {
    const arena = new Arena(0, 128);
    const offset = arena.allocate(10)!;
    arena.free(offset);
    expect(() => arena.free(offset)).toThrow(RangeError);
  });
});
