import { textDocument } from '../../http/xml/xml-writer';
import { requireBucket } from '../bucket-access';
import type { Operation } from '../operation';

/** us-east-1 has no location constraint, for historical reasons. */
const REGION_WITHOUT_CONSTRAINT = 'us-east-1';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html */
export const getBucketLocation: Operation = {
  name: 'GetBucketLocation',
  body: 'none',

  async handle(request, context) {
    await requireBucket(request, context);
    const location = context.region === REGION_WITHOUT_CONSTRAINT ? '' : context.region;
    return {
      status: 200,
      body: { kind: 'xml', document: textDocument('LocationConstraint', location) },
    };
  },
};
