import type { Clock, Logger } from '@azimuth/common';

import type { ScrubPosition, ScrubPositions } from './scrub-position';
import type { ScrubPace, ScrubSegment } from './scrub-tour';
import { ScrubTour } from './scrub-tour';

/** What a scrubber reads. Damage is reported by the source, which knows what to do about it. */
export interface ScrubSource {
  readonly diskId: string;
  scrubSegments(): readonly ScrubSegment[];
  /** Verifies all live shards of a segment; calls `pace` after each with the bytes read. */
  scrubSegment(number: number, pace: (bytes: number) => Promise<void>): Promise<void>;
}

export interface ScrubberOptions {
  readonly pace: ScrubPace;
  readonly positions: ScrubPositions;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface ScrubProgress {
  /** Times are by the wall clock. 0 before the first tour. */
  readonly tourStartedMs: number;
  readonly scrubbedBytes: number;
  /** Sizes of the segments that the tour has passed, and of those that it has still to pass. */
  readonly tourBytes: number;
  /** How much of `tourBytes` is behind it, from 0 to 1. */
  readonly share: number;
  /** When the tour will have ended, at the rate of now; when it ended, once it has. */
  readonly expectedEndMs: number;
  /** The tour takes longer than its period, or will. */
  readonly isLate: boolean;
  /** Segments of this tour that could not be read. */
  readonly skippedSegments: number;
  /** Since the start of the process. */
  readonly toursCompleted: number;
  /** When the last whole tour ended; null before the first. */
  readonly lastPassMs: number | null;
}

/** A wait after a failure, so that a broken disk is not read in a loop. */
const FAILURE_PAUSE_MS = 10_000;
const REST_STEP_MS = 3_600_000;
/** So much of a tour is read again after a crash. */
const SAVE_INTERVAL_MS = 30_000;

/**
 * Reads every live shard of a disk again and again, in the background, at a bounded rate. Where it
 * stands survives a restart: a disk of a node that starts often is read to its end as well.
 */
export class Scrubber {
  readonly #source: ScrubSource;
  readonly #options: ScrubberOptions;
  readonly #stop = new AbortController();
  #running: Promise<void> | null = null;
  #tour: ScrubTour | null = null;
  #tourStartedMs = 0;
  /** What a tour has come to: segments that appear while it rests are of the next one. */
  #ended: Pick<ScrubProgress, 'tourBytes' | 'expectedEndMs' | 'isLate'> | null = null;
  #toursCompleted = 0;
  #lastPassMs: number | null = null;
  #savedMs = 0;
  #isSaveFailing = false;

  constructor(source: ScrubSource, options: ScrubberOptions) {
    this.#source = source;
    this.#options = options;
  }

  get progress(): ScrubProgress {
    const tour = this.#tour;
    return {
      tourStartedMs: this.#tourStartedMs,
      scrubbedBytes: tour?.scrubbedBytes ?? 0,
      skippedSegments: tour?.passed.skippedSegments ?? 0,
      toursCompleted: this.#toursCompleted,
      lastPassMs: this.#lastPassMs,
      ...(this.#ended === null ? this.#expectation() : { ...this.#ended, share: 1 }),
    };
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('scrubber stops'));
    await this.#running;
  }

  /** One whole tour, or the rest of the one that a restart interrupted. */
  async runTour(): Promise<void> {
    const tour = await this.#beginTour();
    const { clock } = this.#options;
    for (;;) {
      const segment = tour.next(this.#source.scrubSegments(), clock.monotonicMs());
      if (segment === null) break;
      const isRead = await this.#scrubSegment(tour, segment);
      tour.pass(!isRead);
      if (clock.monotonicMs() - this.#savedMs >= SAVE_INTERVAL_MS) await this.#save();
    }
    await this.#endTour(tour);
  }

  async #beginTour(): Promise<ScrubTour> {
    const { clock, pace } = this.#options;
    const nowMs = clock.monotonicMs();
    const found = await this.#load();
    const isLeft = found !== null && !found.hasEnded;
    this.#lastPassMs ??= found?.lastPassMs ?? null;
    const wallMs = clock.wallMs();
    this.#tourStartedMs = isLeft ? found.startedMs : wallMs;
    // A clock that was set back must not make a tour younger than it can be.
    const elapsedMs = Math.max(0, wallMs - this.#tourStartedMs);
    const tour = new ScrubTour(pace, nowMs, isLeft ? found : null, elapsedMs);
    this.#tour = tour;
    this.#ended = null;
    this.#warnWhenLate(tour, 'scrub cannot keep its period at the highest rate allowed');
    await this.#save();
    return tour;
  }

  /** False when the segment cannot be read: others still can. */
  async #scrubSegment(tour: ScrubTour, segment: number): Promise<boolean> {
    const { clock, logger } = this.#options;
    const { diskId } = this.#source;
    try {
      await this.#source.scrubSegment(segment, async (bytes) => {
        tour.add(bytes, clock.monotonicMs());
        await this.#sleep(tour.delayMs(clock.monotonicMs()));
      });
      return true;
    } catch (error) {
      if (this.#isStopping()) throw error;
      logger.error({ diskId, segment, error }, 'segment cannot be scrubbed');
      await this.#sleep(FAILURE_PAUSE_MS);
      return false;
    }
  }

