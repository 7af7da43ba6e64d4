import { Command } from 'commander';
import { StoreError } from '@azimuth/common';
import { leavingIntent } from '@azimuth/placement';
import type { IntentKind, IntentScope, TopologyChange } from '@azimuth/placement';

import { runAgainstCluster } from '../cluster-access';
import type { ClusterAccess, ClusterLocation } from '../cluster-access';
import { renderForecast, renderProgress } from '../output/topology-text';
import {
  commitChange,
  disksOfScope,
  followChange,
  forecastChange,
  requireMap,
  resolveName,
} from '../topology-change';
import { setZoneMayLead, waitForLeadersToLeave } from '../zone-leaders';
import type { CliContext } from '../cli-context';

interface TopologyFlags extends ClusterLocation {
  readonly dryRun: boolean;
  readonly wait: boolean;
  readonly json: boolean;
}

const ARGUMENT: Readonly<Record<IntentScope, string>> = {
  disk: 'id of the disk, or its first characters',
  node: 'name of the storage node',
  zone: 'name of the zone',
};

const SUMMARY = {
  drain: 'move everything off it while it serves on; then it can be removed',
  replace: 'move its slots to what takes its place, as soon as that is there',
  retire: 'it is lost for good: move its slots to the zones that are left',
  maintenance: 'take new writes elsewhere, so that the zone can be switched off; nothing moves',
} satisfies Readonly<Record<IntentKind, string>>;

/** `azimuth disk`, `azimuth node` and `azimuth zone`. */
export function topologyCommand(scope: IntentScope, context: CliContext): Command {
  const command = new Command(scope)
    .summary(`add, drain, remove or replace a ${scope}`)
    .description(
      `Changes which ${scope}s hold data. A change that would break the zone condition, or for ` +
        'which there is no room, is refused with the reason. --dry-run shows what will move, and ' +
        'what is survived meanwhile.',
    );
  command.addCommand(addCommand(scope, context));
  command.addCommand(intentCommand(scope, 'drain', context));
  command.addCommand(intentCommand(scope, 'replace', context));
  command.addCommand(removeCommand(scope, context));
  if (scope === 'zone') {
    command.addCommand(intentCommand(scope, 'retire', context));
    const maintenance = new Command('maintenance').summary(SUMMARY.maintenance);
    maintenance.addCommand(changeCommand('start', scope, 'maintenance', context));
    maintenance.addCommand(changeCommand('end', scope, null, context));
    command.addCommand(maintenance);
  }
  return command;
}

function intentCommand(scope: IntentScope, kind: IntentKind, context: CliContext): Command {
  return changeCommand(kind, scope, kind, context).summary(SUMMARY[kind]);
}

function changeCommand(
  verb: string,
  scope: IntentScope,
  kind: IntentKind | null,
  context: CliContext,
): Command {
  return withOptions(verb, scope, context, async (cluster, name, flags) => {
    const map = await requireMap(cluster);
    await runChange(cluster, { scope, name: resolveName(map, scope, name), kind }, flags, context);
  });
}

/** Back into service; of a zone that is not there yet, makes it known. */
function addCommand(scope: IntentScope, context: CliContext): Command {
  const command = withOptions('add', scope, context, async (cluster, name, flags) => {
    const map = await requireMap(cluster);
    if (scope === 'zone' && !map.settings.zones.includes(name)) {
      if (!flags.dryRun) await cluster.metadata.root('AddZone', { zone: name });
      context.print(`zone ${name}: added; storage nodes that start with it as their zone join it`);
      return;
    }
    const change = { scope, name: resolveName(map, scope, name), kind: null };
    await runChange(cluster, change, flags, context);
  });
  return command.summary(
    scope === 'zone'
      ? 'make a new zone known, or take one back into service'
      : `take a ${scope} back into service; a new one joins by itself when its node starts`,
  );
}

