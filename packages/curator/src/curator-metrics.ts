import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';

/** What the curator counts. */
export interface CuratorMetrics {
  readonly isLeader: Gauge;
  readonly taskRuns: Counter<'task' | 'outcome'>;
  readonly shardsRebuilt: Counter;
  readonly bytesRebuilt: Counter;
  readonly rebuilds: Counter<'by'>;
  readonly zoneBytes: Counter<'from_zone' | 'to_zone' | 'purpose'>;
  readonly blobsRestriped: Counter;
  readonly blobsDeleted: Counter<'reason'>;
  readonly missingReported: Counter<'source'>;
  readonly shardsCopied: Counter;
  readonly bytesCopied: Counter;
  readonly straysDeleted: Counter;
  readonly backfillsFinished: Counter;
  readonly outboxEntries: Gauge<'kind'>;
  readonly missingShards: Gauge;
  readonly repairShardsToDo: Gauge;
  readonly repairBytesToDo: Gauge;
  readonly groupsUnproven: Gauge;
  readonly blobsAtRisk: Gauge<'losses_left'>;
}

export function createCuratorMetrics(registry: Registry): CuratorMetrics {
  const registers = [registry];
  const counter = <Label extends string = never>(
    name: string,
    help: string,
    labelNames: readonly Label[] = [],
  ): Counter<Label> =>
    new Counter({ name: `azimuth_curator_${name}`, help, labelNames, registers });
  const gauge = (name: string, help: string): Gauge =>
    new Gauge({ name: `azimuth_${name}`, help, registers });
  return {
    isLeader: new Gauge({
      name: 'azimuth_curator_is_leader',
      help: '1 while this curator holds the lease.',
      registers,
    }),
    taskRuns: counter('task_runs_total', 'Runs of background tasks.', ['task', 'outcome']),
    shardsRebuilt: counter('shards_rebuilt_total', 'Shards rebuilt and verified.'),
    bytesRebuilt: counter('bytes_rebuilt_total', 'Bytes of rebuilt shards.'),
    rebuilds: counter('rebuilds_total', 'Shards rebuilt, by who computed them.', ['by']),
    zoneBytes: new Counter({
      name: 'azimuth_repair_zone_bytes_total',
      help: 'Bytes of shards that passed through this curator, by the zones they went between.',
      labelNames: ['from_zone', 'to_zone', 'purpose'],
      registers,
    }),
    blobsRestriped: counter('blobs_restriped_total', 'Blobs moved to a normal group.'),
    blobsDeleted: counter('blobs_deleted_total', 'Unreferenced blobs deleted.', ['reason']),
    missingReported: counter('missing_shards_reported_total', 'Shards found missing or corrupt.', [
      'source',
    ]),
    shardsCopied: counter('shards_copied_total', 'Shards copied from a disk that they leave.'),
    bytesCopied: counter('bytes_copied_total', 'Bytes of copied shards.'),
    straysDeleted: counter('strays_deleted_total', 'Shards deleted where their slot has left.'),
    backfillsFinished: counter('backfills_finished_total', 'Slots moved to another disk.'),
    outboxEntries: new Gauge({
      name: 'azimuth_outbox_entries',
      help: 'Follow-up work that waits, by kind.',
      labelNames: ['kind'],
      registers,
    }),
    repairShardsToDo: gauge('repair_shards_to_do', 'Shards that wait for repair.'),
    repairBytesToDo: gauge('repair_bytes_to_do', 'Bytes of the shards that wait for repair.'),
    groupsUnproven: gauge(
      'repair_groups_unproven',
      'Placement groups not read back since something of them was missing.',
    ),
    blobsAtRisk: new Gauge({
      name: 'azimuth_blobs_at_risk',
      help: 'Blobs that lack shards, by the node losses that they still survive.',
      labelNames: ['losses_left'],
      registers,
    }),
    missingShards: new Gauge({
      name: 'azimuth_missing_shards',
      help: 'Shards known to be missing.',
      registers,
    }),
  };
}
