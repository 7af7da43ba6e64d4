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
  action: 's3:DeleteBucket',
  body: 'none',

  async handle(request, context) {
    requireFreshView(context);
    const bucket = await requireBucket(request, context);
    // Writers of a bucket that is clearly in use should not even notice the attempt.
    if (await hasObjects(bucket, request, context)) throw notEmpty(bucket, true);

    await setMark(bucket, true, context);
    const isEmpty = await fence(bucket, context);
    if (!isEmpty) {
      await liftFences(bucket, context);
      throw notEmpty(bucket, await hasObjects(bucket, request, context));
    }
    await abortUploads(bucket, context);
    await context.metadata.root('RemoveBucket', { name: bucket.name, bucketId: bucket.bucketId });
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
async function fence(bucket: BucketRecord, context: OperationContext): Promise<boolean> {
  const { bucketId } = bucket;
  const answers = await mapLimited(indexGroups(context), GROUPS_IN_FLIGHT_MAX, (group) =>
    context.metadata.index(group, 'FenceBucket', { bucketId, isFenced: true }),
  );
  return answers.every((answer) => !answer.hasVersions);
}

async function liftFences(bucket: BucketRecord, context: OperationContext): Promise<void> {
  const { bucketId } = bucket;
  await mapLimited(indexGroups(context), GROUPS_IN_FLIGHT_MAX, (group) =>
    context.metadata.index(group, 'FenceBucket', { bucketId, isFenced: false }),
  );
  await setMark(bucket, false, context);
}

async function setMark(
  bucket: BucketRecord,
  isDeleting: boolean,
  context: OperationContext,
): Promise<void> {
  const { name, bucketId } = bucket;
  try {
    await context.metadata.root('MarkBucketDeleting', { name, bucketId, isDeleting });
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
