import { silentLogger } from '@azimuth/common';
import type { Logger } from '@azimuth/common';
import { VirtualClock } from '@azimuth/testkit';

import type { Disk } from '../../src/disk/disk';
import { ScrubPositionFile } from '../../src/scrubber/scrub-position';
import { Scrubber } from '../../src/scrubber/scrubber';
import type { ScrubSource } from '../../src/scrubber/scrubber';
import type { ScrubPace } from '../../src/scrubber/scrub-tour';
import { simMachine } from '../store-fixture';

const SHARD_BYTES = 100;
const SHARDS_PER_SEGMENT = 10;
const SEGMENT_BYTES = SHARD_BYTES * SHARDS_PER_SEGMENT;
const PERIOD_MS = 100_000;
const PACE: ScrubPace = { periodMs: PERIOD_MS, floorBytesPerSecond: 1, capBytesPerSecond: 1e9 };

/** A node with one disk, which can be stopped and started again. */
class ScrubbedDisk implements ScrubSource {
  readonly diskId = 'd1';
  readonly clock = new VirtualClock();
  readonly disk: Disk = simMachine(3).disk;
  readonly warnings: string[] = [];
  /** Shards in the order in which they were read, as `segment/shard`. */
  readonly visits: { readonly shard: string; readonly atMs: number }[] = [];
  readonly badSegments = new Set<number>();
  segments = [1, 2, 3, 4, 5];
  /** How long the disk takes for a segment, whatever the pace asks for. */
  readMs = 0;
  scrubber = this.#make(PACE);

  #make(pace: ScrubPace): Scrubber {
    const warn: Logger['warn'] = (_fields, text) => void this.warnings.push(text);
    const logger: Logger = { ...silentLogger, warn };
    const positions = new ScrubPositionFile(this.disk);
    return new Scrubber(this, { pace, positions, clock: this.clock, logger });
  }

  scrubSegments(): readonly { readonly number: number; readonly sizeBytes: number }[] {
    return this.segments.map((number) => ({ number, sizeBytes: SEGMENT_BYTES }));
  }

  async scrubSegment(number: number, pace: (bytes: number) => Promise<void>): Promise<void> {
    if (this.badSegments.has(number)) throw new Error('EIO');
    if (this.readMs > 0) await this.clock.sleep(this.readMs);
    for (let shard = 0; shard < SHARDS_PER_SEGMENT; shard += 1) {
      this.visits.push({ shard: `${number}/${shard}`, atMs: this.clock.monotonicMs() });
      await pace(SHARD_BYTES);
    }
  }

  /** A process that starts over the same disk. */
  start(pace = PACE): void {
    this.scrubber = this.#make(pace);
    this.scrubber.start();
  }

  runFor(durationMs: number): Promise<void> {
    return this.clock.runUntil(this.clock.monotonicMs() + durationMs);
  }

  get shards(): string[] {
    return this.visits.map(({ shard }) => shard);
  }

  get allShards(): string[] {
    return this.segments.flatMap((segment) =>
      Array.from({ length: SHARDS_PER_SEGMENT }, (_, shard) => `${segment}/${shard}`),
    );
  }
}

