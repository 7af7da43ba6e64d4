import {
  isDiskReadable,
  isGroupWhole,
  leavingIntent,
  shardCount,
  zonesInService,
} from './cluster-map';
import type { ClusterMap, DiskEntry, DiskId, PlacementGroup, Profile, ZoneId } from './cluster-map';
import { hasWholeGroup, kindOfProfile } from './choose-write-group';
import type { GroupKind } from './choose-write-group';
import type { GroupPlan, GroupPlanOptions } from './group-plan';
import { addLoad, disksInsideZone, isDiskInService, placeSlots } from './place-slots';
import type { DiskLoad } from './place-slots';
import { stuckInZone } from './plan-moves';
import { reducedProfile } from './reduced-profile';
import { zoneConditionProblem } from './zone-condition';

/** Groups opened by one plan; the next one goes on. */
const OPEN_PER_PLAN_MAX = 64;
/** So that every disk of a zone is in some groups. */
const SLOTS_PER_DISK_MIN = 2;

interface OneZonePlan {
  readonly open: GroupPlan['open'][number][];
  readonly seal: GroupPlan['seal'][number][];
}

/**
 * The groups inside each zone, for blobs that need not survive the loss of a zone. Pure.
 *
 * Z1 Each zone gets the widest profile that its nodes allow with no node above m slots; of a single
 *    node its disks count as nodes. A zone that cannot hold two shards apart gets none.
 * Z2 A group that cannot stay as it is is sealed, and then emptied blob by blob: its slots cannot
 *    go to another zone one at a time.
 * Z3 Nothing happens while there is no whole spread group: a cluster that starts waits for its
 *    nodes, and what leaves a group must have somewhere to go.
 */
export function planOneZone(
  map: ClusterMap,
  options: GroupPlanOptions,
  load: DiskLoad,
): OneZonePlan {
  const draft: OneZonePlan = { open: [], seal: [] };
  const { settings } = map;
  if (!hasWholeGroup(map, kindOfProfile(settings.erasureProfile))) return draft;
  const stuck = stuckInZone(map, options, load);
  for (const group of map.groups.values()) {
    if (group.zone === undefined || group.state !== 'active') continue;
    const { pgId, zone } = group;
    const reason = stuck.get(pgId) ?? reasonToEmpty(map, { ...group, zone }, options);
    if (reason !== null) draft.seal.push({ pgId, isSealed: true, reason });
  }
  if (settings.zones.length < 2 || options.oneZoneGroupsPerKind === 0) return draft;
  const sealed = new Set(draft.seal.map(({ pgId }) => pgId));
  for (const zone of zonesInService(map)) {
    for (const kind of ['erasure', 'replica'] as const) {
      openInZone(map, options, { zone, kind, sealed }, { load, open: draft.open });
    }
  }
  return draft;
}

/** True for a group of one zone whose blobs are to be copied to others, after which it goes. */
export function isToBeEmptied({ zone, state, backfill }: PlacementGroup): boolean {
  return zone !== undefined && state === 'sealed' && backfill === null;
}

/** True for such a group of which too little is left to read: its blobs are lost with their zone. */
export function isLostInZone(map: ClusterMap, group: PlacementGroup): boolean {
  if (!isToBeEmptied(group)) return false;
  const kept = group.slots.filter((diskId) => !isGivenUp(map, diskId)).length;
  return kept < group.profile.k;
}

/** True for a disk that will not return, as far as anybody knows. */
export function isGivenUp(map: ClusterMap, diskId: DiskId): boolean {
  const state = map.disks.get(diskId)?.state;
  if (state === undefined || state === 'lost') return true;
  return leavingIntent(map, diskId)?.kind === 'retire' && !isDiskReadable(map, diskId);
}

type GroupInZone = PlacementGroup & { readonly zone: ZoneId };

