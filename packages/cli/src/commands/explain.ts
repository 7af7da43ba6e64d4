import { Command } from 'commander';
import { StoreError } from '@azimuth/common';

import { explainBucket } from '../bucket-explanation';
import { runAgainstCluster } from '../cluster-access';
import type { ClusterAccess, ClusterLocation } from '../cluster-access';
import { explain, explainVersions } from '../object-explanation';
import { renderBucket, renderExplanation, renderVersions } from '../output/explanation-text';
import type { CliContext } from '../cli-context';

interface ExplainFlags extends ClusterLocation {
  readonly json: boolean;
  readonly versionId?: string;
  readonly allVersions: boolean;
}

export function explainCommand(context: CliContext): Command {
  return new Command('explain')
    .summary('show where an object or a bucket is and what it still survives')
    .description(
      'Of an object: which zone, node and disk holds each shard, whether it is there and intact ' +
        '(the storage node reads it), what the object survives now and why not more. Of a bucket: ' +
        'the same of a sample of its versions, without reading shards.',
    )
    .argument('<url>', 's3://bucket/key or s3://bucket')
    .option('--data <dir>', 'directory of a development cluster', '.azimuth')
    .option('--region <name>', 'region of the development cluster (default: the first)')
    .option('--config <file>', 'settings of an admin identity, instead of --data')
    .option('--version-id <id>', 'version (default: the current one)')
    .option('--all-versions', 'every version of the key, the newest 100', false)
    .option('--json', 'print one JSON document', false)
    .action((url: string, flags: ExplainFlags) => {
      const address = parseS3Url(url);
      return runAgainstCluster(flags, context, async (cluster) => {
        const { document, lines } = await explainUrl(cluster, address, flags);
        const output = flags.json ? [JSON.stringify(document)] : lines;
        for (const line of output) context.print(line);
      });
    });
}

async function explainUrl(
  cluster: ClusterAccess,
  { bucket, key }: S3Address,
  { versionId, allVersions }: ExplainFlags,
): Promise<{ readonly document: unknown; readonly lines: readonly string[] }> {
  if (key === null) {
    const document = await explainBucket(cluster, bucket);
    return { document, lines: renderBucket(document) };
  }
  if (allVersions) {
    const document = await explainVersions(cluster, { bucket, key });
    return { document, lines: renderVersions(document) };
  }
  const document = await explain(cluster, { bucket, key }, versionId ?? null);
  return { document, lines: renderExplanation(document) };
}

export interface S3Address {
  readonly bucket: string;
  /** Null for the bucket. */
  readonly key: string | null;
}

/** @throws StoreError INVALID_ARGUMENT */
export function parseS3Url(url: string): S3Address {
  const match = /^s3:\/\/([^/]+)(?:\/(.*))?$/s.exec(url);
  const [, bucket, key] = match ?? [];
  if (bucket === undefined) {
    throw new StoreError('INVALID_ARGUMENT', { url, expected: 's3://bucket/key or s3://bucket' });
  }
  return { bucket, key: key === undefined || key === '' ? null : key };
}
