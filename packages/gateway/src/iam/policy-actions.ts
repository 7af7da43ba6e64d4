import type { PolicyRecord } from '@azimuth/proto';

import { policyArn } from '../auth/arn';
import { element, textElement } from '../http/xml/xml-writer';
import { memberList } from '../query/query-document';
import { QueryError } from '../query/query-error';
import { pageOf } from '../query/query-page';
import type { AccountIdentities } from './account-identities';
import { requireModifiable } from './account-identities';
import type { IamAction, IamCall } from './iam-action';
import { answer, done, newId } from './iam-action';
import {
  boundedBy,
  holdersOf,
  policyDetailElements,
  policyElements,
  policyVersionElements,
} from './iam-elements';
import {
  creationConditions,
  documentOf,
  pathOf,
  pathPrefixOf,
  requireRoom,
  tagsOf,
} from './iam-input';
import {
  ARN,
  MANAGED_POLICY_LENGTH_MAX,
  POLICIES_MAX,
  POLICY_DESCRIPTION,
  POLICY_NAME,
  POLICY_VERSIONS_MAX,
  VERSION_ID,
} from './iam-limits';

const arnOf = ({ parameters }: IamCall): string => parameters.requiredText('PolicyArn', ARN);

const createPolicy: IamAction = {
  name: 'CreatePolicy',
  resource: ({ account, parameters }) =>
    policyArn({
      accountId: account.accountId,
      path: pathOf(parameters),
      policyName: parameters.requiredText('PolicyName', POLICY_NAME),
    }),
  conditions: creationConditions,
  run({ account, parameters, nowMs, random }) {
    const policyName = parameters.requiredText('PolicyName', POLICY_NAME);
    if (account.policyNamed(policyName) !== null) {
      throw new QueryError(
        'EntityAlreadyExists',
        `A policy called ${policyName} already exists. Duplicate names are not allowed.`,
      );
    }
    requireRoom(account.policies.length, POLICIES_MAX, 'PoliciesPerAccount');
    const policy: PolicyRecord = {
      accountId: account.accountId,
      policyName,
      policyId: newId('ANPA', random),
      path: pathOf(parameters),
      description: parameters.optionalText('Description', POLICY_DESCRIPTION) ?? '',
      createdMs: nowMs,
      updatedMs: nowMs,
      isDeclared: false,
      defaultVersionId: 'v1',
      versions: [{ versionId: 'v1', document: policyDocumentOf(parameters), createdMs: nowMs }],
      tags: tagsOf(parameters),
    };
    return {
      changes: [account.put('policy', policyName, policy)],
      result: [element('Policy', policyDetailElements(policy, account))],
    };
  },
};

const getPolicy: IamAction = {
  name: 'GetPolicy',
  resource: arnOf,
  run(call) {
    const policy = call.account.requirePolicy(arnOf(call));
    return answer([element('Policy', policyDetailElements(policy, call.account))]);
  },
};

const listPolicies: IamAction = {
  name: 'ListPolicies',
  resource: ({ account }) => `arn:aws:iam::${account.accountId}:policy/`,
  run({ account, parameters }) {
    const prefix = pathPrefixOf(parameters);
    const scope = parameters.optionalChoice('Scope', ['All', 'AWS', 'Local'] as const) ?? 'All';
    const onlyAttached = parameters.optionalBoolean('OnlyAttached') ?? false;
    const usage = usageFilterOf(parameters);
    const isUsed = (arn: string): boolean =>
      (usage !== 'PermissionsBoundary' && holdersOf(arn, account).length > 0) ||
      (usage !== 'PermissionsPolicy' && boundedBy(arn, account).length > 0);
    const policies = [
      ...(scope === 'AWS' ? [] : account.policies),
      ...(scope === 'Local' ? [] : account.builtInPolicies),
    ]
      .filter(({ path }) => path.startsWith(prefix))
      .filter((policy) => (!onlyAttached && usage === null) || isUsed(policyArn(policy)))
      .sort((a, b) => (policyArn(a) < policyArn(b) ? -1 : 1));
    const page = pageOf(policies, policyArn, parameters);
    const members = page.items.map((policy) => policyElements(policy, account));
    return answer([memberList('Policies', members), ...page.elements]);
  },
};

