import { join, resolve } from 'node:path';

import { Command, InvalidArgumentError, Option } from 'commander';
import { hasCode, StoreError } from '@azimuth/common';

import type { CliContext } from '../cli-context';
import { CONTROL_ACTIONS, sendControl } from '../dev/control-socket';
import type { ControlAction } from '../dev/control-socket';
import { DevCluster } from '../dev/dev-cluster';
import type { DevClusterOptions, DevGatewayOptions } from '../dev/dev-cluster';
import { REGION_PORT_STEP, STORAGE_PER_ZONE_MAX, ZONES_MAX } from '../dev/dev-layout';
import type { DevRole } from '../dev/dev-layout';
import { LINK_KINDS } from '../dev/open-links';
import type { LinkKind } from '../dev/open-links';
import { runTool } from '../dev/system-tool';
import { SERVICE_ROLES } from '../role-process';
import { faultCommand, linkCommand } from './dev-faults';
import { addNodeCommands } from './dev-nodes';

const INDEX_GROUPS_MAX = 64;

const ACTION_SUMMARY: Readonly<Record<ControlAction, string>> = {
  kill: 'kill -9 its processes; nothing restarts them by itself',
  freeze: 'SIGSTOP its processes: alive, holding their connections, answering nothing',
  thaw: 'SIGCONT what was frozen',
  start: 'start what does not run, and wait until it is ready',
};

interface DevFlags {
  readonly data: string;
  readonly port: number;
  readonly regions: number;
  readonly zones?: number;
  readonly storagePerZone?: number;
  readonly indexGroups?: number;
  readonly accessKey?: string;
  readonly secretKey?: string;
  readonly bulkMode: 'crc' | 'secure';
  readonly logLevel: string;
  readonly exitWithParent: boolean;
  readonly httpsPort?: number;
  readonly websitePort?: number;
  readonly httpsCertificate?: string;
  readonly httpsKey?: string;
  readonly identities?: string;
  readonly allowSignatureV2: boolean;
  readonly links?: LinkKind;
  readonly faults: boolean;
  readonly configOverride?: DevClusterOptions['overrides'];
}

export function devCommand(context: CliContext): Command {
  const command = addTestOptions(addEndpointOptions(new Command('dev')))
    .summary('run a development cluster on loopback')
    .description(
      'Runs a whole cluster on loopback: in each zone a metadata node, storage nodes, a gateway and ' +
        'a curator, each its own process, and a front door that skips dead gateways. The data stays ' +
        'in --data; the next start finds it. DIR/cluster.json tells machines where everything is. ' +
        'Nothing that was killed is restarted by itself: see `azimuth dev zone --help`.',
    )
    .option('--data <dir>', 'directory of everything the cluster keeps', '.azimuth')
    .option(
      '--port <port>',
      `front door; the second region has it ${REGION_PORT_STEP} higher`,
      integer(1, 65_000),
      9000,
    )
    .option(
      '--zones <count>',
      'zones; fixed at the first start (default: 3)',
      integer(1, ZONES_MAX),
    )
    .option(
      '--storage-per-zone <count>',
      'storage nodes in each zone; fixed at the first start (default: 2)',
      integer(1, STORAGE_PER_ZONE_MAX),
    )
    .option(
      '--index-groups <count>',
      'Raft groups for object metadata; fixed at the first start (default: 1; one a zone from nine storage nodes on)',
      integer(1, INDEX_GROUPS_MAX),
    )
    .option('--access-key <key>', 'root access key (default: made at the first start and kept)')
    .option('--secret-key <key>', 'root secret key, 8 characters or more (default: made and kept)')
    .addOption(
      new Option('--regions <count>', 'regions; 2 runs a second, independent cluster')
        .choices(['1', '2'])
        .argParser(integer(1, 2))
        .default(1),
    )
    .addOption(
      new Option('--bulk-mode <mode>', 'how shard bytes between nodes are protected')
        .choices(['crc', 'secure'])
        .default('crc'),
    )
    .addOption(
      new Option('--log-level <level>', 'of every process')
        .choices(['debug', 'info', 'warn', 'error', 'silent'])
        .default('info'),
    )
    .option(
      '--config-override <role.key=value>',
      'for tests and experiments: sets a setting of a role, value as JSON; may be repeated',
      collectOverride,
    )
    .addOption(
      new Option('--exit-with-parent', 'stop when standard input ends').default(false).hideHelp(),
    )
    .action((flags: DevFlags) => runDevCluster(flags, context));
  command.addCommand(actionCommands('zone', context));
  command.addCommand(addNodeCommands(actionCommands('node', context), context));
  command.addCommand(linkCommand(context));
  command.addCommand(faultCommand(context));
  return command;
}

