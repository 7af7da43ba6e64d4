import { intentKey, intentsOf, isDiskReadable, isGroupWhole } from '@azimuth/placement';
import type { ClusterMap, DiskId, PlacementGroup } from '@azimuth/placement';
import type { IndexQueries, MetadataFinding, MetadataStatus, RepairRecord } from '@azimuth/proto';

import { groupsLedBy } from './metadata-answers';
import type { KnownMetadataNode } from './metadata-answers';
import { byRaftGroup, durabilityStatement } from './durability-statement';
import type { DurabilityStatement, RepairAnswers } from './durability-statement';
import { summarizeScrub } from './scrub-status';
import type { ScrubAnswer, ScrubZoneStatus } from './scrub-status';

export type OutboxCounts = IndexQueries['CountOutbox']['result'];

/** What was asked of the cluster; null is what could not be answered. */
export interface ClusterAnswers {
  readonly map: ClusterMap | null;
  readonly metadataNodes: readonly KnownMetadataNode[];
  readonly statuses: readonly MetadataStatus[];
  readonly outboxes: readonly { readonly group: string; readonly counts: OutboxCounts | null }[];
  /** Shards on disks that cannot be read now, by counting what their groups hold elsewhere. */
  readonly unreadableShards: number | null;
  /** Of what nodes found corrupt, what is still referenced; without an entry all of it counts. */
  readonly corruptShards: ReadonlyMap<DiskId, number>;
  readonly repairs: RepairAnswers | null;
  /** How far repair is; null when nobody says. */
  readonly repair: RepairRecord | null;
  /** Of the disks whose nodes answer. */
  readonly scrubs: readonly ScrubAnswer[];
}

export interface ClusterStatus {
  readonly clusterId: string | null;
  readonly region: string | null;
  readonly zones: readonly ZoneStatus[];
  readonly metadata: readonly MetadataNodeStatus[];
  readonly raftGroups: readonly RaftGroupStatus[];
  readonly storage: readonly StorageNodeStatus[];
  readonly placementGroups: PlacementGroupCounts;
  /** What all of it survives now; null without a cluster map. */
  readonly durability: DurabilityStatement | null;
  readonly backlog: {
    readonly repairEntries: number;
    readonly garbageEntries: number;
    readonly restripeEntries: number;
  };
  /** Damage that metadata nodes found in what they store, newest last. */
  readonly findings: readonly (MetadataFinding & { readonly nodeId: string })[];
  /** Replicas that abstain until they have again what they lost. */
  readonly damagedReplicas: readonly { readonly nodeId: string; readonly group: string }[];
  readonly repair: RepairRecord | null;
  /** How far the scrub tours are; empty without a cluster map. */
  readonly scrub: readonly ScrubZoneStatus[];
  /** Shards to rebuild, corrupt, or on disks that cannot be read; null when that is not known. */
  readonly shardsMissing: number | null;
}

export interface ZoneStatus {
  readonly zone: string;
  /** `down` when none of its storage nodes is up. */
  readonly state: 'up' | 'down';
  /** What an operator wants of the zone: `maintenance`, `drain`, …; null in service. */
  readonly intent: string | null;
  readonly storageNodesUp: number;
  readonly storageNodes: number;
  readonly metadataNodesUp: number;
  readonly metadataNodes: number;
}

export interface MetadataNodeStatus extends KnownMetadataNode {
  readonly isReachable: boolean;
  /** The groups that it leads. */
  readonly leads: readonly string[];
}

export interface RaftGroupStatus {
  readonly group: string;
  readonly leader: string | null;
  readonly term: number;
  readonly commitIndex: number;
  /** Entries that the slowest replica that answered has still to apply. */
  readonly applyLag: number;
}

export interface StorageNodeStatus {
  readonly nodeId: string;
  readonly zone: string;
  readonly state: string;
  readonly disks: readonly DiskStatus[];
}

export interface DiskStatus {
  readonly diskId: string;
  readonly state: string;
  /**
   * What an operator wants of the disk, its node or its zone; `drained` once it is proven to hold
   * nothing that is referenced; null in service.
   */
  readonly intent: string | null;
  readonly capacityBytes: number;
  /** Null when the root leader has not heard from its node. */
  readonly usedBytes: number | null;
  readonly shardCount: number | null;
  /** As its node found them; some may be of deleted objects. */
  readonly corruptShards: number;
}

/** Each group counts once. */
export interface PlacementGroupCounts {
  readonly whole: number;
  /** A slot cannot be written, or is being moved. */
  readonly degraded: number;
  /** Opened while a node or zone was out; its blobs are re-striped. */
  readonly reduced: number;
}