const deletePolicy: IamAction = {
  name: 'DeletePolicy',
  resource: arnOf,
  run(call) {
    const arn = arnOf(call);
    const policy = requireOwnPolicy(call.account, arn);
    if (holdersOf(arn, call.account).length > 0 || boundedBy(arn, call.account).length > 0) {
      throw new QueryError('DeleteConflict', 'Cannot delete a policy attached to entities.');
    }
    if (policy.versions.length > 1) {
      throw new QueryError(
        'DeleteConflict',
        'This policy has more than one version. Before you delete a policy, you must delete the ' +
          "policy's versions. The default version is deleted with the policy.",
      );
    }
    return done(call.account.remove('policy', policy.policyName));
  },
};

const createPolicyVersion: IamAction = {
  name: 'CreatePolicyVersion',
  resource: arnOf,
  run(call) {
    const { account, parameters, nowMs } = call;
    const policy = requireOwnPolicy(account, arnOf(call));
    const document = policyDocumentOf(parameters);
    if (policy.versions.length >= POLICY_VERSIONS_MAX) {
      throw new QueryError(
        'LimitExceeded',
        'A managed policy can have up to 5 versions. Before you create a new version, you must ' +
          'delete an existing version.',
      );
    }
    const version = { versionId: nextVersionId(policy), document, createdMs: nowMs };
    const isDefault = parameters.optionalBoolean('SetAsDefault') ?? false;
    const changed: PolicyRecord = {
      ...policy,
      versions: [...policy.versions, version],
      updatedMs: nowMs,
      defaultVersionId: isDefault ? version.versionId : policy.defaultVersionId,
    };
    return {
      changes: [account.put('policy', policy.policyName, changed)],
      result: [element('PolicyVersion', policyVersionElements(changed, version, false))],
    };
  },
};

const getPolicyVersion: IamAction = {
  name: 'GetPolicyVersion',
  resource: arnOf,
  run(call) {
    const policy = call.account.requirePolicy(arnOf(call));
    const version = requireVersion(policy, call.parameters);
    return answer([element('PolicyVersion', policyVersionElements(policy, version, true))]);
  },
};

const listPolicyVersions: IamAction = {
  name: 'ListPolicyVersions',
  resource: arnOf,
  run(call) {
    const policy = call.account.requirePolicy(arnOf(call));
    // Newest first; their names are padded for the marker alone.
    const newestFirst = policy.versions.toReversed();
    const orderOf = ({ versionId }: PolicyRecord['versions'][number]): string =>
      String(999_999_999 - Number(versionId.slice(1)));
    const page = pageOf(newestFirst, orderOf, call.parameters);
    const members = page.items.map((version) => policyVersionElements(policy, version, true));
    return answer([memberList('Versions', members), ...page.elements]);
  },
};

const deletePolicyVersion: IamAction = {
  name: 'DeletePolicyVersion',
  resource: arnOf,
  run(call) {
    const policy = requireOwnPolicy(call.account, arnOf(call));
    const { versionId } = requireVersion(policy, call.parameters);
    if (versionId === policy.defaultVersionId) {
      throw new QueryError('DeleteConflict', 'Cannot delete the default version of a policy.');
    }
    const versions = policy.versions.filter((each) => each.versionId !== versionId);
    return done(call.account.put('policy', policy.policyName, { ...policy, versions }));
  },
};

const setDefaultPolicyVersion: IamAction = {
  name: 'SetDefaultPolicyVersion',
  resource: arnOf,
  run(call) {
    const policy = requireOwnPolicy(call.account, arnOf(call));
    const { versionId: defaultVersionId } = requireVersion(policy, call.parameters);
    const changed: PolicyRecord = { ...policy, defaultVersionId, updatedMs: call.nowMs };
    return done(call.account.put('policy', policy.policyName, changed));
  },
};

