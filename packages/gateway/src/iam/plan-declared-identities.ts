import { isDeepStrictEqual } from 'node:util';

import type { IdentitySnapshot } from '@azimuth/clients';
import type { Random } from '@azimuth/common';
import type { IdentityChange, IdentityKind, IdentityRecords } from '@azimuth/proto';
import { identityName } from '@azimuth/proto';

import type { DeclaredAccount, DeclaredIdentities } from './declared-identities';
import { newId } from './iam-action';

/** What one command may change. */
export const CHANGES_PER_COMMIT_MAX = 1_000;

interface Sources {
  readonly snapshot: IdentitySnapshot;
  readonly nowMs: number;
  readonly random: Random;
}

type Desired = Map<string, IdentityChange>;

/**
 * What makes the identities those that a file declares: records that are missing or different are
 * put, declared ones that it names no more are removed, and what the API made is left alone. A
 * record that was there before keeps its id and its age. Empty when everything is as declared.
 */
export function planDeclaredIdentities(
  declared: DeclaredIdentities,
  sources: Sources,
): readonly IdentityChange[] {
  const desired: Desired = new Map();
  for (const account of declared.accounts) desireAccount(account, sources, desired);
  const changes: IdentityChange[] = [];
  for (const change of desired.values()) {
    const existing = sources.snapshot.get(change.kind, change.name);
    if (!isDeepStrictEqual(existing, change.record)) changes.push(change);
  }
  return [...changes, ...removals(sources.snapshot, desired)];
}

const DECLARED_KINDS = ['account', 'user', 'group', 'role', 'policy', 'access-key'] as const;

function removals(snapshot: IdentitySnapshot, desired: Desired): IdentityChange[] {
  const changes: IdentityChange[] = [];
  const remove = (kind: IdentityKind, name: string): void => {
    changes.push({ kind, name, record: null });
  };
  const goneUsers = new Set<string>();
  for (const kind of DECLARED_KINDS) {
    for (const record of snapshot.list(kind, '')) {
      const name = recordName(kind, record);
      if (!record.isDeclared || desired.has(`${kind} ${name}`)) continue;
      remove(kind, name);
      if (kind === 'user') goneUsers.add(name);
    }
  }
  // Keys that the API made for a declared user go with the user.
  for (const key of snapshot.list('access-key', '')) {
    if (key.userName === null || key.isDeclared) continue;
    if (goneUsers.has(identityName(key.accountId, key.userName))) {
      remove('access-key', key.accessKeyId);
    }
  }
  return changes;
}

function recordName<Kind extends (typeof DECLARED_KINDS)[number]>(
  kind: Kind,
  record: IdentityRecords[Kind],
): string {
  if (kind === 'account') return record.accountId;
  if ('accessKeyId' in record) return record.accessKeyId;
  const name =
    'userId' in record
      ? record.userName
      : 'groupName' in record
        ? record.groupName
        : 'roleName' in record
          ? record.roleName
          : 'policyName' in record
            ? record.policyName
            : '';
  return identityName(record.accountId, name);
}

function desireAccount(account: DeclaredAccount, sources: Sources, desired: Desired): void {
  const { snapshot, nowMs } = sources;
  const { id: accountId, canonicalId, displayName, email } = account;
  const existing = snapshot.get('account', accountId);
  desire(desired, 'account', accountId, {
    accountId,
    canonicalId,
    displayName,
    email,
    createdMs: existing?.createdMs ?? nowMs,
    isDeclared: true,
    publicAccessBlock: existing?.publicAccessBlock ?? null,
  });
  desireKeys(account.keys, { accountId, userName: null }, sources, desired);
  for (const user of account.users) {
    desireUser(accountId, user, sources, desired);
    desireKeys(user.keys, { accountId, userName: user.name }, sources, desired);
  }
  for (const group of account.groups) desireGroup(accountId, group, sources, desired);
  for (const role of account.roles) desireRole(accountId, role, sources, desired);
  for (const policy of account.managedPolicies) desirePolicy(accountId, policy, sources, desired);
}

