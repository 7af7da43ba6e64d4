import type { ClusterView, IdentitySnapshot } from '@azimuth/clients';
import type { RoleRecord, UserRecord } from '@azimuth/proto';
import { identityName } from '@azimuth/proto';

import { S3Error } from '../s3/s3-error';
import type { Account, AccountDirectory } from './accounts';
import type { Credential, CredentialStore } from './credentials';
import { managedPolicyDocument } from './managed-policies';
import type { Principal, PrincipalSession } from './principal';
import { principalOfRole, principalOfUser, rootOfAccount } from './principal';
import { openSessionToken } from './session-token';
import type { SessionContent } from './session-token';

/** Credentials found in one snapshot that are kept; then all are looked up again. */
const FOUND_MAX = 4_096;
/** Stands for a session policy that is gone: what narrowed a session must not become wider. */
const NOTHING_ALLOWED =
  '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}';

export interface IdentityCredentialOptions {
  readonly view: Pick<ClusterView, 'identities'>;
  readonly accounts: AccountDirectory;
  /** The key of the configuration: root of the account that owns the cluster. */
  readonly root: {
    readonly accessKeyId: string;
    readonly secretKey: string;
    readonly accountId: string;
  };
}

/** The access keys of roots and users, and temporary credentials, as the view knows them. */
export function identityCredentialStore(options: IdentityCredentialOptions): CredentialStore {
  const { view } = options;
  let snapshot = view.identities();
  let found = new Map<string, Credential>();
  return {
    lookup(accessKeyId, sessionToken) {
      if (view.identities() !== snapshot || found.size >= FOUND_MAX) {
        snapshot = view.identities();
        found = new Map();
      }
      const name = sessionToken === null ? accessKeyId : `${accessKeyId}\n${sessionToken}`;
      const known = found.get(name);
      if (known !== undefined) return known;
      const credential =
        sessionToken === null
          ? longTermCredential(accessKeyId, snapshot, options)
          : sessionCredential(accessKeyId, sessionToken, { snapshot, ...options });
      // What does not exist is not kept: an attacker has any number of names.
      if (credential !== null) found.set(name, credential);
      return credential;
    },
  };
}

function longTermCredential(
  accessKeyId: string,
  snapshot: IdentitySnapshot,
  { accounts, root }: IdentityCredentialOptions,
): Credential | null {
  // First: nothing that is stored may take the place of the key of the configuration.
  if (accessKeyId === root.accessKeyId) {
    const account = accounts.byAccountId(root.accountId);
    return account === null ? null : { ...root, principal: rootOfAccount(account) };
  }
  const record = snapshot.get('access-key', accessKeyId);
  if (record?.isActive !== true) return null;
  const account = accounts.byAccountId(record.accountId);
  if (account === null) return null;
  const { secretKey, userName } = record;
  if (userName === null) return { accessKeyId, secretKey, principal: rootOfAccount(account) };
  const user = snapshot.get('user', identityName(record.accountId, userName));
  if (user === null) return null;
  return { accessKeyId, secretKey, principal: principalOfUser(account, user) };
}

interface SessionSources extends IdentityCredentialOptions {
  readonly snapshot: IdentitySnapshot;
}

/** @throws S3Error InvalidToken */
function sessionCredential(
  accessKeyId: string,
  sessionToken: string,
  sources: SessionSources,
): Credential {
  const { snapshot, accounts } = sources;
  const content = openSessionToken(sessionToken, accessKeyId, (keyId) =>
    snapshot.get('token-key', keyId),
  );
  const account = accounts.byAccountId(content.accountId);
  const principal = account === null ? null : sessionPrincipal(content, account, snapshot);
  if (principal === null) throw new S3Error('InvalidToken');
  return { accessKeyId, secretKey: content.secretKey, principal };
}

/** Null when whoever the session belongs to is gone, also when another has its name now. */
function sessionPrincipal(
  content: SessionContent,
  account: Account,
  snapshot: IdentitySnapshot,
): Principal | null {
  const { kind, name, entityId, sessionName, issuedMs, expiresMs, claims } = content;
  const policies = [
    ...content.policies,
    ...content.policyArns.map((arn) => managedPolicyDocument(snapshot, arn) ?? NOTHING_ALLOWED),
  ];
  const session: PrincipalSession = { issuedMs, expiresMs, policies, claims };
  if (kind === 'root') return { ...rootOfAccount(account), session };
  const recordName = identityName(account.accountId, name ?? '');
  if (kind === 'user') {
    const user: UserRecord | null = snapshot.get('user', recordName);
    if (user?.userId !== entityId) return null;
    return { ...principalOfUser(account, user), session };
  }
  const role: RoleRecord | null = snapshot.get('role', recordName);
  if (role?.roleId !== entityId || sessionName === null) return null;
  return principalOfRole(account, role, sessionName, session);
}
