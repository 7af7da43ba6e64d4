import {
  describeLosses,
  describeReason,
  groupDurability,
  survivedLosses,
  weakestLosses,
} from '@azimuth/placement';
import type { ClusterMap, SurvivedLosses, Survival } from '@azimuth/placement';
import type { MetadataStatus, OutboxEntry } from '@azimuth/proto';

import type { KnownMetadataNode } from './metadata-answers';

/** What is shown of long lists; the totals beside them count everything. */
const GROUPS_SHOWN_MAX = 200;
export const BLOBS_SHOWN_MAX = 20;

/** What survives a loss, as numbers and in words. */
export interface LossStatement {
  /** Entry z: whichever z zones are lost, whichever this many nodes of the others besides. */
  readonly losses: SurvivedLosses;
  readonly survives: string;
}

/** `losses` are those of all that is spread over the zones, and of the metadata. */
export interface DurabilityStatement extends LossStatement {
  /** What every blob that is all in one zone survives; null when there are no groups for such. */
  readonly oneZone: LossStatement | null;
  readonly profiles: readonly ProfileDurability[];
  /** Weakest first, at most {@link GROUPS_SHOWN_MAX}. */
  readonly groupsAtRisk: readonly GroupAtRisk[];
  readonly groupsAtRiskTotal: number;
  /** Weakest first, at most {@link BLOBS_SHOWN_MAX}; null when an index group does not answer. */
  readonly blobsAtRisk: readonly BlobAtRisk[] | null;
  /** Blobs with shards to rebuild; null when an index group does not answer. */
  readonly blobsAtRiskTotal: number | null;
  /** How many of these were looked at: what the cluster survives is said of them. */
  readonly blobsInspected: number | null;
  readonly metadata: readonly MetadataDurability[];
}

/** All groups of one profile; what they survive is what the weakest of them does. */
export interface ProfileDurability extends LossStatement {
  readonly profile: string;
  readonly isReduced: boolean;
  /** Each group is all in one zone, of class ONEZONE_IA, and is lost with it. */
  readonly isOneZone: boolean;
  readonly groups: number;
  /** The most slots that one of the groups has there. */
  readonly slotsByZone: Readonly<Record<string, number>>;
}

export interface GroupAtRisk extends LossStatement {
  readonly pgId: number;
  readonly profile: string;
  readonly risk: Survival['risk'];
  readonly zones: readonly {
    readonly zone: string;
    readonly live: number;
    readonly slots: number;
  }[];
  readonly fatalZones: readonly string[];
  readonly reasons: readonly string[];
}

export interface BlobAtRisk extends LossStatement {
  readonly blobId: string;
  /** Null when nothing references the blob any more, or when nobody was asked. */
  readonly object: { readonly bucket: string; readonly key: string } | null;
  readonly pgId: number;
  readonly profile: string;
  readonly risk: Survival['risk'];
  readonly missingShards: readonly number[];
  readonly reasons: readonly string[];
}

export interface MetadataDurability extends LossStatement {
  readonly group: string;
  readonly votersByZone: readonly {
    readonly zone: string;
    readonly live: number;
    readonly voters: number;
  }[];
  readonly hasQuorum: boolean;
}

/** What a statement is made from; null is what could not be answered. */
export interface DurabilityAnswers {
  readonly map: ClusterMap;
  readonly metadataNodes: readonly KnownMetadataNode[];
  readonly statuses: readonly MetadataStatus[];
  readonly repairs: RepairAnswers | null;
}

/** Repair work of all index groups: some of it, and how much there is. */
export interface RepairAnswers {
  readonly entries: readonly OutboxEntry[];
  readonly total: number;
  /** Bucket and key by blob id. */
  readonly objects: ReadonlyMap<string, { readonly bucket: string; readonly key: string }>;
}

/** Pure. The cluster survives what every one of its groups and Raft groups does. */
export function durabilityStatement(answers: DurabilityAnswers): DurabilityStatement {
  const { map, repairs } = answers;
  const groupsAtRisk = groupsBelowPromise(map);
  const blobsAtRisk = repairs === null ? null : blobsBelowPromise(map, repairs);
  const profiles = profileDurability(map);
  const metadata = metadataDurability(answers);
  const isInOneZone = (pgId: number): boolean => map.groups.get(pgId)?.zone !== undefined;
  const ofData = [
    ...profiles,
    ...(blobsAtRisk ?? []).map((blob) => ({ ...blob, isOneZone: isInOneZone(blob.pgId) })),
  ];
  const spread = [...ofData.filter(({ isOneZone }) => !isOneZone), ...metadata];
  const inOneZone = ofData.filter(({ isOneZone }) => isOneZone);
  return {
    ...stated(weakestLosses(spread.map(({ losses }) => losses))),
    oneZone:
      inOneZone.length === 0 ? null : stated(weakestLosses(inOneZone.map(({ losses }) => losses))),
    profiles,
    groupsAtRisk: groupsAtRisk.slice(0, GROUPS_SHOWN_MAX),
    groupsAtRiskTotal: groupsAtRisk.length,
    blobsAtRisk: blobsAtRisk?.slice(0, BLOBS_SHOWN_MAX) ?? null,
    blobsAtRiskTotal: repairs?.total ?? null,
    blobsInspected: repairs?.entries.length ?? null,
    metadata,
  };
}

