import { effectiveAcl } from '../acl/object-acl';
import { renderAcl } from '../acl/acl-document';
import { requireBucket } from '../bucket-access';
import type { Operation } from '../operation';
import { xmlResponse } from './configuration-operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAcl.html */
export const getBucketAcl: Operation = {
  name: 'GetBucketAcl',
  body: 'none',

  async handle(request, context) {
    const bucket = await requireBucket(request, context);
    const { accounts } = context;
    const stored = bucket.configurations['acl'] ?? null;
    const acl = effectiveAcl(stored, bucket.owner, { bucket, accounts });
    return xmlResponse(renderAcl(acl, bucket.owner, accounts));
  },
};
