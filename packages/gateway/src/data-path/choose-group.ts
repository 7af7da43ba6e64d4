import { WATCH_AGE_MAX_MS } from '@azimuth/clients';
import { hasCode, StoreError } from '@azimuth/common';
import { chooseWriteGroup } from '@azimuth/placement';
import type { ClusterMap, GroupKind } from '@azimuth/placement';

import type { DataPathContext } from './data-path-context';
import type { ChosenGroup } from './stripe-writer';

/** Time for the leader to notice a dead zone and open groups over what is left. */
export const GROUP_WAIT_MS = 10_000;
const POLL_MS = 200;

export interface GroupRequest {
  readonly kind: GroupKind;
  /** Groups that failed this body already. */
  readonly excluded: ReadonlySet<number>;
  /** By the monotonic clock. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A group for a new blob, waiting for one when none can take a zone-safe write now. At the deadline
 * suspicions and failed attempts count no more: they may be wrong, and there is nothing to lose.
 *
 * @throws StoreError QUORUM_NOT_REACHED; UNAVAILABLE when the view of the cluster stays stale;
 *   CANCELLED.
 */
export async function chooseGroup(
  context: DataPathContext,
  request: GroupRequest,
): Promise<ChosenGroup> {
  const { view, clock, random } = context;
  const { kind, excluded, signal } = request;
  const isSuspect = (diskId: string): boolean => view.isSuspect(diskId);
  for (;;) {
    if (signal?.aborted === true) throw new StoreError('CANCELLED');
    const map = freshMap(context);
    const group =
      map === null ? null : chooseWriteGroup(map, { kind, isSuspect, excluded, random });
    if (map !== null && group !== null) return { map, group, kind, isSuspect };
    const leftMs = request.deadlineMs - clock.monotonicMs();
    if (leftMs <= 0) return lastResort(context, map, kind);
    await view.waitForChange(Math.min(POLL_MS, leftMs));
  }
}

function lastResort(
  { random }: DataPathContext,
  map: ClusterMap | null,
  kind: GroupKind,
): ChosenGroup {
  if (map === null) throw new StoreError('UNAVAILABLE', { reason: 'stale cluster view' });
  const isSuspect = (): boolean => false;
  const group = chooseWriteGroup(map, { kind, isSuspect, random });
  if (group === null) throw new StoreError('QUORUM_NOT_REACHED', { reason: 'no group', kind });
  return { map, group, kind, isSuspect };
}

/** Null while the view is too old to write by: a zone may have been given up meanwhile. */
function freshMap({ view }: DataPathContext): ClusterMap | null {
  if (view.ageMs() > WATCH_AGE_MAX_MS) return null;
  try {
    return view.map();
  } catch (error) {
    if (hasCode(error, 'UNAVAILABLE')) return null;
    throw error;
  }
}
