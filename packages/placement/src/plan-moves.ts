import {
  intentKey,
  isDiskReadable,
  isDiskWritable,
  isGroupWhole,
  leavingIntent,
} from './cluster-map';
import type {
  ClusterMap,
  DiskEntry,
  DiskId,
  PlacementGroup,
  StorageNodeEntry,
} from './cluster-map';
import { kindOfProfile } from './choose-write-group';
import { addLoad, disksInService } from './place-slots';
import type { DiskLoad, DisksByDomain } from './place-slots';
import { nodesBesideDomain, promisedNodesOf, zoneConditionProblem } from './zone-condition';

export interface MoveOptions {
  /** Backfills that run at a time. */
  readonly backfillsMax: number;
  /**
   * True once the set of nodes has settled (no new node for half a minute). Before that a cluster
   * without normal groups waits for its other nodes instead of opening reduced groups, which a
   * cluster that has normal groups never does; and no slot moves to make the use of disks even.
   */
  readonly isSettled: boolean;
  /** The cluster's time, as `downSinceMs` of nodes. */
  readonly nowMs: number;
  /** Slots of a node that is down for longer move, unless its whole zone is down. */
  readonly nodeGraceMs: number;
}

/** A slot that is to move to another disk; why it leaves the one and goes to the other. */
export interface SlotMove {
  readonly pgId: number;
  readonly slot: number;
  readonly targetDiskId: DiskId;
  readonly reason: string;
}

/** Lower goes first: what is lost, then what may be lost, then what only leaves. */
interface Leave {
  readonly urgency: 0 | 1 | 2;
  readonly reason: string;
}

/**
 * Slots to move now, at most `backfillsMax` with those on their way. All progress is in the map, so
 * whoever leads next goes on where this one stopped. In this order:
 *
 * M1 off disks that will not return: lost, fenced, of a zone that is retired, of a node that is
 *    down for longer than the grace;
 * M2 off disks that an operator drains or replaces;
 * M3 to where a group survives more, while it survives less than is promised;
 * M4 to disks that hold less than their share by capacity, once everything is whole.
 *
 * M2 to M4 never make a group survive less than it does now and than is promised. Each step of M3
 * and M4 lowers a bounded sum (what is missing to the promise; the load of each slot's disk), so
 * the plan comes to rest.
 */
export function planMoves(
  map: ClusterMap,
  options: MoveOptions,
  load: DiskLoad,
): readonly SlotMove[] {
  const groups = [...map.groups.values()].sort((a, b) => a.pgId - b.pgId);
  const running = groups.filter(
    ({ backfill }) => backfill !== null && isDiskWritable(map, backfill.targetDiskId),
  ).length;
  const draft: MoveDraft = { map, options, load, disks: disksInService(map), running, moves: [] };
  planLeaving(draft, groups);
  if (draft.moves.length > 0 || running > 0) return draft.moves;
  const normal = groups.filter(({ isReduced, state }) => !isReduced && state === 'active');
  if (!options.isSettled || normal.some((group) => !isGroupWhole(map, group))) return draft.moves;
  planSpread(draft, normal);
  if (draft.moves.length === 0) planEvenUse(draft, normal);
  return draft.moves;
}

interface MoveDraft {
  readonly map: ClusterMap;
  readonly options: MoveOptions;
  readonly load: DiskLoad;
  readonly disks: DisksByDomain;
  /** Backfills that go on; one whose target is out takes nobody's place. */
  readonly running: number;
  readonly moves: SlotMove[];
}

function hasRoom({ options, moves, running }: MoveDraft): boolean {
  return running + moves.length < options.backfillsMax;
}

function addMove(draft: MoveDraft, group: PlacementGroup, slot: number, to: Target): void {
  addLoad(draft.load, draft.map, to.disk.diskId);
  const { pgId } = group;
  draft.moves.push({ pgId, slot, targetDiskId: to.disk.diskId, reason: to.reason });
}

/** True for the target of a backfill that cannot be finished there: it may go on to another. */
export function isUnfitTarget(map: ClusterMap, diskId: DiskId): boolean {
  // A full one may stay full; its shards are strays of another target, and go.
  if (map.disks.get(diskId)?.state !== 'online') return true;
  return !isDiskReadable(map, diskId) || leavingIntent(map, diskId) !== null;
}

