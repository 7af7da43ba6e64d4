import { blobSurvival } from './durability';
import { kindOfProfile } from './choose-write-group';
import type { GroupKind } from './choose-write-group';
import {
  intentKey,
  intentsOf,
  isDiskReadable,
  isGroupWhole,
  leavingIntent,
  zonesInService,
} from './cluster-map';
import type {
  ClusterMap,
  DiskId,
  Intent,
  IntentKind,
  IntentScope,
  PlacementGroup,
  ZoneId,
} from './cluster-map';
import { disksInService } from './place-slots';
import { DEFAULT_GROUP_PLAN_OPTIONS } from './group-plan';
import { carryOutPlan, finishBackfills, isEmptyPlan, planGroups } from './plan-groups';
import { isLostInZone, isToBeEmptied } from './plan-one-zone';
import { profileProblem, promisedNodes } from './zone-condition';
import { reducedProfile } from './reduced-profile';

/** A change of what an operator wants; `kind` null puts back into service. */
export interface TopologyChange {
  readonly scope: IntentScope;
  readonly name: string;
  readonly kind: IntentKind | null;
}

/** A slot that will move, from where to where. */
export interface ForecastMove {
  readonly pgId: number;
  readonly slot: number;
  readonly from: DiskId;
  readonly to: DiskId;
  readonly reason: string;
  /** Bytes of the slot as far as they are known: the even share of what its disk holds. */
  readonly sizeBytes: number | null;
}

export interface TopologyForecast {
  readonly moves: readonly ForecastMove[];
  /** Slots that no disk can take. */
  readonly stuck: readonly {
    readonly pgId: number;
    readonly slot: number;
    readonly from: DiskId;
  }[];
  /** Placement groups opened on the way. */
  readonly opened: number;
  /** Groups inside one zone whose blobs are copied to other groups, as their slots cannot move. */
  readonly emptied: readonly number[];
  /** Those whose disks will not return: what is in them is lost with their zone. */
  readonly lost: readonly number[];
  /** What the blobs of the moving groups survive while they move, and how many groups say so. */
  readonly meanwhile: readonly { readonly text: string; readonly groups: number }[];
  /** Why the change is refused; empty when it is not. */
  readonly problems: readonly string[];
  /** The map once everything has moved. */
  readonly after: ClusterMap;
}

/** A disk is not filled beyond this part of its capacity by a change. */
const FILL_MAX = 0.9;
/** Plans until rest; each moves at most one slot a group. */
const ROUNDS_MAX = 10_000;

/**
 * What a change would lead to: the planner itself is carried out on a copy of the map until it
 * rests, so what is shown is what will be done if nothing else happens meanwhile. Pure.
 */
export function forecastTopology(
  map: ClusterMap,
  change: TopologyChange,
  usedBytes: ReadonlyMap<DiskId, number>,
): TopologyForecast {
  const start = withIntent(map, change);
  const run = runToRest(start, { isEven: change.kind === null, usedBytes });
  const { after } = run;
  const lost = [...after.groups.values()].filter((group) => isLostInZone(after, group));
  const stuck = [...after.groups.values()].flatMap((group) => {
    if (lost.includes(group)) return [];
    return group.slots.flatMap((from, slot) => {
      const isOfChange = intentsOf(start, from).some((each) => isSame(each, change));
      if (!isOfChange || leavingIntent(start, from) === null) return [];
      return [{ pgId: group.pgId, slot, from }];
    });
  });
  return {
    ...run,
    stuck,
    lost: lost.map(({ pgId }) => pgId),
    meanwhile: survivalMeanwhile(start, run.moves),
    problems: problemsOf(start, change, { ...run, stuck, usedBytes }),
  };
}

/** The map as it is once the change is committed. */
export function withIntent(map: ClusterMap, change: TopologyChange): ClusterMap {
  const intents = new Map(map.intents);
  const { scope, name, kind } = change;
  if (kind === null) intents.delete(intentKey(scope, name));
  else intents.set(intentKey(scope, name), { scope, name, kind, sinceMs: 0 });
  return { ...map, intents };
}

