import type { Clock } from '@azimuth/common';
import type { MetadataFinding } from '@azimuth/proto';

import type { Finding } from '../driver/state-machine';

const FINDINGS_MAX = 50;
/** A replica that differs again so soon after it was rebuilt differs for a reason of its own. */
const CONDEMN_INTERVAL_MS = 10 * 60_000;

/** What a process found damaged; it outlives the node objects that are opened anew over it. */
export class FindingsLog {
  readonly #clock: Clock;
  readonly #counts = new Map<Finding['problem'], number>();
  readonly #condemnedMs = new Map<string, number>();
  #findings: MetadataFinding[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The last ones, newest last. */
  get list(): readonly MetadataFinding[] {
    return this.#findings;
  }

  count(problem: Finding['problem']): number {
    return this.#counts.get(problem) ?? 0;
  }

  add(finding: Finding): void {
    const { group, problem, remedy } = finding;
    const entry = { group, problem, remedy, foundMs: Math.floor(this.#clock.wallMs()) };
    this.#findings = [...this.#findings, entry].slice(-FINDINGS_MAX);
    this.#counts.set(problem, this.count(problem) + 1);
  }

  /** False when `group` was condemned a short while ago: again would not help either. */
  mayCondemn(group: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    const lastMs = this.#condemnedMs.get(group);
    if (lastMs !== undefined && nowMs - lastMs < CONDEMN_INTERVAL_MS) return false;
    this.#condemnedMs.set(group, nowMs);
    return true;
  }
}
