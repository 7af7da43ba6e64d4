import { hasCode, mapLimited } from '@azimuth/common';
import type { BucketRecord } from '@azimuth/proto';

import type { S3Request } from '../../http/request';
import { indexGroups, isVersioned, requireBucket, requireFreshView } from '../bucket-access';
import type { Operation, OperationContext } from '../operation';
import { S3Error } from '../s3-error';

const GROUPS_IN_FLIGHT_MAX = 8;
const UPLOADS_PAGE_LENGTH = 1000;

/**
 * Marks the bucket, fences it in every index group, and then removes it, or lifts the fences again.
 * From the fences on nothing can be added, so "empty" stays true. A gateway that dies in between
 * leaves the mark behind, and the curator finishes or lifts it.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html
 */
export const deleteBucket: Operation = {
  name: 'DeleteBucket',
  body: 'none',

  async handle(request, context) {
    await requireFreshView(context, request.signal);
    const bucket = await requireBucket(request, context);
    // Writers of a bucket that is clearly in use should not even notice the attempt.
    if (await hasObjects(bucket, request, context)) throw notEmpty(bucket, true);

    const { mark } = await markDeleting({ bucket, isDeleting: true }, context);
    const isEmpty = await fence(bucket, mark, context);
    if (!isEmpty) {
      await giveUp(bucket, mark, context);
      throw notEmpty(bucket, await hasObjects(bucket, request, context));
    }
    await abortUploads(bucket, context);
    await remove(bucket, mark, context);
    return { status: 204 };
  },
};

async function hasObjects(
  bucket: BucketRecord,
  request: S3Request,
  context: OperationContext,
): Promise<boolean> {
  const args = { bucketId: bucket.bucketId, prefix: '', delimiter: '', after: null, limit: 1 };
  const pages = await mapLimited(indexGroups(context), GROUPS_IN_FLIGHT_MAX, (group) =>
    context.metadata.queryIndex(group, 'ListObjects', args, { signal: request.signal }),
  );
  return pages.some((page) => page.entries.length > 0);
}

/** Answers whether no group has a version left. */
async function fence(
  { bucketId }: BucketRecord,
  mark: number,
  context: OperationContext,
): Promise<boolean> {
  const answers = await mapLimited(indexGroups(context), GROUPS_IN_FLIGHT_MAX, (group) =>
    context.metadata.index(group, 'FenceBucket', { bucketId, isFenced: true, mark }),
  );
  return answers.every((answer) => !answer.hasVersions);
}

/**
 * Takes the mark back and then lifts its fences. In this order: whoever still works under the mark
 * found groups empty that are written to again, and must not be able to remove the bucket.
 */
async function giveUp(
  bucket: BucketRecord,
  mark: number,
  context: OperationContext,
): Promise<void> {
  const { bucketId } = bucket;
  await markDeleting({ bucket, isDeleting: false, mark }, context);
  await mapLimited(indexGroups(context), GROUPS_IN_FLIGHT_MAX, (group) =>
    context.metadata.index(group, 'FenceBucket', { bucketId, isFenced: false, mark }),
  );
}

async function remove(
  bucket: BucketRecord,
  mark: number,
  context: OperationContext,
): Promise<void> {
  const { name, bucketId } = bucket;
  try {
    await context.metadata.root('RemoveBucket', { name, bucketId, mark });
  } catch (error) {
    if (!hasCode(error, 'INVALID_ARGUMENT')) throw error;
    // Another DeleteBucket shared the mark, found something, and took the mark back.
    await giveUp(bucket, mark, context);
    throw notEmpty(bucket, true);
  }
}

async function markDeleting(
  change: { readonly bucket: BucketRecord } & (
    { readonly isDeleting: true } | { readonly isDeleting: false; readonly mark: number }
  ),
  context: OperationContext,
): Promise<{ readonly mark: number }> {
  const { bucket, ...rest } = change;
  const { name, bucketId } = bucket;
  try {
    return await context.metadata.root('MarkBucketDeleting', { name, bucketId, ...rest });
  } catch (error) {
    if (hasCode(error, 'BUCKET_NOT_FOUND')) {
      throw new S3Error('NoSuchBucket', { BucketName: name }, { cause: error });
    }
    throw error;
  }
}

/** Uploads do not count as content; behind the fence none can be added or completed. */
async function abortUploads(bucket: BucketRecord, context: OperationContext): Promise<void> {
  const { bucketId } = bucket;
  await mapLimited(indexGroups(context), GROUPS_IN_FLIGHT_MAX, async (group) => {
    // Each page is aborted before the next is asked for, so every page is the first one.
    const args = { bucketId, prefix: '', after: null, limit: UPLOADS_PAGE_LENGTH };
    let isTruncated = true;
    while (isTruncated) {
      const page = await context.metadata.queryIndex(group, 'ListUploads', args);
      for (const { key, uploadId } of page.uploads) {
        await abortUpload(group, { bucketId, key, uploadId }, context);
      }
      isTruncated = page.isTruncated;
    }
  });
}

async function abortUpload(
  group: string,
  upload: { readonly bucketId: string; readonly key: string; readonly uploadId: string },
  context: OperationContext,
): Promise<void> {
  try {
    await context.metadata.index(group, 'AbortUpload', upload);
  } catch (error) {
    if (!hasCode(error, 'UPLOAD_NOT_FOUND')) throw error;
  }
}

function notEmpty(bucket: BucketRecord, hasCurrentObjects: boolean): S3Error {
  const { message } = new S3Error('BucketNotEmpty');
  const hint = ' You must delete all versions in the bucket.';
  const isOnlyVersions = isVersioned(bucket) && !hasCurrentObjects;
  return new S3Error(
    'BucketNotEmpty',
    { BucketName: bucket.name },
    { message: isOnlyVersions ? message + hint : message },
  );
}
