import type { GroupRecord, IdentityChange, RoleRecord, UserRecord } from '@azimuth/proto';

import type { AccountIdentities } from './account-identities';
import { requireModifiable } from './account-identities';
import { groupResource } from './group-actions';
import type { IamCall } from './iam-action';
import {
  EXISTING_NAME,
  GROUP_NAME,
  GROUP_POLICY_LENGTH_MAX,
  ROLE_NAME,
  ROLE_POLICY_LENGTH_MAX,
  USER_POLICY_LENGTH_MAX,
} from './iam-limits';
import { roleResource } from './role-actions';
import { userResource } from './user-actions';

/**
 * Users, groups and roles as holders of policies: what IAM has once for each of them
 * (PutUserPolicy, PutGroupPolicy, PutRolePolicy) is written once here.
 */
export interface HolderKind<Holder extends HolderRecord = HolderRecord> {
  /** `User`: part of the names of actions and of the parameter `UserName`. */
  readonly entity: 'User' | 'Group' | 'Role';
  readonly inlinePoliciesLengthMax: number;
  name(call: IamCall): string;
  resource(account: AccountIdentities, name: string): string;
  require(account: AccountIdentities, name: string): Holder;
  put(account: AccountIdentities, holder: Holder): IdentityChange;
}

export type HolderRecord = UserRecord | GroupRecord | RoleRecord;

export const USER_HOLDER: HolderKind<UserRecord> = {
  entity: 'User',
  inlinePoliciesLengthMax: USER_POLICY_LENGTH_MAX,
  name: ({ parameters }) => parameters.requiredText('UserName', EXISTING_NAME),
  resource: userResource,
  require: (account, name) => account.requireUser(name),
  put: (account, user) => account.put('user', user.userName, user),
};

export const GROUP_HOLDER: HolderKind<GroupRecord> = {
  entity: 'Group',
  inlinePoliciesLengthMax: GROUP_POLICY_LENGTH_MAX,
  name: ({ parameters }) => parameters.requiredText('GroupName', GROUP_NAME),
  resource: groupResource,
  require: (account, name) => account.requireGroup(name),
  put: (account, group) => account.put('group', group.groupName, group),
};

export const ROLE_HOLDER: HolderKind<RoleRecord> = {
  entity: 'Role',
  inlinePoliciesLengthMax: ROLE_POLICY_LENGTH_MAX,
  name: ({ parameters }) => parameters.requiredText('RoleName', ROLE_NAME),
  resource: roleResource,
  require: (account, name) => account.requireRole(name),
  put: (account, role) => account.put('role', role.roleName, role),
};

/** The holder that a call is about. @throws QueryError ValidationError, NoSuchEntity */
export function holderOf<Holder extends HolderRecord>(
  kind: HolderKind<Holder>,
  call: IamCall,
): Holder {
  return kind.require(call.account, kind.name(call));
}

/** The same to change it. @throws QueryError also UnmodifiableEntity */
export function modifiableHolderOf<Holder extends HolderRecord>(
  kind: HolderKind<Holder>,
  call: IamCall,
): Holder {
  const holder = holderOf(kind, call);
  requireModifiable(holder, `${kind.entity} ${holderName(holder)}`);
  return holder;
}

export function holderName(holder: HolderRecord): string {
  if ('userName' in holder) return holder.userName;
  return 'groupName' in holder ? holder.groupName : holder.roleName;
}

export function resourceOfHolder<Holder extends HolderRecord>(
  kind: HolderKind<Holder>,
): (call: IamCall) => string {
  return (call) => kind.resource(call.account, kind.name(call));
}
