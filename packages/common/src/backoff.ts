import type { Random } from './random';

export interface BackoffOptions {
  readonly baseMs: number;
  readonly maxMs: number;
}

/** Full-jitter exponential delay before attempt `attempt` (0-based): uniform in [0, min(max, base·2^n)]. */
export function backoffMs(attempt: number, options: BackoffOptions, random: Random): number {
  const ceilingMs = Math.min(options.maxMs, options.baseMs * 2 ** Math.min(attempt, 30));
  return random.next() * ceilingMs;
}
