import { Command, InvalidArgumentError } from 'commander';
import { StoreError } from '@azimuth/common';
import type { Profile } from '@azimuth/placement';

import { runAgainstCluster } from '../cluster-access';
import type { ClusterAccess, ClusterLocation } from '../cluster-access';
import { readClusterDocument } from '../dev/cluster-document';
import {
  DEFAULT_CONDITIONS,
  DEFAULT_HARDWARE,
  hardwareOf,
  parseProfile,
  planLayouts,
  withSettings,
} from '../layout-plan';
import type { LayoutPlan, PlanRequest } from '../layout-plan';
import { renderPlan } from '../output/plan-text';
import { fetchMetrics, measureRepairSpeed } from '../repair-speed';
import type { CliContext } from '../cli-context';

const ANSWER_TIMEOUT_MS = 5_000;

interface PlanFlags extends ClusterLocation {
  readonly zones?: number;
  readonly nodesPerZone?: number;
  readonly disksPerNode?: number;
  readonly diskSize?: number;
  readonly fill?: number;
  readonly voters?: number;
  readonly profile: readonly string[];
  readonly set: readonly string[];
  readonly repairSpeed?: number;
  readonly measureSeconds: number;
  readonly json: boolean;
}

export function planCommand(context: CliContext): Command {
  return new Command('plan')
    .summary('compute durability, availability, overhead and repair of layouts')
    .description(
      'Computes, for machines that are described or those of a running cluster, what each profile ' +
        'means: annual durability with and without the loss of a zone, availability, overhead, ' +
        'repair times and bytes between zones. docs/durability-model.md has the formulas, and the ' +
        'sources of what is assumed.',
    )
    .option('--data <dir>', 'take the machines and the repair speed of this development cluster')
    .option('--region <name>', 'region of the development cluster (default: the first)')
    .option('--config <file>', 'take the machines of the cluster of this admin identity')
    .option('--zones <count>', 'zones (default: 3)', integer)
    .option('--nodes-per-zone <count>', 'storage nodes in each zone (default: 3)', integer)
    .option('--disks-per-node <count>', 'disks of each node (default: 4)', integer)
    .option('--disk-size <size>', 'of one disk: 16TB, 8TiB, bytes (default: 16TB)', bytes)
    .option('--fill <part>', 'part of the disks that is used (default: 0.7)', part)
    .option('--voters <count>', 'metadata voters (default: 3)', integer)
    .option('--profile <k+m...>', 'profiles to compare (default: the usual ones that fit)', [])
    .option('--repair-speed <size>', 'bytes that the cluster rebuilds in a second: 200MB', bytes)
    .option(
      '--measure-seconds <count>',
      'with --data: how long to watch repairs that are under way for their speed; 0 for not',
      count,
      5,
    )
    .option(
      '--set <name=value...>',
      `other conditions: ${Object.keys(DEFAULT_CONDITIONS).join(', ')}`,
      [],
    )
    .option('--json', 'print one JSON document', false)
    .action(async (flags: PlanFlags) => {
      const print = (plan: LayoutPlan): void => {
        const lines = flags.json ? [JSON.stringify(plan)] : renderPlan(plan);
        for (const line of lines) context.print(line);
      };
      const request = describedRequest(flags);
      if (flags.data === undefined && flags.config === undefined) {
        print(planLayouts(request));
        return;
      }
      await runAgainstCluster(flags, context, async (cluster) => {
        print(planLayouts(await clusterRequest(flags, cluster, request, context)));
      });
    });
}

/** What the flags say. */
function describedRequest(flags: PlanFlags): PlanRequest {
  const speed = flags.repairSpeed;
  const settings = withSettings(DEFAULT_CONDITIONS, flags.set);
  const isGiven =
    speed !== undefined || flags.set.some((each) => each.startsWith('repairBytesPerSecond='));
  return {
    hardware: withFlags(DEFAULT_HARDWARE, flags),
    conditions: speed === undefined ? settings : { ...settings, repairBytesPerSecond: speed },
    repairSpeedFrom: isGiven ? 'given' : 'assumed',
    profiles: flags.profile.map(parseProfile),
  };
}

function withFlags(hardware: PlanRequest['hardware'], flags: PlanFlags): PlanRequest['hardware'] {
  return {
    zones: flags.zones ?? hardware.zones,
    nodesPerZone: flags.nodesPerZone ?? hardware.nodesPerZone,
    disksPerNode: flags.disksPerNode ?? hardware.disksPerNode,
    diskBytes: flags.diskSize ?? hardware.diskBytes,
    fill: flags.fill ?? hardware.fill,
    voters: flags.voters ?? hardware.voters,
  };
}

/** The machines, profiles and repair speed of a running cluster, where flags do not say else. */
async function clusterRequest(
  flags: PlanFlags,
  cluster: ClusterAccess,
  described: PlanRequest,
  { clock }: CliContext,
): Promise<PlanRequest> {
  const [map, statuses] = await Promise.all([
    cluster.map(ANSWER_TIMEOUT_MS),
    cluster.metadata.status({ timeoutMs: ANSWER_TIMEOUT_MS }).catch(() => []),
  ]);
  if (map === null) throw new StoreError('UNAVAILABLE', { reason: 'no root leader answers' });
  const { erasureProfile, replicaProfile } = map.settings;
  const own: readonly Profile[] = [erasureProfile, replicaProfile];
  const groups = [...map.groups.values()].filter(
    ({ profile, isReduced, zone }) =>
      !isReduced && zone === undefined && profile.k === erasureProfile.k,
  ).length;
  const { conditions } = described;
  const request = {
    hardware: withFlags(hardwareOf(map, statuses, cluster.metadataPeers.length), flags),
    conditions: { ...conditions, groups: conditions.groups ?? (groups === 0 ? null : groups) },
    profiles: described.profiles.length === 0 ? own : described.profiles,
    repairSpeedFrom: described.repairSpeedFrom,
  };
  if (flags.data === undefined || described.repairSpeedFrom === 'given') return request;
  if (flags.measureSeconds === 0) return request;
  const speed = await measureRepairSpeed(curatorUrls(flags.data), flags.measureSeconds, {
    clock,
    readMetrics: fetchMetrics,
  });
  if (speed === null) return request;
  return {
    ...request,
    conditions: { ...request.conditions, repairBytesPerSecond: speed },
    repairSpeedFrom: 'measured',
  };
}

function curatorUrls(directory: string): readonly string[] {
  return readClusterDocument(directory)
    .regions.flatMap(({ processes }) => processes)
    .filter(({ role }) => role === 'curator')
    .map(({ admin }) => admin);
}

function integer(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidArgumentError('expected a positive integer');
}

function count(text: string): number {
  return text === '0' ? 0 : integer(text);
}

function part(text: string): number {
  const value = Number(text);
  if (value > 0 && value <= 1) return value;
  throw new InvalidArgumentError('expected a number above 0, at most 1');
}

const UNIT_BYTES: Readonly<Record<string, number>> = {
  '': 1,
  ...{ KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 },
  ...{ KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 },
};

function bytes(text: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?) ?([KMGT]i?B)?$/.exec(text) ?? [];
  const value = Number(number) * (UNIT_BYTES[unit] ?? Number.NaN);
  if (number !== '' && value > 0) return value;
  throw new InvalidArgumentError('expected a size: 16TB, 8TiB, 100000000');
}
