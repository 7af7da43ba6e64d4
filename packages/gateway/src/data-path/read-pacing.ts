import type { Clock } from '@azimuth/common';
import type { DiskId } from '@azimuth/placement';

const HEDGE_DELAY_MS_MIN = 25;
const HEDGE_DELAY_MS_MAX = 750;
/** Extra requests as a part of all: what a brown-out may add to its own load. */
const HEDGE_RATIO = 0.05;
const HEDGE_TOKENS_MAX = 20;
/** What stalls and failures may take in advance; nothing extra is sent until it is earned. */
const HEDGE_DEBT_MAX = 20;
const SAMPLES = 256;
const RECOMPUTE_EVERY = 32;
/** Above this a read's time is mostly its bytes; the two kinds are not compared. */
const SMALL_BYTES_MAX = 128 * 1024;
const SLOW_FACTOR = 4;
const SLOW_MS_MIN = 40;
/** One small read of a slow disk in so long, besides those that clients wait for. */
const PROBE_INTERVAL_MS = 1_000;
/** While a fifth of all reads are slow, their 95th percentile is no measure of the others. */
const HEDGE_MEDIANS_MAX = 6;
const SMOOTHING = 0.3;

interface DiskPace {
  elapsedMs: number;
  ratio: number;
  probedMs: number;
}

/** Reads that this process has sent, for metrics. */
export interface ReadCounts {
  /** What an answer needs at least. */
  readonly primary: number;
  /** Sent beside one that was slow. */
  readonly hedge: number;
  /** Sent to find out whether a slow disk still is. */
  readonly probe: number;
  /** Sent because a shard could not be had: in place of one that failed, or to decode it. */
  readonly replacement: number;
}

/** Quantiles of the last reads of one size class. */
class LatencyWindow {
  readonly #samples: number[] = [];
  #next = 0;
  #sinceRecomputed = 0;
  medianMs = 5;
  p95Ms = 100;

  record(elapsedMs: number): void {
    this.#samples[this.#next] = elapsedMs;
    this.#next = (this.#next + 1) % SAMPLES;
    this.#sinceRecomputed += 1;
    if (this.#sinceRecomputed < RECOMPUTE_EVERY) return;
    this.#sinceRecomputed = 0;
    const sorted = this.#samples.toSorted((a, b) => a - b);
    this.medianMs = sorted[Math.floor(sorted.length * 0.5)] ?? this.medianMs;
    this.p95Ms = sorted[Math.floor(sorted.length * 0.95)] ?? this.p95Ms;
  }
}

/**
 * When to ask one shard more than needed, and which disks to ask last (Dean and Barroso, "The Tail
 * at Scale"): after the 95th percentile of recent reads, and so few that they never add load where
 * load is the problem.
 *
 * E1 Of all that a read could do without (hedges, those of stalls too, probes, decoding around a
 *    disk that is only slow), at most 5 % of the requests of any time is sent, and a burst of
 *    HEDGE_TOKENS_MAX + HEDGE_DEBT_MAX.
 * E2 What it cannot do without is always sent, and paid for by the others: while shards are
 *    replaced nothing is hedged.
 */
export class ReadPacing {
  readonly #clock: Clock;
  readonly #small = new LatencyWindow();
  readonly #large = new LatencyWindow();
  readonly #disks = new Map<DiskId, DiskPace>();
  #tokens = HEDGE_TOKENS_MAX / 4;
  readonly #counts = { primary: 0, hedge: 0, probe: 0, replacement: 0 };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  hedgeDelayMs(lengthBytes: number): number {
    const { p95Ms, medianMs } = this.#windowOf(lengthBytes);
    const delayMs = Math.min(p95Ms, medianMs * HEDGE_MEDIANS_MAX);
    return Math.min(HEDGE_DELAY_MS_MAX, Math.max(HEDGE_DELAY_MS_MIN, delayMs));
  }

  get counts(): ReadCounts {
    return this.#counts;
  }

  /** Every ordinary request earns a part of a hedge. */
  earn(requests: number): void {
    this.#counts.primary += requests;
    this.#tokens = Math.min(HEDGE_TOKENS_MAX, this.#tokens + requests * HEDGE_RATIO);
  }

  /** True when `requests` extra requests may be sent now; `isStalled`: also in advance. */
  trySpend(requests: number, isStalled = false): boolean {
    const floor = isStalled ? -HEDGE_DEBT_MAX : 0;
    if (this.#tokens - requests < floor) return false;
    this.#tokens -= requests;
    this.#counts.hedge += requests;
    return true;
  }

  /** Extra requests that are sent in any case (E2). */
  replace(requests: number): void {
    this.#counts.replacement += requests;
    this.#tokens = Math.max(-HEDGE_DEBT_MAX, this.#tokens - requests);
  }

  /**
   * True when a slow disk is to be tried again now, by a small read that no client waits for: a
   * client's own read would be slow if the disk still is.
   */
  takeProbe(diskId: DiskId): boolean {
    const pace = this.#disks.get(diskId);
    const nowMs = this.#clock.monotonicMs();
    if (pace === undefined || nowMs - pace.probedMs < PROBE_INTERVAL_MS) return false;
    if (!this.#isPaceSlow(pace) || this.#tokens < 1) return false;
    this.#tokens -= 1;
    this.#counts.probe += 1;
    pace.probedMs = nowMs;
    return true;
  }

  /** What a probe took; it counts for all that was before, as nothing else was sent meanwhile. */
  recordProbe(diskId: DiskId, lengthBytes: number, elapsedMs: number): void {
    const pace = this.#disks.get(diskId);
    if (pace === undefined) return;
    pace.elapsedMs = elapsedMs;
    pace.ratio = elapsedMs / Math.max(1, this.#windowOf(lengthBytes).medianMs);
  }

  /** A read was given up after this: it would have taken longer, which proves no disk fast. */
  recordGivenUp(diskId: DiskId, lengthBytes: number, elapsedMs: number): void {
    const known = this.#disks.get(diskId)?.elapsedMs ?? this.#windowOf(lengthBytes).medianMs;
    if (elapsedMs > known) this.record(diskId, lengthBytes, elapsedMs);
  }

  /** A read took this long. */
  record(diskId: DiskId, lengthBytes: number, elapsedMs: number): void {
    const window = this.#windowOf(lengthBytes);
    const ratio = elapsedMs / Math.max(1, window.medianMs);
    const pace = this.#disks.get(diskId);
    const keep = pace === undefined ? 0 : 1 - SMOOTHING;
    this.#disks.set(diskId, {
      elapsedMs: elapsedMs * (1 - keep) + (pace?.elapsedMs ?? 0) * keep,
      ratio: ratio * (1 - keep) + (pace?.ratio ?? 0) * keep,
      probedMs: pace?.probedMs ?? this.#clock.monotonicMs(),
    });
    window.record(elapsedMs);
  }

  /** True while reads of the disk took much longer than those of the others. */
  isSlow(diskId: DiskId): boolean {
    const pace = this.#disks.get(diskId);
    return pace !== undefined && this.#isPaceSlow(pace);
  }

  #isPaceSlow({ ratio, elapsedMs }: DiskPace): boolean {
    return ratio >= SLOW_FACTOR && elapsedMs >= SLOW_MS_MIN;
  }

  #windowOf(lengthBytes: number): LatencyWindow {
    return lengthBytes <= SMALL_BYTES_MAX ? this.#small : this.#large;
  }
}