async function runChange(
  cluster: ClusterAccess,
  change: TopologyChange,
  flags: TopologyFlags,
  context: CliContext,
): Promise<void> {
  if (flags.dryRun) {
    const forecast = await forecastChange(cluster, change);
    const { moves, stuck, opened, meanwhile, problems } = forecast;
    const document = { moves, stuck, opened, meanwhile, problems };
    const lines = flags.json ? [JSON.stringify(document)] : renderForecast(change, forecast);
    for (const line of lines) context.print(line);
    if (problems.length > 0) process.exitCode = 2;
    return;
  }
  const forecast = await commitChange(cluster, change);
  const { moves, opened } = forecast;
  context.print(
    flags.json
      ? JSON.stringify({ committed: change, moves: moves.length, opened })
      : `${change.scope} ${change.name}: ${change.kind ?? 'into service'}, ${moves.length} slots move`,
  );
  await moveLeaders(cluster, change, flags, context);
  if (!flags.wait) return;
  await followChange(cluster, change, {
    clock: context.clock,
    report: (progress) => {
      context.print(flags.json ? JSON.stringify(progress) : renderProgress(progress));
    },
  });
}

/** Leaders go before a zone may be switched off, and may be back when it is in service. */
async function moveLeaders(
  cluster: ClusterAccess,
  { scope, name, kind }: TopologyChange,
  { wait, json }: TopologyFlags,
  { clock, print }: CliContext,
): Promise<void> {
  if (scope !== 'zone' || (kind !== 'maintenance' && kind !== null)) return;
  const mayLead = kind === null;
  const refusal = await setZoneMayLead(cluster, name, mayLead);
  const isGone = wait && !mayLead ? await waitForLeadersToLeave(cluster, name, clock) : null;
  if (json) print(JSON.stringify({ mayLead, refusal, isFreeOfLeaders: isGone }));
  else if (refusal !== null) print(`metadata leaders stay where they are: ${refusal}`);
  else if (mayLead) print(`metadata nodes of zone ${name} may lead again`);
  else if (isGone === false) print(`metadata groups are still led from zone ${name}`);
  else print(`metadata leaders ${isGone === true ? 'have moved' : 'move'} out of zone ${name}`);
}

function removeCommand(scope: IntentScope, context: CliContext): Command {
  const command = withOptions('remove', scope, context, async (cluster, name, flags) => {
    const map = await requireMap(cluster);
    const resolved = resolveName(map, scope, name);
    const disks = disksOfScope(map, { scope, name: resolved });
    const inService = disks.find(({ diskId }) => leavingIntent(map, diskId) === null);
    const isAlive = inService !== undefined && map.nodes.get(inService.nodeId)?.state === 'up';
    if (isAlive && inService.state !== 'lost') {
      const hint = `azimuth ${scope} drain ${name} --wait`;
      throw new StoreError('INVALID_ARGUMENT', { reason: 'it is in service', hint });
    }
    if (flags.dryRun) {
      const bytes = disks.map(({ diskId }) => diskId.slice(0, 8)).join(', ');
      context.print(`${scope} ${resolved} would be forgotten${bytes === '' ? '' : `: ${bytes}`}`);
      return;
    }
    await removeScope(cluster, scope, resolved, [...new Set(disks.map((disk) => disk.nodeId))]);
    context.print(`${scope} ${resolved}: removed`);
  });
  return command.summary(
    `forget a ${scope} that is proven to be empty, or can never be read again`,
  );
}

async function removeScope(
  cluster: ClusterAccess,
  scope: IntentScope,
  name: string,
  nodeIds: readonly string[],
): Promise<void> {
  const { metadata } = cluster;
  if (scope === 'disk') await metadata.root('RemoveDisk', { diskId: name });
  if (scope === 'node') await metadata.root('RemoveNode', { nodeId: name });
  if (scope !== 'zone') return;
  for (const nodeId of nodeIds) await metadata.root('RemoveNode', { nodeId });
  await metadata.root('RemoveZone', { zone: name });
}

function withOptions(
  verb: string,
  scope: IntentScope,
  context: CliContext,
  run: (cluster: ClusterAccess, name: string, flags: TopologyFlags) => Promise<void>,
): Command {
  return new Command(verb)
    .argument(`<${scope}>`, ARGUMENT[scope])
    .option(
      '--dry-run',
      'show what will move and what is survived meanwhile; change nothing',
      false,
    )
    .option(
      '--wait',
      'follow the change until it is carried out; may be stopped at any time',
      false,
    )
    .option('--data <dir>', 'directory of a development cluster', '.azimuth')
    .option('--region <name>', 'region of the development cluster (default: the first)')
    .option('--config <file>', 'settings of an admin identity, instead of --data')
    .option('--json', 'print JSON documents, one a line', false)
    .action((name: string, flags: TopologyFlags) =>
      runAgainstCluster(flags, context, (cluster) => run(cluster, name, flags)),
    );
}
