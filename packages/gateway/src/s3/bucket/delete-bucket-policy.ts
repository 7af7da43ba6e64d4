import type { Operation } from '../operation';
import { changeConfiguration } from './bucket-change';
import { requireOwnBucket } from './policy-change';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketPolicy.html */
export const deleteBucketPolicy: Operation = {
  name: 'DeleteBucketPolicy',
  body: 'none',

  async handle(request, context) {
    const bucket = await requireOwnBucket(request, context);
    await changeConfiguration(bucket, 'policy', null, context);
    return { status: 204 };
  },
};
