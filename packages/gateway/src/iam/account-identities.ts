import type { IdentitySnapshot } from '@azimuth/clients';
import type {
  AccessKeyRecord,
  GroupRecord,
  IdentityChange,
  IdentityKind,
  IdentityRecords,
  OidcProviderRecord,
  PolicyRecord,
  RoleRecord,
  UserRecord,
} from '@azimuth/proto';
import { identityName } from '@azimuth/proto';

import { builtInPolicies, managedPolicy } from '../auth/managed-policies';
import { parseIamArn } from '../auth/arn';
import { QueryError } from '../query/query-error';

/**
 * The identities of one account as one snapshot has them. Nothing here reaches into another
 * account: an action that works through it cannot either.
 */
export class AccountIdentities {
  readonly accountId: string;
  readonly #snapshot: IdentitySnapshot;

  constructor(snapshot: IdentitySnapshot, accountId: string) {
    this.#snapshot = snapshot;
    this.accountId = accountId;
  }

  get users(): readonly UserRecord[] {
    return this.#snapshot.list('user', this.#prefix);
  }

  get groups(): readonly GroupRecord[] {
    return this.#snapshot.list('group', this.#prefix);
  }

  get roles(): readonly RoleRecord[] {
    return this.#snapshot.list('role', this.#prefix);
  }

  /** Of the account itself, without the built-in ones. */
  get policies(): readonly PolicyRecord[] {
    return this.#snapshot.list('policy', this.#prefix);
  }

  get builtInPolicies(): readonly PolicyRecord[] {
    return builtInPolicies();
  }

  get oidcProviders(): readonly OidcProviderRecord[] {
    return this.#snapshot.list('oidc-provider', this.#prefix);
  }

  get accessKeys(): readonly AccessKeyRecord[] {
    return this.#snapshot
      .list('access-key', '')
      .filter(({ accountId }) => accountId === this.accountId);
  }

  user(name: string): UserRecord | null {
    return this.#snapshot.get('user', this.#name(name));
  }

  group(name: string): GroupRecord | null {
    return this.#snapshot.get('group', this.#name(name));
  }

  role(name: string): RoleRecord | null {
    return this.#snapshot.get('role', this.#name(name));
  }

  oidcProvider(url: string): OidcProviderRecord | null {
    return this.#snapshot.get('oidc-provider', this.#name(url));
  }

  /** Of this account or built in. */
  policy(arn: string): PolicyRecord | null {
    const accountId = parseIamArn(arn)?.accountId;
    if (accountId !== this.accountId && accountId !== 'aws') return null;
    return managedPolicy(this.#snapshot, arn);
  }

  policyNamed(name: string): PolicyRecord | null {
    return this.#snapshot.get('policy', this.#name(name));
  }

  accessKey(accessKeyId: string): AccessKeyRecord | null {
    const key = this.#snapshot.get('access-key', accessKeyId);
    return key?.accountId === this.accountId ? key : null;
  }

  /** True in any account: key ids are unique in the cluster. */
  hasAccessKey(accessKeyId: string): boolean {
    return this.#snapshot.get('access-key', accessKeyId) !== null;
  }

  /** @throws QueryError NoSuchEntity */
  requireUser(name: string): UserRecord {
    return this.user(name) ?? refuse('user', name);
  }

  /** @throws QueryError NoSuchEntity */
  requireGroup(name: string): GroupRecord {
    return this.group(name) ?? refuse('group', name);
  }

  /** @throws QueryError NoSuchEntity */
  requireRole(name: string): RoleRecord {
    return this.role(name) ?? refuse('role', name);
  }

  /** @throws QueryError NoSuchEntity */
  requirePolicy(arn: string): PolicyRecord {
    const policy = this.policy(arn);
    if (policy !== null) return policy;
    throw new QueryError('NoSuchEntity', `Policy ${arn} does not exist or is not attachable.`);
  }

  /** @throws QueryError NoSuchEntity */
  requireAccessKey(accessKeyId: string, userName: string | null): AccessKeyRecord {
    const key = this.accessKey(accessKeyId);
    const isOfUser = (key?.userName ?? '').toLowerCase() === (userName ?? '').toLowerCase();
    if (key !== null && isOfUser) return key;
    throw new QueryError('NoSuchEntity', `The Access Key with id ${accessKeyId} cannot be found.`);
  }

  put<Kind extends 'user' | 'group' | 'role' | 'policy' | 'oidc-provider'>(
    kind: Kind,
    name: string,
    record: IdentityRecords[Kind],
  ): IdentityChange {
    return { kind, name: this.#name(name), record };
  }

  remove(
    kind: Exclude<IdentityKind, 'account' | 'access-key' | 'token-key'>,
    name: string,
  ): IdentityChange {
    return { kind, name: this.#name(name), record: null };
  }

  get #prefix(): string {
    return identityName(this.accountId, '');
  }

  #name(name: string): string {
    return identityName(this.accountId, name);
  }
}

function refuse(kind: string, name: string): never {
  throw new QueryError('NoSuchEntity', `The ${kind} with name ${name} cannot be found.`);
}

/**
 * What a file declares is changed in the file: the next reload would undo anything else.
 *
 * @throws QueryError UnmodifiableEntity
 */
export function requireModifiable(record: { readonly isDeclared: boolean }, what: string): void {
  if (!record.isDeclared) return;
  throw new QueryError('UnmodifiableEntity', `${what} is declared in a file and read-only here.`);
}
