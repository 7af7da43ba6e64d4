import { bucketConfiguration } from '../bucket-configuration';
import type { Operation } from '../operation';
import { S3Error } from '../s3-error';
import { requireOwnBucket } from './policy-change';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicy.html */
export const getBucketPolicy: Operation = {
  name: 'GetBucketPolicy',
  body: 'none',

  async handle(request, context) {
    const bucket = await requireOwnBucket(request, context);
    const text = bucketConfiguration(bucket, 'policy');
    if (text === null) throw new S3Error('NoSuchBucketPolicy', { BucketName: bucket.name });
    return { status: 200, body: { kind: 'text', contentType: 'application/json', text } };
  },
};