  async #endTour(tour: ScrubTour): Promise<void> {
    const wallMs = this.#options.clock.wallMs();
    this.#warnWhenLate(tour, 'scrub tour was late');
    const { tourBytes, isLate } = this.#expectation();
    this.#ended = { tourBytes, isLate, expectedEndMs: wallMs };
    this.#toursCompleted += 1;
    if (tour.passed.skippedSegments === 0) this.#lastPassMs = wallMs;
    await this.#save();
  }

  #expectation(): Pick<ScrubProgress, 'tourBytes' | 'share' | 'expectedEndMs' | 'isLate'> {
    const tour = this.#tour;
    if (tour === null) return { tourBytes: 0, share: 0, expectedEndMs: 0, isLate: false };
    const { clock } = this.#options;
    const segments = this.#source.scrubSegments();
    const nowMs = clock.monotonicMs();
    const tourBytes = tour.sizeBytes(segments);
    return {
      tourBytes,
      share: tourBytes === 0 ? 1 : 1 - tour.leftBytes(segments) / tourBytes,
      expectedEndMs: clock.wallMs() + tour.remainingMs(segments, nowMs),
      isLate: tour.isLate(segments, nowMs),
    };
  }

  #warnWhenLate(tour: ScrubTour, text: string): void {
    const { clock, logger, pace } = this.#options;
    const nowMs = clock.monotonicMs();
    const segments = this.#source.scrubSegments();
    if (!tour.isLate(segments, nowMs)) return;
    const { diskId } = this.#source;
    const leftBytes = tour.leftBytes(segments);
    logger.warn({ diskId, elapsedMs: tour.elapsedMs(nowMs), leftBytes, ...pace }, text);
  }

  async #run(): Promise<void> {
    await this.#resumeRest().catch(() => undefined);
    while (!this.#isStopping()) {
      try {
        await this.runTour();
        await this.#rest();
      } catch (error) {
        if (this.#isStopping()) break;
        this.#logFailure(error);
        await this.#sleep(FAILURE_PAUSE_MS).catch(() => undefined);
      }
    }
    if (this.#tour !== null) await this.#save();
  }

  /** A tour that had ended before the restart leaves its rest to this process. */
  async #resumeRest(): Promise<void> {
    const found = await this.#load();
    if (found?.hasEnded !== true) return;
    const { clock, pace } = this.#options;
    const elapsedMs = Math.max(0, clock.wallMs() - found.startedMs);
    this.#tourStartedMs = found.startedMs;
    this.#lastPassMs = found.lastPassMs;
    this.#tour = new ScrubTour(pace, clock.monotonicMs(), found, elapsedMs);
    const expectedEndMs = found.lastPassMs ?? found.startedMs;
    this.#ended = { tourBytes: found.passedBytes, isLate: false, expectedEndMs };
    await this.#rest();
  }

  async #load(): Promise<ScrubPosition | null> {
    try {
      return await this.#options.positions.load();
    } catch (error) {
      const { diskId } = this.#source;
      this.#options.logger.warn({ diskId, error }, 'scrub position cannot be read');
      return null;
    }
  }

  /** A position that cannot be kept costs only what is read again after a restart. */
  async #save(): Promise<void> {
    if (this.#tour === null) return;
    const { positions, clock, logger } = this.#options;
    this.#savedMs = clock.monotonicMs();
    try {
      await positions.save({
        startedMs: this.#tourStartedMs,
        ...this.#tour.passed,
        hasEnded: this.#ended !== null,
        lastPassMs: this.#lastPassMs,
      });
      this.#isSaveFailing = false;
    } catch (error) {
      const { diskId } = this.#source;
      if (!this.#isSaveFailing) logger.warn({ diskId, error }, 'scrub position cannot be kept');
      this.#isSaveFailing = true;
    }
  }

  #logFailure(error: unknown): void {
    this.#options.logger.error({ diskId: this.#source.diskId, error }, 'scrub tour failed');
  }

  #isStopping(): boolean {
    return this.#stop.signal.aborted;
  }

  /** In steps: a timer holds no more than 24 days. */
  async #rest(): Promise<void> {
    for (;;) {
      const restMs = this.#tour?.restMs(this.#options.clock.monotonicMs()) ?? 0;
      if (restMs === 0) return;
      await this.#sleep(Math.min(restMs, REST_STEP_MS));
    }
  }

  /** Rejects when the scrubber stops. */
  async #sleep(delayMs: number): Promise<void> {
    if (this.#stop.signal.aborted) throw this.#stop.signal.reason;
    if (delayMs > 0) await this.#options.clock.sleep(delayMs, this.#stop.signal);
  }
}
