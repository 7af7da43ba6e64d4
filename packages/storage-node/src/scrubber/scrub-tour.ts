export interface ScrubPace {
  /** Everything is read once in this time. */
  readonly periodMs: number;
  /** Never slower than this, so that a nearly empty disk is done early. */
  readonly floorBytesPerSecond: number;
}

/**
 * Where a scrub tour stands, and when it may go on. Pure: time is an argument. A tour visits
 * segments by ascending number; one that appears behind the cursor belongs to the next tour.
 */
export class ScrubTour {
  readonly #pace: ScrubPace;
  readonly #startedMs: number;
  readonly #bytesPerMs: number;
  #lastSegment = 0;
  #scrubbedBytes = 0;

  constructor(pace: ScrubPace, nowMs: number, totalBytes: number) {
    this.#pace = pace;
    this.#startedMs = nowMs;
    this.#bytesPerMs = Math.max(pace.floorBytesPerSecond / 1000, totalBytes / pace.periodMs);
  }

  get scrubbedBytes(): number {
    return this.#scrubbedBytes;
  }

  /** The segment to visit next; null at the end of the tour. */
  next(segments: readonly { readonly number: number }[]): number | null {
    const next = segments.find(({ number }) => number > this.#lastSegment);
    if (next === undefined) return null;
    this.#lastSegment = next.number;
    return next.number;
  }

  add(bytes: number): void {
    this.#scrubbedBytes += bytes;
  }

  /** How long to wait so that the rate is kept. */
  delayMs(nowMs: number): number {
    return Math.max(0, this.#startedMs + this.#scrubbedBytes / this.#bytesPerMs - nowMs);
  }

  /** How long to wait, once at the end, for the next tour. */
  restMs(nowMs: number): number {
    return Math.max(0, this.#startedMs + this.#pace.periodMs - nowMs);
  }
}
