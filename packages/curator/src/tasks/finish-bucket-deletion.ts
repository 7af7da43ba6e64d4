import type { BucketRecord } from '@azimuth/proto';

import { indexGroups } from '../curator-context';
import type { CuratorContext } from '../curator-context';

const BUCKET_PAGE = 500;
const UPLOAD_PAGE = 200;

/**
 * Ends deletions of buckets that their gateway has left half done: fences every index group again,
 * and then either removes the bucket or, when a version is left in it, lifts the fences. Under the
 * fence nothing is added or deleted, so a gateway that still works on it comes to the same answer.
 */
export async function finishBucketDeletions(context: CuratorContext): Promise<void> {
  let after: string | null = null;
  for (;;) {
    const args = { after, prefix: '', limit: BUCKET_PAGE };
    const options = { signal: context.signal };
    const page: { readonly buckets: readonly BucketRecord[]; readonly isTruncated: boolean } =
      await context.metadata.queryRoot('ListBuckets', args, options);
    for (const bucket of page.buckets) {
      if (isAbandoned(context, bucket)) await finishDeletion(context, bucket);
    }
    after = page.buckets.at(-1)?.name ?? null;
    if (!page.isTruncated || after === null) return;
  }
}

function isAbandoned(context: CuratorContext, bucket: BucketRecord): boolean {
  const { bucketDeletionAgeMinMs } = context.settings;
  const sinceMs = bucket.deletingSinceMs;
  return sinceMs !== null && context.leaderNowMs() - sinceMs > bucketDeletionAgeMinMs;
}

async function finishDeletion(context: CuratorContext, bucket: BucketRecord): Promise<void> {
  const { metadata, signal, logger } = context;
  const { name, bucketId } = bucket;
  const groups = indexGroups(context);
  const contents = [];
  const mark = bucket.deletionMark;
  for (const group of groups) {
    const fence = { bucketId, isFenced: true, mark };
    contents.push({ group, ...(await metadata.index(group, 'FenceBucket', fence, { signal })) });
  }
  if (contents.some(({ hasVersions }) => hasVersions)) {
    // The mark goes first: without it no one may remove the bucket once a fence is lifted.
    const takeBack = { name, bucketId, isDeleting: false as const, mark };
    await metadata.root('MarkBucketDeleting', takeBack, { signal });
    for (const group of groups) {
      await metadata.index(group, 'FenceBucket', { bucketId, isFenced: false, mark }, { signal });
    }
    logger.info({ bucket: name }, 'an abandoned bucket deletion was undone');
    return;
  }
  for (const { group, hasUploads } of contents) {
    if (hasUploads) await abortUploads(context, group, bucketId);
  }
  await metadata.root('RemoveBucket', { name, bucketId, mark }, { signal });
  logger.info({ bucket: name }, 'an abandoned bucket deletion was finished');
}

async function abortUploads(
  context: CuratorContext,
  group: string,
  bucketId: string,
): Promise<void> {
  const { metadata, signal } = context;
  for (;;) {
    const args = { bucketId, prefix: '', after: null, limit: UPLOAD_PAGE };
    const page = await metadata.queryIndex(group, 'ListUploads', args, { signal });
    for (const { key, uploadId } of page.uploads) {
      await metadata.index(group, 'AbortUpload', { bucketId, key, uploadId }, { signal });
    }
    if (!page.isTruncated) return;
  }
}
