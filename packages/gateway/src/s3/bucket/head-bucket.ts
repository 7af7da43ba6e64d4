import { requireBucket } from '../bucket-access';
import type { Operation } from '../operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html */
export const headBucket: Operation = {
  name: 'HeadBucket',
  body: 'none',

  async handle(request, context) {
    await requireBucket(request, context);
    return {
      status: 200,
      headers: {
        'x-amz-bucket-region': context.region,
        'x-amz-access-point-alias': 'false',
        'content-length': '0',
      },
    };
  },
};
