import { forecastAvailability, isInOneZone } from './availability-model';
import type { AvailabilityForecast } from './availability-model';
import { kindOfProfile } from './choose-write-group';
import type { Profile } from './cluster-map';
import { DEFAULT_GROUP_PLAN_OPTIONS } from './group-plan';
import { forecastLoss } from './loss-model';
import type { LossCause, LossForecast, LossRates, ObjectLayout } from './loss-model';
import { groupsWantedInZone } from './plan-one-zone';
import { profileForCounts } from './reduced-profile';
import { describeLosses, survivedLosses } from './survived-losses';
import type { PlacedReplica } from './survived-losses';

/** The machines. Every zone is like every other, every node and every disk. */
export interface Hardware {
  readonly zones: number;
  readonly nodesPerZone: number;
  readonly disksPerNode: number;
  readonly diskBytes: number;
  /** Part of the disks that is used, 0 to 1. */
  readonly fill: number;
  /** Metadata nodes of the whole cluster, spread over the zones. */
  readonly voters: number;
}

/** How often things break, and how fast they are mended. docs/durability-model.md has sources. */
export interface OperatingConditions {
  /** Part of the disks that fails for good in a year. */
  readonly diskAfr: number;
  readonly nodeLossesPerYear: number;
  readonly nodeOutagesPerYear: number;
  readonly nodeOutageHours: number;
  readonly zoneLossesPerYear: number;
  readonly zoneOutagesPerYear: number;
  readonly zoneOutageHours: number;
  /** Part of the disks of a zone that does not come back from an outage of it. */
  readonly lostInOutage: number;
  /** Pages that go bad without anyone noticing, for each 10^12 bytes of disk a year. */
  readonly badPagesPerTerabyteYear: number;
  readonly scrubDays: number;
  /** Bytes of shards that the cluster rebuilds in a second. */
  readonly repairBytesPerSecond: number;
  /** Until a disk, node or zone is replaced where the other disks of the zone cannot take over. */
  readonly replaceHours: number;
  readonly zoneReplaceHours: number;
  /** Until an outage counts as a loss. */
  readonly detectHours: number;
  readonly objectBytes: number;
  /** Placement groups of the profile; null: enough to use every disk. */
  readonly groups: number | null;
}

export interface LayoutForecast {
  readonly profile: string;
  /** All of an object is in one of several zones, and lost with it (class ONEZONE_IA). */
  readonly isOneZone: boolean;
  readonly shardsPerZone: readonly number[];
  readonly survives: string;
  /** Bytes on disk for each byte stored. */
  readonly overhead: number;
  readonly usableBytes: number;
  readonly durability: DurabilityForecast;
  readonly availability: AvailabilityForecast;
  /** `zone` is null when nothing is left to rebuild it from. */
  readonly repairHours: {
    readonly disk: number;
    readonly node: number;
    readonly zone: number | null;
  };
  /** A lost disk is rebuilt on others of its zone, without waiting for a new one. */
  readonly isSelfHealing: boolean;
  readonly crossZone: CrossZoneTraffic;
}

export interface DurabilityForecast {
  /** Probability that a given object is lost within a year; nines are its negative logarithm. */
  readonly lossPerYear: number;
  readonly nines: number;
  /** The same if no zone were ever lost for good. */
  readonly lossPerYearWithoutZoneLoss: number;
  readonly ninesWithoutZoneLoss: number;
  /** Probability that anything at all is lost within a year. */
  readonly anyLossPerYear: number;
  readonly groups: number;
  /** The last blow of most losses, and its part of all. */
  readonly dominatingCause: LossCause | null;
  readonly dominatingShare: number;
  readonly causes: readonly { readonly cause: LossCause; readonly lossPerYear: number }[];
}

/** Bytes between zones for each byte that is stored, read or rebuilt. */
export interface CrossZoneTraffic {
  readonly write: number;
  /** Data shards first, as gateways read by default. */
  readonly read: number;
  /** A shard rebuilt from k others that are fetched one by one. */
  readonly rebuild: number;
  /** The same when each zone sends one partial sum. */
  readonly rebuildWithPartialSums: number;
  /** Expected a year, with partial sums, for disks and nodes that fail. */
  readonly rebuildBytesPerYear: number;
}

