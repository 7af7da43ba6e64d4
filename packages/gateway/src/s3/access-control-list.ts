/** Who a grant is for. */
export type Grantee =
  | { readonly type: 'canonical-user'; readonly canonicalId: string }
  | { readonly type: 'group'; readonly uri: string };

export const ACL_PERMISSIONS = ['FULL_CONTROL', 'READ', 'WRITE', 'READ_ACP', 'WRITE_ACP'] as const;
export type AclPermission = (typeof ACL_PERMISSIONS)[number];

export interface Grant {
  readonly grantee: Grantee;
  readonly permission: AclPermission;
}

/** An access control list as it is stored, beside its resource, whose owner is the ACL's owner. */
export interface AccessControlList {
  readonly grants: readonly Grant[];
}

export const ALL_USERS_URI = 'http://acs.amazonaws.com/groups/global/AllUsers';
export const AUTHENTICATED_USERS_URI = 'http://acs.amazonaws.com/groups/global/AuthenticatedUsers';
export const LOG_DELIVERY_URI = 'http://acs.amazonaws.com/groups/s3/LogDelivery';

/** Full control for the owner: what a resource without a stored list has. */
export function privateAcl(ownerCanonicalId: string): AccessControlList {
  return {
    grants: [
      {
        grantee: { type: 'canonical-user', canonicalId: ownerCanonicalId },
        permission: 'FULL_CONTROL',
      },
    ],
  };
}

/** The stored list of a bucket or version. */
export function aclOf(stored: string | null, ownerCanonicalId: string): AccessControlList {
  return stored === null ? privateAcl(ownerCanonicalId) : (JSON.parse(stored) as AccessControlList);
}

/** P-7: grants anything to everybody or to every account. */
export function isPublicAcl({ grants }: AccessControlList): boolean {
  return grants.some(
    ({ grantee }) =>
      grantee.type === 'group' &&
      (grantee.uri === ALL_USERS_URI || grantee.uri === AUTHENTICATED_USERS_URI),
  );
}