/**
 * Why an intent for a zone would break the zone condition whatever disks there are; null when it
 * would not. The state machine asks the same, so two operators at once cannot get past it.
 */
export function zoneIntentProblem(map: ClusterMap, change: TopologyChange): string | null {
  const { scope, name, kind } = change;
  if (scope !== 'zone' || kind === null) return null;
  const after = withIntent(map, change);
  if (kind === 'maintenance') {
    const other = map.settings.zones.find(
      (zone) => zone !== name && map.intents?.get(intentKey('zone', zone)) !== undefined,
    );
    return other === undefined ? null : `zone ${other} is out of service already`;
  }
  const zones = zonesInService(after);
  const { erasureProfile, replicaProfile } = map.settings;
  for (const profile of [erasureProfile, replicaProfile]) {
    const problem = zoneProfileProblem(map, profile, zones);
    if (problem !== null) return `too few zones would be left: ${problem}`;
  }
  return null;
}

function zoneProfileProblem(
  map: ClusterMap,
  profile: ClusterMap['settings']['erasureProfile'],
  zones: readonly ZoneId[],
): string | null {
  if (zones.length < 2) return 'with one zone nothing survives its loss';
  return profileProblem(profile, zones.length, promisedNodes(map));
}

function isSame(intent: Intent, change: TopologyChange): boolean {
  return intent.scope === change.scope && intent.name === change.name;
}

interface Run {
  readonly moves: readonly ForecastMove[];
  readonly opened: number;
  readonly emptied: readonly number[];
  readonly after: ClusterMap;
}

function runToRest(
  start: ClusterMap,
  options: { readonly isEven: boolean; readonly usedBytes: ReadonlyMap<DiskId, number> },
): Run {
  const moves: ForecastMove[] = [];
  const emptied: number[] = [];
  let opened = 0;
  const sizes = slotBytes(start, options.usedBytes);
  let map = start;
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const plan = planGroups(map, {
      ...DEFAULT_GROUP_PLAN_OPTIONS,
      isSettled: options.isEven,
      nowMs: 0,
      drainedGroups: groupsToEmpty(map),
    });
    if (isEmptyPlan(plan) && ![...map.groups.values()].some((group) => group.backfill !== null)) {
      break;
    }
    for (const { pgId, slot, targetDiskId: to, reason } of plan.backfill) {
      const from = map.groups.get(pgId)?.slots[slot] ?? '';
      moves.push({ pgId, slot, from, to, reason, sizeBytes: sizes.get(`${pgId}/${slot}`) ?? null });
    }
    opened += plan.open.length;
    emptied.push(...plan.remove.map(({ pgId }) => pgId));
    map = finishBackfills(carryOutPlan(map, plan));
  }
  return { moves, opened, emptied, after: map };
}

/** Groups whose blobs can be read, and so be copied to others. */
function groupsToEmpty(map: ClusterMap): ReadonlySet<number> {
  const groups = [...map.groups.values()].filter(
    (group) =>
      isToBeEmptied(group) &&
      group.slots.filter((diskId) => isDiskReadable(map, diskId)).length >= group.profile.k,
  );
  return new Set(groups.map(({ pgId }) => pgId));
}

/** What each slot holds, when every slot of a disk holds alike. */
function slotBytes(
  map: ClusterMap,
  usedBytes: ReadonlyMap<DiskId, number>,
): ReadonlyMap<string, number> {
  const counts = new Map<DiskId, number>();
  for (const { slots } of map.groups.values()) {
    for (const diskId of slots) counts.set(diskId, (counts.get(diskId) ?? 0) + 1);
  }
  const sizes = new Map<string, number>();
  for (const { pgId, slots } of map.groups.values()) {
    slots.forEach((diskId, slot) => {
      const used = usedBytes.get(diskId);
      if (used !== undefined) {
        sizes.set(`${pgId}/${slot}`, Math.ceil(used / (counts.get(diskId) ?? 1)));
      }
    });
  }
  return sizes;
}

