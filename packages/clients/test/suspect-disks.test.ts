import { VirtualClock } from '@azimuth/testkit';

import { SuspectDisks } from '../src/suspect-disks';

describe('disks that failed this process', () => {
  it('are suspected for a while, each by itself', async () => {
    const clock = new VirtualClock();
    const suspects = new SuspectDisks(clock);
    suspects.report('d1');
    expect([suspects.has('d1'), suspects.has('d2')]).toEqual([true, false]);
    await clock.runUntil(2_000);
    expect(suspects.has('d1')).toBe(false);
  });

  it('are suspected for longer each time they fail again, up to a limit; failures together are one', async () => {
    const clock = new VirtualClock();
    const suspects = new SuspectDisks(clock);
    const lengths: number[] = [];
    for (let failure = 0; failure < 5; failure += 1) {
      const startMs = clock.monotonicMs();
      suspects.report('d1');
      suspects.report('d1');
      while (suspects.has('d1')) await clock.runUntil(clock.monotonicMs() + 500);
      lengths.push(clock.monotonicMs() - startMs);
    }
    expect(lengths).toEqual([2_000, 4_000, 8_000, 16_000, 16_000]);
  });

  it('are as any other once they have served for long', async () => {
    const clock = new VirtualClock();
    const suspects = new SuspectDisks(clock);
    suspects.report('d1');
    await clock.runUntil(2_000);
    suspects.report('d1');
    await clock.runUntil(2_000 + 4_000 + 16_000);
    suspects.report('d1');
    await clock.runUntil(2_000 + 4_000 + 16_000 + 2_000);
    expect(suspects.has('d1')).toBe(false);
  });
});
