import { Command } from 'commander';
import { mapLimited } from '@azimuth/common';
import type { ClusterMap, DiskId } from '@azimuth/placement';

import { runAgainstCluster } from '../cluster-access';
import type { ClusterAccess, ClusterLocation } from '../cluster-access';
import { countCorruptShards } from '../corrupt-shards';
import { summarizeCluster, unreadableSlots } from '../cluster-status';
import type { ClusterStatus } from '../cluster-status';
import { askMetadataNodes } from '../metadata-answers';
import { collectRepairs } from '../repair-answers';
import { renderStatus } from '../output/status-text';
import type { ScrubAnswer } from '../scrub-status';
import type { CliContext } from '../cli-context';

const ANSWER_TIMEOUT_MS = 5_000;
const PARALLEL_MAX = 8;

interface StatusFlags extends ClusterLocation {
  readonly json: boolean;
}

export function statusCommand(context: CliContext): Command {
  return new Command('status')
    .summary('show zones, nodes, disks, Raft leaders and what is missing')
    .description(
      'Shows zones, nodes, disks, Raft leaders, placement groups, what the cluster survives now and ' +
        'what is at risk and why, and the work that is waiting. The last line is "<N> shards ' +
        'missing": shards to rebuild, found corrupt while something references them, or on disks ' +
        'that cannot be read now. Exits with 2 when a part of the cluster does not answer.',
    )
    .option('--data <dir>', 'directory of a development cluster', '.azimuth')
    .option('--region <name>', 'region of the development cluster (default: the first)')
    .option('--config <file>', 'settings of an admin identity, instead of --data')
    .option('--json', 'print one JSON document', false)
    .action((flags: StatusFlags) =>
      runAgainstCluster(flags, context, async (cluster) => {
        const status = await collectStatus(cluster);
        const lines = flags.json
          ? [JSON.stringify(status)]
          : renderStatus(status, context.clock.wallMs());
        for (const line of lines) context.print(line);
        if (status.shardsMissing === null) process.exitCode = 2;
      }),
    );
}

/** Asks every part of the cluster at once; what does not answer is unknown, not an error. */
export async function collectStatus(cluster: ClusterAccess): Promise<ClusterStatus> {
  const options = { timeoutMs: ANSWER_TIMEOUT_MS };
  const [map, { metadataNodes, statuses }] = await Promise.all([
    cluster.map(ANSWER_TIMEOUT_MS),
    askMetadataNodes(cluster, ANSWER_TIMEOUT_MS),
  ]);
  const groups = Array.from({ length: map?.settings.indexGroups ?? 0 }, (_, i) => `index-${i}`);
  const [outboxes, unreadableShards, corruptShards, repairs, repair, scrubs] = await Promise.all([
    Promise.all(
      groups.map(async (group) => ({
        group,
        counts: await cluster.metadata
          .queryIndex(group, 'CountOutbox', {}, options)
          .catch(() => null),
      })),
    ),
    map === null ? null : countUnreadableShards(cluster, map),
    map === null
      ? new Map<DiskId, number>()
      : countCorruptShards(cluster, map, statuses, ANSWER_TIMEOUT_MS),
    collectRepairs(cluster, groups, ANSWER_TIMEOUT_MS),
    cluster.metadata.queryRoot('GetRepair', {}, options).catch(() => null),
    map === null ? [] : collectScrubs(cluster, map),
  ]);
  return summarizeCluster({
    ...{ map, metadataNodes, statuses },
    ...{ outboxes, unreadableShards, corruptShards, repairs, repair, scrubs },
  });
}

/**
 * A disk that cannot be read cannot be asked how much it holds. But each blob of a group has a
 * shard on every slot, so another slot of the group tells; the fullest one, as others may lack
 * some.
 */
async function countUnreadableShards(
  cluster: ClusterAccess,
  map: ClusterMap,
): Promise<number | null> {
  const counts = await mapLimited(unreadableSlots(map), PARALLEL_MAX, async ({ group, slots }) => {
    const readable = group.slots.filter((_disk, slot) => !slots.includes(slot));
    const held = await Promise.all(
      readable.map((diskId) => countOnDisk(cluster, map, diskId, group.pgId)),
    );
    const known = held.filter((count) => count !== null);
    return known.length === 0 ? null : Math.max(...known) * slots.length;
  });
  let total = 0;
  for (const count of counts) {
    if (count === null) return null;
    total += count;
  }
  return total;
}

async function collectScrubs(
  cluster: ClusterAccess,
  map: ClusterMap,
): Promise<readonly ScrubAnswer[]> {
  const up = [...map.nodes.values()].filter(({ state }) => state === 'up');
  const answers = await mapLimited(up, PARALLEL_MAX, (node) => cluster.storage.scrubsOf(node));
  return answers.flat();
}

async function countOnDisk(
  cluster: ClusterAccess,
  map: ClusterMap,
  diskId: DiskId,
  pgId: number,
): Promise<number | null> {
  const node = map.nodes.get(map.disks.get(diskId)?.nodeId ?? '');
  return node === undefined ? null : cluster.storage.countShards(node, diskId, { pgId });
}
