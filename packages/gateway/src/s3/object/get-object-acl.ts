import { renderAcl } from '../acl/acl-document';
import { effectiveAcl } from '../acl/object-acl';
import { isVersioned, requireObject } from '../bucket-access';
import { ownershipOf } from '../bucket-configuration';
import type { Operation } from '../operation';
import { versionIdOf } from '../version-id';
import { requireVersion } from './current-version';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAcl.html */
export const getObjectAcl: Operation = {
  name: 'GetObjectAcl',
  body: 'none',

  async handle(request, context) {
    const versionId = versionIdOf(request.query);
    const location = await requireObject(request, context);
    const lookUp = { versionId, withBody: false, signal: request.signal };
    const { head } = await requireVersion(location, lookUp, context);
    const { bucket } = location;
    const { accounts } = context;
    // P-8: without ACLs everything in the bucket is the bucket owner's.
    const isEnforced = ownershipOf(bucket) === 'BucketOwnerEnforced';
    const owner = isEnforced ? bucket.owner : head.owner;
    const acl = effectiveAcl(head.acl, owner, { bucket, accounts });
    return {
      status: 200,
      headers: isVersioned(bucket) ? { 'x-amz-version-id': head.versionId } : {},
      body: { kind: 'xml', document: renderAcl(acl, owner, accounts) },
    };
  },
};