export type LayoutProblem =
  | { readonly kind: 'too-few-disks'; readonly disks: number; readonly needed: number }
  | { readonly kind: 'too-many-in-zone'; readonly shards: number; readonly parity: number };

/** Why the profile cannot be placed on the machines; null when it can. */
export function layoutProblem(profile: Profile, hardware: Hardware): LayoutProblem | null {
  const needed = profile.k + profile.m;
  const disksPerZone = hardware.nodesPerZone * hardware.disksPerNode;
  const shards = Math.max(...spread(needed, hardware.zones));
  if (shards > disksPerZone) {
    return { kind: 'too-few-disks', disks: disksPerZone * hardware.zones, needed };
  }
  if (hardware.zones > 1 && shards > profile.m) {
    return { kind: 'too-many-in-zone', shards, parity: profile.m };
  }
  return null;
}

/** Pure. The profile must have no {@link layoutProblem}. */
export function forecastLayout(
  profile: Profile,
  hardware: Hardware,
  conditions: OperatingConditions,
): LayoutForecast {
  const shardsPerZone = spread(profile.k + profile.m, hardware.zones);
  return forecastPlaced({ profile, shardsPerZone }, hardware, conditions);
}

/**
 * What objects that may be all in one zone get in a cluster of the profile `normal`: the widest one
 * that the nodes of a zone allow. Null when they are spread like all others. See `planOneZone`.
 */
export function profileInOneZone(normal: Profile, hardware: Hardware): Profile | null {
  const { zones, nodesPerZone, disksPerNode } = hardware;
  if (zones < 2) return null;
  const [domains, disks] = nodesPerZone === 1 ? [disksPerNode, 1] : [nodesPerZone, disksPerNode];
  const counts = { nodes: evenly(domains, 1), disks: evenly(domains, disks) };
  return (
    profileForCounts(counts, normal, kindOfProfile(normal)) ??
    // Large bodies are copies there when its nodes allow no more.
    profileForCounts(counts, { k: 1, m: normal.m }, 'replica')
  );
}

/** Pure. For a profile that {@link profileInOneZone} gave. */
export function forecastInOneZone(
  profile: Profile,
  hardware: Hardware,
  conditions: OperatingConditions,
): LayoutForecast {
  const shardsPerZone = [profile.k + profile.m, ...evenly(hardware.zones - 1, 0)];
  const disksPerZone = hardware.nodesPerZone * hardware.disksPerNode;
  const perZone = groupsWantedInZone(disksPerZone, profile, DEFAULT_GROUP_PLAN_OPTIONS);
  const ofOneZone = { ...conditions, groups: perZone * hardware.zones };
  return forecastPlaced({ profile, shardsPerZone }, hardware, ofOneZone);
}

function forecastPlaced(
  { profile, shardsPerZone }: Pick<ObjectLayout, 'profile' | 'shardsPerZone'>,
  hardware: Hardware,
  conditions: OperatingConditions,
): LayoutForecast {
  const { zones, nodesPerZone, disksPerNode, diskBytes, fill } = hardware;
  const shardsPerNode = Math.ceil(Math.max(...shardsPerZone) / nodesPerZone);
  const layout = { profile, shardsPerZone, shardsPerNode };
  const isOneZone = isInOneZone(layout);
  const overhead = (profile.k + profile.m) / profile.k;
  const rawBytes = zones * nodesPerZone * disksPerNode * diskBytes;
  const isSelfHealing = nodesPerZone * disksPerNode > Math.max(...shardsPerZone);
  const repairHours = repairTimes(hardware, conditions, isSelfHealing);
  const rates = lossRates(layout, conditions, repairHours);
  return {
    profile: `${profile.k}+${profile.m}`,
    isOneZone,
    shardsPerZone,
    survives: describeLosses(survivedLosses(placedReplicas(layout, nodesPerZone), profile.k)),
    overhead,
    usableBytes: rawBytes / overhead,
    durability: forecastDurability(layout, rates, {
      objects: (rawBytes * fill) / overhead / conditions.objectBytes,
      groups: conditions.groups ?? Math.max(GROUPS_MIN, zones * nodesPerZone * disksPerNode),
      zones,
    }),
    availability: forecastAvailability(
      { ...layout, nodesPerZone, disksPerNode, votersPerZone: spread(hardware.voters, zones) },
      outageRates(conditions, rates),
    ),
    repairHours: isOneZone ? { ...repairHours, zone: null } : repairHours,
    isSelfHealing,
    crossZone: crossZoneTraffic(layout, hardware, conditions),
  };
}

