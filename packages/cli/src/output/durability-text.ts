import type {
  BlobAtRisk,
  DurabilityStatement,
  GroupAtRisk,
  LossStatement,
  MetadataDurability,
  ProfileDurability,
} from '../durability-statement';
import { renderTable } from './table';

/** What the cluster survives and what is at risk, for people. */
export function renderDurability(statement: DurabilityStatement): string[] {
  const { survives, losses, oneZone, profiles, metadata } = statement;
  return [
    losses.length === 0
      ? 'the cluster does not serve everything now; see below'
      : `the cluster survives ${survives}`,
    ...(oneZone === null ? [] : [describeOneZone(oneZone)]),
    '',
    ...renderProfiles(profiles),
    '',
    ...renderMetadata(metadata),
    ...renderGroupsAtRisk(statement.groupsAtRisk, statement.groupsAtRiskTotal),
    ...renderBlobsAtRisk(statement),
  ];
}

function describeOneZone({ losses, survives }: LossStatement): string {
  const what = 'objects that are all in one zone (ONEZONE_IA)';
  if (losses.length === 0) return `${what} cannot all be read now, as a zone is out`;
  return `${what} survive ${survives}, and not the loss of their zone`;
}

export function renderProfiles(profiles: readonly ProfileDurability[]): string[] {
  return renderTable(
    ['PROFILE', 'GROUPS', 'SHARDS BY ZONE', 'SURVIVES NOW'],
    profiles.map(({ profile, isReduced, isOneZone, groups, slotsByZone, losses, survives }) => [
      profile + (isReduced ? ' reduced' : '') + (isOneZone ? ' in one zone' : ''),
      groups,
      Object.entries(slotsByZone)
        .map(([zone, slots]) => `${zone} ${slots}`)
        .join(', '),
      losses.length === 0 ? 'cannot be read now' : survives,
    ]),
  );
}

export function renderMetadata(metadata: readonly MetadataDurability[]): string[] {
  return renderTable(
    ['METADATA', 'VOTERS BY ZONE', 'SURVIVES NOW'],
    metadata.map(({ group, votersByZone, hasQuorum, survives }) => [
      group,
      votersByZone
        .map(({ zone, live, voters }) =>
          live === voters ? `${zone} ${voters}` : `${zone} ${live} of ${voters}`,
        )
        .join(', '),
      hasQuorum ? survives : 'no majority: neither reads nor writes',
    ]),
  );
}

/** Groups of which the same can be said share a line. */
function renderGroupsAtRisk(groups: readonly GroupAtRisk[], total: number): string[] {
  if (total === 0) return [];
  const pgIdsByLine = new Map<string, number[]>();
  for (const { pgId, profile, risk, survives, reasons } of groups) {
    const now = risk === 'lost' ? 'cannot be read now' : `survives ${survives}`;
    const line = `${profile}: ${now} (${reasons.join('; ')})`;
    pgIdsByLine.set(line, [...(pgIdsByLine.get(line) ?? []), pgId]);
  }
  return [
    '',
    `${count(total, 'placement group')} below normal protection${shown(groups.length, total)}:`,
    ...[...pgIdsByLine].map(([line, pgIds]) => `  ${groupNames(pgIds)}, ${line}`),
  ];
}

const NAMED_GROUPS_MAX = 3;

/** `group 7`, `groups 7, 8`, `12 groups from 7 to 18`. */
function groupNames(pgIds: readonly number[]): string {
  if (pgIds.length > NAMED_GROUPS_MAX) {
    return `${pgIds.length} groups from ${pgIds[0] ?? 0} to ${pgIds.at(-1) ?? 0}`;
  }
  return `group${pgIds.length === 1 ? '' : 's'} ${pgIds.join(', ')}`;
}

function renderBlobsAtRisk({
  blobsAtRisk,
  blobsAtRiskTotal,
  blobsInspected,
}: DurabilityStatement): string[] {
  if (blobsAtRisk === null || blobsAtRiskTotal === null) {
    return ['', 'blobs with missing shards: unknown, a part of the metadata does not answer'];
  }
  if (blobsAtRiskTotal === 0) return [];
  const inspected = blobsInspected === blobsAtRiskTotal ? '' : `, ${blobsInspected ?? 0} looked at`;
  const hint = shown(blobsAtRisk.length, blobsAtRiskTotal);
  return [
    '',
    `${count(blobsAtRiskTotal, 'blob')} with missing shards${inspected}${hint}:`,
    ...blobsAtRisk.map(renderBlobAtRisk),
  ];
}

export function renderBlobAtRisk(blob: BlobAtRisk): string {
  const name =
    blob.object === null ? `blob ${blob.blobId}` : `s3://${blob.object.bucket}/${blob.object.key}`;
  const survives = blob.risk === 'lost' ? 'cannot be read now' : `survives ${blob.survives}`;
  return `  ${name}, ${blob.profile}: ${survives} (${blob.reasons.join('; ')})`;
}

function shown(part: number, total: number): string {
  return part === total ? '' : `, the weakest ${part}`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
