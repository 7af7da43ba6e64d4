import { isDiskWritable, leavingIntent } from './cluster-map';
import type { ClusterMap, DiskEntry, DiskId, NodeId, Profile, ZoneId } from './cluster-map';
import { failureDomainOf } from './zone-condition';

/** How much each disk carries, as slots for each byte of capacity; lower is preferred. */
export type DiskLoad = Map<DiskId, number>;

/** Slots of all groups on each disk: what makes the next choice even. */
export function loadOfDisks(map: ClusterMap): DiskLoad {
  const load: DiskLoad = new Map();
  for (const group of map.groups.values()) {
    for (const diskId of group.slots) addLoad(load, map, diskId);
    if (group.backfill !== null) addLoad(load, map, group.backfill.targetDiskId);
  }
  return load;
}

export function addLoad(load: DiskLoad, map: ClusterMap, diskId: DiskId): void {
  const capacityBytes = Math.max(1, map.disks.get(diskId)?.capacityBytes ?? 1);
  load.set(diskId, (load.get(diskId) ?? 0) + 1 / capacityBytes);
}

export interface SlotRules {
  readonly profile: Profile;
  /** No failure domain (zone) gets more slots than this; at most m. */
  readonly perDomainMax: number;
  /** Turns the order of the slots, so that data and parity roles go round. */
  readonly rotation: number;
  /** Where to choose from; see {@link disksByDomain}. */
  readonly domains: DisksByDomain;
}

/** Failure domains and their disks, in a fixed order: the same map gives the same plan. */
export type DisksByDomain = ReadonlyMap<string, readonly DiskEntry[]>;

/**
 * Disks for a new group over what is writable now: as even over zones as can be, then over nodes,
 * then the least loaded; null when the rules cannot be met. Deterministic for equal inputs.
 */
export function placeSlots(rules: SlotRules, load: DiskLoad): readonly DiskId[] | null {
  const { profile, perDomainMax, rotation, domains } = rules;
  const slotCount = profile.k + profile.m;
  const chosen = new Map<string, DiskEntry[]>();
  for (let slot = 0; slot < slotCount; slot += 1) {
    let best: { readonly domain: string; readonly disk: DiskEntry; readonly count: number } | null =
      null;
    for (const [domain, disks] of domains) {
      const taken = chosen.get(domain) ?? [];
      if (taken.length >= Math.min(perDomainMax, profile.m)) continue;
      const disk = leastLoaded(disks, taken, load);
      if (disk === null) continue;
      if (best !== null && best.count < taken.length) continue;
      const isBetter =
        best === null ||
        taken.length < best.count ||
        (load.get(disk.diskId) ?? 0) < (load.get(best.disk.diskId) ?? 0);
      if (isBetter) best = { domain, disk, count: taken.length };
    }
    if (best === null) return null;
    chosen.set(best.domain, [...(chosen.get(best.domain) ?? []), best.disk]);
  }
  return rotate(interleave([...chosen.values()]), rotation);
}

/** The best of `disks` that is not in `taken`: on a node not used yet, then least loaded. */
export function leastLoaded(
  disks: readonly DiskEntry[],
  taken: readonly DiskEntry[],
  load: DiskLoad,
): DiskEntry | null {
  const nodes = new Map<NodeId, number>();
  for (const disk of taken) nodes.set(disk.nodeId, (nodes.get(disk.nodeId) ?? 0) + 1);
  let best: DiskEntry | null = null;
  let bestScore: readonly [number, number] = [Number.POSITIVE_INFINITY, 0];
  for (const disk of disks) {
    if (taken.some((other) => other.diskId === disk.diskId)) continue;
    const score = [nodes.get(disk.nodeId) ?? 0, load.get(disk.diskId) ?? 0] as const;
    if (score[0] > bestScore[0]) continue;
    if (score[0] === bestScore[0] && score[1] >= bestScore[1]) continue;
    best = disk;
    bestScore = score;
  }
  return best;
}

/** Disks that may get slots: those that can be written and are meant to stay. */
export function disksInService(map: ClusterMap): DisksByDomain {
  return disksByDomain(map, ({ diskId }) => isDiskInService(map, diskId));
}

export function isDiskInService(map: ClusterMap, diskId: DiskId): boolean {
  return isDiskWritable(map, diskId) && leavingIntent(map, diskId) === null;
}

/** The disks of one zone that are wanted, by the failure domains inside it. */
export function disksInsideZone(
  map: ClusterMap,
  zone: ZoneId,
  isWanted: (disk: DiskEntry) => boolean,
): DisksByDomain {
  return disksByDomain(map, (disk) => disk.zone === zone && isWanted(disk), zone);
}

/** Every disk that can be written, those that are leaving too. */
export function writableDisks(map: ClusterMap): DisksByDomain {
  return disksByDomain(map, ({ diskId }) => isDiskWritable(map, diskId));
}

function disksByDomain(
  map: ClusterMap,
  isWanted: (disk: DiskEntry) => boolean,
  insideZone?: ZoneId,
): DisksByDomain {
  const domains = new Map<string, DiskEntry[]>();
  const disks = [...map.disks.values()].filter(isWanted);
  disks.sort(
    (a, b) => compare(a.zone, b.zone) || compare(a.nodeId, b.nodeId) || compare(a.diskId, b.diskId),
  );
  for (const disk of disks) {
    const domain = failureDomainOf(map, disk.diskId, insideZone) as string;
    const list = domains.get(domain);
    if (list === undefined) domains.set(domain, [disk]);
    else list.push(disk);
  }
  return domains;
}

function interleave(lists: readonly (readonly DiskEntry[])[]): DiskId[] {
  const result: DiskId[] = [];
  const longest = Math.max(0, ...lists.map((list) => list.length));
  for (let index = 0; index < longest; index += 1) {
    for (const list of lists) {
      const disk = list[index];
      if (disk !== undefined) result.push(disk.diskId);
    }
  }
  return result;
}

function rotate(slots: readonly DiskId[], by: number): DiskId[] {
  const at = by % slots.length;
  return [...slots.slice(at), ...slots.slice(0, at)];
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