/** True for a group with a slot that moves or will move, when nothing is said of nodes' graces. */
export function hasSlotToMove(map: ClusterMap, group: PlacementGroup): boolean {
  if (group.backfill !== null) return true;
  return group.slots.some((diskId) => reasonToLeave(map, diskId, NO_GRACE) !== null);
}

const NO_GRACE = { nowMs: 0, nodeGraceMs: Number.POSITIVE_INFINITY };

/** M1 and M2. */
function planLeaving(draft: MoveDraft, groups: readonly PlacementGroup[]): void {
  const { map, options } = draft;
  const leaving = groups.flatMap((group) => {
    const target = group.backfill?.targetDiskId ?? null;
    if (target !== null && mayArrive(map, target, options)) return [];
    const slots = group.backfill === null ? [...group.slots.keys()] : [group.backfill.slot];
    const leaves = slots.flatMap((slot) => {
      const diskId = group.slots[slot] ?? '';
      const leave = reasonToLeave(map, diskId, options);
      if (leave !== null) return [{ group, slot, ...leave }];
      if (group.backfill === null) return [];
      // Its disk is well again, but the group stays sealed until the slot has arrived somewhere.
      return [{ group, slot, urgency: 2 as const, reason: 'its backfill lost its target' }];
    });
    return leaves;
  });
  leaving.sort((a, b) => a.urgency - b.urgency || a.group.pgId - b.group.pgId || a.slot - b.slot);
  const planned = new Set<number>();
  for (const { group, slot, urgency, reason } of leaving) {
    if (!hasRoom(draft)) return;
    if (planned.has(group.pgId)) continue;
    const floor = urgency === 2 ? keptNodes(map, group) : 0;
    const target = chooseTarget(draft, group, slot, { floor, reason });
    if (target === null) continue;
    planned.add(group.pgId);
    addMove(draft, group, slot, target);
  }
}

/**
 * Groups inside one zone with a slot that is to leave and that no disk of the zone can take, and
 * why. There is nothing to move then but the blobs themselves.
 */
export function stuckInZone(
  map: ClusterMap,
  options: MoveOptions,
  load: DiskLoad,
): ReadonlyMap<number, string> {
  const stuck = new Map<number, string>();
  const draft: MoveDraft = {
    map,
    options,
    load,
    disks: disksInService(map),
    running: 0,
    moves: [],
  };
  for (const group of map.groups.values()) {
    const { pgId, zone, backfill } = group;
    if (zone === undefined || backfill !== null) continue;
    for (const [slot, diskId] of group.slots.entries()) {
      const reason = reasonToLeave(map, diskId, options)?.reason ?? null;
      if (reason === null) continue;
      if (chooseTarget(draft, group, slot, { floor: 0, reason }) !== null) continue;
      stuck.set(pgId, `${reason}; no other disk of zone ${zone} can take slot ${slot}`);
      break;
    }
  }
  return stuck;
}

/** True while a backfill is left to its target: it takes what comes, or will again soon. */
function mayArrive(map: ClusterMap, target: DiskId, options: MoveOptions): boolean {
  return map.disks.get(target)?.state !== 'full' && reasonToLeave(map, target, options) === null;
}

/** Why a slot is to leave a disk; null when it may stay. */
export function reasonToLeave(
  map: ClusterMap,
  diskId: DiskId,
  { nowMs, nodeGraceMs }: Pick<MoveOptions, 'nowMs' | 'nodeGraceMs'>,
): Leave | null {
  const disk = map.disks.get(diskId);
  if (disk === undefined || disk.state === 'lost') {
    return { urgency: 0, reason: `disk ${diskId} is lost` };
  }
  if (disk.state === 'fenced') return { urgency: 0, reason: `disk ${diskId} is fenced` };
  const intent = leavingIntent(map, diskId);
  const node = map.nodes.get(disk.nodeId);
  if (intent !== null) {
    const urgency = intent.kind === 'retire' || node?.state !== 'up' ? 0 : 2;
    return { urgency, reason: `${intent.scope} ${intent.name}: ${intent.kind}` };
  }
  const downMs = node === undefined ? null : downForMs(map, node, nowMs);
  if (downMs === null || downMs <= nodeGraceMs) return null;
  return { urgency: 1, reason: `node ${disk.nodeId} is down for ${minutes(downMs)}` };
}