/** As many groups of a kind as a cluster opens at least. */
const GROUPS_MIN = 12;
const HOURS_PER_YEAR = 365.25 * 24;
const READ_FAILOVER_SECONDS = 5;
const WRITE_FAILOVER_SECONDS = 10;

function spread(count: number, places: number): number[] {
  return Array.from({ length: places }, (_, place) =>
    Math.max(0, Math.ceil((count - place) / places)),
  );
}

function evenly(places: number, each: number): number[] {
  return Array.from({ length: places }, () => each);
}

function placedReplicas(
  { shardsPerZone }: ObjectLayout,
  nodesPerZone: number,
): readonly PlacedReplica[] {
  return shardsPerZone.flatMap((shards, zone) =>
    Array.from({ length: shards }, (_, shard) => ({
      zone: `${zone}`,
      nodeId: `${zone}/${shard % nodesPerZone}`,
    })),
  );
}

interface RepairHours {
  readonly disk: number;
  readonly node: number;
  readonly zone: number;
}

function repairTimes(
  { nodesPerZone, disksPerNode, diskBytes, fill }: Hardware,
  conditions: OperatingConditions,
  isSelfHealing: boolean,
): RepairHours {
  const { repairBytesPerSecond, detectHours, replaceHours, zoneReplaceHours } = conditions;
  const copyHours = (disks: number): number =>
    (disks * diskBytes * fill) / repairBytesPerSecond / 3_600;
  return {
    disk: detectHours + (isSelfHealing ? 0 : replaceHours) + copyHours(1),
    // A node that is gone waits for an operator: it may only be on its way back.
    node: detectHours + replaceHours + copyHours(disksPerNode),
    zone: detectHours + zoneReplaceHours + copyHours(nodesPerZone * disksPerNode),
  };
}

function lossRates(
  { profile }: ObjectLayout,
  conditions: OperatingConditions,
  repairHours: RepairHours,
): LossRates {
  const diskFailures = -Math.log1p(-conditions.diskAfr);
  const nodeLosses = conditions.nodeLossesPerYear;
  const meanRepairHours =
    (diskFailures * repairHours.disk + nodeLosses * repairHours.node) / (diskFailures + nodeLosses);
  const shardTerabytes = conditions.objectBytes / profile.k / 1e12;
  return {
    diskFailures,
    nodeLosses,
    zoneLosses: conditions.zoneLossesPerYear,
    zoneOutages: conditions.zoneOutagesPerYear,
    lostInOutage: conditions.lostInOutage,
    rot: conditions.badPagesPerTerabyteYear * shardTerabytes,
    repairs: HOURS_PER_YEAR / (meanRepairHours || repairHours.disk),
    zoneRebuilds: HOURS_PER_YEAR / repairHours.zone,
    rotRepairs: HOURS_PER_YEAR / ((conditions.scrubDays / 2) * 24),
  };
}