function desire<Kind extends IdentityKind>(
  desired: Desired,
  kind: Kind,
  name: string,
  record: IdentityRecords[Kind],
): void {
  desired.set(`${kind} ${name}`, { kind, name, record });
}

function desireKeys(
  keys: DeclaredAccount['keys'],
  holder: { readonly accountId: string; readonly userName: string | null },
  { snapshot, nowMs }: Sources,
  desired: Desired,
): void {
  for (const { accessKey: accessKeyId, secretKey } of keys) {
    desire(desired, 'access-key', accessKeyId, {
      accessKeyId,
      secretKey,
      ...holder,
      isActive: true,
      createdMs: snapshot.get('access-key', accessKeyId)?.createdMs ?? nowMs,
      isDeclared: true,
    });
  }
}

function desireUser(
  accountId: string,
  user: DeclaredAccount['users'][number],
  { snapshot, nowMs, random }: Sources,
  desired: Desired,
): void {
  const name = identityName(accountId, user.name);
  const existing = snapshot.get('user', name);
  desire(desired, 'user', name, {
    accountId,
    userName: user.name,
    userId: existing?.userId ?? newId('AIDA', random),
    path: user.path,
    createdMs: existing?.createdMs ?? nowMs,
    isDeclared: true,
    groups: user.groups,
    inlinePolicies: user.policies,
    attachedPolicyArns: user.attachedPolicies,
    permissionsBoundaryArn: user.permissionsBoundary,
    tags: user.tags,
  });
}

function desireGroup(
  accountId: string,
  group: DeclaredAccount['groups'][number],
  { snapshot, nowMs, random }: Sources,
  desired: Desired,
): void {
  const name = identityName(accountId, group.name);
  const existing = snapshot.get('group', name);
  desire(desired, 'group', name, {
    accountId,
    groupName: group.name,
    groupId: existing?.groupId ?? newId('AGPA', random),
    path: group.path,
    createdMs: existing?.createdMs ?? nowMs,
    isDeclared: true,
    inlinePolicies: group.policies,
    attachedPolicyArns: group.attachedPolicies,
  });
}

function desireRole(
  accountId: string,
  role: DeclaredAccount['roles'][number],
  { snapshot, nowMs, random }: Sources,
  desired: Desired,
): void {
  const name = identityName(accountId, role.name);
  const existing = snapshot.get('role', name);
  desire(desired, 'role', name, {
    accountId,
    roleName: role.name,
    roleId: existing?.roleId ?? newId('AROA', random),
    path: role.path,
    createdMs: existing?.createdMs ?? nowMs,
    isDeclared: true,
    description: role.description,
    assumeRolePolicy: role.trustPolicy,
    maxSessionSeconds: role.maxSessionSeconds,
    inlinePolicies: role.policies,
    attachedPolicyArns: role.attachedPolicies,
    permissionsBoundaryArn: role.permissionsBoundary,
    tags: role.tags,
  });
}

function desirePolicy(
  accountId: string,
  policy: DeclaredAccount['managedPolicies'][number],
  { snapshot, nowMs, random }: Sources,
  desired: Desired,
): void {
  const name = identityName(accountId, policy.name);
  const existing = snapshot.get('policy', name);
  const version = existing?.versions[0];
  const isSame = existing?.versions.length === 1 && version?.document === policy.document;
  desire(desired, 'policy', name, {
    accountId,
    policyName: policy.name,
    policyId: existing?.policyId ?? newId('ANPA', random),
    path: policy.path,
    description: policy.description,
    createdMs: existing?.createdMs ?? nowMs,
    updatedMs: isSame ? existing.updatedMs : nowMs,
    isDeclared: true,
    defaultVersionId: 'v1',
    versions: [
      { versionId: 'v1', document: policy.document, createdMs: isSame ? version.createdMs : nowMs },
    ],
    tags: {},
  });
}
