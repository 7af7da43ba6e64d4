import { hasCode, StoreError } from '@azimuth/common';
import type { Clock } from '@azimuth/common';
import {
  forecastTopology,
  intentKey,
  isDiskReadable,
  isLostInZone,
  kindOfProfile,
} from '@azimuth/placement';
import type {
  ClusterMap,
  DiskEntry,
  DiskId,
  IntentScope,
  PlacementGroup,
  TopologyChange,
  TopologyForecast,
} from '@azimuth/placement';
import type { MetadataStatus } from '@azimuth/proto';

import type { ClusterAccess } from './cluster-access';

const ANSWER_TIMEOUT_MS = 5_000;
const POLL_MS = 500;
/** Of those who change other things at the same time. */
const ATTEMPTS_MAX = 5;

/** How far a change has got; everything is read from the map, so asking again goes on. */
export interface TopologyProgress {
  readonly slotsLeft: number;
  readonly slotsMoving: number;
  readonly disksProven: number;
  readonly disksToProve: number;
  readonly isDone: boolean;
}

/** @throws StoreError UNAVAILABLE */
export async function requireMap(cluster: ClusterAccess): Promise<ClusterMap> {
  const map = await cluster.map(ANSWER_TIMEOUT_MS);
  if (map === null) throw new StoreError('UNAVAILABLE', { reason: 'no root leader answers' });
  return map;
}

/**
 * The full name of what is meant: a disk may be named by the first characters of its id.
 *
 * @throws StoreError NOT_FOUND; INVALID_ARGUMENT when it could be several disks.
 */
export function resolveName(map: ClusterMap, scope: IntentScope, name: string): string {
  if (scope === 'zone') {
    if (map.settings.zones.includes(name)) return name;
  } else if (scope === 'node') {
    if (map.nodes.has(name)) return name;
  } else {
    const found = [...map.disks.keys()].filter((diskId) => diskId.startsWith(name));
    if (found.length > 1) throw new StoreError('INVALID_ARGUMENT', { disks: found.join(' ') });
    if (found[0] !== undefined) return found[0];
  }
  throw new StoreError('NOT_FOUND', { [scope]: name });
}

/** What the change would do, over the map and the fill of the disks as they are now. */
export async function forecastChange(
  cluster: ClusterAccess,
  change: TopologyChange,
): Promise<TopologyForecast> {
  const statuses = await cluster.metadata
    .status({ timeoutMs: ANSWER_TIMEOUT_MS })
    .catch(() => [] as readonly MetadataStatus[]);
  return forecastTopology(await requireMap(cluster), change, usedBytesOf(statuses));
}

function usedBytesOf(statuses: readonly MetadataStatus[]): ReadonlyMap<DiskId, number> {
  const used = new Map<DiskId, number>();
  for (const { disks } of statuses.flatMap(({ storage }) => storage)) {
    for (const { diskId, usedBytes } of disks) used.set(diskId, usedBytes);
  }
  return used;
}

/**
 * Commits the change if nothing speaks against it. When another change comes in between, what it
 * leads to is computed again: both together may be too much.
 *
 * @throws StoreError INVALID_ARGUMENT with `detail.reason` when it is refused.
 */
export async function commitChange(
  cluster: ClusterAccess,
  change: TopologyChange,
): Promise<TopologyForecast> {
  const own = intentKey(change.scope, change.name);
  for (let attempt = 1; ; attempt += 1) {
    const map = await requireMap(cluster);
    const forecast = await forecastChange(cluster, change);
    if (forecast.problems.length > 0) {
      throw new StoreError('INVALID_ARGUMENT', { reason: forecast.problems.join('; ') });
    }
    const others = [...(map.intents?.keys() ?? [])].filter((key) => key !== own).sort();
    try {
      await cluster.metadata.root('SetIntent', { ...change, others });
    } catch (error) {
      if (!hasCode(error, 'PRECONDITION_FAILED') || attempt === ATTEMPTS_MAX) throw error;
      await cluster.view.waitForChange(POLL_MS);
      continue;
    }
    return forecast;
  }
}

/** Disks of the scope that the map knows. */
export function disksOfScope(
  map: ClusterMap,
  { scope, name }: Pick<TopologyChange, 'scope' | 'name'>,
): readonly DiskEntry[] {
  const isMeant = ({ diskId, nodeId, zone }: DiskEntry): boolean =>
    ({ disk: diskId, node: nodeId, zone })[scope] === name;
  return [...map.disks.values()].filter(isMeant);
}

/** Pure. `isDone` also says that the disks may be removed, or that the zone may be switched off. */
export function progressOf(map: ClusterMap, change: TopologyChange): TopologyProgress {
  const isSeen =
    (map.intents?.get(intentKey(change.scope, change.name))?.kind ?? null) === change.kind;
  const disks = disksOfScope(map, change);
  const ids = new Set(disks.map(({ diskId }) => diskId));
  const groups = [...map.groups.values()];
  const slotsMoving = groups.filter(({ backfill }) => backfill !== null).length;
  const leaves = change.kind !== null && change.kind !== 'maintenance';
  const slotsLeft = leaves
    ? groups
        // What is lost with its zone has nowhere to go.
        .filter((group) => !isLostInZone(map, group))
        .flatMap(({ slots }) => slots)
        .filter((diskId) => ids.has(diskId)).length
    : 0;
  const toProve = leaves ? disks.filter(({ diskId }) => isDiskReadable(map, diskId)) : [];
  const disksProven = toProve.filter(({ drainedMs }) => drainedMs !== undefined).length;
  const isAtRest = leaves ? slotsLeft === 0 && disksProven === toProve.length : slotsMoving === 0;
  return {
    slotsLeft,
    slotsMoving,
    disksProven,
    disksToProve: toProve.length,
    isDone: isSeen && (change.kind === 'maintenance' ? writesElsewhere(groups, ids) : isAtRest),
  };
}

/** True when there are groups of each kind that take writes and have no slot on the disks. */
function writesElsewhere(groups: readonly PlacementGroup[], ids: ReadonlySet<DiskId>): boolean {
  const isElsewhere = ({ state, slots, zone }: PlacementGroup): boolean =>
    state === 'active' && zone === undefined && !slots.some((diskId) => ids.has(diskId));
  const kinds = new Set(groups.map(({ profile }) => kindOfProfile(profile)));
  return [...kinds].every((kind) =>
    groups.some((group) => kindOfProfile(group.profile) === kind && isElsewhere(group)),
  );
}

/** Reports progress whenever it changes, until the change is carried out. */
export async function followChange(
  cluster: ClusterAccess,
  change: TopologyChange,
  { clock, report }: { readonly clock: Clock; readonly report: (at: TopologyProgress) => void },
): Promise<void> {
  let last = '';
  for (;;) {
    const progress = progressOf(await requireMap(cluster), change);
    const text = JSON.stringify(progress);
    if (text !== last) report(progress);
    last = text;
    if (progress.isDone) return;
    await clock.sleep(POLL_MS);
  }
}
