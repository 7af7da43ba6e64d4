import { isGroupWhole } from './cluster-map';
import type { ClusterMap, DiskId, PlacementGroup, Profile } from './cluster-map';
import { kindOfProfile } from './choose-write-group';
import type { GroupKind } from './choose-write-group';
import {
  addLoad,
  leastLoaded,
  loadOfDisks,
  placeSlots,
  writableDisksByDomain,
} from './place-slots';
import type { DiskLoad } from './place-slots';
import { reducedProfile } from './reduced-profile';
import { zoneConditionProblem } from './zone-condition';

export interface GroupPlanOptions {
  /** Active normal groups wanted of each kind. */
  readonly groupsPerKind: number;
  /** Groups opened at a time when no whole one is left. */
  readonly groupsPerOutage: number;
  /** Backfills that run at a time. */
  readonly backfillsMax: number;
  /**
   * True once the set of nodes has settled after the very first start (no new node for half a
   * minute). Before that a cluster without normal groups waits for its other nodes instead of
   * opening reduced groups; a cluster that has normal groups never waits.
   */
  readonly isSettled: boolean;
  /** Sealed groups that are proven to hold nothing and to be referenced by nothing. */
  readonly drainedGroups: ReadonlySet<number>;
}

export const DEFAULT_GROUP_PLAN_OPTIONS = {
  groupsPerKind: 12,
  groupsPerOutage: 4,
  backfillsMax: 4,
} as const;

/** Far above what outages can produce; stops a fault in the planner from filling the root log. */
export const GROUPS_MAX = 4_096;

/** Groups opened by one plan; the next one goes on. */
const OPEN_PER_PLAN_MAX = 64;

export type NewGroup = Omit<PlacementGroup, 'pgId' | 'backfill' | 'state'>;

/** What the root leader should propose now; each step says why. Empty lists when all is well. */
export interface GroupPlan {
  readonly open: readonly { readonly group: NewGroup; readonly reason: string }[];
  readonly seal: readonly {
    readonly pgId: number;
    readonly isSealed: boolean;
    readonly reason: string;
  }[];
  readonly backfill: readonly {
    readonly pgId: number;
    readonly slot: number;
    readonly targetDiskId: DiskId;
    readonly reason: string;
  }[];
  readonly remove: readonly { readonly pgId: number; readonly reason: string }[];
}

/**
 * Pure: the same map and options give the same plan, and a plan carried out leaves an empty one.
 */
export function planGroups(map: ClusterMap, options: GroupPlanOptions): GroupPlan {
  const load = loadOfDisks(map);
  const open: GroupPlan['open'][number][] = [];
  const seal: GroupPlan['seal'][number][] = [];
  for (const kind of ['erasure', 'replica'] as const) {
    planKind(map, options, kind, { load, open, seal });
  }
  return {
    open: open.slice(0, Math.max(0, GROUPS_MAX - map.groups.size)),
    seal,
    backfill: planBackfills(map, options, load),
    remove: [...map.groups.values()]
      .filter(
        ({ pgId, state, isReduced }) =>
          isReduced && state === 'sealed' && options.drainedGroups.has(pgId),
      )
      .map(({ pgId }) => ({ pgId, reason: 'drained' })),
  };
}

interface Draft {
  readonly load: DiskLoad;
  readonly open: GroupPlan['open'][number][];
  readonly seal: GroupPlan['seal'][number][];
}

function planKind(map: ClusterMap, options: GroupPlanOptions, kind: GroupKind, draft: Draft): void {
  const { settings } = map;
  const profile = kind === 'erasure' ? settings.erasureProfile : settings.replicaProfile;
  // A cluster may be set up with copies alone; then the replica groups hold every blob.
  if (kindOfProfile(profile) !== kind) return;
  const groups = [...map.groups.values()].filter((group) => kindOfProfile(group.profile) === kind);
  const normal = groups.filter((group) => !group.isReduced);
  const active = normal.filter((group) => group.state === 'active');
  const whole = active.filter((group) => isGroupWhole(map, group));

  // A group that is being backfilled comes back: it is not replaced while others are whole.
  const lasting = normal.filter(({ state, backfill }) => state === 'active' || backfill !== null);
  const lacking = options.groupsPerKind - lasting.length;
  const wanted = whole.length === 0 ? Math.max(lacking, options.groupsPerOutage) : lacking;
  const opened = openNormal(map, profile, { count: wanted, normal }, draft);

  const reduced = groups.filter((group) => group.isReduced);
  if (whole.length > 0 || opened > 0) {
    for (const group of reduced) {
      if (group.state !== 'active') continue;
      draft.seal.push({ pgId: group.pgId, isSealed: true, reason: 'a whole normal group exists' });
    }
  } else if (normal.length > 0 || options.isSettled) {
    openReduced(map, options, { kind, profile, reduced }, draft);
  }
}

/**
 * Opens `count` groups of the full profile, spread evenly over all zones of the cluster, and more
 * while that brings disks into use that joined later.
 */
