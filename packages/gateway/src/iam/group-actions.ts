import type { GroupRecord } from '@azimuth/proto';

import { groupArn } from '../auth/arn';
import { element } from '../http/xml/xml-writer';
import { memberList } from '../query/query-document';
import { QueryError } from '../query/query-error';
import { pageOf } from '../query/query-page';
import type { AccountIdentities } from './account-identities';
import { requireModifiable } from './account-identities';
import type { IamAction, IamCall } from './iam-action';
import { answer, done, newId } from './iam-action';
import { groupElements, userElements } from './iam-elements';
import { pathOf, pathPrefixOf, requireRoom } from './iam-input';
import { EXISTING_NAME, GROUP_NAME, GROUPS_MAX, GROUPS_PER_USER_MAX, PATH } from './iam-limits';
import { userResource } from './user-actions';

export function groupResource(account: AccountIdentities, groupName: string): string {
  return groupArn(
    account.group(groupName) ?? { accountId: account.accountId, path: '/', groupName },
  );
}

const existingGroupResource = ({ account, parameters }: IamCall): string =>
  groupResource(account, parameters.requiredText('GroupName', GROUP_NAME));

const createGroup: IamAction = {
  name: 'CreateGroup',
  resource: ({ account, parameters }) =>
    groupArn({
      accountId: account.accountId,
      path: pathOf(parameters),
      groupName: parameters.requiredText('GroupName', GROUP_NAME),
    }),
  run({ account, parameters, nowMs, random }) {
    const groupName = parameters.requiredText('GroupName', GROUP_NAME);
    refuseExisting(account, groupName);
    requireRoom(account.groups.length, GROUPS_MAX, 'GroupsPerAccount');
    const group: GroupRecord = {
      accountId: account.accountId,
      groupName,
      groupId: newId('AGPA', random),
      path: pathOf(parameters),
      createdMs: nowMs,
      isDeclared: false,
      inlinePolicies: {},
      attachedPolicyArns: [],
    };
    return {
      changes: [account.put('group', groupName, group)],
      result: [element('Group', groupElements(group))],
    };
  },
};

const getGroup: IamAction = {
  name: 'GetGroup',
  resource: existingGroupResource,
  run({ account, parameters }) {
    const group = account.requireGroup(parameters.requiredText('GroupName', GROUP_NAME));
    const page = pageOf(
      membersOf(account, group.groupName),
      ({ userName }) => userName.toLowerCase(),
      parameters,
    );
    return answer([
      element('Group', groupElements(group)),
      memberList('Users', page.items.map(userElements)),
      ...page.elements,
    ]);
  },
};

const listGroups: IamAction = {
  name: 'ListGroups',
  resource: ({ account }) => groupResource(account, ''),
  run({ account, parameters }) {
    const prefix = pathPrefixOf(parameters);
    const groups = account.groups.filter(({ path }) => path.startsWith(prefix));
    const page = pageOf(groups, ({ groupName }) => groupName.toLowerCase(), parameters);
    return answer([memberList('Groups', page.items.map(groupElements)), ...page.elements]);
  },
};

const updateGroup: IamAction = {
  name: 'UpdateGroup',
  resource: existingGroupResource,
  run({ account, parameters }) {
    const group = account.requireGroup(parameters.requiredText('GroupName', GROUP_NAME));
    requireModifiable(group, `Group ${group.groupName}`);
    const groupName = parameters.optionalText('NewGroupName', GROUP_NAME) ?? group.groupName;
    const path = parameters.optionalText('NewPath', PATH) ?? group.path;
    const put = account.put('group', groupName, { ...group, groupName, path });
    if (isSame(groupName, group.groupName)) return done(put);
    refuseExisting(account, groupName);
    const members = membersOf(account, group.groupName);
    return done(
      account.remove('group', group.groupName),
      put,
      ...members.map((user) =>
        account.put('user', user.userName, {
          ...user,
          groups: user.groups.map((each) => (isSame(each, group.groupName) ? groupName : each)),
        }),
      ),
    );
  },
};

const deleteGroup: IamAction = {
  name: 'DeleteGroup',
  resource: existingGroupResource,
  run({ account, parameters }) {
    const group = account.requireGroup(parameters.requiredText('GroupName', GROUP_NAME));
    requireModifiable(group, `Group ${group.groupName}`);
    const refuse = (what: string): never => {
      throw new QueryError('DeleteConflict', `Cannot delete entity, must ${what} first.`);
    };
    if (membersOf(account, group.groupName).length > 0) refuse('remove users from group');
    if (Object.keys(group.inlinePolicies).length > 0) refuse('delete policies');
    if (group.attachedPolicyArns.length > 0) refuse('detach all policies');
    return done(account.remove('group', group.groupName));
  },
};

const addUserToGroup: IamAction = {
  name: 'AddUserToGroup',
  resource: existingGroupResource,
  run({ account, parameters }) {
    const { groupName } = account.requireGroup(parameters.requiredText('GroupName', GROUP_NAME));
    const user = account.requireUser(parameters.requiredText('UserName', EXISTING_NAME));
    requireModifiable(user, `User ${user.userName}`);
    if (user.groups.some((each) => isSame(each, groupName))) return done();
    requireRoom(user.groups.length, GROUPS_PER_USER_MAX, 'GroupsPerUser');
    const groups = [...user.groups, groupName];
    return done(account.put('user', user.userName, { ...user, groups }));
  },
};

const removeUserFromGroup: IamAction = {
  name: 'RemoveUserFromGroup',
  resource: existingGroupResource,
  run({ account, parameters }) {
    const { groupName } = account.requireGroup(parameters.requiredText('GroupName', GROUP_NAME));
    const user = account.requireUser(parameters.requiredText('UserName', EXISTING_NAME));
    requireModifiable(user, `User ${user.userName}`);
    const groups = user.groups.filter((each) => !isSame(each, groupName));
    if (groups.length === user.groups.length) {
      throw new QueryError('NoSuchEntity', `User ${user.userName} is not in group ${groupName}.`);
    }
    return done(account.put('user', user.userName, { ...user, groups }));
  },
};

const listGroupsForUser: IamAction = {
  name: 'ListGroupsForUser',
  resource: ({ account, parameters }) =>
    userResource(account, parameters.requiredText('UserName', EXISTING_NAME)),
  run({ account, parameters }) {
    const user = account.requireUser(parameters.requiredText('UserName', EXISTING_NAME));
    const groups = account.groups.filter(({ groupName }) =>
      user.groups.some((each) => isSame(each, groupName)),
    );
    const page = pageOf(groups, ({ groupName }) => groupName.toLowerCase(), parameters);
    return answer([memberList('Groups', page.items.map(groupElements)), ...page.elements]);
  },
};

export function membersOf(
  account: AccountIdentities,
  groupName: string,
): AccountIdentities['users'] {
  return account.users.filter(({ groups }) => groups.some((each) => isSame(each, groupName)));
}

function isSame(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

function refuseExisting(account: AccountIdentities, groupName: string): void {
  if (account.group(groupName) === null) return;
  throw new QueryError('EntityAlreadyExists', `Group with name ${groupName} already exists.`);
}

export const GROUP_ACTIONS: readonly IamAction[] = [
  createGroup,
  getGroup,
  listGroups,
  updateGroup,
  deleteGroup,
  addUserToGroup,
  removeUserFromGroup,
  listGroupsForUser,
];
