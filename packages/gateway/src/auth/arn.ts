import type {
  GroupRecord,
  OidcProviderRecord,
  PolicyRecord,
  RoleRecord,
  UserRecord,
} from '@azimuth/proto';

/** The names of identities to the outside: `arn:aws:iam::123456789012:user/division/alice`. */
type Names<Record, Name extends keyof Record> = Pick<Record, Name>;

export function userArn(user: Names<UserRecord, 'accountId' | 'path' | 'userName'>): string {
  return iamArn(user.accountId, 'user', user.path, user.userName);
}

export function groupArn(group: Names<GroupRecord, 'accountId' | 'path' | 'groupName'>): string {
  return iamArn(group.accountId, 'group', group.path, group.groupName);
}

export function roleArn(role: Names<RoleRecord, 'accountId' | 'path' | 'roleName'>): string {
  return iamArn(role.accountId, 'role', role.path, role.roleName);
}

export function policyArn(
  policy: Names<PolicyRecord, 'accountId' | 'path' | 'policyName'>,
): string {
  return iamArn(policy.accountId, 'policy', policy.path, policy.policyName);
}

export function oidcProviderArn({
  accountId,
  url,
}: Names<OidcProviderRecord, 'accountId' | 'url'>): string {
  return `arn:aws:iam::${accountId}:oidc-provider/${url}`;
}

function iamArn(accountId: string, type: string, path: string, name: string): string {
  return `arn:aws:iam::${accountId}:${type}${path}${name}`;
}

export interface IamArn {
  readonly accountId: string;
  /** `user`, `role`, `policy`, `oidc-provider` … */
  readonly type: string;
  /** `/`, `/division/` */
  readonly path: string;
  readonly name: string;
}

/** Null for anything but `arn:aws:iam::ACCOUNT:TYPE/[PATH/]NAME`; `aws` is an account too. */
export function parseIamArn(arn: string): IamArn | null {
  const match = /^arn:aws:iam::(\d{12}|aws):([a-z-]+)(\/(?:[^/]+\/)*)([^/]+)$/.exec(arn);
  if (match === null) return null;
  const [, accountId = '', type = '', path = '', name = ''] = match;
  return { accountId, type, path, name };
}