function openNormal(
  map: ClusterMap,
  profile: Profile,
  wanted: { readonly count: number; readonly normal: readonly PlacementGroup[] },
  draft: Draft,
): number {
  const slotCount = profile.k + profile.m;
  const zoneCount = map.settings.zones.length;
  const perDomainMax = zoneCount > 1 ? Math.ceil(slotCount / zoneCount) : profile.m;
  const slotsOfDisk = countSlots(wanted.normal);
  for (let opened = 0; ; opened += 1) {
    const rotation = wanted.normal.length + opened;
    const slots = placeSlots(map, { profile, perDomainMax, rotation }, draft.load);
    if (slots === null) return opened;
    const isWanted = opened < wanted.count;
    if (!isWanted) {
      // A disk that replaces a lost one gets its share by backfill.
      if (wanted.normal.some((group) => needsBackfill(map, group))) return opened;
      const underused = underusedDisks(map, slotsOfDisk, perDomainMax);
      if (!slots.some((diskId) => underused.has(diskId))) return opened;
    }
    for (const diskId of slots) {
      addLoad(draft.load, map, diskId);
      slotsOfDisk.set(diskId, (slotsOfDisk.get(diskId) ?? 0) + 1);
    }
    draft.open.push({
      group: { profile, slots, isReduced: false },
      reason: isWanted ? 'too few whole normal groups' : 'disks are not used evenly',
    });
    if (opened + 1 >= OPEN_PER_PLAN_MAX) return opened + 1;
  }
}

/**
 * Disks far below the average of their failure domain. A disk beside `perDomainMax` - 1 busy ones
 * can be at 1 / perDomainMax of the average for ever; half of that is the line that opening groups
 * can always reach, so the plan comes to rest.
 */
function underusedDisks(
  map: ClusterMap,
  slotsOfDisk: ReadonlyMap<DiskId, number>,
  perDomainMax: number,
): ReadonlySet<DiskId> {
  const underused = new Set<DiskId>();
  for (const disks of writableDisksByDomain(map).values()) {
    const total = disks.reduce((sum, disk) => sum + (slotsOfDisk.get(disk.diskId) ?? 0), 0);
    const line = total / disks.length / (2 * perDomainMax);
    for (const { diskId } of disks) {
      if ((slotsOfDisk.get(diskId) ?? 0) < line) underused.add(diskId);
    }
  }
  return underused;
}

function countSlots(groups: readonly PlacementGroup[]): Map<DiskId, number> {
  const counts = new Map<DiskId, number>();
  for (const group of groups) {
    for (const diskId of group.slots) counts.set(diskId, (counts.get(diskId) ?? 0) + 1);
  }
  return counts;
}

/** Takes sealed reduced groups that are whole again into use before it opens new ones. */
function openReduced(
  map: ClusterMap,
  options: GroupPlanOptions,
  kind: {
    readonly kind: GroupKind;
    readonly profile: Profile;
    readonly reduced: readonly PlacementGroup[];
  },
  draft: Draft,
): void {
  const profile = reducedProfile(map, kind.profile, kind.kind);
  if (profile === null) return;
  const usable = kind.reduced.filter(
    (group) => isGroupWhole(map, group) && group.profile.k >= profile.k && group.backfill === null,
  );
  for (const { pgId } of usable.filter(({ state }) => state === 'sealed')) {
    draft.seal.push({ pgId, isSealed: false, reason: 'no whole normal group is left' });
  }
  for (let count = usable.length; count < options.groupsPerOutage; count += 1) {
    const rules = { profile, perDomainMax: profile.m, rotation: count };
    const slots = placeSlots(map, rules, draft.load);
    if (slots === null) return;
    for (const diskId of slots) addLoad(draft.load, map, diskId);
    draft.open.push({
      group: { profile, slots, isReduced: true },
      reason: 'no whole normal group is left',
    });
  }
}

/** Replacements for slots whose disk will not return, or takes no writes ever again. */
function planBackfills(
  map: ClusterMap,
  options: GroupPlanOptions,
  load: DiskLoad,
): GroupPlan['backfill'] {
  const plan: GroupPlan['backfill'][number][] = [];
  const groups = [...map.groups.values()].sort((a, b) => a.pgId - b.pgId);
  let running = groups.filter(
    ({ backfill }) => backfill !== null && !isGone(map, backfill.targetDiskId),
  ).length;
  for (const group of groups) {
    if (running >= options.backfillsMax) break;
    if (group.backfill !== null && !isGone(map, group.backfill.targetDiskId)) continue;
    const slot = group.backfill?.slot ?? group.slots.findIndex((diskId) => isGone(map, diskId));
    if (slot === -1) continue;
    const targetDiskId = replacementDisk(map, group, slot, load);
    if (targetDiskId === null) continue;
    addLoad(load, map, targetDiskId);
    running += 1;
    plan.push({ pgId: group.pgId, slot, targetDiskId, reason: 'the disk of the slot is gone' });
  }
  return plan;
}

/** True for a disk that will not take writes again. */
function isGone(map: ClusterMap, diskId: DiskId): boolean {
  const state = map.disks.get(diskId)?.state;
  return state === undefined || state === 'lost' || state === 'fenced';
}

function needsBackfill(map: ClusterMap, group: PlacementGroup): boolean {
  return group.backfill !== null || group.slots.some((diskId) => isGone(map, diskId));
}

/** A writable disk for the slot that keeps the zone condition: in the same zone if there is one. */
export function replacementDisk(
  map: ClusterMap,
  group: PlacementGroup,
  slot: number,
  load: DiskLoad,
): DiskId | null {
  const others = group.slots
    .filter((_, index) => index !== slot)
    .map((diskId) => map.disks.get(diskId))
    .filter((disk) => disk !== undefined);
  const keepsCondition = (diskId: DiskId): boolean =>
    zoneConditionProblem(map, group.profile, group.slots.with(slot, diskId)) === null;
  const candidates = [...writableDisksByDomain(map).values()]
    .flat()
    .filter((disk) => keepsCondition(disk.diskId));
  const zone = map.disks.get(group.slots[slot] ?? '')?.zone;
  const sameZone = candidates.filter((disk) => disk.zone === zone);
  const best = leastLoaded(sameZone, others, load) ?? leastLoaded(candidates, others, load);
  return best?.diskId ?? null;
}
