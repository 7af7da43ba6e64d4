/**
 * Records of the `root` group that say who may ask: accounts and what IAM keeps in them. Policies
 * are JSON texts as their authors wrote them; what they mean is the gateway's business. Names that
 * IAM compares without case are keyed in lower case.
 */
export interface AccountRecord {
  /** 12 digits. */
  readonly accountId: string;
  /** 64 hexadecimal digits: the owner of buckets and objects. */
  readonly canonicalId: string;
  readonly displayName: string;
  readonly email: string;
  readonly createdMs: number;
  /** True when a file of identities declares it; the API leaves such records alone. */
  readonly isDeclared: boolean;
  /** Block Public Access of the whole account as JSON; null when none was put. */
  readonly publicAccessBlock: string | null;
}

/** What users, groups and roles have in common. */
interface PolicyHolder {
  readonly accountId: string;
  /** `/` or `/division/team/`. */
  readonly path: string;
  readonly createdMs: number;
  readonly isDeclared: boolean;
  /** Policy document by name. */
  readonly inlinePolicies: Readonly<Record<string, string>>;
  readonly attachedPolicyArns: readonly string[];
}

export interface UserRecord extends PolicyHolder {
  readonly userName: string;
  /** `AIDA…` */
  readonly userId: string;
  /** Names of groups. */
  readonly groups: readonly string[];
  readonly permissionsBoundaryArn: string | null;
  readonly tags: Readonly<Record<string, string>>;
}

export interface GroupRecord extends PolicyHolder {
  readonly groupName: string;
  /** `AGPA…` */
  readonly groupId: string;
}

export interface RoleRecord extends PolicyHolder {
  readonly roleName: string;
  /** `AROA…` */
  readonly roleId: string;
  readonly description: string;
  readonly assumeRolePolicy: string;
  readonly maxSessionSeconds: number;
  readonly permissionsBoundaryArn: string | null;
  readonly tags: Readonly<Record<string, string>>;
}

/** A managed policy of an account. */
export interface PolicyRecord {
  readonly accountId: string;
  readonly policyName: string;
  /** `ANPA…` */
  readonly policyId: string;
  readonly path: string;
  readonly description: string;
  readonly createdMs: number;
  readonly updatedMs: number;
  readonly isDeclared: boolean;
  /** `v1` … */
  readonly defaultVersionId: string;
  /** At most five, oldest first. */
  readonly versions: readonly {
    readonly versionId: string;
    readonly document: string;
    readonly createdMs: number;
  }[];
  readonly tags: Readonly<Record<string, string>>;
}

export interface AccessKeyRecord {
  readonly accessKeyId: string;
  /** Signatures are verified with it, so it cannot be kept as a hash. Never logged. */
  readonly secretKey: string;
  readonly accountId: string;
  /** Null for a key of the account's root. */
  readonly userName: string | null;
  readonly isActive: boolean;
  readonly createdMs: number;
  readonly isDeclared: boolean;
}

export interface OidcProviderRecord {
  readonly accountId: string;
  /** Issuer without `https://`, as IAM names providers. */
  readonly url: string;
  readonly clientIds: readonly string[];
  readonly thumbprints: readonly string[];
  readonly createdMs: number;
}

/** A key that seals session tokens. The newest seals, all open; made by the first gateway. */
export interface TokenKeyRecord {
  readonly keyId: string;
  /** 32 bytes in base64. Never logged. */
  readonly secret: string;
  readonly createdMs: number;
}

/** Kind → record. Names: see {@link identityName}. */
export interface IdentityRecords {
  readonly account: AccountRecord;
  readonly user: UserRecord;
  readonly group: GroupRecord;
  readonly role: RoleRecord;
  readonly policy: PolicyRecord;
  readonly 'access-key': AccessKeyRecord;
  readonly 'oidc-provider': OidcProviderRecord;
  readonly 'token-key': TokenKeyRecord;
}

export type IdentityKind = keyof IdentityRecords;

export const IDENTITY_KINDS: readonly IdentityKind[] = [
  'account',
  'user',
  'group',
  'role',
  'policy',
  'access-key',
  'oidc-provider',
  'token-key',
];

/** One record made, replaced (`record` is the whole new one) or removed (null). */
export interface IdentityChange {
  readonly kind: IdentityKind;
  readonly name: string;
  readonly record: IdentityRecords[IdentityKind] | null;
}

export interface IdentityEntry {
  readonly kind: IdentityKind;
  readonly name: string;
  readonly record: IdentityRecords[IdentityKind];
}

/**
 * The name under which a record of an account is kept: `123456789012/alice`. Accounts are named by
 * their id, access keys and token keys by theirs.
 */
export function identityName(accountId: string, name: string): string {
  return `${accountId}/${name.toLowerCase()}`;
}
