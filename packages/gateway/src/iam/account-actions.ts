import type { XmlFragment } from '../http/xml/xml-writer';
import { element, textElement } from '../http/xml/xml-writer';
import { policyArn } from '../auth/arn';
import { memberList, textList } from '../query/query-document';
import { pageOf } from '../query/query-page';
import type { AccountIdentities } from './account-identities';
import type { IamAction } from './iam-action';
import { answer } from './iam-action';
import {
  boundaryElement,
  documentElement,
  groupElements,
  holdersOf,
  policyElements,
  policyVersionElements,
  roleElements,
  tagsElement,
  userElements,
} from './iam-elements';
import {
  ACCESS_KEYS_PER_USER_MAX,
  ATTACHED_POLICIES_MAX,
  GROUP_POLICY_LENGTH_MAX,
  GROUPS_MAX,
  GROUPS_PER_USER_MAX,
  MANAGED_POLICY_LENGTH_MAX,
  POLICIES_MAX,
  POLICY_VERSIONS_MAX,
  ROLE_POLICY_LENGTH_MAX,
  ROLES_MAX,
  TRUST_POLICY_LENGTH_MAX,
  USER_POLICY_LENGTH_MAX,
  USERS_MAX,
} from './iam-limits';
import type { HolderRecord } from './policy-holder';
import { keysOf } from './user-actions';

const getAccountSummary: IamAction = {
  name: 'GetAccountSummary',
  resource: () => '*',
  run: ({ account }) =>
    answer([
      element(
        'SummaryMap',
        Object.entries(summaryOf(account)).map(([key, value]) =>
          element('entry', [textElement('key', key), textElement('value', value)]),
        ),
      ),
    ]),
};

function summaryOf(account: AccountIdentities): Readonly<Record<string, number>> {
  const versions = account.policies.reduce((sum, policy) => sum + policy.versions.length, 0);
  return {
    Users: account.users.length,
    UsersQuota: USERS_MAX,
    Groups: account.groups.length,
    GroupsQuota: GROUPS_MAX,
    Roles: account.roles.length,
    RolesQuota: ROLES_MAX,
    Policies: account.policies.length,
    PoliciesQuota: POLICIES_MAX,
    PolicyVersionsInUse: versions,
    PolicyVersionsInUseQuota: POLICIES_MAX * POLICY_VERSIONS_MAX,
    VersionsPerPolicyQuota: POLICY_VERSIONS_MAX,
    AccessKeysPerUserQuota: ACCESS_KEYS_PER_USER_MAX,
    GroupsPerUserQuota: GROUPS_PER_USER_MAX,
    AttachedPoliciesPerUserQuota: ATTACHED_POLICIES_MAX,
    AttachedPoliciesPerGroupQuota: ATTACHED_POLICIES_MAX,
    AttachedPoliciesPerRoleQuota: ATTACHED_POLICIES_MAX,
    UserPolicySizeQuota: USER_POLICY_LENGTH_MAX,
    GroupPolicySizeQuota: GROUP_POLICY_LENGTH_MAX,
    RolePolicySizeQuota: ROLE_POLICY_LENGTH_MAX,
    PolicySizeQuota: MANAGED_POLICY_LENGTH_MAX,
    AssumeRolePolicySizeQuota: TRUST_POLICY_LENGTH_MAX,
    Providers: account.oidcProviders.length,
    // The root can always sign: with the key of the configuration or one of its own.
    AccountAccessKeysPresent: keysOf(account, null).length > 0 ? 1 : 0,
    AccountMFAEnabled: 0,
    AccountPasswordPresent: 0,
    AccountSigningCertificatesPresent: 0,
    InstanceProfiles: 0,
    MFADevices: 0,
    MFADevicesInUse: 0,
    ServerCertificates: 0,
    GlobalEndpointTokenVersion: 2,
  };
}

/** Accounts have no aliases here: nothing would ask for one. */
const listAccountAliases: IamAction = {
  name: 'ListAccountAliases',
  resource: () => '*',
  run: ({ parameters }) => {
    const page = pageOf<string>([], (alias) => alias, parameters);
    return answer([textList('AccountAliases', page.items), ...page.elements]);
  },
};

