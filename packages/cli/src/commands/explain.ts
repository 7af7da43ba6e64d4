import { Command } from 'commander';
import { StoreError } from '@azimuth/common';
import { blobSurvival, indexGroupOfSlot } from '@azimuth/placement';
import type { ClusterMap } from '@azimuth/placement';
import { slotOfKey } from '@azimuth/proto';
import type { BlobRef, VersionBody } from '@azimuth/proto';

import { runAgainstCluster } from '../cluster-access';
import type { ClusterAccess, ClusterLocation } from '../cluster-access';
import type { BlobExplanation, Explanation, ShardExplanation } from '../explanation';
import { renderExplanation } from '../output/explanation-text';
import type { CliContext } from './dev';

const ANSWER_TIMEOUT_MS = 5_000;

interface ExplainFlags extends ClusterLocation {
  readonly json: boolean;
  readonly versionId?: string;
}

export function explainCommand(context: CliContext): Command {
  return new Command('explain')
    .summary('show where the shards of an object are and what it still survives')
    .description(
      'Shows which zone, node and disk holds each shard of an object, whether the shard is there ' +
        'and intact (the storage node reads it), and which losses the object still survives.',
    )
    .argument('<url>', 's3://bucket/key')
    .option('--data <dir>', 'directory of a development cluster', '.azimuth')
    .option('--region <name>', 'region of the development cluster (default: the first)')
    .option('--config <file>', 'settings of an admin identity, instead of --data')
    .option('--version-id <id>', 'version (default: the current one)')
    .option('--json', 'print one JSON document', false)
    .action((url: string, flags: ExplainFlags) => {
      const address = parseS3Url(url);
      return runAgainstCluster(flags, context, async (cluster) => {
        const explanation = await explain(cluster, address, flags.versionId ?? null);
        const lines = flags.json ? [JSON.stringify(explanation)] : renderExplanation(explanation);
        for (const line of lines) context.print(line);
      });
    });
}

/** @throws StoreError INVALID_ARGUMENT */
export function parseS3Url(url: string): { readonly bucket: string; readonly key: string } {
  const match = /^s3:\/\/([^/]+)\/(.+)$/s.exec(url);
  const [, bucket, key] = match ?? [];
  if (bucket === undefined || key === undefined) {
    throw new StoreError('INVALID_ARGUMENT', { url, expected: 's3://bucket/key' });
  }
  return { bucket, key };
}

/** @throws StoreError BUCKET_NOT_FOUND, KEY_NOT_FOUND, UNAVAILABLE */
export async function explain(
  cluster: ClusterAccess,
  { bucket, key }: { readonly bucket: string; readonly key: string },
  versionId: string | null,
): Promise<Explanation> {
  const options = { timeoutMs: ANSWER_TIMEOUT_MS };
  const map = await cluster.map(ANSWER_TIMEOUT_MS);
  if (map === null) throw new StoreError('UNAVAILABLE', { reason: 'no root leader answers' });
  const record = await cluster.metadata.queryRoot('GetBucket', { name: bucket }, options);
  if (record === null) throw new StoreError('BUCKET_NOT_FOUND', { bucket });
  const { bucketId } = record;
  const indexGroup = indexGroupOfSlot(slotOfKey(bucketId, key), map.settings.indexGroups);
  const found = await cluster.metadata.queryIndex(
    indexGroup,
    'GetVersion',
    { bucketId, key, versionId, withBody: true },
    options,
  );
  if (found === null) throw new StoreError('KEY_NOT_FOUND', { bucket, key });
  return {
    bucket,
    head: found.head,
    indexGroup,
    inlineBytes: found.body?.inline?.length ?? null,
    blobs: await explainBlobs(cluster, map, found.body),
  };
}

async function explainBlobs(
  cluster: ClusterAccess,
  map: ClusterMap,
  body: VersionBody | null,
): Promise<BlobExplanation[]> {
  const blobs: BlobExplanation[] = [];
  // One at a time: a big object has thousands, and its shards are read.
  for (const blob of body?.blobs ?? []) blobs.push(await explainBlob(cluster, map, blob));
  return blobs;
}

async function explainBlob(
  cluster: ClusterAccess,
  map: ClusterMap,
  blob: BlobRef,
): Promise<BlobExplanation> {
  const group = map.groups.get(blob.pgId);
  const slots = group?.slots ?? [];
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
  const present = shards
    .filter(({ presence }) => presence === 'intact')
    .map(({ shardIndex }) => shardIndex);
  return {
    blobId: blob.blobId,
    pgId: blob.pgId,
    profile: `${blob.profile.k}+${blob.profile.m}`,
    sizeBytes: blob.sizeBytes,
    isReduced: blob.isReduced,
    shards,
    survives: blobSurvival(map, { slots, profile: blob.profile }, present).text,
  };
}
