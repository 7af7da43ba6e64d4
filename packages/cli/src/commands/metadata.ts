import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { StoreError } from '@azimuth/common';
import type {
  MetadataIntent,
  MetadataNodeAddress,
  MetadataNodeEntry,
  MetadataStatus,
} from '@azimuth/proto';

import { runAgainstCluster } from '../cluster-access';
import type { ClusterAccess, ClusterLocation } from '../cluster-access';
import { askMetadataNodes, groupsLedBy, rootLeaderOf } from '../metadata-answers';
import { renderTable } from '../output/table';
import type { CliContext } from '../cli-context';

const ANSWER_TIMEOUT_MS = 5_000;
const WAIT_TIMEOUT_MS = 300_000;
const POLL_MS = 500;

interface Flags extends ClusterLocation {
  readonly dryRun: boolean;
  readonly wait: boolean;
  readonly address?: { readonly host: string; readonly port: number };
  readonly zone?: string;
  readonly with?: string;
  readonly outOfZone?: string;
  readonly outOfNode?: string;
  readonly backToZone?: string;
  readonly backToNode?: string;
  readonly node?: readonly MetadataNodeAddress[];
}

/** `azimuth metadata list|add|remove|replace|transfer`, below the role of that name. */
export function addMetadataCommands(role: Command, context: CliContext): void {
  addLocation(role.command('list'))
    .description('who the metadata nodes are, and which groups they lead')
    .action((_flags: unknown, self: Command) => list(self.optsWithGlobals<Flags>(), context));
  addChange(role.command('add'))
    .description(
      'takes in nodes that run with `whenEmpty` set to `join`; several become voters at once',
    )
    .requiredOption('--node <name=zone@host:port>', 'may be repeated', collectNode)
    .action((_flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<Flags>();
      return change(flags, context, { kind: 'change', add: flags.node ?? [], remove: [] });
    });
  addChange(role.command('remove'))
    .description('these nodes stop voting, and are forgotten')
    .argument('<node...>')
    .action((remove: string[], _flags: unknown, self: Command) =>
      change(self.optsWithGlobals<Flags>(), context, { kind: 'change', add: [], remove }),
    );
  addChange(role.command('replace'))
    .description('another node, with an empty directory, takes the place of one that is lost')
    .argument('<node>', 'the one that goes, dead or alive')
    .requiredOption('--with <name>', 'a name that no metadata node had before')
    .requiredOption('--zone <zone>', 'of the new node')
    .requiredOption('--address <host:port>', 'of the new node: its rpcPort', parseAddress)
    .action((lost: string, _flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<Flags>();
      const { with: nodeId = '', zone = '', address = { host: '', port: 0 } } = flags;
      const add = [{ nodeId, zone, ...address }];
      return change(flags, context, { kind: 'change', add, remove: [lost] });
    });
  addLocation(role.command('transfer'))
    .description(
      'keeps leaders away from a zone or node before maintenance, until they may be back',
    )
    .option('--dry-run', 'only say what would happen', false)
    .option('--out-of-zone <zone>', 'no node of the zone leads from now on')
    .option('--out-of-node <node>', 'the node does not lead from now on')
    .option('--back-to-zone <zone>', 'the maintenance is over')
    .option('--back-to-node <node>', 'the maintenance is over')
    .action((_flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<Flags>();
      return change({ ...flags, wait: false }, context, leadIntent(flags));
    });
}

function addLocation(command: Command): Command {
  return command
    .option('--data <dir>', 'directory of a development cluster', '.azimuth')
    .option('--region <name>', 'region of the development cluster (default: the first)');
}

function addChange(command: Command): Command {
  return addLocation(command)
    .option('--dry-run', 'only say what would happen, or why it is refused', false)
    .option('--no-wait', 'do not wait until every group has its new voters');
}

function leadIntent(flags: Flags): MetadataIntent {
  const { outOfZone, outOfNode, backToZone, backToNode } = flags;
  const given = [outOfZone, outOfNode, backToZone, backToNode].filter((each) => each !== undefined);
  if (given.length !== 1) {
    throw new StoreError('INVALID_ARGUMENT', { hint: 'name one zone or node' });
  }
  return {
    kind: 'lead',
    nodeId: outOfNode ?? backToNode ?? null,
    zone: outOfZone ?? backToZone ?? null,
    mayLead: outOfZone === undefined && outOfNode === undefined,
  };
}