/** What a cluster needs that is to be broken on purpose in more ways than by killing. */
function addTestOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--links [kind]',
        'links that `azimuth dev link` and game days can hurt: network namespaces (netns; needs ' +
          'root, ip, nft, tc), or a proxy on every link between zones; auto takes the first where ' +
          'they can do as much',
      )
        .choices(LINK_KINDS)
        .preset('auto'),
    )
    .option(
      '--faults',
      'every process obeys its faults.json, for `azimuth dev fault` and game days',
      false,
    );
}

/** What the gateways offer beyond S3 over HTTP, and to whom. */
function addEndpointOptions(command: Command): Command {
  return command
    .option('--https-port <port>', 'HTTPS beside HTTP (default: none)', integer(1, 65_000))
    .option(
      '--https-certificate <file>',
      'PEM (default: one of the authority in DIR/<region>/authority/ca.pem)',
    )
    .option('--https-key <file>', 'PEM')
    .option('--website-port <port>', 'buckets as websites (default: none)', integer(1, 65_000))
    .option('--identities <file>', 'JSON that declares accounts and users; read again on SIGHUP')
    .option(
      '--allow-signature-v2',
      'accept requests that are signed with Signature Version 2',
      false,
    );
}

function actionCommands(scope: 'zone' | 'node', context: CliContext): Command {
  const group = new Command(scope).summary(`kill, freeze, thaw or start a ${scope}`);
  group.description(`Acts on a ${scope} of the development cluster that runs in --data.`);
  for (const action of CONTROL_ACTIONS) {
    group
      .command(action)
      .description(`${action} a ${scope}: ${ACTION_SUMMARY[action]}`)
      .argument(
        `<${scope}...>`,
        scope === 'zone' ? 'a, b, c, …' : 'as in cluster.json: a-storage-1, …',
      )
      .option('--data <dir>', 'directory of the running cluster')
      .option('--region <name>', 'region (default: the first)')
      .action(async (names: string[], _flags: unknown, self: Command) => {
        // `--data` may stand before or behind the subcommand.
        const { data, region } = self.optsWithGlobals<{ data: string; region?: string }>();
        const own = self.opts<{ data?: string }>();
        const request = { action, scope, names, region: region ?? null };
        const nodes = await sendControl(own.data ?? data, request);
        context.print(`${action}: ${nodes.join(', ')}`);
      });
  }
  return group;
}

async function runDevCluster(flags: DevFlags, context: CliContext): Promise<void> {
  const cluster = new DevCluster({
    directory: flags.data,
    port: flags.port,
    regions: flags.regions,
    shape: {
      ...(flags.zones === undefined ? {} : { zones: flags.zones }),
      ...(flags.storagePerZone === undefined ? {} : { storagePerZone: flags.storagePerZone }),
      ...(flags.indexGroups === undefined ? {} : { indexGroups: flags.indexGroups }),
    },
    credentials: {
      ...(flags.accessKey === undefined ? {} : { accessKey: flags.accessKey }),
      ...(flags.secretKey === undefined ? {} : { secretKey: flags.secretKey }),
    },
    bulkMode: flags.bulkMode,
    logLevel: flags.logLevel,
    gateway: gatewayOptions(flags),
    overrides: flags.configOverride ?? {},
    links: flags.links ?? null,
    runTool,
    withFaults: flags.faults,
    main: context.main,
    env: childEnvironment(context.env),
    clock: context.clock,
    random: context.random,
    print: context.print,
  });
  const stopped = new Promise<void>((resolve) => {
    const stop = (): void => {
      context.print('stopping');
      void cluster.stop().then(resolve);
    };
    process.on('SIGHUP', () => cluster.reload());
    process.once('SIGTERM', stop);
    process.once('SIGINT', stop);
    if (flags.exitWithParent) process.stdin.once('end', stop).resume();
  });
  const startedMs = context.clock.monotonicMs();
  context.print(`starting ${flags.regions === 1 ? 'a cluster' : 'two clusters'} in ${flags.data}`);
  try {
    await cluster.start();
    printWelcome(cluster, flags.data, context.clock.monotonicMs() - startedMs, context);
  } catch (error) {
    // Told to stop while it started.
    if (!hasCode(error, 'CANCELLED')) throw error;
  }
  await stopped;
  context.print('stopped; the data stays');
  process.exit(0);
}

