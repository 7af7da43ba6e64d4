import { ACL_BYTES_MAX, readRequestedAcl } from '../acl/acl-change';
import { isOwnerOnly } from '../acl/object-acl';
import { requireBucket } from '../bucket-access';
import type { Operation } from '../operation';
import { changeConfiguration } from './bucket-change';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAcl.html */
export const putBucketAcl: Operation = {
  name: 'PutBucketAcl',
  body: 'document',
  documentBytesMax: ACL_BYTES_MAX,

  async handle(request, context) {
    const bucket = await requireBucket(request, context);
    const { owner } = bucket;
    const owners = { resource: 'bucket', owner, bucketOwner: owner } as const;
    const acl = await readRequestedAcl(request, bucket, owners, context);
    const stored = isOwnerOnly(acl.grants, owner) ? null : acl;
    await changeConfiguration(bucket, 'acl', stored, context);
    return { status: 200 };
  },
};