/**
 * How long a node is down; null while it is up, and while its whole zone is: a zone that reboots
 * must not start a repair storm, and that it is lost for good only an operator knows.
 */
function downForMs(map: ClusterMap, node: StorageNodeEntry, nowMs: number): number | null {
  if (node.state === 'up' || node.downSinceMs === undefined) return null;
  if (map.intents?.get(intentKey('zone', node.zone))?.kind === 'maintenance') return null;
  const isZoneUp = [...map.nodes.values()].some(
    ({ zone, state }) => zone === node.zone && state === 'up',
  );
  return isZoneUp || map.settings.zones.length === 1 ? nowMs - node.downSinceMs : null;
}

function minutes(durationMs: number): string {
  return `${Math.floor(durationMs / 60_000)} min`;
}

/** What a group must survive after a move that nothing forces: as much as now and promised. */
function keptNodes(map: ClusterMap, group: PlacementGroup): number {
  const now = nodesBesideDomain(map, group.profile, group.slots, group.zone);
  return Math.max(0, Math.min(promisedNodesOf(map, group), now));
}

interface Target {
  readonly disk: DiskEntry;
  readonly reason: string;
}

/**
 * The best disk for a slot: one with which the group survives what is promised, in the same zone,
 * on the node with the fewest other slots of the group, then the least loaded. Null when no disk
 * keeps the zone condition, or at least `floor` nodes beside it.
 */
function chooseTarget(
  { map, load, disks }: MoveDraft,
  group: PlacementGroup,
  slot: number,
  rules: {
    readonly floor: number;
    readonly reason: string;
    readonly isWanted?: (disk: DiskEntry) => boolean;
  },
): Target | null {
  const zone = map.disks.get(group.slots[slot] ?? '')?.zone;
  const others = group.slots.filter((_, index) => index !== slot);
  const promised = promisedNodesOf(map, group);
  let best: DiskEntry | null = null;
  let bestRank: readonly number[] = [];
  for (const disk of [...disks.values()].flat()) {
    if (rules.isWanted?.(disk) === false) continue;
    const slots = group.slots.with(slot, disk.diskId);
    if (zoneConditionProblem(map, group.profile, slots, group.zone) !== null) continue;
    const survived = nodesBesideDomain(map, group.profile, slots, group.zone);
    if (survived < rules.floor) continue;
    const rank = [
      Math.max(0, promised - survived),
      disk.zone === zone ? 0 : 1,
      others.filter((diskId) => map.disks.get(diskId)?.nodeId === disk.nodeId).length,
      load.get(disk.diskId) ?? 0,
    ];
    if (best !== null && !isBetter(rank, bestRank)) continue;
    best = disk;
    bestRank = rank;
  }
  if (best === null) return null;
  return { disk: best, reason: `${rules.reason}; ${describeTarget(best, bestRank)}` };
}

function isBetter(rank: readonly number[], than: readonly number[]): boolean {
  for (const [index, value] of rank.entries()) {
    const other = than[index] ?? 0;
    if (value !== other) return value < other;
  }
  return false;
}

function describeTarget(disk: DiskEntry, rank: readonly number[]): string {
  const [deficit = 0, isOtherZone = 0, onNode = 0] = rank;
  const where = isOtherZone === 0 ? 'in the same zone' : `in zone ${disk.zone}, which has room`;
  const node = onNode === 0 ? 'on a node with no slot of the group' : 'beside others on its node';
  const less =
    deficit > 0 ? '; the promised node beside a zone is not survived until one joins' : '';
  return `the least loaded disk ${where}, ${node}${less}`;
}

/** M3. */
function planSpread(draft: MoveDraft, groups: readonly PlacementGroup[]): void {
  const { map } = draft;
  for (const group of groups) {
    if (!hasRoom(draft)) return;
    const now = nodesBesideDomain(map, group.profile, group.slots, group.zone);
    if (now >= promisedNodesOf(map, group)) continue;
    for (const slot of group.slots.keys()) {
      const reason = `group ${group.pgId} survives less than is promised`;
      const target = chooseTarget(draft, group, slot, { floor: now + 1, reason });
      if (target === null) continue;
      addMove(draft, group, slot, target);
      break;
    }
  }
}