export function stated(losses: SurvivedLosses): LossStatement {
  return { losses, survives: describeLosses(losses) };
}

export function profileDurability(
  map: ClusterMap,
  isIncluded: (pgId: number) => boolean = () => true,
): ProfileDurability[] {
  const byProfile = new Map<string, ProfileRows>();
  for (const group of map.groups.values()) {
    if (!isIncluded(group.pgId)) continue;
    const profile = `${group.profile.k}+${group.profile.m}`;
    const { isReduced, zone } = group;
    const isOneZone = zone !== undefined;
    const key = `${profile} ${String(isReduced)} ${String(isOneZone)}`;
    const known = byProfile.get(key) ?? { profile, isReduced, isOneZone, rows: [], slots: {} };
    const { zones, survival } = groupDurability(map, group);
    known.rows.push(survival.losses);
    for (const { zone, slots } of zones) {
      known.slots[zone] = Math.max(known.slots[zone] ?? 0, slots);
    }
    byProfile.set(key, known);
  }
  return [...byProfile.values()].map(({ profile, isReduced, isOneZone, rows, slots }) => ({
    profile,
    isReduced,
    isOneZone,
    groups: rows.length,
    slotsByZone: sortedByKey(slots),
    ...stated(weakestLosses(rows)),
  }));
}

type Slots = Record<string, number>;

interface ProfileRows extends Pick<ProfileDurability, 'profile' | 'isReduced' | 'isOneZone'> {
  readonly rows: SurvivedLosses[];
  readonly slots: Slots;
}

function sortedByKey(slots: Slots): Slots {
  return Object.fromEntries(Object.entries(slots).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const RISK_RANK = { lost: 0, 'at-risk': 1, degraded: 2, none: 3 } as const;

function groupsBelowPromise(map: ClusterMap): GroupAtRisk[] {
  return (
    [...map.groups.values()]
      .map((group) => ({ group, durability: groupDurability(map, group) }))
      // Sealed and all there: what a reduced group still holds is the backlog of re-striping.
      .filter(({ group, durability: { reasons } }) =>
        reasons.some(({ kind }) => kind !== 'reduced' || group.state === 'active'),
      )
      .map(({ group, durability: { zones, survival, reasons } }) => ({
        pgId: group.pgId,
        profile: `${group.profile.k}+${group.profile.m}`,
        risk: survival.risk,
        zones,
        fatalZones: survival.fatalZones,
        reasons: reasons.map(describeReason),
        ...stated(survival.losses),
      }))
      .sort((a, b) => RISK_RANK[a.risk] - RISK_RANK[b.risk] || a.pgId - b.pgId)
  );
}

/** Blobs of groups that the map has no more are being moved by the curator: nothing is known. */
export function blobsBelowPromise(
  map: ClusterMap,
  { entries, objects }: RepairAnswers,
): BlobAtRisk[] {
  return entries
    .flatMap(({ blob, shardIndexes }) => {
      const group = map.groups.get(blob.pgId);
      if (group === undefined) return [];
      const { survival, reasons } = groupDurability(
        map,
        { ...group, profile: blob.profile },
        shardIndexes,
      );
      return [
        {
          blobId: blob.blobId,
          object: objects.get(blob.blobId) ?? null,
          pgId: blob.pgId,
          profile: `${blob.profile.k}+${blob.profile.m}`,
          risk: survival.risk,
          missingShards: shardIndexes,
          reasons: reasons.map(describeReason),
          ...stated(survival.losses),
        },
      ];
    })
    .sort((a, b) => RISK_RANK[a.risk] - RISK_RANK[b.risk]);
}

/**
 * A Raft group goes on while a majority of its voters lives. An acknowledged entry is on a majority
 * of disks, so that as many as may be out may also be lost for good.
 */
export function metadataDurability({
  metadataNodes: known,
  statuses,
}: Pick<DurabilityAnswers, 'metadataNodes' | 'statuses'>): MetadataDurability[] {
  const metadataNodes = known.filter(({ state }) => state !== 'joining');
  const names = [...new Set(statuses.flatMap(({ groups }) => groups.map(({ group }) => group)))];
  const majority = Math.floor(metadataNodes.length / 2) + 1;
  return names.sort(byRaftGroup).map((name) => {
    const isLive = (nodeId: string): boolean =>
      statuses.some(
        (status) => status.nodeId === nodeId && status.groups.some(({ group }) => group === name),
      );
    const live = metadataNodes.filter(({ nodeId }) => isLive(nodeId));
    const zones = [...new Set(metadataNodes.map(({ zone }) => zone))].sort();
    return {
      group: name,
      votersByZone: zones.map((zone) => ({
        zone,
        live: live.filter((node) => node.zone === zone).length,
        voters: metadataNodes.filter((node) => node.zone === zone).length,
      })),
      hasQuorum: live.length >= majority,
      ...stated(survivedLosses(live, majority)),
    };
  });
}

/** `root` first, then the index groups by number. */
export function byRaftGroup(a: string, b: string): number {
  const rank = (name: string): number =>
    name === 'root' ? -1 : Number(name.slice(name.lastIndexOf('-') + 1));
  return rank(a) - rank(b);
}
