import { mapLimited } from '@azimuth/common';
import { weakestLosses } from '@azimuth/placement';
import type { ClusterMap, OutagePolicy } from '@azimuth/placement';
import { OUTAGE_POLICY_CONFIGURATION } from '@azimuth/proto';
import type { BlobRef, BucketRecord, ListVersionEntry } from '@azimuth/proto';

import type { ClusterAccess } from './cluster-access';
import {
  blobsBelowPromise,
  durabilityStatement,
  metadataDurability,
  profileDurability,
  BLOBS_SHOWN_MAX,
  stated,
} from './durability-statement';
import type { DurabilityAnswers, LossStatement, RepairAnswers } from './durability-statement';
import type { BucketExplanation } from './explanation';
import { bucketNamed, explainedCluster } from './object-explanation';
import { collectRepairs } from './repair-answers';

const ANSWER_TIMEOUT_MS = 5_000;
/** Versions that are listed of each index group, in one query. */
const LISTED_PER_GROUP_MAX = 1_000;
/** Versions whose manifests are read, of all index groups together. */
const READ_MAX = 256;
const PARALLEL_MAX = 8;

/** One version of the sample: where its bytes are. */
export interface SampledVersion {
  readonly isDeleteMarker: boolean;
  readonly hasInline: boolean;
  readonly blobs: readonly Pick<BlobRef, 'pgId'>[];
}

export interface BucketSample {
  readonly versionsListed: number;
  /** True when nothing was left out by listing. */
  readonly isListComplete: boolean;
  readonly versions: readonly SampledVersion[];
}

/** @throws StoreError BUCKET_NOT_FOUND, UNAVAILABLE */
export async function explainBucket(
  cluster: ClusterAccess,
  bucket: string,
): Promise<BucketExplanation> {
  const { map, metadataNodes, statuses } = await explainedCluster(cluster);
  const record = await bucketNamed(cluster, bucket);
  const groups = Array.from({ length: map.settings.indexGroups }, (_, i) => `index-${i}`);
  const [sample, repairs] = await Promise.all([
    sampleBucket(cluster, record, groups),
    collectRepairs(cluster, groups, ANSWER_TIMEOUT_MS),
  ]);
  return summarizeBucket(record, sample, { map, metadataNodes, statuses, repairs });
}

/** Puts the answers together. Pure. */
export function summarizeBucket(
  record: BucketRecord,
  sample: BucketSample,
  answers: DurabilityAnswers,
): BucketExplanation {
  const { map, repairs } = answers;
  const { versions } = sample;
  const blobs = versions.flatMap((version) => version.blobs);
  const used = new Set(blobs.map(({ pgId }) => pgId));
  const profiles = profileDurability(map, (pgId) => used.has(pgId));
  const blobsAtRisk = repairs === null ? null : repairsOfBucket(map, repairs, record.name);
  const metadata = metadataDurability(answers);
  const all = [...profiles, ...(blobsAtRisk ?? []), ...metadata];
  return {
    bucket: record.name,
    versioning: record.versioning,
    outagePolicy: outagePolicyOf(record),
    sample: {
      versionsListed: sample.versionsListed,
      versionsRead: versions.length,
      blobsRead: blobs.length,
      isComplete: sample.isListComplete && versions.length === sample.versionsListed,
    },
    versions: {
      deleteMarkers: versions.filter(({ isDeleteMarker }) => isDeleteMarker).length,
      inline: versions.filter(({ hasInline, blobs: { length } }) => hasInline && length === 0)
        .length,
      inBlobs: versions.filter(({ blobs: { length } }) => length > 0).length,
    },
    profiles,
    blobsAtRisk: blobsAtRisk?.slice(0, BLOBS_SHOWN_MAX) ?? null,
    metadata,
    atLeast: atLeast(answers),
    ...stated(weakestLosses(all.map(({ losses }) => losses))),
  };
}

/** As `azimuth bucket outage-policy` sets it. */
function outagePolicyOf({ configurations }: BucketRecord): OutagePolicy {
  const document = configurations[OUTAGE_POLICY_CONFIGURATION];
  return document === undefined ? 'reduced' : (JSON.parse(document) as OutagePolicy);
}

function repairsOfBucket(
  map: ClusterMap,
  repairs: RepairAnswers,
  bucket: string,
): BucketExplanation['blobsAtRisk'] {
  return blobsBelowPromise(map, repairs).filter(({ object }) => object?.bucket === bucket);
}

function atLeast(answers: DurabilityAnswers): LossStatement | null {
  const { losses, survives, blobsAtRiskTotal, blobsInspected } = durabilityStatement(answers);
  if (blobsAtRiskTotal === null || blobsAtRiskTotal !== blobsInspected) return null;
  return { losses, survives };
}

async function sampleBucket(
  { metadata }: Pick<ClusterAccess, 'metadata'>,
  { bucketId }: BucketRecord,
  groups: readonly string[],
): Promise<BucketSample> {
  const options = { timeoutMs: ANSWER_TIMEOUT_MS };
  const readMax = Math.max(1, Math.floor(READ_MAX / groups.length));
  const samples = await mapLimited(groups, PARALLEL_MAX, async (group) => {
    const page = { bucketId, prefix: '', delimiter: '', after: null, limit: LISTED_PER_GROUP_MAX };
    const listed = await metadata.queryIndex(group, 'ListVersions', page, options);
    const chosen = evenlySpaced(listed.entries, readMax);
    const found = await mapLimited(chosen, PARALLEL_MAX, ({ key, versionId }) =>
      metadata.queryIndex(
        group,
        'GetVersion',
        { bucketId, key, versionId, withBody: true },
        options,
      ),
    );
    return { listed, found };
  });
  return {
    versionsListed: samples.reduce((sum, { listed }) => sum + listed.entries.length, 0),
    isListComplete: samples.every(({ listed }) => !listed.isTruncated),
    // What was deleted since it was listed is no part of the bucket any more.
    versions: samples
      .flatMap(({ found }) => found)
      .filter((version) => version !== null)
      .map(({ head, body }) => ({
        isDeleteMarker: head.isDeleteMarker,
        hasInline: body?.inline != null,
        blobs: body?.blobs ?? [],
      })),
  };
}

/** `count` of the entries, the first among them; all when there are no more. */
export function evenlySpaced(
  entries: readonly ListVersionEntry[],
  count: number,
): readonly ListVersionEntry[] {
  if (entries.length <= count) return entries;
  return Array.from(
    { length: count },
    (_, i) => entries[Math.floor((i * entries.length) / count)],
  ).filter((entry) => entry !== undefined);
}