describe('a scrub', () => {
  let node: ScrubbedDisk;
  beforeEach(() => {
    node = new ScrubbedDisk();
  });
  afterEach(async () => {
    const stopped = node.scrubber.stop();
    // A read that is under way ends first.
    await node.runFor(PERIOD_MS);
    await stopped;
  });

  it('reads every shard exactly once in its period, and begins again only after it', async () => {
    node.start();
    await node.runFor(0.99 * PERIOD_MS);
    expect(node.shards).toEqual(node.allShards);
    await node.runFor(0.005 * PERIOD_MS);
    expect(node.shards).toHaveLength(50);
    await node.runFor(0.99 * PERIOD_MS);
    expect(node.shards).toEqual([...node.allShards, ...node.allShards]);
    expect(node.warnings).toEqual([]);
  });

  it('says how much there is, how much is done, and when it will have ended', async () => {
    node.start();
    await node.runFor(0.5 * PERIOD_MS);
    const { tourBytes, share, expectedEndMs, tourStartedMs, isLate } = node.scrubber.progress;
    expect(tourBytes).toBe(5 * SEGMENT_BYTES);
    expect(share).toBeCloseTo(0.5, 1);
    expect((expectedEndMs - tourStartedMs) / PERIOD_MS).toBeCloseTo(0.95, 2);
    expect(isLate).toBe(false);
  });

  it('goes on after a restart where it was, and is in time all the same', async () => {
    node.start();
    await node.runFor(0.5 * PERIOD_MS);
    await node.scrubber.stop();
    // It stopped within the third segment, which is read again; the first two are not.
    const before = node.visits.length;
    expect(node.shards.at(-1)).toMatch(/^3\//u);
    await node.runFor(0.1 * PERIOD_MS);
    node.start();
    await node.runFor(0.395 * PERIOD_MS);
    expect(node.shards.slice(before)).toEqual(
      node.allShards.filter((shard) => Number(shard.split('/')[0]) >= 3),
    );
    expect(node.scrubber.progress).toMatchObject({ share: 1, isLate: false, toursCompleted: 1 });
    expect(node.warnings).toEqual([]);
  });

  it('loses no more than half a minute of its way to a crash', async () => {
    node.segments = Array.from({ length: 50 }, (_, index) => index + 1);
    node.start();
    await node.runFor(0.75 * PERIOD_MS);
    const crashed = node.scrubber;
    const before = node.visits.length;
    node.start();
    await node.runFor(1_000);
    const resumedAt = Number(node.shards.slice(before).sort()[0]?.split('/')[0]);
    expect(resumedAt).toBeGreaterThan(1);
    await crashed.stop();
  });

  it('rests after a restart when its tour had ended, and knows when that was', async () => {
    node.start();
    await node.runFor(0.99 * PERIOD_MS);
    const { lastPassMs } = node.scrubber.progress;
    expect(lastPassMs).not.toBeNull();
    await node.scrubber.stop();
    node.start();
    await node.runFor(0.005 * PERIOD_MS);
    expect(node.shards).toHaveLength(50);
    expect(node.scrubber.progress).toMatchObject({ lastPassMs, share: 1 });
    await node.runFor(0.1 * PERIOD_MS);
    expect(node.shards.length).toBeGreaterThan(50);
  });

  it('begins anew when its position is torn', async () => {
    node.start();
    await node.runFor(0.5 * PERIOD_MS);
    await node.scrubber.stop();
    const file = await node.disk.open('scrub.json', 'write');
    await file.truncate((await file.size()) - 10);
    await file.close();
    const before = node.visits.length;
    node.start();
    await node.runFor(PERIOD_MS);
    expect(node.shards.slice(before, before + 50)).toEqual(node.allShards);
  });

  it('never reads faster than its cap, and says at once that its period is too short', async () => {
    const capBytesPerSecond = (5 * SEGMENT_BYTES) / (2 * (PERIOD_MS / 1_000));
    node.start({ ...PACE, capBytesPerSecond });
    await node.runFor(1_000);
    expect(node.warnings).toEqual(['scrub cannot keep its period at the highest rate allowed']);
    expect(node.scrubber.progress.isLate).toBe(true);
    await node.runFor(2.1 * PERIOD_MS);
    // Whatever the window, one second of burst and one shard on top (T1).
    for (const [index, first] of node.visits.entries()) {
      for (const [count, last] of node.visits.slice(index).entries()) {
        const allowed = (capBytesPerSecond * (last.atMs - first.atMs + 1_000)) / 1_000;
        expect(count * SHARD_BYTES).toBeLessThanOrEqual(allowed + SHARD_BYTES);
      }
    }
    expect(node.warnings).toContain('scrub tour was late');
  });

  it('makes up for what a restart cost by a higher rate, within the cap', async () => {
    const capBytesPerSecond = (10 * SEGMENT_BYTES) / (PERIOD_MS / 1_000);
    node.start({ ...PACE, capBytesPerSecond });
    await node.runFor(0.2 * PERIOD_MS);
    await node.scrubber.stop();
    await node.runFor(0.35 * PERIOD_MS);
    node.start({ ...PACE, capBytesPerSecond });
    await node.runFor(0.445 * PERIOD_MS);
    expect(node.scrubber.progress).toMatchObject({ share: 1, isLate: false });
  });

  it('warns of a tour that a slow disk made late', async () => {
    node.readMs = PERIOD_MS / 2;
    node.start();
    await node.runFor(3.5 * PERIOD_MS);
    expect(node.warnings).toContain('scrub tour was late');
  });

  it('passes over a segment that cannot be read, and does not call that a whole pass', async () => {
    node.badSegments.add(2);
    node.start();
    await node.runFor(0.999 * PERIOD_MS);
    expect(node.shards).toEqual(node.allShards.filter((shard) => !shard.startsWith('2/')));
    expect(node.scrubber.progress).toMatchObject({ skippedSegments: 1, lastPassMs: null });
  });
});
