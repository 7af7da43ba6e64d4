import type { Clock } from '@azimuth/common';

/** How busy the clients of a node keep it. */
export interface LoadReading {
  /** Requests of clients under way. */
  readonly inFlight: number;
  /** Recent mean of what a read takes, ms. */
  readonly readLatencyMs: number;
}

export interface YieldLimits {
  /** The share of its rate that repair always has: it must come to an end under any load. */
  readonly floorShare: number;
  /** From here on repair gives way … */
  readonly inFlightIdle: number;
  readonly readLatencyIdleMs: number;
  /** … and here it is at its floor. */
  readonly inFlightBusy: number;
  readonly readLatencyBusyMs: number;
}

export const DEFAULT_YIELD_LIMITS: YieldLimits = {
  floorShare: 0.1,
  inFlightIdle: 8,
  readLatencyIdleMs: 20,
  inFlightBusy: 64,
  readLatencyBusyMs: 200,
};

/** The share of its rate that repair may use: all of it when idle, the floor when busy. Pure. */
export function repairShare(load: LoadReading, limits: YieldLimits): number {
  const { inFlightIdle, inFlightBusy, readLatencyIdleMs, readLatencyBusyMs, floorShare } = limits;
  const busy = Math.max(
    (load.inFlight - inFlightIdle) / (inFlightBusy - inFlightIdle),
    (load.readLatencyMs - readLatencyIdleMs) / (readLatencyBusyMs - readLatencyIdleMs),
  );
  return 1 - (1 - floorShare) * Math.min(1, Math.max(0, busy));
}

/** A reading counts for half after so long without another. */
const HALF_LIFE_MS = 2_000;
/** Weight of one read against those before. */
const WEIGHT = 0.1;

/** Measures the load that clients put on this node. */
export class ClientLoad {
  readonly #clock: Clock;
  #inFlight = 0;
  #readLatencyMs = 0;
  #measuredMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get reading(): LoadReading {
    const ageMs = this.#clock.monotonicMs() - this.#measuredMs;
    const readLatencyMs = this.#readLatencyMs * 0.5 ** (ageMs / HALF_LIFE_MS);
    return { inFlight: this.#inFlight, readLatencyMs };
  }

  /** A request began. The returned function ends it, with what it took if it was a read. */
  begin(): (readMs: number | null) => void {
    this.#inFlight += 1;
    return (readMs) => {
      this.#inFlight -= 1;
      if (readMs === null) return;
      const before = this.reading.readLatencyMs;
      this.#readLatencyMs = before + WEIGHT * (readMs - before);
      this.#measuredMs = this.#clock.monotonicMs();
    };
  }
}
