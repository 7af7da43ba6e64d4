import { Command } from 'commander';

import { devCommand } from './commands/dev';
import type { CliContext } from './commands/dev';
import { explainCommand } from './commands/explain';
import { statusCommand } from './commands/status';
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
  for (const role of SERVICE_ROLES) {
    program
      .command(role)
      .description(ROLE_SUMMARY[role])
      .requiredOption('--config <file>', 'settings as a JSON file; AZIMUTH_* variables win over it')
      .option('--exit-with-parent', 'close when standard input ends', false)
      .action(({ config, exitWithParent }: { config: string; exitWithParent: boolean }) =>
        runRoleProcess({
          role,
          configFile: config,
          env: context.env,
          exitWithParent,
          schedule: (delayMs, callback) => context.clock.schedule(delayMs, callback),
        }),
      );
  }
  return program;
}
