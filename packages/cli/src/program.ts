import { StoreError } from '@azimuth/common';
import { Command } from 'commander';

import { bucketCommand } from './commands/bucket';
import { devCommand } from './commands/dev';
import type { CliContext } from './cli-context';
import { explainCommand } from './commands/explain';
import { gameDayCommand } from './commands/game-day';
import { addMetadataCommands } from './commands/metadata';
import { planCommand } from './commands/plan';
import { repairCommand } from './commands/repair';
import { statusCommand } from './commands/status';
import { topologyCommand } from './commands/topology';
import { runRoleProcess, SERVICE_ROLES } from './role-process';
import type { ServiceRole } from './role-process';

const ROLE_SUMMARY: Readonly<Record<ServiceRole, string>> = {
  gateway: 'run a gateway: S3 over HTTP',
  metadata: 'run a metadata node: Raft groups of the cluster map and of object metadata',
  storage: 'run a storage node: shards on disks',
  curator: 'run a curator: repair, garbage and re-striping in the background',
};

/** The whole command line. */
export function createProgram(context: CliContext): Command {
  const program = new Command('azimuth')
    .description(
      'Azimuth: an S3-compatible object store that keeps every byte when a whole zone is lost.',
    )
    .showHelpAfterError('(see --help)')
    .configureHelp({ showGlobalOptions: true });
  program.addCommand(devCommand(context));
  program.addCommand(statusCommand(context));
  program.addCommand(explainCommand(context));
  program.addCommand(planCommand(context));
  program.addCommand(gameDayCommand(context));
  for (const scope of ['zone', 'node', 'disk'] as const) {
    program.addCommand(topologyCommand(scope, context));
  }
  program.addCommand(bucketCommand(context));
  program.addCommand(repairCommand(context));
  for (const role of SERVICE_ROLES) program.addCommand(roleCommand(role, context));
  return program;
}

function roleCommand(role: ServiceRole, context: CliContext): Command {
  const command = new Command(role)
    .description(ROLE_SUMMARY[role])
    .option('--config <file>', 'settings as a JSON file; AZIMUTH_* variables win over it')
    .option('--exit-with-parent', 'close when standard input ends', false);
  if (role === 'gateway') addGatewayOptions(command);
  // A required option would be required of the commands below the role too.
  if (role === 'metadata') addMetadataCommands(command, context);
  return command.action(({ config, exitWithParent, ...flags }: RoleFlags) => {
    if (config === undefined) throw new StoreError('INVALID_ARGUMENT', { hint: '--config FILE' });
    return runRoleProcess({
      role,
      configFile: config,
      flags: settingsOf(flags),
      env: context.env,
      exitWithParent,
      schedule: (delayMs, callback) => context.clock.schedule(delayMs, callback),
    });
  });
}

/** They win over the file and the environment. */
function addGatewayOptions(command: Command): void {
  command
    .option('--https-port <port>', 'HTTPS beside HTTP')
    .option('--https-certificate <file>', 'PEM: the certificate and those of its issuers')
    .option('--https-key <file>', 'PEM')
    .option('--website-port <port>', 'buckets as websites')
    .option('--identities <file>', 'JSON that declares accounts and users; read again on SIGHUP')
    .option('--trusted-proxies <ranges>', 'whose X-Forwarded-For is believed: 10.0.0.0/8,192.0.2.7')
    .option('--allow-signature-v2', 'accept requests that are signed with Signature Version 2');
}

interface RoleFlags {
  readonly config?: string;
  readonly exitWithParent: boolean;
  readonly httpsPort?: string;
  readonly httpsCertificate?: string;
  readonly httpsKey?: string;
  readonly websitePort?: string;
  readonly identities?: string;
  readonly trustedProxies?: string;
  readonly allowSignatureV2?: true;
}

/** As the settings of a role are called. */
function settingsOf({
  identities,
  ...flags
}: Omit<RoleFlags, 'config' | 'exitWithParent'>): Readonly<Record<string, unknown>> {
  return identities === undefined ? flags : { ...flags, identitiesFile: identities };
}
