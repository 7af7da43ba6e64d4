import type { RoleRecord } from '@azimuth/proto';

import { roleArn } from '../auth/arn';
import { element } from '../http/xml/xml-writer';
import { memberList } from '../query/query-document';
import { QueryError } from '../query/query-error';
import { pageOf } from '../query/query-page';
import type { AccountIdentities } from './account-identities';
import { requireModifiable } from './account-identities';
import type { IamAction, IamCall } from './iam-action';
import { answer, done, newId } from './iam-action';
import { roleDetailElements, roleElements } from './iam-elements';
import {
  boundaryOf,
  creationConditions,
  documentOf,
  pathOf,
  pathPrefixOf,
  requireRoom,
  tagsOf,
} from './iam-input';
import {
  ROLE_DESCRIPTION,
  ROLE_NAME,
  ROLES_MAX,
  SESSION_SECONDS_MAX,
  SESSION_SECONDS_MIN,
  TRUST_POLICY_LENGTH_MAX,
} from './iam-limits';

export function roleResource(account: AccountIdentities, roleName: string): string {
  return roleArn(account.role(roleName) ?? { accountId: account.accountId, path: '/', roleName });
}

const existingRoleResource = ({ account, parameters }: IamCall): string =>
  roleResource(account, parameters.requiredText('RoleName', ROLE_NAME));

const createRole: IamAction = {
  name: 'CreateRole',
  resource: ({ account, parameters }) =>
    roleArn({
      accountId: account.accountId,
      path: pathOf(parameters),
      roleName: parameters.requiredText('RoleName', ROLE_NAME),
    }),
  conditions: creationConditions,
  run({ account, parameters, nowMs, random }) {
    const roleName = parameters.requiredText('RoleName', ROLE_NAME);
    if (account.role(roleName) !== null) {
      throw new QueryError('EntityAlreadyExists', `Role with name ${roleName} already exists.`);
    }
    requireRoom(account.roles.length, ROLES_MAX, 'RolesPerAccount');
    const role: RoleRecord = {
      accountId: account.accountId,
      roleName,
      roleId: newId('AROA', random),
      path: pathOf(parameters),
      createdMs: nowMs,
      isDeclared: false,
      description: parameters.optionalText('Description', ROLE_DESCRIPTION) ?? '',
      assumeRolePolicy: documentOf(
        parameters,
        'AssumeRolePolicyDocument',
        'trust',
        TRUST_POLICY_LENGTH_MAX,
      ),
      maxSessionSeconds: sessionSecondsOf(parameters) ?? SESSION_SECONDS_MIN,
      inlinePolicies: {},
      attachedPolicyArns: [],
      permissionsBoundaryArn: boundaryOf(parameters, account),
      tags: tagsOf(parameters),
    };
    return {
      changes: [account.put('role', roleName, role)],
      result: [element('Role', roleDetailElements(role))],
    };
  },
};

const getRole: IamAction = {
  name: 'GetRole',
  resource: existingRoleResource,
  run({ account, parameters }) {
    const role = account.requireRole(parameters.requiredText('RoleName', ROLE_NAME));
    return answer([element('Role', roleDetailElements(role))]);
  },
};

const listRoles: IamAction = {
  name: 'ListRoles',
  resource: ({ account }) => roleResource(account, ''),
  run({ account, parameters }) {
    const prefix = pathPrefixOf(parameters);
    const roles = account.roles.filter(({ path }) => path.startsWith(prefix));
    const page = pageOf(roles, ({ roleName }) => roleName.toLowerCase(), parameters);
    return answer([memberList('Roles', page.items.map(roleElements)), ...page.elements]);
  },
};

const updateRole: IamAction = {
  name: 'UpdateRole',
  resource: existingRoleResource,
  run({ account, parameters }) {
    const role = requireOwnRole(account, parameters.requiredText('RoleName', ROLE_NAME));
    const changed: RoleRecord = {
      ...role,
      description: parameters.optionalText('Description', ROLE_DESCRIPTION) ?? role.description,
      maxSessionSeconds: sessionSecondsOf(parameters) ?? role.maxSessionSeconds,
    };
    return { changes: [account.put('role', role.roleName, changed)], result: [] };
  },
};

const updateRoleDescription: IamAction = {
  name: 'UpdateRoleDescription',
  resource: existingRoleResource,
  run({ account, parameters }) {
    const role = requireOwnRole(account, parameters.requiredText('RoleName', ROLE_NAME));
    const description = parameters.requiredText('Description', ROLE_DESCRIPTION);
    const changed: RoleRecord = { ...role, description };
    return {
      changes: [account.put('role', role.roleName, changed)],
      result: [element('Role', roleDetailElements(changed))],
    };
  },
};

const updateAssumeRolePolicy: IamAction = {
  name: 'UpdateAssumeRolePolicy',
  resource: existingRoleResource,
  run({ account, parameters }) {
    const role = requireOwnRole(account, parameters.requiredText('RoleName', ROLE_NAME));
    const assumeRolePolicy = documentOf(
      parameters,
      'PolicyDocument',
      'trust',
      TRUST_POLICY_LENGTH_MAX,
    );
    return done(account.put('role', role.roleName, { ...role, assumeRolePolicy }));
  },
};

const deleteRole: IamAction = {
  name: 'DeleteRole',
  resource: existingRoleResource,
  run({ account, parameters }) {
    const role = requireOwnRole(account, parameters.requiredText('RoleName', ROLE_NAME));
    const refuse = (what: string): never => {
      throw new QueryError('DeleteConflict', `Cannot delete entity, must ${what} first.`);
    };
    if (Object.keys(role.inlinePolicies).length > 0) refuse('delete policies');
    if (role.attachedPolicyArns.length > 0) refuse('detach all policies');
    return done(account.remove('role', role.roleName));
  },
};

function requireOwnRole(account: AccountIdentities, roleName: string): RoleRecord {
  const role = account.requireRole(roleName);
  requireModifiable(role, `Role ${role.roleName}`);
  return role;
}

function sessionSecondsOf(parameters: IamCall['parameters']): number | null {
  return parameters.optionalInteger('MaxSessionDuration', SESSION_SECONDS_MIN, SESSION_SECONDS_MAX);
}

export const ROLE_ACTIONS: readonly IamAction[] = [
  createRole,
  getRole,
  listRoles,
  updateRole,
  updateRoleDescription,
  updateAssumeRolePolicy,
  deleteRole,
];