/**
 * M4. A slot goes from the fullest disk to one that is less full even with it, by slots for each
 * byte of capacity, counted among groups of one kind and zone: their slots are alike. Half a slot
 * of the larger disk must be won, so that disks of nearly one size do not trade slots for nothing.
 */
function planEvenUse(draft: MoveDraft, groups: readonly PlacementGroup[]): void {
  const { map } = draft;
  const families = new Map<string, PlacementGroup[]>();
  for (const group of groups) {
    const family = `${kindOfProfile(group.profile)}/${group.zone ?? ''}`;
    families.set(family, [...(families.get(family) ?? []), group]);
  }
  for (const ofKind of families.values()) {
    const slots = new Map<DiskId, number>();
    for (const diskId of ofKind.flatMap((group) => group.slots)) {
      slots.set(diskId, (slots.get(diskId) ?? 0) + 1);
    }
    const loadOf = (diskId: DiskId, added = 0): number =>
      ((slots.get(diskId) ?? 0) + added) / Math.max(1, map.disks.get(diskId)?.capacityBytes ?? 1);
    const moved = new Set<number>();
    while (hasRoom(draft)) {
      const move = bestEvenMove(draft, ofKind, { loadOf, moved });
      if (move === null) break;
      const { group, slot, target } = move;
      const from = group.slots[slot] ?? '';
      moved.add(group.pgId);
      slots.set(from, (slots.get(from) ?? 0) - 1);
      slots.set(target.disk.diskId, (slots.get(target.disk.diskId) ?? 0) + 1);
      addMove(draft, group, slot, target);
    }
  }
}

function bestEvenMove(
  draft: MoveDraft,
  groups: readonly PlacementGroup[],
  state: {
    readonly loadOf: (diskId: DiskId, added?: number) => number;
    readonly moved: ReadonlySet<number>;
  },
): { readonly group: PlacementGroup; readonly slot: number; readonly target: Target } | null {
  const { map } = draft;
  const { loadOf, moved } = state;
  const sources = [...map.disks.values()]
    .filter(({ diskId }) => loadOf(diskId) > 0)
    .sort((a, b) => loadOf(b.diskId) - loadOf(a.diskId) || (a.diskId < b.diskId ? -1 : 1));
  for (const source of sources) {
    const gainMin = 0.5 / Math.max(1, source.capacityBytes);
    const isLower = (disk: DiskEntry): boolean =>
      loadOf(source.diskId) - loadOf(disk.diskId, 1) >=
      Math.min(gainMin, 0.5 / Math.max(1, disk.capacityBytes));
    const lower = [...draft.disks.values()].flat().filter(isLower);
    if (lower.length === 0) continue;
    for (const group of groups) {
      const slot = moved.has(group.pgId) ? -1 : group.slots.indexOf(source.diskId);
      if (slot === -1) continue;
      const isWanted = (disk: DiskEntry): boolean =>
        lower.includes(disk) && isAsSpread(map, group, { from: source, to: disk });
      const floor = keptNodes(map, group);
      const reason = `disk ${source.diskId} holds more than its share`;
      const target = chooseTarget(draft, group, slot, { floor, reason, isWanted });
      if (target !== null) return { group, slot, target };
    }
  }
  return null;
}

/** True when the move leaves the slots of the group at least as evenly over zones and nodes. */
function isAsSpread(
  map: ClusterMap,
  group: PlacementGroup,
  { from, to }: { readonly from: DiskEntry; readonly to: DiskEntry },
): boolean {
  const disks = group.slots
    .map((diskId) => map.disks.get(diskId))
    .filter((disk) => disk !== undefined && disk !== from);
  const inZone = (zone: string): number => disks.filter((disk) => disk?.zone === zone).length;
  const onNode = (nodeId: string): number => disks.filter((d) => d?.nodeId === nodeId).length;
  if (onNode(to.nodeId) > onNode(from.nodeId)) return false;
  return to.zone === from.zone || inZone(to.zone) < inZone(from.zone);
}
