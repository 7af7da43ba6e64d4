import type { Clock } from '@azimuth/common';
import type { DiskId } from '@azimuth/placement';

const SUSPECT_MS_MIN = 2_000;
const SUSPECT_MS_MAX = 16_000;

interface Suspicion {
  readonly untilMs: number;
  readonly lengthMs: number;
}

/**
 * Disks that failed this process a short time ago and are asked last. The cluster map does not say
 * who cannot reach whom, so one that fails again as soon as it is asked again is suspected for
 * twice as long: behind a cut link each trial costs a client the time until its read is given up.
 */
export class SuspectDisks {
  readonly #clock: Clock;
  readonly #suspicions = new Map<DiskId, Suspicion>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  report(diskId: DiskId): void {
    const nowMs = this.#clock.monotonicMs();
    const known = this.#suspicions.get(diskId);
    // Requests that were under way together fail together.
    if (known !== undefined && nowMs < known.untilMs) return;
    const isAgain = known !== undefined && nowMs < known.untilMs + SUSPECT_MS_MAX;
    const lengthMs = isAgain ? Math.min(known.lengthMs * 2, SUSPECT_MS_MAX) : SUSPECT_MS_MIN;
    this.#suspicions.set(diskId, { untilMs: nowMs + lengthMs, lengthMs });
  }

  has(diskId: DiskId): boolean {
    const known = this.#suspicions.get(diskId);
    return known !== undefined && this.#clock.monotonicMs() < known.untilMs;
  }
}