/** A slot is read where it is until it has arrived: only what is out now is missing meanwhile. */
function survivalMeanwhile(
  map: ClusterMap,
  moves: readonly ForecastMove[],
): TopologyForecast['meanwhile'] {
  const texts = new Map<string, number>();
  for (const pgId of new Set(moves.map((move) => move.pgId))) {
    const group = map.groups.get(pgId);
    if (group === undefined) continue;
    const present = [...group.slots.keys()].filter((slot) =>
      isDiskReadable(map, group.slots[slot] ?? ''),
    );
    const { text } = blobSurvival(map, group, present);
    texts.set(text, (texts.get(text) ?? 0) + 1);
  }
  return [...texts].map(([text, groups]) => ({ text, groups }));
}

function problemsOf(
  map: ClusterMap,
  change: TopologyChange,
  run: Run & Pick<TopologyForecast, 'stuck'> & { readonly usedBytes: ReadonlyMap<DiskId, number> },
): readonly string[] {
  if (change.kind === null) return [];
  const problems: string[] = [];
  const zoneProblem = zoneIntentProblem(map, change);
  if (zoneProblem !== null) problems.push(zoneProblem);
  // What a successor will take need not fit anywhere now.
  if (change.kind !== 'replace') problems.push(...stuckProblems(run.stuck), ...fullDisks(map, run));
  for (const kind of ['erasure', 'replica'] as const) {
    const problem = writeProblem(map, run.after, { kind, change });
    if (problem !== null) problems.push(problem);
  }
  return problems;
}

function stuckProblems(stuck: TopologyForecast['stuck']): readonly string[] {
  const [first] = stuck;
  if (first === undefined) return [];
  const groups = new Set(stuck.map(({ pgId }) => pgId)).size;
  return [
    `no disk can take ${stuck.length} slots of ${groups} groups without breaking the zone ` +
      `condition or the promise beside it (slot ${first.slot} of group ${first.pgId} is one)`,
  ];
}

function fullDisks(
  map: ClusterMap,
  run: Run & { readonly usedBytes: ReadonlyMap<DiskId, number> },
): readonly string[] {
  const filled = new Map(run.usedBytes);
  for (const { to, sizeBytes } of run.moves) {
    if (sizeBytes !== null) filled.set(to, (filled.get(to) ?? 0) + sizeBytes);
  }
  const targets = new Set(run.moves.map(({ to }) => to));
  return [...targets].flatMap((diskId) => {
    const capacityBytes = map.disks.get(diskId)?.capacityBytes ?? 0;
    const bytes = filled.get(diskId);
    if (bytes === undefined || bytes <= FILL_MAX * capacityBytes) return [];
    const percent = Math.round((100 * bytes) / Math.max(1, capacityBytes));
    return [`not enough capacity: disk ${diskId} would be ${percent} % full`];
  });
}

/** Null while writes of the kind go on, in normal groups or, in maintenance, in reduced ones. */
function writeProblem(
  before: ClusterMap,
  after: ClusterMap,
  { kind, change }: { readonly kind: GroupKind; readonly change: TopologyChange },
): string | null {
  const { erasureProfile, replicaProfile } = before.settings;
  const profile = kind === 'erasure' ? erasureProfile : replicaProfile;
  if (kindOfProfile(profile) !== kind) return null;
  if (change.kind === 'maintenance') {
    if (reducedProfile(disksInService(after), profile, kind) !== null) return null;
    return `no ${kind} write would be zone-safe over the zones that are left`;
  }
  const isNormal = ({ isReduced, zone, profile: shape }: PlacementGroup): boolean =>
    !isReduced && zone === undefined && kindOfProfile(shape) === kind;
  const ofKind = [...after.groups.values()].filter(isNormal);
  const had = [...before.groups.values()].some(isNormal);
  if (!had || change.kind === 'replace') return null;
  if (ofKind.some((group) => group.state === 'active' && isGroupWhole(after, group))) return null;
  return `no whole ${kind} group would be left for writes`;
}