/** @throws StoreError INVALID_ARGUMENT for a certificate without its key. */
function gatewayOptions(flags: DevFlags): DevGatewayOptions {
  const { httpsPort = null, websitePort = null, httpsCertificate, httpsKey } = flags;
  const { identities, allowSignatureV2 } = flags;
  if ((httpsCertificate === undefined) !== (httpsKey === undefined)) {
    throw new StoreError('INVALID_ARGUMENT', {
      hint: '--https-certificate and --https-key belong together',
    });
  }
  return {
    httpsPort,
    websitePort,
    certificate:
      httpsCertificate === undefined || httpsKey === undefined
        ? null
        : { certificateFile: resolve(httpsCertificate), keyFile: resolve(httpsKey) },
    // Gateways run in the directory of the launcher, but their files may be read elsewhere.
    identitiesFile: identities === undefined ? null : resolve(identities),
    allowSignatureV2,
  };
}

function printWelcome(
  cluster: DevCluster,
  directory: string,
  tookMs: number,
  { print }: CliContext,
): void {
  for (const region of cluster.regions) {
    const { accessKey, secretKey, endpoint, httpsEndpoint, websiteEndpoint } = region.describe();
    print('');
    print(`${region.processCount} processes ready after ${(tookMs / 1000).toFixed(1)} s`);
    print(`  S3 endpoint  ${endpoint}`);
    if (httpsEndpoint !== undefined) {
      print(`  with TLS     ${httpsEndpoint}`);
      print(`  authority    ${join(directory, region.name, 'authority', 'ca.pem')}`);
    }
    if (websiteEndpoint !== undefined) print(`  websites     ${websiteEndpoint}/BUCKET/`);
    print(`  region       ${region.name}`);
    print(`  access key   ${accessKey}`);
    print(`  secret key   ${secretKey}`);
    print('');
    print('Try it:');
    print(`  export AWS_ACCESS_KEY_ID=${accessKey} AWS_SECRET_ACCESS_KEY=${secretKey}`);
    print(`  export AWS_DEFAULT_REGION=${region.name}`);
    print(`  aws --endpoint-url ${endpoint} s3 mb s3://photos`);
    print(`  aws --endpoint-url ${endpoint} s3 cp FILE s3://photos/`);
  }
  print('');
  print('Lose a zone, look, and bring it back:');
  print(`  npx azimuth dev zone kill a --data ${directory}`);
  print(`  npx azimuth status --data ${directory}`);
  print(`  npx azimuth dev zone start a --data ${directory}`);
  print('');
  print(`Stop with Ctrl-C or kill ${process.pid}. The data stays in ${directory}.`);
}

/** Settings from our own environment must not leak into the cluster; its files say everything. */
function childEnvironment(env: CliContext['env']): Record<string, string | undefined> {
  const kept = Object.entries(env).filter(([name]) => !/^(AZIMUTH_|AWS_)/.test(name));
  return { ...Object.fromEntries(kept), UV_THREADPOOL_SIZE: '16' };
}

function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`expected an integer from ${min} to ${max}`);
  };
}

type Overrides = Partial<Record<DevRole, Record<string, unknown>>>;

function collectOverride(text: string, previous: Overrides = {}): Overrides {
  const match = /^([a-z]+)\.([A-Za-z]+)=(.*)$/s.exec(text);
  const role = SERVICE_ROLES.find((known) => known === match?.[1]);
  const [, , key, value] = match ?? [];
  if (role === undefined || key === undefined || value === undefined) {
    throw new InvalidArgumentError(
      `expected role.key=value, role one of ${SERVICE_ROLES.join(', ')}`,
    );
  }
  return { ...previous, [role]: { ...previous[role], [key]: parseValue(value) } };
}

function parseValue(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
