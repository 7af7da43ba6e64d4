import type { RoleRecord, UserRecord } from '@azimuth/proto';

import { userArn } from './arn';

/** What AWS shows as the owner of requests without credentials. */
export const ANONYMOUS_CANONICAL_ID =
  '65a011a29cdf8ec533ec3d1ccaae921c65a011a29cdf8ec533ec3d1ccaae921c';

/** Whoever a request proves to come from. */
export interface Principal {
  /** `root`: the root of an account · `assumed-role`: a session of a role. */
  readonly kind: 'anonymous' | 'root' | 'user' | 'assumed-role';
  /** 12 digits; empty for anonymous requests. */
  readonly accountId: string;
  /** 64 hexadecimal digits: what the principal's account is called as an owner. */
  readonly canonicalId: string;
  /** Of the account, as owners are shown. */
  readonly displayName: string;
  /** `arn:aws:iam::123456789012:user/alice`; `*` for anonymous requests. */
  readonly arn: string;
  /** `aws:userid`. */
  readonly userId: string;
  /** Set for users only. */
  readonly userName: string | null;
  /** Set for sessions of a role only. */
  readonly roleName: string | null;
  /** Temporary credentials; null for keys that do not expire. */
  readonly session: PrincipalSession | null;
}

export interface PrincipalSession {
  readonly issuedMs: number;
  readonly expiresMs: number;
  /** Policy documents that narrow the session; empty when nothing does. */
  readonly policies: readonly string[];
  /** Condition keys that the identity provider vouched for, by full name. */
  readonly claims: Readonly<Record<string, string>>;
}

export const ANONYMOUS: Principal = {
  kind: 'anonymous',
  accountId: '',
  canonicalId: ANONYMOUS_CANONICAL_ID,
  displayName: 'anonymous',
  arn: '*',
  userId: 'anonymous',
  userName: null,
  roleName: null,
  session: null,
};

interface AccountNames {
  readonly accountId: string;
  readonly canonicalId: string;
  readonly displayName: string;
}

/** The root of an account. */
export function rootOfAccount(account: AccountNames): Principal {
  const { accountId, canonicalId, displayName } = account;
  return {
    kind: 'root',
    accountId,
    canonicalId,
    displayName,
    arn: `arn:aws:iam::${accountId}:root`,
    userId: accountId,
    userName: null,
    roleName: null,
    session: null,
  };
}

export function principalOfUser(account: AccountNames, user: UserRecord): Principal {
  return {
    ...rootOfAccount(account),
    kind: 'user',
    arn: userArn(user),
    userId: user.userId,
    userName: user.userName,
  };
}

/** A session of a role. */
export function principalOfRole(
  account: AccountNames,
  role: RoleRecord,
  sessionName: string,
  session: PrincipalSession,
): Principal {
  return {
    ...rootOfAccount(account),
    kind: 'assumed-role',
    arn: `arn:aws:sts::${account.accountId}:assumed-role/${role.roleName}/${sessionName}`,
    userId: `${role.roleId}:${sessionName}`,
    roleName: role.roleName,
    session,
  };
}
