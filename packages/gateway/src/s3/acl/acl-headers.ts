import type { AccountDirectory } from '../../auth/accounts';
import type { Headers } from '../../http/request';
import type { AccessControlList, AclPermission, Grant } from '../access-control-list';
import { invalidArgument, invalidRequest, S3Error } from '../s3-error';
import type { AclOwners, AclResource, CannedAcl } from './canned-acl';
import { cannedGrants, parseCannedAclName } from './canned-acl';
import type { GranteeNaming } from './grantee';
import { resolveGrantee } from './grantee';

/** Of one access control list. */
export const GRANTS_MAX = 100;

/** The ACL that the headers of a request ask for. */
export type RequestedAcl =
  | { readonly kind: 'canned'; readonly name: CannedAcl }
  | { readonly kind: 'grants'; readonly grants: readonly Grant[] };

const GRANT_HEADERS: readonly (readonly [header: string, permission: AclPermission])[] = [
  ['x-amz-grant-full-control', 'FULL_CONTROL'],
  ['x-amz-grant-read', 'READ'],
  ['x-amz-grant-write', 'WRITE'],
  ['x-amz-grant-read-acp', 'READ_ACP'],
  ['x-amz-grant-write-acp', 'WRITE_ACP'],
];

/**
 * `x-amz-acl` or `x-amz-grant-*`; null when there is neither.
 *
 * @throws S3Error InvalidRequest for both, InvalidArgument, UnresolvableGrantByEmailAddress.
 */
export function parseAclHeaders(
  headers: Headers,
  resource: AclResource,
  accounts: AccountDirectory,
): RequestedAcl | null {
  const canned = headers.get('x-amz-acl') ?? '';
  const hasGrants = GRANT_HEADERS.some(([header]) => (headers.get(header) ?? '') !== '');
  if (canned !== '' && hasGrants) {
    throw invalidRequest('Specifying both Canned ACLs and Header Grants is not allowed');
  }
  if (canned !== '') return { kind: 'canned', name: parseCannedAclName(canned, resource) };
  if (!hasGrants) return null;

  const grants: Grant[] = [];
  for (const [header, permission] of GRANT_HEADERS) {
    for (const { naming, value } of parseGrantees(header, headers.get(header) ?? '')) {
      grants.push({ grantee: resolveGrantee(naming, value, accounts), permission });
    }
  }
  requireFewGrants(grants);
  return { kind: 'grants', grants };
}

/** The list that a request asks for, as it would be stored. */
export function grantsOf(requested: RequestedAcl, owners: AclOwners): AccessControlList {
  return requested.kind === 'canned'
    ? cannedGrants(requested.name, owners)
    : { grants: requested.grants };
}

/** @throws S3Error MalformedACLError */
export function requireFewGrants(grants: readonly unknown[]): void {
  if (grants.length > GRANTS_MAX) throw new S3Error('MalformedACLError');
}

/** `id="…"`, `uri=…`; the sticky flag makes one pass of it. */
const GRANTEE = /[ \t]*(id|uri|emailAddress)=(?:"([^"]*)"|([^",]*))[ \t]*(?:,|$)/iy;

const NAMINGS: Readonly<Record<string, GranteeNaming>> = {
  id: 'id',
  uri: 'uri',
  emailaddress: 'emailAddress',
};

function parseGrantees(
  header: string,
  text: string,
): readonly { readonly naming: GranteeNaming; readonly value: string }[] {
  const grantees: { naming: GranteeNaming; value: string }[] = [];
  let at = 0;
  while (at < text.length) {
    GRANTEE.lastIndex = at;
    const match = GRANTEE.exec(text);
    const naming = NAMINGS[match?.[1]?.toLowerCase() ?? ''];
    if (match === null || naming === undefined) {
      throw invalidArgument('Argument format not recognized', header, text);
    }
    grantees.push({ naming, value: match[2] ?? match[3]?.trim() ?? '' });
    at = GRANTEE.lastIndex;
  }
  return grantees;
}
