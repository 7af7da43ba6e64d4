import type { Clock, Logger } from '@azimuth/common';

import type { ScrubPace } from './scrub-tour';
import { ScrubTour } from './scrub-tour';

/** What a scrubber reads. Damage is reported by the source, which knows what to do about it. */
export interface ScrubSource {
  readonly diskId: string;
  scrubSegments(): readonly { readonly number: number; readonly sizeBytes: number }[];
  /** Verifies all live shards of a segment; calls `pace` after each with the bytes read. */
  scrubSegment(number: number, pace: (bytes: number) => Promise<void>): Promise<void>;
}

export interface ScrubProgress {
  readonly tourStartedMs: number;
  readonly scrubbedBytes: number;
  /** What the tour had to read when it began. */
  readonly tourBytes: number;
  readonly toursCompleted: number;
  /** When the last whole tour ended, by the wall clock; null before the first of this process. */
  readonly lastPassMs: number | null;
}

/** A wait after a failure, so that a broken disk is not read in a loop. */
const FAILURE_PAUSE_MS = 10_000;
const REST_STEP_MS = 3_600_000;
/** The rate is made for the period; what takes so much longer is a disk that cannot keep up. */
const LATE_FACTOR = 1.1;

/** Reads every live shard of a disk again and again, in the background, at a bounded rate. */
export class Scrubber {
  readonly #source: ScrubSource;
  readonly #pace: ScrubPace;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #stop = new AbortController();
  #running: Promise<void> | null = null;
  #tour: ScrubTour | null = null;
  #tourStartedMs = 0;
  #tourBytes = 0;
  #toursCompleted = 0;
  #lastPassMs: number | null = null;

  constructor(
    source: ScrubSource,
    options: { readonly pace: ScrubPace; readonly clock: Clock; readonly logger: Logger },
  ) {
    this.#source = source;
    this.#pace = options.pace;
    this.#clock = options.clock;
    this.#logger = options.logger;
  }

  get progress(): ScrubProgress {
    return {
      tourStartedMs: this.#tourStartedMs,
      scrubbedBytes: this.#tour?.scrubbedBytes ?? 0,
      tourBytes: this.#tourBytes,
      toursCompleted: this.#toursCompleted,
      lastPassMs: this.#lastPassMs,
    };
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('scrubber stops'));
    await this.#running;
  }

  /** One whole tour. */
  async runTour(): Promise<void> {
    const totalBytes = this.#source
      .scrubSegments()
      .reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const tour = new ScrubTour(this.#pace, this.#clock.monotonicMs(), totalBytes);
    this.#tour = tour;
    this.#tourStartedMs = this.#clock.wallMs();
    this.#tourBytes = totalBytes;
    const startedMs = this.#clock.monotonicMs();
    for (;;) {
      const segment = tour.next(this.#source.scrubSegments());
      if (segment === null) break;
      await this.#source.scrubSegment(segment, async (bytes) => {
        tour.add(bytes);
        await this.#sleep(tour.delayMs(this.#clock.monotonicMs()));
      });
    }
    this.#toursCompleted += 1;
    this.#lastPassMs = this.#clock.wallMs();
    const tookMs = this.#clock.monotonicMs() - startedMs;
    if (tookMs <= LATE_FACTOR * this.#pace.periodMs) return;
    const { diskId } = this.#source;
    this.#logger.warn({ diskId, tookMs, periodMs: this.#pace.periodMs }, 'scrub tour was late');
  }

  async #run(): Promise<void> {
    while (!this.#isStopping()) {
      try {
        await this.runTour();
        await this.#rest();
      } catch (error) {
        if (this.#isStopping()) return;
        this.#logger.error({ diskId: this.#source.diskId, error }, 'scrub tour failed');
        await this.#sleep(FAILURE_PAUSE_MS).catch(() => undefined);
      }
    }
  }

  #isStopping(): boolean {
    return this.#stop.signal.aborted;
  }

  /** In steps: a timer holds no more than 24 days. */
  async #rest(): Promise<void> {
    for (;;) {
      const restMs = this.#tour?.restMs(this.#clock.monotonicMs()) ?? 0;
      if (restMs === 0) return;
      await this.#sleep(Math.min(restMs, REST_STEP_MS));
    }
  }

  /** Rejects when the scrubber stops. */
  async #sleep(delayMs: number): Promise<void> {
    if (this.#stop.signal.aborted) throw this.#stop.signal.reason;
    if (delayMs > 0) await this.#clock.sleep(delayMs, this.#stop.signal);
  }
}
