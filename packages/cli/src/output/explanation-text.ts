import type { MetadataDurability } from '../durability-statement';
import type {
  BlobExplanation,
  BucketExplanation,
  Explanation,
  VersionsExplanation,
} from '../explanation';
import { renderBlobAtRisk, renderMetadata, renderProfiles } from './durability-text';
import { renderTable } from './table';

/** `azimuth explain s3://bucket/key` for people. */
export function renderExplanation({
  bucket,
  head,
  indexGroup,
  metadata,
  inlineBytes,
  blobs,
  ...version
}: Explanation): string[] {
  const lines = [
    `s3://${bucket}/${head.key}`,
    `  version ${head.versionId}${head.isDeleteMarker ? ', a delete marker' : ''}`,
    `  ${head.sizeBytes} bytes, ETag "${head.etag}", ${head.storageClass}, ` +
      new Date(head.lastModifiedMs).toISOString(),
    `  metadata in ${indexGroup}, ${describeMetadata(metadata)}`,
  ];
  if (inlineBytes !== null) {
    lines.push(`  ${inlineBytes} bytes are kept inline, with the metadata and as safe as it`);
  }
  lines.push(`  survives ${version.survives}`);
  return [...lines, ...blobs.flatMap(renderBlob)];
}

function describeMetadata(metadata: MetadataDurability | null): string {
  if (metadata === null) return 'which no metadata node speaks of now';
  const voters = metadata.votersByZone
    .map(({ zone, live, voters: of }) => `${zone} ${live === of ? of : `${live} of ${of}`}`)
    .join(', ');
  const survives = metadata.hasQuorum ? `survives ${metadata.survives}` : 'has no majority now';
  return `voters ${voters}: ${survives}`;
}

/** `azimuth explain --all-versions` for people. */
export function renderVersions({ versions, isTruncated }: VersionsExplanation): string[] {
  const lines = versions.flatMap((version, index) => [
    ...(index === 0 ? [] : ['']),
    ...renderExplanation(version),
  ]);
  if (isTruncated) {
    lines.push('', `the newest ${versions.length} versions; others by --version-id`);
  }
  return lines;
}

/** `azimuth explain s3://bucket` for people. */
export function renderBucket(explained: BucketExplanation): string[] {
  const { bucket, versioning, outagePolicy, sample, versions } = explained;
  const { profiles, metadata, blobsAtRisk, atLeast } = explained;
  const what = sample.isComplete
    ? `all ${sample.versionsRead} versions were looked at`
    : `a sample: ${sample.versionsRead} versions of the first ${sample.versionsListed} listed`;
  const who = sample.isComplete ? 'the bucket' : 'what was looked at';
  return [
    `s3://${bucket}`,
    `  versioning ${versioning}, writes during an outage ${outagePolicy}`,
    `  ${what}: ${versions.inBlobs} in ${sample.blobsRead} blobs, ${versions.inline} inline with ` +
      `the metadata, ${versions.deleteMarkers} delete markers`,
    `  ${who} survives ${explained.survives}`,
    atLeast === null
      ? '  what was not looked at: unknown, not all repair work could be looked at'
      : '  everything in the cluster but what is all in one zone (ONEZONE_IA) ' +
        `survives ${atLeast.survives}`,
    ...(profiles.length === 0 ? [] : ['', ...renderProfiles(profiles)]),
    '',
    ...renderMetadata(metadata),
    ...renderRepairs(blobsAtRisk),
  ];
}

function renderRepairs(blobs: BucketExplanation['blobsAtRisk']): string[] {
  if (blobs === null)
    return ['', 'missing shards: unknown, a part of the metadata does not answer'];
  if (blobs.length === 0) return [];
  return ['', 'blobs that wait for repair:', ...blobs.map(renderBlobAtRisk)];
}

function renderBlob(blob: BlobExplanation): string[] {
  const reduced = blob.isReduced ? ', protection reduced until it is re-striped' : '';
  const inZone = blob.zone === null ? '' : `, all in zone ${blob.zone}`;
  const fatal = blob.zone === null ? '' : `, and not the loss of zone ${blob.zone}`;
  const table = renderTable(
    ['SHARD', 'ZONE', 'NODE', 'DISK', 'STATE'],
    blob.shards.map(({ shardIndex, zone, nodeId, diskId, presence }) => [
      shardIndex,
      zone,
      nodeId,
      diskId.slice(0, 8),
      presence,
    ]),
  );
  return [
    '',
    `blob ${blob.blobId}: ${blob.sizeBytes} bytes, ${blob.profile} in group ${blob.pgId}` +
      inZone +
      reduced,
    ...table.map((line) => `  ${line}`),
    `  ${blob.zones.map(({ zone, live, slots }) => `zone ${zone}: ${live} of ${slots}`).join(', ')}`,
    blob.risk === 'lost' ? '  cannot be read now' : `  survives ${blob.survives}${fatal}`,
    ...blob.reasons.map((reason) => `  at risk: ${reason}`),
  ];
}
