import type { LayoutForecast, LayoutProblem } from '@azimuth/placement';

import type { LayoutPlan, OneZoneForecast } from '../layout-plan';
import { renderBytes, renderTable } from './table';

/** `azimuth plan` for people. */
export function renderPlan(plan: LayoutPlan): string[] {
  const { hardware, conditions, repairSpeedFrom, oneZone, refused } = plan;
  const layouts = [...plan.layouts, ...oneZone];
  const { zones, nodesPerZone, disksPerNode, diskBytes, fill, voters } = hardware;
  return [
    `${zones} zones of ${nodesPerZone} nodes of ${disksPerNode} disks of ${renderBytes(diskBytes)}, ` +
      `${percent(fill)} used, ${voters} metadata voters`,
    `a disk fails with ${percent(conditions.diskAfr)} a year, a zone is lost ` +
      `${conditions.zoneLossesPerYear} times a year and out ${conditions.zoneOutagesPerYear} times`,
    `repair at ${renderBytes(conditions.repairBytesPerSecond)}/s (${repairSpeedFrom}), scrub in ` +
      `${conditions.scrubDays} days`,
    '',
    'durability of one object over a year; ANY LOSS is the chance that anything is lost at all',
    ...renderTable(
      ['PROFILE', 'BY ZONE', 'SURVIVES', 'NINES', 'WITHOUT ZONE LOSS', 'ANY LOSS', 'MOSTLY BY'],
      layouts.map(durabilityRow),
    ),
    '',
    ...renderTable(
      ['PROFILE', 'OVERHEAD', 'USABLE', 'READS', 'WRITES', 'STRICT WRITES'],
      layouts.map(serviceRow),
    ),
    '',
    'time to rebuild a disk, node, zone (* with a new disk); bytes between zones for each byte that is',
    'written, read, rebuilt, rebuilt with partial sums; and bytes between zones for repair in a year',
    ...renderTable(
      ['PROFILE', 'DISK', 'NODE', 'ZONE', 'WRITE', 'READ', 'REBUILD', 'SUMS', 'A YEAR'],
      layouts.map(repairRow),
    ),
    ...oneZone.map(describeOneZone),
    ...(oneZone.length > 0 || zones < 2 || plan.layouts.length === 0
      ? []
      : ['ONEZONE_IA objects are spread like all others: no zone can hold two shards apart']),
    ...refused.map(({ profile, problem }) => `${profile}: ${describeProblem(problem)}`),
    '',
    'A model, not a promise: docs/durability-model.md says what it leaves out.',
  ];
}

function nameOf({ profile, isOneZone }: LayoutForecast): string {
  return profile + (isOneZone ? ' in one zone' : '');
}

function describeOneZone(forecast: OneZoneForecast): string {
  return (
    `${nameOf(forecast)}: what objects of class ONEZONE_IA get beside ` +
    `${forecast.beside.join(', ')}; lost with their zone`
  );
}

function durabilityRow(forecast: LayoutForecast): readonly (string | number)[] {
  const { shardsPerZone, survives, durability } = forecast;
  const { nines, ninesWithoutZoneLoss, anyLossPerYear } = durability;
  return [
    nameOf(forecast),
    shardsPerZone.join(' '),
    survives,
    nines.toFixed(1),
    ninesWithoutZoneLoss.toFixed(1),
    anyLossPerYear.toExponential(1),
    `${durability.dominatingCause ?? 'nothing'} (${percent(durability.dominatingShare)})`,
  ];
}

function serviceRow(forecast: LayoutForecast): readonly (string | number)[] {
  const { overhead, usableBytes, availability } = forecast;
  return [
    nameOf(forecast),
    `${overhead.toFixed(2)}x`,
    renderBytes(usableBytes),
    available(availability.readsDown),
    available(availability.writesDown),
    available(availability.strictWritesDown),
  ];
}

function repairRow(forecast: LayoutForecast): readonly (string | number)[] {
  const { repairHours, isSelfHealing, crossZone } = forecast;
  return [
    nameOf(forecast),
    `${hours(repairHours.disk)}${isSelfHealing ? '' : ' *'}`,
    hours(repairHours.node),
    repairHours.zone === null ? 'never' : hours(repairHours.zone),
    crossZone.write.toFixed(2),
    crossZone.read.toFixed(2),
    crossZone.rebuild,
    crossZone.rebuildWithPartialSums,
    renderBytes(crossZone.rebuildBytesPerYear),
  ];
}

function describeProblem(problem: LayoutProblem): string {
  switch (problem.kind) {
    case 'too-few-disks':
      return `needs ${problem.needed} disks, evenly over the zones; there are ${problem.disks}`;
    case 'too-many-in-zone':
      return `${problem.shards} shards in a zone, and only ${problem.parity} may be lost`;
  }
}

function percent(part: number): string {
  return `${Number((part * 100).toPrecision(3))} %`;
}

/** `99.9997 %`, down to the first digit that is not a nine. */
function available(down: number): string {
  const digits = Math.min(12, Math.max(0, Math.ceil(-Math.log10(down)) - 1));
  const scale = 10 ** digits;
  return `${(Math.floor((1 - down) * 100 * scale) / scale).toFixed(digits)} %`;
}

function hours(value: number): string {
  return value < 48 ? `${value.toFixed(1)} h` : `${(value / 24).toFixed(1)} d`;
}
