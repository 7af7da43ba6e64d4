import { Command } from 'commander';
import { StoreError } from '@azimuth/common';
import type { RepairRecord } from '@azimuth/proto';

import type { CliContext } from '../cli-context';
import { runAgainstCluster } from '../cluster-access';
import type { ClusterAccess, ClusterLocation } from '../cluster-access';
import { renderRepair } from '../output/repair-text';

const ANSWER_TIMEOUT_MS = 5_000;
const POLL_MS = 1_000;

interface StatusFlags extends ClusterLocation {
  readonly json: boolean;
}

interface CensusFlags extends ClusterLocation {
  readonly wait: boolean;
  readonly timeLimit: string;
}

/** `azimuth repair`: what there is to do, and whether it is done. */
export function repairCommand(context: CliContext): Command {
  const command = new Command('repair').summary('how far repair is, and a census of every shard');
  located(command.command('status'))
    .summary('what repair has to do, at which rate, and the last census')
    .option('--json', 'print one JSON document', false)
    .action((flags: StatusFlags) =>
      runAgainstCluster(flags, context, async (cluster) => {
        const record = await readRepair(cluster);
        const lines = flags.json
          ? [JSON.stringify(record)]
          : renderRepair(record, context.clock.wallMs());
        for (const line of lines) context.print(line);
      }),
    );
  located(command.command('census'))
    .summary('have every shard of the cluster read back from its disk')
    .option('--wait', 'until it is over; exits with 2 when a shard is missing', false)
    .option('--time-limit <seconds>', 'how long --wait waits', '86400')
    .action((flags: CensusFlags) =>
      runAgainstCluster(flags, context, (cluster) => takeCensus(cluster, flags, context)),
    );
  return command;
}

function located(command: Command): Command {
  return command
    .option('--data <dir>', 'directory of a development cluster', '.azimuth')
    .option('--region <name>', 'region of the development cluster (default: the first)')
    .option('--config <file>', 'settings of an admin identity, instead of --data');
}

function readRepair({ metadata }: Pick<ClusterAccess, 'metadata'>): Promise<RepairRecord | null> {
  return metadata.queryRoot('GetRepair', {}, { timeoutMs: ANSWER_TIMEOUT_MS });
}

async function takeCensus(
  cluster: ClusterAccess,
  flags: CensusFlags,
  { clock, print }: CliContext,
): Promise<void> {
  const { requestedMs } = await cluster.metadata.root('RequestCensus', {});
  if (!flags.wait) {
    print('census requested; `azimuth repair status` says how far it is');
    return;
  }
  const endMs = clock.monotonicMs() + 1_000 * Number(flags.timeLimit);
  let last = '';
  for (;;) {
    const record = await readRepair(cluster).catch(() => null);
    const line = renderRepair(record, clock.wallMs()).at(-1) ?? '';
    if (line !== last) print(line);
    last = line;
    const shardsMissing = missingAfter(record, requestedMs);
    if (shardsMissing !== null) {
      if (shardsMissing > 0) process.exitCode = 2;
      return;
    }
    if (clock.monotonicMs() > endMs) throw new StoreError('TIMEOUT', { census: last });
    await clock.sleep(POLL_MS);
  }
}

/** Null until a census that began after `requestedMs` has ended. */
function missingAfter(record: RepairRecord | null, requestedMs: number): number | null {
  const census = record?.report?.census ?? null;
  const isOver = census !== null && census.startedMs >= requestedMs && census.finishedMs !== null;
  return isOver ? census.shardsMissing : null;
}