function forecastDurability(
  placed: ObjectLayout,
  rates: LossRates,
  amount: { readonly objects: number; readonly groups: number; readonly zones: number },
): DurabilityForecast {
  const { objects, groups, zones } = amount;
  const layout = { ...placed, shardsPerZone: placed.shardsPerZone.filter((shards) => shards > 0) };
  const object = forecastLoss(layout, rates);
  const withoutZoneLoss = forecastLoss(layout, { ...rates, zoneLosses: 0 });
  // A zone that takes every shard along takes all groups inside it at once: that counts once.
  const isLostWithZone = Math.max(...layout.shardsPerZone) > layout.profile.m;
  const [zoneLosses, single] = isLostWithZone ? [0, withoutZoneLoss] : [rates.zoneLosses, object];
  const group = forecastLoss(layout, { ...rates, zoneLosses, rot: 0 });
  // Groups die as a whole; what rot adds, it adds object by object.
  const byRot = Math.max(0, single.lossPerYear - group.lossPerYear);
  const byZone = isLostWithZone ? zones * rates.zoneLosses : 0;
  const causes = [...object.rateByCause]
    .map(([cause, lossPerYear]) => ({ cause, lossPerYear }))
    .sort((a, b) => b.lossPerYear - a.lossPerYear);
  const [first] = causes;
  return {
    lossPerYear: object.lossPerYear,
    nines: ninesOf(object),
    lossPerYearWithoutZoneLoss: withoutZoneLoss.lossPerYear,
    ninesWithoutZoneLoss: ninesOf(withoutZoneLoss),
    anyLossPerYear: -Math.expm1(-(byZone + groups * group.lossPerYear + objects * byRot)),
    groups,
    dominatingCause: first?.cause ?? null,
    dominatingShare: (first?.lossPerYear ?? 0) * object.meanYearsToLoss,
    causes,
  };
}

function ninesOf({ lossPerYear }: LossForecast): number {
  return -Math.log10(lossPerYear);
}

function outageRates(
  conditions: OperatingConditions,
  rates: LossRates,
): Parameters<typeof forecastAvailability>[1] {
  const { zoneOutagesPerYear, zoneOutageHours, nodeOutagesPerYear, nodeOutageHours } = conditions;
  const zoneLossHours = HOURS_PER_YEAR / rates.zoneRebuilds;
  const fraction = (hoursPerYear: number): number => hoursPerYear / (hoursPerYear + HOURS_PER_YEAR);
  return {
    nodeDown: fraction(nodeOutagesPerYear * nodeOutageHours),
    zoneDown: fraction(zoneOutagesPerYear * zoneOutageHours + rates.zoneLosses * zoneLossHours),
    diskDown: fraction(((rates.diskFailures + rates.nodeLosses) / rates.repairs) * HOURS_PER_YEAR),
    zoneOutagesPerYear,
    readFailoverSeconds: READ_FAILOVER_SECONDS,
    writeFailoverSeconds: WRITE_FAILOVER_SECONDS,
  };
}

/** The gateway and the new shard are in the first zone, which has the most shards. */
function crossZoneTraffic(
  { profile, shardsPerZone }: ObjectLayout,
  { zones, nodesPerZone, disksPerNode, diskBytes, fill }: Hardware,
  conditions: OperatingConditions,
): CrossZoneTraffic {
  const { k, m } = profile;
  const [own = 0, ...others] = shardsPerZone;
  // Averaged over the zones that a gateway may be in; slots turn, so data shards are even too. What
  // is all in one zone is written by a gateway of that zone.
  const isOneZone = isInOneZone({ shardsPerZone });
  const write = isOneZone ? 0 : ((k + m) / k) * (1 - 1 / zones);
  const foreign = Math.max(0, k - (own - 1));
  const zonesNeeded = others.reduce(
    ({ left, count }, shards) =>
      left > 0 ? { left: left - shards, count: count + 1 } : { left, count },
    { left: foreign, count: 0 },
  ).count;
  const disks = zones * nodesPerZone * disksPerNode;
  const lostDisksPerYear = disks * (conditions.diskAfr + conditions.nodeLossesPerYear);
  return {
    write,
    // One copy is enough for a read, and the one of the own zone comes first.
    read: k === 1 && !isOneZone ? Math.max(0, 1 - (k + m) / zones) : 1 - 1 / zones,
    rebuild: foreign,
    rebuildWithPartialSums: zonesNeeded,
    rebuildBytesPerYear: lostDisksPerYear * diskBytes * fill * zonesNeeded,
  };
}
