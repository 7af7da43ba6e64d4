import { StoreError } from '@azimuth/common';
import {
  forecastInOneZone,
  forecastLayout,
  layoutProblem,
  profileInOneZone,
  SHARDS_PER_BLOB_MAX,
} from '@azimuth/placement';
import type {
  ClusterMap,
  Hardware,
  LayoutForecast,
  LayoutProblem,
  OperatingConditions,
  Profile,
} from '@azimuth/placement';
import type { MetadataStatus } from '@azimuth/proto';

/** What `azimuth plan --json` prints. */
export interface LayoutPlan {
  readonly hardware: Hardware;
  readonly conditions: OperatingConditions;
  /** Where `repairBytesPerSecond` comes from. */
  readonly repairSpeedFrom: 'assumed' | 'given' | 'measured';
  readonly layouts: readonly LayoutForecast[];
  /** What objects that are all in one zone get beside these layouts; none when they cannot be. */
  readonly oneZone: readonly OneZoneForecast[];
  /** Profiles that cannot be placed on the machines. */
  readonly refused: readonly { readonly profile: string; readonly problem: LayoutProblem }[];
}

export interface OneZoneForecast extends LayoutForecast {
  /** Profiles of the clusters that give such objects this one. */
  readonly beside: readonly string[];
}

export const DEFAULT_HARDWARE: Hardware = {
  zones: 3,
  nodesPerZone: 3,
  disksPerNode: 4,
  diskBytes: 16e12,
  fill: 0.7,
  voters: 3,
};

/** Sources: docs/durability-model.md. On the cautious side of them. */
export const DEFAULT_CONDITIONS: OperatingConditions = {
  diskAfr: 0.02,
  nodeLossesPerYear: 0.01,
  nodeOutagesPerYear: 12,
  nodeOutageHours: 0.25,
  zoneLossesPerYear: 0.001,
  zoneOutagesPerYear: 0.5,
  zoneOutageHours: 4,
  lostInOutage: 0.01,
  badPagesPerTerabyteYear: 1,
  scrubDays: 14,
  repairBytesPerSecond: 100e6,
  replaceHours: 24,
  zoneReplaceHours: 7 * 24,
  detectHours: 1,
  objectBytes: 64 * 1024 * 1024,
  groups: null,
};

/** Tried when none is asked for; those that do not fit are left out. */
const CANDIDATES: readonly Profile[] = [
  { k: 1, m: 2 },
  { k: 2, m: 1 },
  { k: 2, m: 2 },
  { k: 4, m: 2 },
  { k: 5, m: 4 },
  { k: 6, m: 3 },
  { k: 8, m: 4 },
  { k: 9, m: 6 },
  { k: 12, m: 4 },
];

export interface PlanRequest {
  readonly hardware: Hardware;
  readonly conditions: OperatingConditions;
  readonly repairSpeedFrom: LayoutPlan['repairSpeedFrom'];
  /** Empty: the usual ones that fit. */
  readonly profiles: readonly Profile[];
}

/** Pure. Cheapest layouts first. */
export function planLayouts(request: PlanRequest): LayoutPlan {
  const { hardware, conditions, repairSpeedFrom, profiles } = request;
  const wanted = profiles.length === 0 ? CANDIDATES : profiles;
  const checked = wanted.map((profile) => ({ profile, problem: layoutProblem(profile, hardware) }));
  const placed = checked.filter(({ problem }) => problem === null).map(({ profile }) => profile);
  return {
    hardware,
    conditions,
    repairSpeedFrom,
    layouts: placed
      .map((profile) => forecastLayout(profile, hardware, conditions))
      .sort(cheapestFirst),
    oneZone: forecastOneZone(placed, request),
    refused: checked.flatMap(({ profile, problem }) =>
      problem === null || profiles.length === 0 ? [] : [{ profile: nameOf(profile), problem }],
    ),
  };
}

