import type { RequestFailure, RequestKind } from './workload';

/** Times without service: from a fault to the last request that failed before the next, by kind. */
export interface Outage {
  readonly read: number;
  readonly write: number;
}

/**
 * The longest outages of a scenario. Each failure counts from the last fault before it: where zone
 * after zone is restarted, P3 gives each of them its time.
 *
 * @param faultsMs when the cluster was hurt, oldest first, by the clock of the failures.
 * @param healMs failures from then on are not of these faults.
 */
export function outageOf(
  failures: readonly RequestFailure[],
  faultsMs: readonly number[],
  healMs: number,
): Outage {
  const longest = (wanted: RequestKind): number =>
    failures
      .filter(({ kind, atMs }) => kind === wanted && atMs < healMs)
      .reduce((max, { atMs }) => {
        const faultMs = faultsMs.findLast((each) => each <= atMs);
        return faultMs === undefined ? max : Math.max(max, atMs - faultMs);
      }, 0);
  return { read: longest('read'), write: longest('write') };
}
