import type { BucketRecord } from '@azimuth/proto';

import type { AccountDirectory } from '../../auth/accounts';
import type { S3Request } from '../../http/request';
import type { AccessControlList, Grant } from '../access-control-list';
import { aclOf, isPublicAcl, privateAcl } from '../access-control-list';
import { ownershipOf, publicAccessBlockOf } from '../bucket-configuration';
import type { OperationContext } from '../operation';
import { S3Error } from '../s3-error';
import type { RequestedAcl } from './acl-headers';
import { grantsOf, parseAclHeaders } from './acl-headers';

/** What a new version or upload is stored with. */
export interface NewObjectAcl {
  /** Canonical id: the bucket's owner, or the writer when ACLs are enabled. */
  readonly owner: string;
  /** As records hold it; null grants the owner everything. */
  readonly acl: string | null;
}

/**
 * Owner and ACL of an object that a request writes, from its headers and from the Object Ownership
 * of the bucket. That such a header needs `s3:PutObjectAcl` is in `auth/operation-access.ts`.
 *
 * @throws S3Error AccessControlListNotSupported (P-8), AccessDenied (also for a public ACL where
 *   they are blocked, P-5), InvalidArgument, InvalidRequest, UnresolvableGrantByEmailAddress.
 */
export function aclOfNewObject(
  request: S3Request,
  bucket: BucketRecord,
  context: OperationContext,
): NewObjectAcl {
  const requested = parseAclHeaders(request.headers, 'object', context.accounts);
  const writer = request.principal.canonicalId;
  const ownership = ownershipOf(bucket);
  if (ownership === 'BucketOwnerEnforced') {
    if (requested !== null && !leavesAllToBucketOwner(requested, writer, bucket)) {
      throw new S3Error('AccessControlListNotSupported');
    }
    return { owner: bucket.owner, acl: null };
  }
  const isHandedOver =
    ownership === 'BucketOwnerPreferred' &&
    requested?.kind === 'canned' &&
    requested.name === 'bucket-owner-full-control';
  const owner = isHandedOver ? bucket.owner : writer;
  if (requested === null) return { owner, acl: null };
  const acl = grantsOf(requested, { resource: 'object', owner, bucketOwner: bucket.owner });
  requireNotBlocked(acl, bucket, context.accounts);
  return { owner, acl: storedAcl(acl, owner) };
}

/** What AWS accepts where ACLs are disabled, because it says what is so anyway. */
export function leavesAllToBucketOwner(
  requested: RequestedAcl,
  writer: string,
  bucket: BucketRecord,
): boolean {
  if (requested.kind === 'grants') return isOwnerOnly(requested.grants, bucket.owner);
  if (requested.name === 'bucket-owner-full-control') return true;
  return requested.name === 'private' && writer === bucket.owner;
}

/** True for the list that grants FULL_CONTROL to the owner and nothing else. */
export function isOwnerOnly(grants: readonly Grant[], owner: string): boolean {
  const [only, another] = grants;
  return (
    only?.permission === 'FULL_CONTROL' &&
    another === undefined &&
    only.grantee.type === 'canonical-user' &&
    only.grantee.canonicalId === owner
  );
}

/** P-5. @throws S3Error AccessDenied for a public ACL under BlockPublicAcls. */
export function requireNotBlocked(
  acl: AccessControlList,
  bucket: BucketRecord,
  accounts: AccountDirectory,
): void {
  if (isPublicAcl(acl) && publicAccessBlockOf(bucket, accounts).blockPublicAcls) {
    throw new S3Error('AccessDenied');
  }
}

/** As records hold it. */
export function storedAcl(acl: AccessControlList, owner: string): string | null {
  return isOwnerOnly(acl.grants, owner) ? null : JSON.stringify(acl);
}

/**
 * The permissions in place, which is what GetBucketAcl and GetObjectAcl show: nothing but the
 * owner's where ACLs are disabled, no public grant where those are ignored (P-5, P-8).
 */
export function effectiveAcl(
  stored: string | null,
  owner: string,
  { bucket, accounts }: { readonly bucket: BucketRecord; readonly accounts: AccountDirectory },
): AccessControlList {
  if (ownershipOf(bucket) === 'BucketOwnerEnforced') return privateAcl(bucket.owner);
  const acl = aclOf(stored, owner);
  if (!publicAccessBlockOf(bucket, accounts).ignorePublicAcls) return acl;
  return { grants: acl.grants.filter((grant) => !isPublicAcl({ grants: [grant] })) };
}
