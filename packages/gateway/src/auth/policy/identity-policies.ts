import type { IdentitySnapshot } from '@azimuth/clients';
import { identityName } from '@azimuth/proto';

import { roleArn } from '../arn';
import { managedPolicyDocument } from '../managed-policies';
import type { Principal } from '../principal';
import type { PolicyCache } from './policy-cache';
import { denyAll } from './policy-cache';
import type { PolicyDocument } from './policy-document';

/** What the account of somebody lets them do. */
export interface IdentityPolicies {
  /** Inline and attached, of the user and of their groups, or of the role. */
  readonly policies: readonly PolicyDocument[];
  /** At most what this allows; null when there is no boundary. */
  readonly boundary: PolicyDocument | null;
  /** Of a session of a role. */
  readonly roleArn: string | null;
}

interface PolicySources {
  readonly inlinePolicies: Readonly<Record<string, string>>;
  readonly attachedPolicyArns: readonly string[];
}

const GONE: IdentityPolicies = {
  policies: [denyAll('identity')],
  boundary: null,
  roleArn: null,
};

/** Policies of users and roles, put together once a snapshot. */
export class IdentityPolicyIndex {
  readonly #cache: PolicyCache;
  readonly #bySnapshot = new WeakMap<IdentitySnapshot, Map<string, IdentityPolicies>>();

  constructor(cache: PolicyCache) {
    this.#cache = cache;
  }

  /** Nothing but denial for a user or a role that is gone. */
  of(principal: Principal, snapshot: IdentitySnapshot): IdentityPolicies {
    const { kind, accountId, userName, roleName } = principal;
    const name = `${kind}/${identityName(accountId, userName ?? roleName ?? '')}`;
    const byName = this.#bySnapshot.get(snapshot) ?? new Map<string, IdentityPolicies>();
    if (byName.size === 0) this.#bySnapshot.set(snapshot, byName);
    const known = byName.get(name);
    if (known !== undefined) return known;
    const gathered = this.#gather(principal, snapshot);
    byName.set(name, gathered);
    return gathered;
  }

  #gather(principal: Principal, snapshot: IdentitySnapshot): IdentityPolicies {
    const { kind, accountId, userName, roleName } = principal;
    if (kind === 'user' && userName !== null) {
      const user = snapshot.get('user', identityName(accountId, userName));
      if (user === null) return GONE;
      const groups = user.groups.map((name) =>
        snapshot.get('group', identityName(accountId, name)),
      );
      const holders = [user, ...groups.filter((group) => group !== null)];
      return this.#put(holders, user.permissionsBoundaryArn, null, snapshot);
    }
    if (kind === 'assumed-role' && roleName !== null) {
      const role = snapshot.get('role', identityName(accountId, roleName));
      if (role === null) return GONE;
      return this.#put([role], role.permissionsBoundaryArn, roleArn(role), snapshot);
    }
    return GONE;
  }

  #put(
    holders: readonly PolicySources[],
    boundaryArn: string | null,
    ofRole: string | null,
    snapshot: IdentitySnapshot,
  ): IdentityPolicies {
    return {
      policies: holders.flatMap(({ inlinePolicies, attachedPolicyArns }) => [
        ...Object.values(inlinePolicies).map((text) => this.#cache.compile(text, 'identity')),
        ...attachedPolicyArns.map((arn) => this.#managed(arn, snapshot)),
      ]),
      boundary: boundaryArn === null ? null : this.#managed(boundaryArn, snapshot),
      roleArn: ofRole,
    };
  }

  #managed(arn: string, snapshot: IdentitySnapshot): PolicyDocument {
    const document = managedPolicyDocument(snapshot, arn);
    // What is attached and gone may have denied something.
    return document === null ? denyAll('identity') : this.#cache.compile(document, 'identity');
  }
}
