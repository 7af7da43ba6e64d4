import { WATCH_AGE_MAX_MS } from '@azimuth/clients';
import { hasCode, StoreError } from '@azimuth/common';
import { chooseWriteGroup, hasWholeGroup, kindOfProfile } from '@azimuth/placement';
import type { ClusterMap, GroupKind, OutagePolicy, WriteGroupChoice } from '@azimuth/placement';

import type { DataPathContext } from './data-path-context';
import type { ChosenGroup } from './stripe-writer';

/** Time for the leader to notice a dead zone and open groups over what is left. */
export const GROUP_WAIT_MS = 10_000;
const POLL_MS = 200;

export interface GroupRequest {
  readonly kind: GroupKind;
  readonly outagePolicy?: OutagePolicy | undefined;
  readonly isOneZone?: boolean | undefined;
  /** Groups that failed this body already. */
  readonly excluded: ReadonlySet<number>;
  /** By the monotonic clock. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A group for a new blob, waiting for one when none can take a zone-safe write now. At the deadline
 * suspicions and failed attempts count no more: they may be wrong, and there is nothing to lose. A
 * strict bucket waits for no end of an outage: it is refused once the map says that there is one.
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
  const isOneZone = request.isOneZone === true;
  const oneZoneFrom = isOneZone ? context.zone : undefined;
  const isSuspect = (diskId: string): boolean => view.isSuspect(diskId);
  const wholeOnly = request.outagePolicy === 'strict';
  for (;;) {
    if (signal?.aborted === true) throw new StoreError('CANCELLED');
    const map = freshMap(context);
    if (map !== null && wholeOnly) requireWholeGroup(map, kind, isOneZone);
    const wanted = { kind, wholeOnly, oneZoneFrom, isSuspect, random };
    const group = map === null ? null : chooseWriteGroup(map, { ...wanted, excluded });
    if (map !== null && group !== null) return { map, group, kind, isSuspect };
    const leftMs = request.deadlineMs - clock.monotonicMs();
    if (leftMs <= 0) return lastResort(map, wanted);
    await view.waitForChange(Math.min(POLL_MS, leftMs));
  }
}

function lastResort(
  map: ClusterMap | null,
  wanted: Omit<WriteGroupChoice, 'excluded'>,
): ChosenGroup {
  if (map === null) throw new StoreError('UNAVAILABLE', { reason: 'stale cluster view' });
  const { kind } = wanted;
  const isSuspect = (): boolean => false;
  const group = chooseWriteGroup(map, { ...wanted, isSuspect });
  if (group === null) throw new StoreError('QUORUM_NOT_REACHED', { reason: 'no group', kind });
  return { map, group, kind, isSuspect };
}

/**
 * What a strict bucket asks for; of a cluster of copies alone, a group of copies.
 *
 * @throws StoreError QUORUM_NOT_REACHED
 */
export function requireWholeGroup(map: ClusterMap, kind: GroupKind, isOneZone = false): void {
  const { erasureProfile } = map.settings;
  const stored = kind === 'erasure' ? kindOfProfile(erasureProfile) : kind;
  if (hasWholeGroup(map, stored, isOneZone)) return;
  throw new StoreError('QUORUM_NOT_REACHED', {
    reason: 'no whole group for a strict bucket',
    kind,
  });
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
