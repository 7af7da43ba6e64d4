import type { AccessControlList, AclPermission, Grantee } from '../../s3/access-control-list';
import { ALL_USERS_URI, AUTHENTICATED_USERS_URI } from '../../s3/access-control-list';
import type { PrincipalMatch } from './policy-principal';

/** What each permission allows when it is granted on a bucket, in lower case. */
const ON_BUCKET: ReadonlyMap<string, AclPermission> = new Map([
  ['s3:listbucket', 'READ'],
  ['s3:listbucketversions', 'READ'],
  ['s3:listbucketmultipartuploads', 'READ'],
  ['s3:putobject', 'WRITE'],
  ['s3:getbucketacl', 'READ_ACP'],
  ['s3:putbucketacl', 'WRITE_ACP'],
]);

/** And on an object. */
const ON_OBJECT: ReadonlyMap<string, AclPermission> = new Map([
  ['s3:getobject', 'READ'],
  ['s3:getobjectversion', 'READ'],
  ['s3:getobjectacl', 'READ_ACP'],
  ['s3:getobjectversionacl', 'READ_ACP'],
  ['s3:putobjectacl', 'WRITE_ACP'],
  ['s3:putobjectversionacl', 'WRITE_ACP'],
]);

/** For them WRITE on the bucket is enough where the object belongs to the grantee. */
const ON_OWN_OBJECT: ReadonlySet<string> = new Set(['s3:deleteobject', 's3:deleteobjectversion']);

/** Which list decides about an action. */
export type AclScope = 'bucket' | 'object';

export interface AclRule {
  readonly scope: AclScope;
  readonly permission: AclPermission;
  /** Only for objects of the grantee. */
  readonly ownOnly: boolean;
}

/**
 * "Mapping of ACL permissions and access policy permissions"; null for actions that no ACL can
 * grant.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html
 */
export function aclRuleOf(action: string): AclRule | null {
  const onBucket = ON_BUCKET.get(action);
  if (onBucket !== undefined) return { scope: 'bucket', permission: onBucket, ownOnly: false };
  const onObject = ON_OBJECT.get(action);
  if (onObject !== undefined) return { scope: 'object', permission: onObject, ownOnly: false };
  if (ON_OWN_OBJECT.has(action)) return { scope: 'bucket', permission: 'WRITE', ownOnly: true };
  return null;
}

export interface AclSubject {
  readonly isAnonymous: boolean;
  readonly canonicalId: string;
  /** IgnorePublicAcls (P-5). */
  readonly ignoresPublic: boolean;
}

/**
 * Whom a list grants a permission to: `direct` to everybody, the asker among them; `account` to the
 * account of the asker, whose own policies decide who of it may make use of that.
 */
export function matchAcl(
  { grants }: AccessControlList,
  permission: AclPermission,
  subject: AclSubject,
): PrincipalMatch {
  let match: PrincipalMatch = 'none';
  for (const grant of grants) {
    if (grant.permission !== permission && grant.permission !== 'FULL_CONTROL') continue;
    const found = matchGrantee(grant.grantee, subject);
    if (found === 'direct') return 'direct';
    if (found === 'account') match = 'account';
  }
  return match;
}

function matchGrantee(grantee: Grantee, subject: AclSubject): PrincipalMatch {
  const { isAnonymous, canonicalId, ignoresPublic } = subject;
  if (grantee.type === 'canonical-user') {
    return !isAnonymous && grantee.canonicalId === canonicalId ? 'account' : 'none';
  }
  if (ignoresPublic) return 'none';
  if (grantee.uri === ALL_USERS_URI) return 'direct';
  return grantee.uri === AUTHENTICATED_USERS_URI && !isAnonymous ? 'direct' : 'none';
}