function change(flags: Flags, context: CliContext, intent: MetadataIntent): Promise<never> {
  return runAgainstCluster(flags, context, async (cluster) => {
    const timeoutMs = ANSWER_TIMEOUT_MS;
    const { lines } = await cluster.metadata.intend(intent, flags.dryRun, { timeoutMs });
    for (const line of lines) context.print(line);
    if (flags.dryRun || !flags.wait) return;
    await waitUntilDone(cluster, intent, context);
    context.print('done');
  });
}

/** @throws StoreError TIMEOUT: the change goes on, `azimuth metadata list` tells how far it is */
async function waitUntilDone(
  cluster: ClusterAccess,
  intent: MetadataIntent,
  { clock }: CliContext,
): Promise<void> {
  const deadlineMs = clock.monotonicMs() + WAIT_TIMEOUT_MS;
  const timeoutMs = ANSWER_TIMEOUT_MS;
  for (;;) {
    await clock.sleep(POLL_MS);
    const { metadataNodes = [] } = rootLeaderOf(await cluster.metadata.status({ timeoutMs })) ?? {};
    if (metadataNodes.length > 0 && isDone(metadataNodes, intent)) return;
    if (clock.monotonicMs() > deadlineMs) throw new StoreError('TIMEOUT', {});
  }
}

/** The names count too: a leader that has just been elected may say what was before the change. */
function isDone(nodes: readonly MetadataNodeEntry[], intent: MetadataIntent): boolean {
  const names = new Set(nodes.map(({ nodeId }) => nodeId));
  const isThere = intent.kind === 'lead' || intent.add.every(({ nodeId }) => names.has(nodeId));
  const isGone = intent.kind === 'lead' || intent.remove.every((nodeId) => !names.has(nodeId));
  return isThere && isGone && nodes.every(({ state }) => state === 'voter');
}

function list(flags: Flags, context: CliContext): Promise<never> {
  return runAgainstCluster(flags, context, async (cluster) => {
    const { statuses } = await askMetadataNodes(cluster, ANSWER_TIMEOUT_MS);
    // Not an empty table: nobody who could tell has answered.
    if (statuses.length === 0) throw new StoreError('UNAVAILABLE', { hint: 'nobody answers' });
    for (const line of renderMetadataNodes(statuses)) context.print(line);
  });
}

/** A table of the nodes by what the root leader has, or else by what anybody has. */
function renderMetadataNodes(statuses: readonly MetadataStatus[]): string[] {
  const { metadataNodes = [] } = rootLeaderOf(statuses) ?? statuses[0] ?? {};
  return renderTable(
    ['NODE', 'ZONE', 'ADDRESS', 'STATE', 'ANSWERS', 'MAY LEAD', 'LEADS'],
    metadataNodes.map((node) => [
      node.nodeId,
      node.zone,
      `${node.host}:${node.port}`,
      node.state,
      statuses.some(({ nodeId }) => nodeId === node.nodeId) ? 'yes' : 'no',
      node.mayLead ? 'yes' : 'no',
      groupsLedBy(node.nodeId, statuses).join(' ') || '-',
    ]),
  );
}

function collectNode(
  text: string,
  previous: readonly MetadataNodeAddress[] = [],
): readonly MetadataNodeAddress[] {
  const [, nodeId = '', zone = '', address = ''] = /^([^=]+)=([^@]+)@(.+)$/.exec(text) ?? [];
  if (nodeId === '') throw new InvalidArgumentError('expected name=zone@host:port');
  return [...previous, { nodeId, zone, ...parseAddress(address) }];
}

function parseAddress(text: string): { host: string; port: number } {
  const colon = text.lastIndexOf(':');
  const port = Number(text.slice(colon + 1));
  if (colon < 1 || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new InvalidArgumentError('expected host:port');
  }
  return { host: text.slice(0, colon), port };
}
