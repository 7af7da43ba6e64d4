import { ACL_BYTES_MAX, readRequestedAcl } from '../acl/acl-change';
import { storedAcl } from '../acl/object-acl';
import { isVersioned, requireWritableObject } from '../bucket-access';
import { ownershipOf } from '../bucket-configuration';
import type { Operation } from '../operation';
import { refuseConditions } from '../precondition';
import { versionIdOf } from '../version-id';
import { requireVersion } from './current-version';
import { updateVersion } from './update-version';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html */
export const putObjectAcl: Operation = {
  name: 'PutObjectAcl',
  body: 'document',
  documentBytesMax: ACL_BYTES_MAX,

  async handle(request, context) {
    refuseConditions(request.headers);
    const location = await requireWritableObject(request, context);
    const lookUp = {
      versionId: versionIdOf(request.query),
      withBody: false,
      signal: request.signal,
    };
    const { head } = await requireVersion(location, lookUp, context);
    const { bucket } = location;
    const isEnforced = ownershipOf(bucket) === 'BucketOwnerEnforced';
    const owner = isEnforced ? bucket.owner : head.owner;
    const owners = { resource: 'object', owner, bucketOwner: bucket.owner } as const;
    const acl = await readRequestedAcl(request, bucket, owners, context);
    // V-23: the version whose owner was seen, though another may be the current one by now, or of
    // somebody else and `null` as well. What is accepted where ACLs are disabled changes nothing.
    const { versionId } = isEnforced
      ? head
      : await updateVersion(
          location,
          { versionId: head.versionId, sequence: head.sequence, acl: storedAcl(acl, owner) },
          request,
          context,
        );
    return {
      status: 200,
      headers: isVersioned(bucket) ? { 'x-amz-version-id': versionId } : {},
    };
  },
};
