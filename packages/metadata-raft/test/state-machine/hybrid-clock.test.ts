import type { Clock } from '@azimuth/common';
import { systemClock } from '@azimuth/common';

import { HybridClock } from '../../src/state-machine/hybrid-clock';

const HOUR_MS = 3_600_000;

/** A node of which the wall clock is set by hand. */
function handClock(wallMs: number): Clock & { offsetMs: number; pass(durationMs: number): void } {
  let passedMs = 0;
  return {
    ...systemClock,
    offsetMs: 0,
    wallMs() {
      return wallMs + passedMs + this.offsetMs;
    },
    monotonicMs: () => passedMs,
    pass: (durationMs) => (passedMs += durationMs),
  };
}

describe('the hybrid clock', () => {
  it('is the wall clock, in whole milliseconds', () => {
    const clock = handClock(1_000.75);
    expect(new HybridClock(clock).now()).toBe(1_000);
  });

  it('does not go back with the wall clock, nor behind what was applied', () => {
    const clock = handClock(HOUR_MS);
    const hybrid = new HybridClock(clock);
    hybrid.now();
    clock.offsetMs = -HOUR_MS;
    expect(hybrid.now()).toBe(HOUR_MS);
    hybrid.observe(2 * HOUR_MS);
    expect(hybrid.now()).toBe(2 * HOUR_MS);
    hybrid.observe(1);
    expect(hybrid.now()).toBe(2 * HOUR_MS);
  });

  it('does not stand still when a clock that was ahead is put right: leases and graces end', () => {
    const clock = handClock(HOUR_MS);
    const hybrid = new HybridClock(clock);
    hybrid.observe(2 * HOUR_MS);
    hybrid.now();
    // In steps of less than a millisecond too, as under load.
    for (let step = 0; step < 100_000; step += 1) {
      clock.pass(0.25);
      hybrid.now();
    }
    expect(hybrid.now()).toBe(2 * HOUR_MS + 12_500);
  });

  it('meets the wall clock again', () => {
    const clock = handClock(HOUR_MS);
    const hybrid = new HybridClock(clock);
    hybrid.observe(2 * HOUR_MS);
    clock.pass(3 * HOUR_MS);
    expect(hybrid.now()).toBe(4 * HOUR_MS);
  });

  it('counts from when it heard of a time, not from when it was last asked', () => {
    const clock = handClock(HOUR_MS);
    const hybrid = new HybridClock(clock);
    hybrid.now();
    clock.pass(HOUR_MS);
    hybrid.observe(5 * HOUR_MS);
    expect(hybrid.now()).toBe(5 * HOUR_MS);
  });
});