function reasonToEmpty(
  map: ClusterMap,
  group: GroupInZone,
  { isSettled }: GroupPlanOptions,
): string | null {
  const { profile, slots, zone } = group;
  if (zoneConditionProblem(map, profile, slots, zone) !== null) {
    return `its slots are not spread over the nodes that zone ${zone} has now`;
  }
  const kind = kindOfProfile(profile);
  const allowed = isSettled ? oneZoneProfile(map, zone, kind) : null;
  if (allowed === null || !isBetter(allowed, profile)) return null;
  const hasSuccessor = [...map.groups.values()].some(
    (other) =>
      other.zone === zone &&
      other.state === 'active' &&
      isSame(other.profile, allowed) &&
      isGroupWhole(map, other),
  );
  return hasSuccessor ? `zone ${zone} allows ${allowed.k}+${allowed.m} now` : null;
}

/** Z1. By the nodes that are there, up or not: one that reboots comes back. */
function oneZoneProfile(map: ClusterMap, zone: ZoneId, kind: GroupKind): Profile | null {
  const { erasureProfile, replicaProfile } = map.settings;
  const normal = kind === 'erasure' ? erasureProfile : replicaProfile;
  if (kindOfProfile(normal) !== kind) return null;
  return reducedProfile(disksInsideZone(map, zone, isMember(map)), normal, kind);
}

/** Disks that are meant to hold data. */
function isMember(map: ClusterMap): (disk: DiskEntry) => boolean {
  return ({ diskId, state }) =>
    (state === 'online' || state === 'full') && leavingIntent(map, diskId) === null;
}

/** More parity first, then less overhead. */
function isBetter(profile: Profile, than: Profile): boolean {
  return profile.m > than.m || (profile.m === than.m && profile.k > than.k);
}

function isSame(a: Profile, b: Profile): boolean {
  return a.k === b.k && a.m === b.m;
}

/** So many of a kind inside a zone of that many disks. */
export function groupsWantedInZone(
  disks: number,
  profile: Profile,
  { oneZoneGroupsPerKind }: Pick<GroupPlanOptions, 'oneZoneGroupsPerKind'>,
): number {
  return Math.max(
    oneZoneGroupsPerKind,
    Math.ceil((SLOTS_PER_DISK_MIN * disks) / shardCount(profile)),
  );
}

function openInZone(
  map: ClusterMap,
  options: GroupPlanOptions,
  wanted: {
    readonly zone: ZoneId;
    readonly kind: GroupKind;
    /** Groups that this plan seals. */
    readonly sealed: ReadonlySet<number>;
  },
  draft: Pick<OneZonePlan, 'open'> & { readonly load: DiskLoad },
): void {
  const { zone, kind, sealed } = wanted;
  const profile = oneZoneProfile(map, zone, kind);
  if (profile === null) return;
  const members = [...disksInsideZone(map, zone, isMember(map)).values()];
  const lasting = [...map.groups.values()].filter(
    (group) =>
      group.zone === zone &&
      kindOfProfile(group.profile) === kind &&
      !sealed.has(group.pgId) &&
      !isToBeEmptied(group) &&
      !isBetter(profile, group.profile),
  ).length;
  const count = groupsWantedInZone(members.flat().length, profile, options);
  const domains = disksInsideZone(map, zone, ({ diskId }) => isDiskInService(map, diskId));
  const perDomainMax = Math.ceil(shardCount(profile) / Math.max(1, domains.size));
  for (let rotation = lasting; rotation < count; rotation += 1) {
    if (draft.open.length >= OPEN_PER_PLAN_MAX) return;
    const slots = placeSlots({ profile, perDomainMax, rotation, domains }, draft.load);
    if (slots === null) return;
    for (const diskId of slots) addLoad(draft.load, map, diskId);
    const { k, m } = profile;
    const reason = `too few groups inside zone ${zone}, of whose disks ${k}+${m} is made`;
    draft.open.push({ group: { profile, slots, isReduced: false, zone }, reason });
  }
}
