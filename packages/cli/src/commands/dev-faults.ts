import { Command, InvalidArgumentError, Option } from 'commander';
import { NO_FAULTS } from '@azimuth/common';
import type { Faults } from '@azimuth/common';

import { sendControl } from '../dev/control-socket';
import type { LinkRule } from '../dev/link-rule';
import type { CliContext } from '../cli-context';

interface TargetFlags {
  readonly data: string;
  readonly region?: string;
}

interface LinkFlags extends TargetFlags {
  readonly cut: boolean;
  readonly delay: number;
  readonly limit?: number;
  readonly loss: number;
  readonly oneWay: boolean;
}

/** `azimuth dev link set|heal`, for a cluster that was started with `--links`. */
export function linkCommand(context: CliContext): Command {
  const group = new Command('link').summary('cut, delay, limit or disturb links between zones');
  group.description('Acts on the links of a development cluster that was started with --links.');
  addTarget(group.command('set'))
    .description('how bytes go between two zones or nodes; nothing asked for: as ever')
    .argument('<from>', 'a zone or a node')
    .argument('<to>', 'a zone or a node')
    .option('--cut', 'no byte passes, and nobody is told', false)
    .option('--delay <ms>', 'each way', number, 0)
    .option('--limit <bytes>', 'a second, for each connection', number)
    .option('--loss <rate>', '0 to 1: of the segments, seen as pauses and resets', number, 0)
    .option('--one-way', 'only from the first to the second', false)
    .action(async (from: string, to: string, _flags: unknown, self: Command) => {
      const flags = flagsOf(self) as LinkFlags;
      const rule: LinkRule = {
        isCut: flags.cut,
        delayMs: flags.delay,
        bytesPerSecond: flags.limit ?? null,
        lossRate: flags.loss,
      };
      const there = { from, to, rule };
      const rules = flags.oneWay ? [there] : [there, { from: to, to: from, rule }];
      await sendControl(flags.data, { action: 'set-links', rules, region: regionOf(flags) });
      context.print(`${from} -> ${to}: ${JSON.stringify(rule)}`);
    });
  addTarget(group.command('heal'))
    .description('every link as ever')
    .action(async (_flags: unknown, self: Command) => {
      const flags = flagsOf(self) as TargetFlags;
      await sendControl(flags.data, { action: 'heal-links', region: regionOf(flags) });
      context.print('healed');
    });
  return group;
}

interface FaultFlags extends TargetFlags {
  readonly diskDelay: number;
  readonly diskFull: boolean;
  readonly diskErrors: Faults['diskErrors'];
  readonly clock: number;
}

/** `azimuth dev fault`, for a cluster that was started with `--faults`. */
export function faultCommand(context: CliContext): Command {
  return addTarget(new Command('fault'))
    .summary('slow, full or failing disks, and clocks that are off')
    .description('Tells nodes of a cluster that was started with --faults what to suffer.')
    .argument('<node...>', 'as in cluster.json: a-storage-1, …')
    .option('--disk-delay <ms>', 'of every access to a disk', number, 0)
    .option('--disk-full', 'writes fail with ENOSPC', false)
    .addOption(
      new Option('--disk-errors <kind>', 'what fails with EIO')
        .choices(['none', 'read', 'write', 'all'])
        .default('none'),
    )
    .option('--clock <ms>', 'how far the wall clock is off', integer, 0)
    .action(async (names: string[], _flags: unknown, self: Command) => {
      const flags = flagsOf(self) as FaultFlags;
      const faults: Faults = {
        diskDelayMs: flags.diskDelay,
        isDiskFull: flags.diskFull,
        diskErrors: flags.diskErrors,
        wallOffsetMs: flags.clock,
      };
      const request = { action: 'set-faults', names, faults, region: regionOf(flags) } as const;
      await sendControl(flags.data, request);
      const isNone = JSON.stringify(faults) === JSON.stringify(NO_FAULTS);
      context.print(`${names.join(', ')}: ${isNone ? 'no faults' : JSON.stringify(faults)}`);
    });
}

function addTarget(command: Command): Command {
  return command
    .option('--data <dir>', 'directory of the running cluster')
    .option('--region <name>', 'region (default: the first)');
}

/** `--data` may stand before or behind the subcommand. */
function flagsOf(self: Command): object {
  return { ...self.optsWithGlobals(), ...self.opts() };
}

function regionOf({ region }: TargetFlags): string | null {
  return region ?? null;
}

function number(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value) && value >= 0) return value;
  throw new InvalidArgumentError('expected a number that is not negative');
}

function integer(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value)) return value;
  throw new InvalidArgumentError('expected an integer');
}
