import type { AclPermission, AccessControlList, Grant } from '../access-control-list';
import {
  ALL_USERS_URI,
  AUTHENTICATED_USERS_URI,
  LOG_DELIVERY_URI,
  privateAcl,
} from '../access-control-list';
import { invalidArgument } from '../s3-error';

export const CANNED_ACLS = [
  'private',
  'public-read',
  'public-read-write',
  'authenticated-read',
  'aws-exec-read',
  'bucket-owner-read',
  'bucket-owner-full-control',
  'log-delivery-write',
] as const;
export type CannedAcl = (typeof CANNED_ACLS)[number];

/** What an ACL is for. */
export type AclResource = 'bucket' | 'object';

export interface AclOwners {
  readonly resource: AclResource;
  /** Canonical id of whoever owns the resource. */
  readonly owner: string;
  readonly bucketOwner: string;
}

/** @throws S3Error InvalidArgument for a name that does not exist, or not for objects. */
export function parseCannedAclName(name: string, resource: AclResource): CannedAcl {
  const found = CANNED_ACLS.find((each) => each === name);
  if (found === undefined || (found === 'log-delivery-write' && resource === 'object')) {
    throw invalidArgument('The canned ACL you specified is not valid.', 'x-amz-acl', name);
  }
  return found;
}

/**
 * The grants that a canned ACL stands for. `aws-exec-read` is for Amazon EC2, which is nobody here,
 * and the two of the bucket owner are ignored for buckets, as AWS does.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl
 */
export function cannedGrants(name: CannedAcl, owners: AclOwners): AccessControlList {
  const { grants } = privateAcl(owners.owner);
  return { grants: [...grants, ...EXTRA_GRANTS[name](owners)] };
}

const NO_GRANTS = (): readonly Grant[] => [];

const EXTRA_GRANTS: Readonly<Record<CannedAcl, (owners: AclOwners) => readonly Grant[]>> = {
  private: NO_GRANTS,
  'public-read': () => groupGrants(ALL_USERS_URI, 'READ'),
  'public-read-write': () => groupGrants(ALL_USERS_URI, 'READ', 'WRITE'),
  'authenticated-read': () => groupGrants(AUTHENTICATED_USERS_URI, 'READ'),
  'aws-exec-read': NO_GRANTS,
  'bucket-owner-read': (owners) => bucketOwnerGrants(owners, 'READ'),
  'bucket-owner-full-control': (owners) => bucketOwnerGrants(owners, 'FULL_CONTROL'),
  'log-delivery-write': () => groupGrants(LOG_DELIVERY_URI, 'WRITE', 'READ_ACP'),
};

function groupGrants(uri: string, ...permissions: readonly AclPermission[]): readonly Grant[] {
  return permissions.map((permission) => ({ grantee: { type: 'group', uri }, permission }));
}

function bucketOwnerGrants(
  { resource, owner, bucketOwner }: AclOwners,
  permission: AclPermission,
): readonly Grant[] {
  if (resource === 'bucket' || owner === bucketOwner) return [];
  return [{ grantee: { type: 'canonical-user', canonicalId: bucketOwner }, permission }];
}
