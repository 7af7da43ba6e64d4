import type { UserRecord } from '@azimuth/proto';

import { userArn } from '../auth/arn';
import { element, textElement } from '../http/xml/xml-writer';
import { dateElement, memberList } from '../query/query-document';
import { QueryError } from '../query/query-error';
import { pageOf } from '../query/query-page';
import type { AccountIdentities } from './account-identities';
import { requireModifiable } from './account-identities';
import type { IamAction, IamCall } from './iam-action';
import { answer, done, newId } from './iam-action';
import { userDetailElements, userElements } from './iam-elements';
import {
  boundaryOf,
  creationConditions,
  pathOf,
  pathPrefixOf,
  requireRoom,
  tagsOf,
} from './iam-input';
import { EXISTING_NAME, PATH, USER_NAME, USERS_MAX } from './iam-limits';

/** ARN of a user that may not exist; the name is all that a request says of it. */
export function userResource(account: AccountIdentities, userName: string): string {
  const user = account.user(userName) ?? { accountId: account.accountId, path: '/', userName };
  return userArn(user);
}

/**
 * The user of a request that may leave it out: then it is about the caller. Null for the root.
 *
 * @throws QueryError ValidationError when the caller is neither a user nor the root.
 */
export function userNameOrOwn({ parameters, caller }: IamCall): string | null {
  const userName = parameters.optionalText('UserName', EXISTING_NAME);
  if (userName !== null) return userName;
  if (caller.kind === 'root') return null;
  if (caller.kind === 'user' && caller.userName !== null) return caller.userName;
  throw new QueryError(
    'ValidationError',
    'Must specify userName when calling with non-User credentials',
  );
}

export function ownResource(call: IamCall): string {
  const userName = userNameOrOwn(call);
  return userName === null ? call.caller.arn : userResource(call.account, userName);
}

const existingUserResource = ({ account, parameters }: IamCall): string =>
  userResource(account, parameters.requiredText('UserName', EXISTING_NAME));

const createUser: IamAction = {
  name: 'CreateUser',
  resource: ({ account, parameters }) =>
    userArn({
      accountId: account.accountId,
      path: pathOf(parameters),
      userName: parameters.requiredText('UserName', USER_NAME),
    }),
  conditions: creationConditions,
  run({ account, parameters, nowMs, random }) {
    const userName = parameters.requiredText('UserName', USER_NAME);
    refuseExisting(account, userName);
    requireRoom(account.users.length, USERS_MAX, 'UsersPerAccount');
    const user: UserRecord = {
      accountId: account.accountId,
      userName,
      userId: newId('AIDA', random),
      path: pathOf(parameters),
      createdMs: nowMs,
      isDeclared: false,
      groups: [],
      inlinePolicies: {},
      attachedPolicyArns: [],
      permissionsBoundaryArn: boundaryOf(parameters, account),
      tags: tagsOf(parameters),
    };
    return {
      changes: [account.put('user', userName, user)],
      result: [element('User', userDetailElements(user))],
    };
  },
};

const getUser: IamAction = {
  name: 'GetUser',
  resource: ownResource,
  run(call) {
    const userName = userNameOrOwn(call);
    if (userName === null) return answer([element('User', rootElements(call))]);
    return answer([element('User', userDetailElements(call.account.requireUser(userName)))]);
  },
};

/** The root as AWS shows it: a user that has the name of the account and no path. */
function rootElements({ caller, account }: IamCall): ReturnType<typeof userElements> {
  return [
    textElement('Path', '/'),
    textElement('UserName', caller.displayName),
    textElement('UserId', account.accountId),
    textElement('Arn', `arn:aws:iam::${account.accountId}:root`),
    dateElement('CreateDate', 0),
  ];
}

const listUsers: IamAction = {
  name: 'ListUsers',
  resource: ({ account }) => userResource(account, ''),
  run({ account, parameters }) {
    const prefix = pathPrefixOf(parameters);
    const users = account.users.filter(({ path }) => path.startsWith(prefix));
    const page = pageOf(users, ({ userName }) => userName.toLowerCase(), parameters);
    return answer([memberList('Users', page.items.map(userElements)), ...page.elements]);
  },
};

const updateUser: IamAction = {
  name: 'UpdateUser',
  resource: existingUserResource,
  run({ account, parameters }) {
    const user = account.requireUser(parameters.requiredText('UserName', EXISTING_NAME));
    requireModifiable(user, `User ${user.userName}`);
    const userName = parameters.optionalText('NewUserName', USER_NAME) ?? user.userName;
    const path = parameters.optionalText('NewPath', PATH) ?? user.path;
    const changed: UserRecord = { ...user, userName, path };
    const isSame = userName.toLowerCase() === user.userName.toLowerCase();
    if (isSame) return done(account.put('user', userName, changed));
    refuseExisting(account, userName);
    const keys = keysOf(account, user.userName);
    return done(
      account.remove('user', user.userName),
      account.put('user', userName, changed),
      ...keys.map((key) => ({
        kind: 'access-key' as const,
        name: key.accessKeyId,
        record: { ...key, userName },
      })),
    );
  },
};

const deleteUser: IamAction = {
  name: 'DeleteUser',
  resource: existingUserResource,
  run({ account, parameters }) {
    const user = account.requireUser(parameters.requiredText('UserName', EXISTING_NAME));
    requireModifiable(user, `User ${user.userName}`);
    const refuse = (what: string): never => {
      throw new QueryError('DeleteConflict', `Cannot delete entity, must ${what} first.`);
    };
    if (keysOf(account, user.userName).length > 0) refuse('delete access keys');
    if (user.groups.length > 0) refuse('remove users from group');
    if (Object.keys(user.inlinePolicies).length > 0) refuse('delete policies');
    if (user.attachedPolicyArns.length > 0) refuse('detach all policies');
    return done(account.remove('user', user.userName));
  },
};

export function keysOf(
  account: AccountIdentities,
  userName: string | null,
): AccountIdentities['accessKeys'] {
  const wanted = userName?.toLowerCase();
  return account.accessKeys.filter((key) => key.userName?.toLowerCase() === wanted);
}

function refuseExisting(account: AccountIdentities, userName: string): void {
  if (account.user(userName) === null) return;
  throw new QueryError('EntityAlreadyExists', `User with name ${userName} already exists.`);
}

export const USER_ACTIONS: readonly IamAction[] = [
  createUser,
  getUser,
  listUsers,
  updateUser,
  deleteUser,
];