function forecastOneZone(
  profiles: readonly Profile[],
  { hardware, conditions }: Pick<PlanRequest, 'hardware' | 'conditions'>,
): readonly OneZoneForecast[] {
  const found = new Map<string, { readonly profile: Profile; readonly beside: string[] }>();
  for (const normal of profiles) {
    const profile = profileInOneZone(normal, hardware);
    if (profile === null) continue;
    const known = found.get(nameOf(profile)) ?? { profile, beside: [] };
    found.set(nameOf(profile), known);
    known.beside.push(nameOf(normal));
  }
  return [...found.values()]
    .map(({ profile, beside }) => ({ ...forecastInOneZone(profile, hardware, conditions), beside }))
    .sort(cheapestFirst);
}

function cheapestFirst(a: LayoutForecast, b: LayoutForecast): number {
  return a.overhead - b.overhead || b.durability.nines - a.durability.nines;
}

function nameOf({ k, m }: Profile): string {
  return `${k}+${m}`;
}

/**
 * The machines of a running cluster, as the model sees them: all alike, so the weakest count.
 * `voters` is how many metadata nodes there are.
 */
export function hardwareOf(
  map: ClusterMap,
  statuses: readonly MetadataStatus[],
  voters: number,
): Hardware {
  const disks = [...map.disks.values()].filter(({ state }) => state !== 'lost');
  if (disks.length === 0) throw new StoreError('NOT_FOUND', { reason: 'no disks in the cluster' });
  const zones = [...new Set(disks.map(({ zone }) => zone))];
  const nodesOf = (zone: string): number =>
    new Set(disks.filter((disk) => disk.zone === zone).map(({ nodeId }) => nodeId)).size;
  const nodes = [...new Set(disks.map(({ nodeId }) => nodeId))];
  const heard = statuses.flatMap(({ storage }) => storage.flatMap((node) => node.disks));
  const capacityBytes = heard.reduce((sum, disk) => sum + disk.capacityBytes, 0);
  const usedBytes = heard.reduce((sum, disk) => sum + disk.usedBytes, 0);
  return {
    zones: zones.length,
    nodesPerZone: Math.min(...zones.map(nodesOf)),
    disksPerNode: Math.min(
      ...nodes.map((node) => disks.filter(({ nodeId }) => nodeId === node).length),
    ),
    diskBytes: Math.min(...disks.map((disk) => disk.capacityBytes)),
    fill: capacityBytes === 0 ? DEFAULT_HARDWARE.fill : usedBytes / capacityBytes,
    voters,
  };
}

/** @throws StoreError INVALID_ARGUMENT */
export function parseProfile(text: string): Profile {
  const [, k = 0, m = 0] = (/^(\d+)\+(\d+)$/.exec(text) ?? []).map(Number);
  if (k < 1 || m < 1 || k + m > SHARDS_PER_BLOB_MAX) {
    throw new StoreError('INVALID_ARGUMENT', { profile: text, expected: '4+2' });
  }
  return { k, m };
}

/**
 * `name=value` over the conditions.
 *
 * @throws StoreError INVALID_ARGUMENT
 */
export function withSettings(
  conditions: OperatingConditions,
  settings: readonly string[],
): OperatingConditions {
  const changed: Record<string, number | null> = { ...conditions };
  for (const setting of settings) {
    const [name = '', text = ''] = setting.split('=', 2);
    const value = Number(text);
    if (!Object.hasOwn(changed, name) || text === '' || !Number.isFinite(value) || value < 0) {
      const known = Object.keys(conditions).join(', ');
      throw new StoreError('INVALID_ARGUMENT', { setting, expected: 'name=number', known });
    }
    if (MUST_BE_POSITIVE.has(name) && value === 0) {
      throw new StoreError('INVALID_ARGUMENT', { setting, expected: 'more than 0' });
    }
    if (MUST_BE_PART.has(name) && value >= 1) {
      throw new StoreError('INVALID_ARGUMENT', { setting, expected: 'less than 1' });
    }
    changed[name] = value;
  }
  return changed as unknown as OperatingConditions;
}

const MUST_BE_POSITIVE: ReadonlySet<string> = new Set([
  'repairBytesPerSecond',
  'scrubDays',
  'objectBytes',
  'detectHours',
  'diskAfr',
]);
const MUST_BE_PART: ReadonlySet<string> = new Set(['diskAfr', 'lostInOutage']);
