import type { ClusterStatus } from '../cluster-status';
import { renderDurability } from './durability-text';
import { renderRepair } from './repair-text';
import { renderScrub } from './scrub-text';
import { renderBytes, renderTable } from './table';

/** `azimuth status` for people. The last line is `<N> shards missing`, also for scripts. */
export function renderStatus(status: ClusterStatus, nowMs: number): string[] {
  const { whole, degraded, reduced } = status.placementGroups;
  const { repairEntries, garbageEntries, restripeEntries } = status.backlog;
  return [
    `cluster ${status.clusterId ?? 'unknown'}, region ${status.region ?? 'unknown'}`,
    '',
    ...renderTable(
      ['ZONE', 'STATE', 'STORAGE NODES UP', 'METADATA NODES UP'],
      status.zones.map((zone) => [
        zone.zone,
        zone.intent === null ? zone.state : `${zone.state}, ${zone.intent}`,
        `${zone.storageNodesUp} of ${zone.storageNodes}`,
        `${zone.metadataNodesUp} of ${zone.metadataNodes}`,
      ]),
    ),
    '',
    ...renderTable(
      ['METADATA NODE', 'ZONE', 'STATE', 'MAY LEAD', 'LEADS'],
      status.metadata.map((node) => [
        node.nodeId,
        node.zone,
        node.isReachable ? node.state : `${node.state}, unreachable`,
        node.mayLead ? 'yes' : 'no',
        node.leads.join(' ') || '-',
      ]),
    ),
    '',
    ...renderTable(
      ['RAFT GROUP', 'LEADER', 'TERM', 'COMMITTED', 'APPLY LAG'],
      status.raftGroups.map((group) => [
        group.group,
        group.leader ?? 'none',
        group.term,
        group.commitIndex,
        group.applyLag,
      ]),
    ),
    '',
    ...renderTable(
      ['NODE', 'ZONE', 'STATE', 'DISK', 'DISK STATE', 'USED', 'OF', 'SHARDS'],
      status.storage.flatMap((node) =>
        node.disks.map((disk) => [
          node.nodeId,
          node.zone,
          node.state,
          disk.diskId.slice(0, 8),
          disk.intent === null ? disk.state : `${disk.state}, ${disk.intent}`,
          disk.usedBytes === null ? '?' : renderBytes(disk.usedBytes),
          renderBytes(disk.capacityBytes),
          disk.shardCount ?? '?',
        ]),
      ),
    ),
    '',
    ...(status.durability === null ? [] : [...renderDurability(status.durability), '']),
    ...renderScrub(status.scrub),
    ...renderFindings(status),
    `placement groups: ${whole} whole, ${degraded} degraded, ${reduced} reduced`,
    `backlog: ${repairEntries} blobs to repair, ${restripeEntries} to re-stripe, ` +
      `${garbageEntries} to collect`,
    ...renderRepair(status.repair, nowMs),
    status.shardsMissing === null
      ? 'shards missing: unknown, a part of the cluster does not answer'
      : `${status.shardsMissing} shards missing`,
  ];
}

const FINDINGS_SHOWN_MAX = 5;
const REMEDIES = { local: 'from its own disk', peers: 'from its peers' } as const;

/** Nothing while there is nothing to tell. */
function renderFindings({ findings, damagedReplicas }: ClusterStatus): string[] {
  const lines = [
    ...damagedReplicas.map(({ nodeId, group }) => `${nodeId} rebuilds ${group}, without a vote`),
    ...findings.slice(-FINDINGS_SHOWN_MAX).map(({ nodeId, group, problem, remedy, foundMs }) => {
      const what = group === null ? problem : `${problem} of ${group}`;
      return `${new Date(foundMs).toISOString()} ${nodeId}: damaged ${what}, made again ${REMEDIES[remedy]}`;
    }),
  ];
  const hidden = findings.length - FINDINGS_SHOWN_MAX;
  if (hidden > 0) lines.push(`and ${hidden} findings before`);
  return lines.length === 0 ? [] : ['metadata findings:', ...lines.map((line) => `  ${line}`), ''];
}