const listEntitiesForPolicy: IamAction = {
  name: 'ListEntitiesForPolicy',
  resource: arnOf,
  run(call) {
    const { account, parameters } = call;
    const arn = policyArn(account.requirePolicy(arnOf(call)));
    const prefix = pathPrefixOf(parameters);
    const usage = usageFilterOf(parameters);
    const filter = parameters.optionalChoice('EntityFilter', ENTITY_FILTERS);
    const holders = new Set([
      ...(usage === 'PermissionsBoundary' ? [] : holdersOf(arn, account)),
      ...(usage === 'PermissionsPolicy' ? [] : boundedBy(arn, account)),
    ]);
    const entries = [...holders]
      .filter(({ path }) => path.startsWith(prefix))
      .map((holder) => {
        if ('userName' in holder) return ['User', holder.userName, holder.userId] as const;
        if ('groupName' in holder) return ['Group', holder.groupName, holder.groupId] as const;
        return ['Role', holder.roleName, holder.roleId] as const;
      })
      .filter(([entity]) => filter === null || filter === entity)
      .sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
    const page = pageOf(entries, nameOf, parameters);
    const members = (entity: string): ReturnType<typeof memberList> =>
      memberList(
        `Policy${entity}s`,
        page.items
          .filter(([kind]) => kind === entity)
          .map(([, name, id]) => [
            textElement(`${entity}Name`, name),
            textElement(`${entity}Id`, id),
          ]),
      );
    return answer([members('Group'), members('User'), members('Role'), ...page.elements]);
  },
};

const ENTITY_FILTERS = ['User', 'Role', 'Group', 'LocalManagedPolicy', 'AWSManagedPolicy'] as const;

function nameOf([entity, name]: readonly [string, string, string]): string {
  return `${entity}/${name}`;
}

function usageFilterOf(
  parameters: IamCall['parameters'],
): 'PermissionsPolicy' | 'PermissionsBoundary' | null {
  return parameters.optionalChoice('PolicyUsageFilter', [
    'PermissionsPolicy',
    'PermissionsBoundary',
  ] as const);
}

function policyDocumentOf(parameters: IamCall['parameters']): string {
  return documentOf(parameters, 'PolicyDocument', 'identity', MANAGED_POLICY_LENGTH_MAX);
}

/** A policy that the account may change. @throws QueryError */
function requireOwnPolicy(account: AccountIdentities, arn: string): PolicyRecord {
  const policy = account.requirePolicy(arn);
  if (policy.accountId !== account.accountId) {
    throw new QueryError('AccessDenied', 'Policies of AWS cannot be changed.');
  }
  requireModifiable(policy, `Policy ${policy.policyName}`);
  return policy;
}

function requireVersion(
  policy: PolicyRecord,
  parameters: IamCall['parameters'],
): PolicyRecord['versions'][number] {
  const wanted = parameters.requiredText('VersionId', VERSION_ID);
  const version = policy.versions.find(({ versionId }) => versionId === wanted);
  if (version !== undefined) return version;
  throw new QueryError(
    'NoSuchEntity',
    `Policy ${policyArn(policy)} version ${wanted} does not exist or is not attachable.`,
  );
}

/** One above all that exist and above the default: numbers of deleted versions may come again. */
function nextVersionId({ versions }: PolicyRecord): string {
  const numbers = versions.map(({ versionId }) => Number(versionId.slice(1)));
  return `v${Math.max(0, ...numbers) + 1}`;
}

export const POLICY_ACTIONS: readonly IamAction[] = [
  createPolicy,
  getPolicy,
  listPolicies,
  deletePolicy,
  createPolicyVersion,
  getPolicyVersion,
  listPolicyVersions,
  deletePolicyVersion,
  setDefaultPolicyVersion,
  listEntitiesForPolicy,
];
