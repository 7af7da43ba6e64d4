import { silentLogger } from '@azimuth/common';
import type { Logger } from '@azimuth/common';
import { VirtualClock } from '@azimuth/testkit';

import { Scrubber } from '../../src/scrubber/scrubber';
import type { ScrubSource } from '../../src/scrubber/scrubber';

const SEGMENT_BYTES = 1_000;
const PERIOD_MS = 10_000;

/** `readMs` is how long the disk takes for a segment, whatever the pace asks for. */
function sourceOf(clock: VirtualClock, readMs: number): ScrubSource {
  return {
    diskId: 'd1',
    scrubSegments: () => [1, 2].map((number) => ({ number, sizeBytes: SEGMENT_BYTES })),
    scrubSegment: async (_number, pace) => {
      if (readMs > 0) await clock.sleep(readMs);
      await pace(SEGMENT_BYTES);
    },
  };
}

async function tour(readMs: number): Promise<{ scrubber: Scrubber; warnings: string[] }> {
  const clock = new VirtualClock();
  const warnings: string[] = [];
  const logger: Logger = { ...silentLogger, warn: (_fields, text) => void warnings.push(text) };
  const pace = { periodMs: PERIOD_MS, floorBytesPerSecond: 1 };
  const scrubber = new Scrubber(sourceOf(clock, readMs), { pace, clock, logger });
  const running = scrubber.runTour();
  await clock.runUntil(100 * PERIOD_MS);
  await running;
  return { scrubber, warnings };
}

describe('the progress of a scrub', () => {
  it('says how much there is, how much is done, and when a whole tour ended', async () => {
    const { scrubber, warnings } = await tour(0);
    expect(scrubber.progress).toMatchObject({
      tourBytes: 2 * SEGMENT_BYTES,
      scrubbedBytes: 2 * SEGMENT_BYTES,
      toursCompleted: 1,
    });
    const { lastPassMs, tourStartedMs } = scrubber.progress;
    expect((lastPassMs ?? 0) - tourStartedMs).toBeLessThanOrEqual(1.1 * PERIOD_MS);
    expect(warnings).toEqual([]);
  });

  it('warns of a tour that took longer than its period', async () => {
    expect((await tour(PERIOD_MS)).warnings).toEqual(['scrub tour was late']);
  });
});
