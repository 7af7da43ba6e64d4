import { mapLimited, StoreError } from '@azimuth/common';
import {
  describeReason,
  groupDurability,
  indexGroupOfSlot,
  isDiskReadable,
  weakestLosses,
} from '@azimuth/placement';
import type { ClusterMap } from '@azimuth/placement';
import { slotOfKey } from '@azimuth/proto';
import type { BlobRef, BucketRecord, MetadataStatus, VersionBody } from '@azimuth/proto';

import type { ClusterAccess } from './cluster-access';
import { metadataDurability, stated } from './durability-statement';
import { askMetadataNodes } from './metadata-answers';
import type { KnownMetadataNode } from './metadata-answers';
import type {
  BlobExplanation,
  Explanation,
  ShardExplanation,
  VersionsExplanation,
} from './explanation';

const ANSWER_TIMEOUT_MS = 5_000;
/** Each version of a large object has thousands of shards to read: more come by --version-id. */
const VERSIONS_MAX = 100;
const VERSIONS_AT_ONCE = 4;

export interface ObjectAddress {
  readonly bucket: string;
  readonly key: string;
}

/** What is asked once, whatever is explained. */
export interface ExplainedCluster {
  readonly cluster: ClusterAccess;
  readonly map: ClusterMap;
  readonly metadataNodes: readonly KnownMetadataNode[];
  readonly statuses: readonly MetadataStatus[];
}

/** @throws StoreError UNAVAILABLE */
export async function explainedCluster(cluster: ClusterAccess): Promise<ExplainedCluster> {
  const [map, answers] = await Promise.all([
    cluster.map(ANSWER_TIMEOUT_MS),
    askMetadataNodes(cluster, ANSWER_TIMEOUT_MS),
  ]);
  if (map === null) throw new StoreError('UNAVAILABLE', { reason: 'no root leader answers' });
  return { cluster, map, ...answers };
}

/** @throws StoreError BUCKET_NOT_FOUND, UNAVAILABLE */
export async function bucketNamed(
  { metadata }: Pick<ClusterAccess, 'metadata'>,
  name: string,
): Promise<BucketRecord> {
  const options = { timeoutMs: ANSWER_TIMEOUT_MS };
  const record = await metadata.queryRoot('GetBucket', { name }, options);
  if (record === null) throw new StoreError('BUCKET_NOT_FOUND', { bucket: name });
  return record;
}

/**
 * One version: the current one when `versionId` is null.
 *
 * @throws StoreError BUCKET_NOT_FOUND, KEY_NOT_FOUND, UNAVAILABLE
 */
export async function explain(
  cluster: ClusterAccess,
  address: ObjectAddress,
  versionId: string | null,
): Promise<Explanation> {
  const explained = await explainedCluster(cluster);
  const record = await bucketNamed(cluster, address.bucket);
  return explainVersion(explained, record, address.key, versionId);
}

/**
 * Every version of a key, newest first, at most {@link VERSIONS_MAX}.
 *
 * @throws StoreError BUCKET_NOT_FOUND, KEY_NOT_FOUND, UNAVAILABLE
 */
export async function explainVersions(
  cluster: ClusterAccess,
  { bucket, key }: ObjectAddress,
): Promise<VersionsExplanation> {
  const explained = await explainedCluster(cluster);
  const record = await bucketNamed(cluster, bucket);
  const { entries } = await cluster.metadata.queryIndex(
    indexGroupOf(explained.map, record.bucketId, key),
    'ListVersions',
    {
      bucketId: record.bucketId,
      prefix: key,
      delimiter: '',
      after: null,
      limit: VERSIONS_MAX + 1,
    },
    { timeoutMs: ANSWER_TIMEOUT_MS },
  );
  // The key itself comes first of all keys that begin with it.
  const found = entries.filter((entry) => entry.key === key);
  if (found.length === 0) throw new StoreError('KEY_NOT_FOUND', { bucket, key });
  const versions = await mapLimited(
    found.slice(0, VERSIONS_MAX),
    VERSIONS_AT_ONCE,
    ({ versionId }) => explainVersion(explained, record, key, versionId),
  );
  return { bucket, key, versions, isTruncated: found.length > VERSIONS_MAX };
}

function indexGroupOf(map: ClusterMap, bucketId: string, key: string): string {
  return indexGroupOfSlot(slotOfKey(bucketId, key), map.settings.indexGroups);
}

async function explainVersion(
  explained: ExplainedCluster,
  { bucketId, name }: BucketRecord,
  key: string,
  versionId: string | null,
): Promise<Explanation> {
  const { cluster, map, metadataNodes, statuses } = explained;
  const indexGroup = indexGroupOf(map, bucketId, key);
  const found = await cluster.metadata.queryIndex(
    indexGroup,
    'GetVersion',
    { bucketId, key, versionId, withBody: true },
    { timeoutMs: ANSWER_TIMEOUT_MS },
  );
  if (found === null) throw new StoreError('KEY_NOT_FOUND', { bucket: name, key });
  const metadata =
    metadataDurability({ metadataNodes, statuses }).find(({ group }) => group === indexGroup) ??
    null;
  const blobs = await explainBlobs(explained, found.body);
  const parts = [...blobs, ...(metadata === null ? [] : [metadata])];
  return {
    bucket: name,
    head: found.head,
    indexGroup,
    metadata,
    inlineBytes: found.body?.inline?.length ?? null,
    blobs,
    ...stated(weakestLosses(parts.map(({ losses }) => losses))),
  };
}

async function explainBlobs(
  explained: ExplainedCluster,
  body: VersionBody | null,
): Promise<BlobExplanation[]> {
  const blobs: BlobExplanation[] = [];
  // One at a time: a big object has thousands, and its shards are read.
  for (const blob of body?.blobs ?? []) blobs.push(await explainBlob(explained, blob));
  return blobs;
}

async function explainBlob(
  { cluster, map }: ExplainedCluster,
  blob: BlobRef,
): Promise<BlobExplanation> {
  const known = map.groups.get(blob.pgId);
  const slots = known?.slots ?? [];
  const shards = await Promise.all(
    slots.map(async (diskId, shardIndex): Promise<ShardExplanation> => {
      const disk = map.disks.get(diskId);
      const node = map.nodes.get(disk?.nodeId ?? '');
      const shard = { diskId, blobId: blob.blobId, shardIndex };
      const presence =
        node === undefined ? 'unreachable' : await cluster.storage.verifyShard(node, shard);
      const { nodeId = '?', zone = '?' } = disk ?? {};
      return { shardIndex, zone, nodeId, diskId, presence };
    }),
  );
  const missing = shards
    .filter(({ presence, diskId }) => presence !== 'intact' && isDiskReadable(map, diskId))
    .map(({ shardIndex }) => shardIndex);
  const { profile, isReduced } = blob;
  const backfill = known?.backfill ?? null;
  const { zones, survival, reasons } = groupDurability(
    map,
    { slots, profile, isReduced, backfill },
    missing,
  );
  return {
    blobId: blob.blobId,
    pgId: blob.pgId,
    profile: `${profile.k}+${profile.m}`,
    sizeBytes: blob.sizeBytes,
    isReduced,
    zone: known?.zone ?? null,
    shards,
    zones,
    risk: survival.risk,
    fatalZones: survival.fatalZones,
    reasons: reasons.map(describeReason),
    ...stated(survival.losses),
  };
}
