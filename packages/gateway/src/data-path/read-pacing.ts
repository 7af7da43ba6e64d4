import type { Clock } from '@azimuth/common';
import type { DiskId } from '@azimuth/placement';

const HEDGE_DELAY_MS_MIN = 25;
const HEDGE_DELAY_MS_MAX = 750;
/** Extra requests as a part of all: what a brown-out may add to its own load. */
const HEDGE_RATIO = 0.05;
const HEDGE_TOKENS_MAX = 20;
const SAMPLES = 256;
const RECOMPUTE_EVERY = 32;
/** Above this a read's time is mostly its bytes; the two kinds are not compared. */
const SMALL_BYTES_MAX = 128 * 1024;
const SLOW_FACTOR = 4;
const SLOW_MS_MIN = 40;
/** A slow disk is tried again after this. */
const SLOW_MEMORY_MS = 5_000;
const SMOOTHING = 0.3;

interface DiskPace {
  elapsedMs: number;
  ratio: number;
  lastMs: number;
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
 * at Scale"): after the 95th percentile of recent reads, at most 5 % extra, so that hedging never
 * adds load where load is the problem.
 */
export class ReadPacing {
  readonly #clock: Clock;
  readonly #small = new LatencyWindow();
  readonly #large = new LatencyWindow();
  readonly #disks = new Map<DiskId, DiskPace>();
  #tokens = HEDGE_TOKENS_MAX / 4;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  hedgeDelayMs(lengthBytes: number): number {
    const { p95Ms } = this.#windowOf(lengthBytes);
    return Math.min(HEDGE_DELAY_MS_MAX, Math.max(HEDGE_DELAY_MS_MIN, p95Ms));
  }

  /** Every ordinary request earns a part of a hedge. */
  earn(requests: number): void {
    this.#tokens = Math.min(HEDGE_TOKENS_MAX, this.#tokens + requests * HEDGE_RATIO);
  }

  /** True when `requests` extra requests may be sent now. */
  trySpend(requests: number): boolean {
    if (this.#tokens < requests) return false;
    this.#tokens -= requests;
    return true;
  }

  /** A read took this long, or was given up after it. */
  record(diskId: DiskId, lengthBytes: number, elapsedMs: number): void {
    const window = this.#windowOf(lengthBytes);
    const ratio = elapsedMs / Math.max(1, window.medianMs);
    const pace = this.#disks.get(diskId);
    const keep = pace === undefined ? 0 : 1 - SMOOTHING;
    this.#disks.set(diskId, {
      elapsedMs: elapsedMs * (1 - keep) + (pace?.elapsedMs ?? 0) * keep,
      ratio: ratio * (1 - keep) + (pace?.ratio ?? 0) * keep,
      lastMs: this.#clock.monotonicMs(),
    });
    window.record(elapsedMs);
  }

  /** True while reads of the disk took much longer than those of the others. */
  isSlow(diskId: DiskId): boolean {
    const pace = this.#disks.get(diskId);
    if (pace === undefined || pace.ratio < SLOW_FACTOR || pace.elapsedMs < SLOW_MS_MIN) {
      return false;
    }
    if (this.#clock.monotonicMs() - pace.lastMs < SLOW_MEMORY_MS) return true;
    this.#disks.delete(diskId);
    return false;
  }

  #windowOf(lengthBytes: number): LatencyWindow {
    return lengthBytes <= SMALL_BYTES_MAX ? this.#small : this.#large;
  }
}
