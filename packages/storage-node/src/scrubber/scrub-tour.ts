import type { ScrubPosition } from './scrub-position';

export interface ScrubPace {
  /** Everything is read once in this time. */
  readonly periodMs: number;
  /** Never slower than this, so that a nearly empty disk is done early. */
  readonly floorBytesPerSecond: number;
  /** Never faster than this, also when the period cannot be kept then. */
  readonly capBytesPerSecond: number;
}

export interface ScrubSegment {
  readonly number: number;
  readonly sizeBytes: number;
}

/** The rate is made for a little less than the period, as waits are never too short. */
const AIM_FACTOR = 0.95;
/** A tour that takes so much longer than its period is late. */
const LATE_FACTOR = 1.1;
/** Time lost up to this is made up for at once: a wait is not precise, and reading takes time. */
const BURST_MS = 1_000;

/**
 * Where a scrub tour stands, and when it may go on. Pure: time is an argument, and monotonic. A
 * tour visits segments by ascending number; one that appears behind the cursor belongs to the next
 * tour.
 *
 * T1 What is read within any t ms is at most (t + BURST_MS) · cap, and one piece on top.
 * T2 The rate is what is left to read by the time that is left, so a tour that a restart or a slow
 *    disk held up is in time again, as far as T1 allows.
 */
export class ScrubTour {
  readonly #pace: ScrubPace;
  readonly #startedMs: number;
  #bytesPerMs = 0;
  /** Until then the bytes so far are paid for. */
  #paidUntilMs: number;
  #current: ScrubSegment | null = null;
  #currentBytes = 0;
  #lastSegment: number;
  #passedBytes: number;
  #scrubbedBytes: number;
  #skippedSegments: number;

  /** Goes on at `from`, which began `elapsedMs` ago; begins anew when it is null. */
  constructor(pace: ScrubPace, nowMs: number, from: ScrubPosition | null = null, elapsedMs = 0) {
    this.#pace = pace;
    this.#startedMs = nowMs - elapsedMs;
    this.#paidUntilMs = nowMs;
    this.#lastSegment = from?.lastSegment ?? 0;
    this.#passedBytes = from?.passedBytes ?? 0;
    this.#scrubbedBytes = from?.scrubbedBytes ?? 0;
    this.#skippedSegments = from?.skippedSegments ?? 0;
  }

  get scrubbedBytes(): number {
    return this.#scrubbedBytes;
  }

  /** See {@link ScrubPosition}. */
  get passed(): Pick<
    ScrubPosition,
    'lastSegment' | 'passedBytes' | 'scrubbedBytes' | 'skippedSegments'
  > {
    return {
      lastSegment: this.#lastSegment,
      passedBytes: this.#passedBytes,
      scrubbedBytes: this.#scrubbedBytes - this.#currentBytes,
      skippedSegments: this.#skippedSegments,
    };
  }

  /** The segment to visit next, to be followed by `pass`; null at the end of the tour. */
  next(segments: readonly ScrubSegment[], nowMs: number): number | null {
    const next = segments.find(({ number }) => number > this.#lastSegment);
    if (next === undefined) return null;
    this.#current = { number: next.number, sizeBytes: next.sizeBytes };
    this.#currentBytes = 0;
    this.#bytesPerMs = this.#rate(this.leftBytes(segments), nowMs);
    return next.number;
  }

  /** The segment that was visited has been read, or cannot be. */
  pass(isSkipped: boolean): void {
    if (this.#current === null) return;
    this.#lastSegment = this.#current.number;
    this.#passedBytes += this.#current.sizeBytes;
    if (isSkipped) this.#skippedSegments += 1;
    this.#current = null;
    this.#currentBytes = 0;
  }

  add(bytes: number, nowMs: number): void {
    this.#scrubbedBytes += bytes;
    this.#currentBytes += bytes;
    this.#paidUntilMs = Math.max(this.#paidUntilMs, nowMs - BURST_MS) + bytes / this.#bytesPerMs;
  }

  /** How long to wait so that the rate is kept. */
  delayMs(nowMs: number): number {
    return Math.max(0, this.#paidUntilMs - nowMs);
  }

  /** How long to wait, once at the end, for the next tour. */
  restMs(nowMs: number): number {
    return Math.max(0, this.#startedMs + this.#pace.periodMs - nowMs);
  }

  elapsedMs(nowMs: number): number {
    return nowMs - this.#startedMs;
  }

  /** Sizes of all segments still to be passed: no less than what is still to be read. */
  leftBytes(segments: readonly ScrubSegment[]): number {
    let bytes = 0;
    for (const { number, sizeBytes } of segments) {
      if (number > this.#lastSegment) bytes += sizeBytes;
    }
    return Math.max(0, bytes - this.#currentBytes);
  }

  /** Sizes of all segments that the tour passed, or has still to pass. */
  sizeBytes(segments: readonly ScrubSegment[]): number {
    return this.#passedBytes + this.leftBytes(segments) + this.#currentBytes;
  }

  /** How long the rest takes at the rate of now. */
  remainingMs(segments: readonly ScrubSegment[], nowMs: number): number {
    const leftBytes = this.leftBytes(segments);
    return leftBytes / this.#rate(leftBytes, nowMs);
  }

  /** True when the tour takes longer than its period, or will at the highest rate allowed. */
  isLate(segments: readonly ScrubSegment[], nowMs: number): boolean {
    const tookMs = this.elapsedMs(nowMs) + this.remainingMs(segments, nowMs);
    return tookMs > LATE_FACTOR * this.#pace.periodMs;
  }

  #rate(leftBytes: number, nowMs: number): number {
    const { periodMs, floorBytesPerSecond, capBytesPerSecond } = this.#pace;
    const leftMs = Math.max(1, AIM_FACTOR * periodMs - this.elapsedMs(nowMs));
    const bytesPerMs = Math.max(floorBytesPerSecond / 1_000, leftBytes / leftMs);
    return Math.min(bytesPerMs, capBytesPerSecond / 1_000);
  }
}
