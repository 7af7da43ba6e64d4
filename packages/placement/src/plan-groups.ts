import { isGroupWhole, zonesInService } from './cluster-map';
import type { ClusterMap, DiskId, GroupState, PlacementGroup, Profile } from './cluster-map';
import type { GroupPlan, GroupPlanOptions } from './group-plan';
import { kindOfProfile } from './choose-write-group';
import type { GroupKind } from './choose-write-group';
import { addLoad, disksInService, loadOfDisks, placeSlots, writableDisks } from './place-slots';
import type { DiskLoad, DisksByDomain } from './place-slots';
import { hasSlotToMove, planMoves } from './plan-moves';
import { isToBeEmptied, planOneZone } from './plan-one-zone';
import { reducedProfile } from './reduced-profile';

/** Far above what outages can produce; stops a fault in the planner from filling the root log. */
export const GROUPS_MAX = 4_096;

/** Groups opened by one plan; the next one goes on. */
const OPEN_PER_PLAN_MAX = 64;

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
  const oneZone = planOneZone(map, options, load);
  open.push(...oneZone.open);
  const backfill = planMoves(map, options, load);
  // Where a slot can still move there may be nothing to empty after it.
  const moving = new Set(backfill.map(({ pgId }) => pgId));
  seal.push(...oneZone.seal.filter(({ pgId }) => !moving.has(pgId)));
  return {
    open: open.slice(0, Math.max(0, GROUPS_MAX - map.groups.size)),
    seal,
    backfill,
    remove: [...map.groups.values()]
      .filter(
        (group) =>
          ((group.isReduced && group.state === 'sealed') || isToBeEmptied(group)) &&
          options.drainedGroups.has(group.pgId),
      )
      .map(({ pgId }) => ({ pgId, reason: 'drained' })),
  };
}

/** What the root state machine makes of a plan; what is to be moved is on its way then. Pure. */
export function carryOutPlan(map: ClusterMap, plan: GroupPlan): ClusterMap {
  const groups = new Map(map.groups);
  const change = (pgId: number, changed: Partial<PlacementGroup>): void => {
    const group = groups.get(pgId);
    if (group !== undefined) groups.set(pgId, { ...group, ...changed });
  };
  let nextPgId = Math.max(0, ...groups.keys()) + 1;
  for (const { group } of plan.open) {
    groups.set(nextPgId, { ...group, pgId: nextPgId, state: 'active', backfill: null });
    nextPgId += 1;
  }
  for (const { pgId, isSealed } of plan.seal) {
    change(pgId, { state: isSealed ? 'sealed' : 'active' });
  }
  for (const { pgId, slot, targetDiskId } of plan.backfill) {
    change(pgId, { state: 'sealed', backfill: { slot, targetDiskId } });
  }
  for (const { pgId } of plan.remove) groups.delete(pgId);
  return { ...map, groups };
}

/**
 * A normal group was sealed for its backfill and comes back. A reduced one may have been retired
 * before, and is drained: whether it is used again is said by the next plan, in an outage.
 */
export function stateAfterBackfill({ isReduced }: PlacementGroup): GroupState {
  return isReduced ? 'sealed' : 'active';
}

/** The map once everything that is on its way has arrived. Pure. */
export function finishBackfills(map: ClusterMap): ClusterMap {
  const groups = new Map(map.groups);
  for (const group of groups.values()) {
    if (group.backfill === null) continue;
    const slots = group.slots.with(group.backfill.slot, group.backfill.targetDiskId);
    const state = stateAfterBackfill(group);
    groups.set(group.pgId, { ...group, slots, backfill: null, state });
  }
  return { ...map, groups };
}

export function isEmptyPlan({ open, seal, backfill, remove }: GroupPlan): boolean {
  return open.length + seal.length + backfill.length + remove.length === 0;
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
  const groups = [...map.groups.values()].filter(
    (group) => group.zone === undefined && kindOfProfile(group.profile) === kind,
  );
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
  const zoneCount = zonesInService(map).length;
  const perDomainMax =
    map.settings.zones.length > 1 ? Math.ceil(slotCount / Math.max(1, zoneCount)) : profile.m;
  const slotsOfDisk = countSlots(wanted.normal);
  const domains = disksInService(map);
  for (let opened = 0; ; opened += 1) {
    const rotation = wanted.normal.length + opened;
    const slots = placeSlots({ profile, perDomainMax, rotation, domains }, draft.load);
    if (slots === null) return opened;
    const isWanted = opened < wanted.count;
    if (!isWanted) {
      // A disk that replaces another one gets its share by backfill.
      if (wanted.normal.some((group) => hasSlotToMove(map, group))) return opened;
      const underused = underusedDisks(domains, slotsOfDisk, perDomainMax);
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
 * Disks far below what their capacity makes their share of their failure domain: new groups bring
 * them into use at once, for moving slots takes its time. A disk beside `perDomainMax` - 1 busy
 * ones can be at 1 / perDomainMax of its share for ever; half of that is the line that opening
 * groups can always reach, so the plan comes to rest.
 */
function underusedDisks(
  domains: DisksByDomain,
  slotsOfDisk: ReadonlyMap<DiskId, number>,
  perDomainMax: number,
): ReadonlySet<DiskId> {
  const underused = new Set<DiskId>();
  for (const disks of domains.values()) {
    const slots = disks.reduce((sum, { diskId }) => sum + (slotsOfDisk.get(diskId) ?? 0), 0);
    const largestBytes = Math.max(1, ...disks.map(({ capacityBytes }) => capacityBytes));
    const line = slots / disks.length / (2 * perDomainMax);
    for (const { diskId, capacityBytes } of disks) {
      const share = line * (capacityBytes / largestBytes);
      if ((slotsOfDisk.get(diskId) ?? 0) < share) underused.add(diskId);
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
  const { domains, profile } = reducedPlace(map, kind.profile, kind.kind);
  if (profile === null) return;
  const usable = kind.reduced.filter(
    (group) => isGroupWhole(map, group) && group.profile.k >= profile.k && group.backfill === null,
  );
  for (const { pgId } of usable.filter(({ state }) => state === 'sealed')) {
    draft.seal.push({ pgId, isSealed: false, reason: 'no whole normal group is left' });
  }
  for (let count = usable.length; count < options.groupsPerOutage; count += 1) {
    const rules = { profile, perDomainMax: profile.m, rotation: count, domains };
    const slots = placeSlots(rules, draft.load);
    if (slots === null) return;
    for (const diskId of slots) addLoad(draft.load, map, diskId);
    draft.open.push({
      group: { profile, slots, isReduced: true },
      reason: 'no whole normal group is left',
    });
  }
}

/** Over the disks that stay; when those are too few, over all that can be written. */
function reducedPlace(
  map: ClusterMap,
  normal: Profile,
  kind: GroupKind,
): { readonly domains: DisksByDomain; readonly profile: Profile | null } {
  const domains = disksInService(map);
  const profile = reducedProfile(domains, normal, kind);
  if (profile !== null) return { domains, profile };
  const every = writableDisks(map);
  return { domains: every, profile: reducedProfile(every, normal, kind) };
}
