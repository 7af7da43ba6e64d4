import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';

import type { CliContext } from '../cli-context';
import { readClusterDocument } from '../dev/cluster-document';
import { sendControl } from '../dev/control-socket';
import { ADDABLE_ROLES } from '../dev/dev-layout';
import type { AddableRole } from '../dev/dev-layout';

interface NodeFlags {
  readonly data: string;
  readonly region?: string;
  readonly role: AddableRole;
  readonly zone: string;
}

/** `azimuth dev node add|remove`: which processes a development cluster has. */
export function addNodeCommands(group: Command, context: CliContext): Command {
  addTarget(group.command('add'))
    .description(
      'starts one more process, under a name that none had before. A metadata node then waits for ' +
        '`azimuth metadata add` or `replace`; a storage node joins by itself.',
    )
    .addOption(
      new Option('--role <role>', 'of the process').choices(ADDABLE_ROLES).makeOptionMandatory(),
    )
    .requiredOption('--zone <zone>', 'where it runs', parseZone)
    .action(async (_flags: unknown, self: Command) => {
      const { data, region = null, role, zone } = flagsOf(self);
      const nodes = await sendControl(data, { action: 'add-node', role, zone, region });
      for (const line of describe(data, region, nodes)) context.print(line);
    });
  addTarget(group.command('remove'))
    .description(
      'kills a process for good: no start brings it back. What the cluster knows of the node, and ' +
        'what it holds, is taken away before: `azimuth metadata remove`, `azimuth node drain`.',
    )
    .argument('<node>', 'as in cluster.json')
    .action(async (name: string, _flags: unknown, self: Command) => {
      const { data, region = null } = flagsOf(self);
      await sendControl(data, { action: 'remove-node', name, region });
      context.print(`removed: ${name}`);
    });
  return group;
}

/** What the next command needs to know of the nodes. */
function describe(data: string, region: string | null, nodes: readonly string[]): string[] {
  const { regions } = readClusterDocument(data);
  const own = regions.find(({ name }) => name === region) ?? regions[0];
  return (own?.processes ?? [])
    .filter(({ node }) => nodes.includes(node))
    .map(({ node, zone, role, rpc = '' }) =>
      role === 'metadata'
        ? `${node} runs and waits to be taken in: ` +
          `azimuth metadata add --data ${data} --node ${node}=${zone}@${rpc}`
        : `${node} runs in zone ${zone}`,
    );
}

function addTarget(command: Command): Command {
  return command
    .option('--data <dir>', 'directory of the running cluster')
    .option('--region <name>', 'region (default: the first)');
}

/** `--data` may stand before or behind the subcommand. */
function flagsOf(self: Command): NodeFlags {
  const own = self.opts<Partial<NodeFlags>>();
  const all = self.optsWithGlobals<NodeFlags>();
  return own.data === undefined ? all : { ...all, data: own.data };
}

function parseZone(text: string): string {
  if (/^[a-z0-9][a-z0-9-]{0,30}$/.test(text)) return text;
  throw new InvalidArgumentError('expected letters, digits and hyphens');
}