interface Detail {
  /** Orders users, groups, roles and policies, and is what a marker names. */
  readonly name: string;
  readonly list: (typeof DETAIL_LISTS)[number];
  readonly elements: readonly (XmlFragment | null)[];
}

const DETAIL_LISTS = ['UserDetailList', 'GroupDetailList', 'RoleDetailList', 'Policies'] as const;
type DetailFilter = 'User' | 'Group' | 'Role' | 'LocalManagedPolicy' | 'AWSManagedPolicy';

const getAccountAuthorizationDetails: IamAction = {
  name: 'GetAccountAuthorizationDetails',
  resource: () => '*',
  run({ account, parameters }) {
    const filter = parameters.list('Filter');
    const isWanted = (kind: DetailFilter): boolean => filter.length === 0 || filter.includes(kind);
    const details: Detail[] = [
      ...(isWanted('User') ? userDetails(account) : []),
      ...(isWanted('Group') ? groupDetails(account) : []),
      ...(isWanted('Role') ? roleDetails(account) : []),
      ...policyDetails(account, isWanted('LocalManagedPolicy'), isWanted('AWSManagedPolicy')),
    ].sort((a, b) => (a.name < b.name ? -1 : 1));
    const page = pageOf(details, ({ name }) => name, parameters);
    return answer([
      ...DETAIL_LISTS.map((list) =>
        memberList(
          list,
          page.items.filter((detail) => detail.list === list).map(({ elements }) => elements),
        ),
      ),
      ...page.elements,
    ]);
  },
};

function userDetails(account: AccountIdentities): Detail[] {
  return account.users.map((user) => ({
    name: `1/${user.userName.toLowerCase()}`,
    list: 'UserDetailList',
    elements: [
      ...userElements(user),
      inlinePolicyList('UserPolicyList', user),
      textList('GroupList', user.groups),
      attachedPolicyList(user, account),
      boundaryElement(user),
      tagsElement(user.tags),
    ],
  }));
}

function groupDetails(account: AccountIdentities): Detail[] {
  return account.groups.map((group) => ({
    name: `2/${group.groupName.toLowerCase()}`,
    list: 'GroupDetailList',
    elements: [
      ...groupElements(group),
      inlinePolicyList('GroupPolicyList', group),
      attachedPolicyList(group, account),
    ],
  }));
}

function roleDetails(account: AccountIdentities): Detail[] {
  return account.roles.map((role) => ({
    name: `3/${role.roleName.toLowerCase()}`,
    list: 'RoleDetailList',
    elements: [
      ...roleElements(role),
      memberList('InstanceProfileList', []),
      inlinePolicyList('RolePolicyList', role),
      attachedPolicyList(role, account),
      boundaryElement(role),
      tagsElement(role.tags),
    ],
  }));
}

/** Of the built-in policies those that are in use, as AWS does. */
function policyDetails(account: AccountIdentities, hasLocal: boolean, hasAws: boolean): Detail[] {
  const inUse = account.builtInPolicies.filter(
    (policy) => holdersOf(policyArn(policy), account).length > 0,
  );
  return [...(hasLocal ? account.policies : []), ...(hasAws ? inUse : [])].map((policy) => ({
    name: `4/${policyArn(policy)}`,
    list: 'Policies',
    elements: [
      ...policyElements(policy, account),
      memberList(
        'PolicyVersionList',
        policy.versions.map((version) => policyVersionElements(policy, version, true)),
      ),
    ],
  }));
}

function inlinePolicyList(name: string, { inlinePolicies }: HolderRecord): XmlFragment {
  return memberList(
    name,
    Object.entries(inlinePolicies).map(([policyName, document]) => [
      textElement('PolicyName', policyName),
      documentElement('PolicyDocument', document),
    ]),
  );
}

function attachedPolicyList(
  { attachedPolicyArns }: HolderRecord,
  account: AccountIdentities,
): XmlFragment {
  return memberList(
    'AttachedManagedPolicies',
    attachedPolicyArns.map((arn) => [
      textElement('PolicyName', account.policy(arn)?.policyName ?? ''),
      textElement('PolicyArn', arn),
    ]),
  );
}

export const ACCOUNT_ACTIONS: readonly IamAction[] = [
  getAccountSummary,
  listAccountAliases,
  getAccountAuthorizationDetails,
];