/** Puts the answers together. Pure. */
export function summarizeCluster(answers: ClusterAnswers): ClusterStatus {
  const { map, statuses, outboxes } = answers;
  const storage = map === null ? [] : storageNodes(map, statuses);
  const metadata = answers.metadataNodes.map(({ nodeId, zone, state, mayLead }) => ({
    ...{ nodeId, zone, state, mayLead },
    isReachable: statuses.some((status) => status.nodeId === nodeId),
    leads: groupsLedBy(nodeId, statuses),
  }));
  const sum = (pick: (counts: OutboxCounts) => number): number =>
    outboxes.reduce((total, { counts }) => total + (counts === null ? 0 : pick(counts)), 0);
  const corrupt = storage
    .filter(({ state }) => state === 'up')
    .flatMap(({ disks }) => disks)
    .reduce(
      (total, disk) => total + (answers.corruptShards.get(disk.diskId) ?? disk.corruptShards),
      0,
    );
  const isKnown =
    map !== null &&
    answers.unreadableShards !== null &&
    outboxes.length === map.settings.indexGroups &&
    outboxes.every(({ counts }) => counts !== null);
  return {
    clusterId: map?.settings.clusterId ?? null,
    region: map?.settings.region ?? null,
    zones: zoneStatuses(map, storage, metadata),
    metadata,
    raftGroups: raftGroups(statuses),
    storage,
    placementGroups: countGroups(map),
    durability: map === null ? null : durabilityStatement({ ...answers, map }),
    backlog: {
      repairEntries: sum((counts) => counts.repairEntries),
      garbageEntries: sum((counts) => counts.garbageEntries),
      restripeEntries: sum((counts) => counts.restripeEntries),
    },
    findings: statuses
      .flatMap(({ nodeId, findings = [] }) => findings.map((finding) => ({ ...finding, nodeId })))
      .sort((a, b) => a.foundMs - b.foundMs),
    damagedReplicas: statuses.flatMap(({ nodeId, groups }) =>
      groups
        .filter(({ integrity }) => integrity?.isDamaged === true)
        .map(({ group }) => ({ nodeId, group })),
    ),
    repair: answers.repair,
    scrub: map === null ? [] : summarizeScrub(map, answers.scrubs),
    shardsMissing: isKnown
      ? sum((counts) => counts.missingShards) + answers.unreadableShards + corrupt
      : null,
  };
}

/** Slots that cannot be read now, by group: what lies there counts as missing until it is back. */
export function unreadableSlots(
  map: ClusterMap,
): { readonly group: PlacementGroup; readonly slots: readonly number[] }[] {
  return [...map.groups.values()]
    .map((group) => ({
      group,
      slots: group.slots.flatMap((diskId, slot) => (isDiskReadable(map, diskId) ? [] : [slot])),
    }))
    .filter(({ slots }) => slots.length > 0);
}

function storageNodes(map: ClusterMap, statuses: readonly MetadataStatus[]): StorageNodeStatus[] {
  const heard = new Map(
    statuses.flatMap(({ storage }) => storage.map((entry) => [entry.nodeId, entry] as const)),
  );
  return [...map.nodes.values()].map((node) => ({
    nodeId: node.nodeId,
    zone: node.zone,
    state: node.state,
    disks: [...map.disks.values()]
      .filter((disk) => disk.nodeId === node.nodeId)
      .map((disk) => {
        const seen = heard.get(node.nodeId)?.disks.find(({ diskId }) => diskId === disk.diskId);
        return {
          diskId: disk.diskId,
          state: disk.state,
          intent: disk.drainedMs === undefined ? intentText(map, disk.diskId) : 'drained',
          capacityBytes: disk.capacityBytes,
          usedBytes: seen?.usedBytes ?? null,
          shardCount: seen?.shardCount ?? null,
          corruptShards: seen?.corruptShards ?? 0,
        };
      }),
  }));
}

function zoneStatuses(
  map: ClusterMap | null,
  storage: readonly StorageNodeStatus[],
  metadata: readonly MetadataNodeStatus[],
): ZoneStatus[] {
  const zones = map?.settings.zones ?? [...new Set(metadata.map(({ zone }) => zone))];
  return zones.map((zone) => {
    const ofZone = storage.filter((node) => node.zone === zone);
    const voters = metadata.filter((node) => node.zone === zone && node.state !== 'joining');
    const up = ofZone.filter(({ state }) => state === 'up');
    return {
      zone,
      state: ofZone.length > 0 && up.length === 0 ? 'down' : 'up',
      intent: map?.intents?.get(intentKey('zone', zone))?.kind ?? null,
      storageNodesUp: up.length,
      storageNodes: ofZone.length,
      metadataNodesUp: voters.filter(({ isReachable }) => isReachable).length,
      metadataNodes: voters.length,
    };
  });
}

function raftGroups(statuses: readonly MetadataStatus[]): RaftGroupStatus[] {
  const names = new Set(statuses.flatMap(({ groups }) => groups.map(({ group }) => group)));
  return [...names].sort(byRaftGroup).map((name) => {
    const views = statuses.flatMap(({ nodeId, groups }) =>
      groups.filter(({ group }) => group === name).map((view) => ({ ...view, nodeId })),
    );
    const term = Math.max(...views.map((view) => view.term));
    const commitIndex = Math.max(...views.map((view) => view.commitIndex));
    // Only one that leads in the newest term leads: an old leader may not know of its end yet.
    const leader = views.find((view) => view.role === 'leader' && view.term === term);
    return {
      group: name,
      leader: leader?.nodeId ?? null,
      term,
      commitIndex,
      applyLag: commitIndex - Math.min(...views.map((view) => view.lastApplied)),
    };
  });
}

function intentText(map: ClusterMap, diskId: DiskId): string | null {
  return intentsOf(map, diskId)[0]?.kind ?? null;
}

function countGroups(map: ClusterMap | null): PlacementGroupCounts {
  const counts = { whole: 0, degraded: 0, reduced: 0 };
  if (map === null) return counts;
  for (const group of map.groups.values()) {
    if (group.isReduced) counts.reduced += 1;
    else if (isGroupWhole(map, group) && group.backfill === null) counts.whole += 1;
    else counts.degraded += 1;
  }
  return counts;
}
