import type { PolicyRecord, RoleRecord, UserRecord } from '@azimuth/proto';

import { memberList } from '../query/query-document';
import { QueryError } from '../query/query-error';
import { pageOf } from '../query/query-page';
import { requireModifiable } from './account-identities';
import type { IamAction, IamCall, IamOutcome } from './iam-action';
import { answer, done } from './iam-action';
import { tagElements } from './iam-elements';
import { requireTagCount, tagConditions, tagsOf } from './iam-input';
import { ARN } from './iam-limits';
import { holderOf, resourceOfHolder, ROLE_HOLDER, USER_HOLDER } from './policy-holder';

type Tagged = UserRecord | RoleRecord | PolicyRecord;

interface TaggedKind<Record extends Tagged> {
  readonly entity: 'User' | 'Role' | 'Policy';
  readonly resource: (call: IamCall) => string;
  readonly find: (call: IamCall) => Record;
  readonly put: (call: IamCall, record: Record) => IamOutcome;
}

const USER: TaggedKind<UserRecord> = {
  entity: 'User',
  resource: resourceOfHolder(USER_HOLDER),
  find: (call) => holderOf(USER_HOLDER, call),
  put: ({ account }, user) => done(account.put('user', user.userName, user)),
};

const ROLE: TaggedKind<RoleRecord> = {
  entity: 'Role',
  resource: resourceOfHolder(ROLE_HOLDER),
  find: (call) => holderOf(ROLE_HOLDER, call),
  put: ({ account }, role) => done(account.put('role', role.roleName, role)),
};

const POLICY: TaggedKind<PolicyRecord> = {
  entity: 'Policy',
  resource: ({ parameters }) => parameters.requiredText('PolicyArn', ARN),
  find: ({ account, parameters }) =>
    account.requirePolicy(parameters.requiredText('PolicyArn', ARN)),
  put: ({ account }, policy) => done(account.put('policy', policy.policyName, policy)),
};

function actionsOf<Record extends Tagged>(kind: TaggedKind<Record>): readonly IamAction[] {
  const { entity, resource, find, put } = kind;
  const conditions: NonNullable<IamAction['conditions']> = ({ parameters }) =>
    tagConditions(parameters);
  return [
    {
      name: `Tag${entity}`,
      resource,
      conditions,
      run(call) {
        const record = find(call);
        requireModifiable(record, entity);
        const tags = { ...record.tags, ...tagsOf(call.parameters) };
        requireTagCount(Object.keys(tags).length);
        return put(call, { ...record, tags });
      },
    },
    {
      name: `Untag${entity}`,
      resource,
      conditions,
      run(call) {
        const record = find(call);
        requireModifiable(record, entity);
        const keys = call.parameters.list('TagKeys');
        if (keys.length === 0) throw new QueryError('InvalidInput', 'TagKeys must not be empty.');
        const rest = Object.entries(record.tags).filter(([key]) => !keys.includes(key));
        return put(call, { ...record, tags: Object.fromEntries(rest) });
      },
    },
    {
      name: `List${entity}Tags`,
      resource,
      run(call) {
        const entries = Object.entries(find(call).tags).sort(([a], [b]) => (a < b ? -1 : 1));
        const page = pageOf(entries, ([key]) => key, call.parameters);
        return answer([memberList('Tags', page.items.map(tagElements)), ...page.elements]);
      },
    },
  ];
}

export const TAG_ACTIONS: readonly IamAction[] = [
  ...actionsOf(USER),
  ...actionsOf(ROLE),
  ...actionsOf(POLICY),
];
