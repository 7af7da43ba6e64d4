import { textElement } from '../http/xml/xml-writer';
import { textList } from '../query/query-document';
import { QueryError } from '../query/query-error';
import { pageOf } from '../query/query-page';
import type { IamAction } from './iam-action';
import { answer, done } from './iam-action';
import { documentElement } from './iam-elements';
import { documentOf, requireDocumentLength } from './iam-input';
import { POLICY_NAME } from './iam-limits';
import type { HolderKind, HolderRecord } from './policy-holder';
import {
  GROUP_HOLDER,
  holderName,
  holderOf,
  modifiableHolderOf,
  resourceOfHolder,
  ROLE_HOLDER,
  USER_HOLDER,
} from './policy-holder';

function actionsOf<Holder extends HolderRecord>(kind: HolderKind<Holder>): readonly IamAction[] {
  const { entity, inlinePoliciesLengthMax } = kind;
  const resource = resourceOfHolder(kind);
  const put: IamAction = {
    name: `Put${entity}Policy`,
    resource,
    run(call) {
      const holder = modifiableHolderOf(kind, call);
      const name = call.parameters.requiredText('PolicyName', POLICY_NAME);
      const document = documentOf(
        call.parameters,
        'PolicyDocument',
        'identity',
        inlinePoliciesLengthMax,
      );
      const inlinePolicies = { ...holder.inlinePolicies, [name]: document };
      requireDocumentLength(Object.values(inlinePolicies).join(''), inlinePoliciesLengthMax);
      return done(kind.put(call.account, { ...holder, inlinePolicies }));
    },
  };
  const get: IamAction = {
    name: `Get${entity}Policy`,
    resource,
    run(call) {
      const holder = holderOf(kind, call);
      const name = call.parameters.requiredText('PolicyName', POLICY_NAME);
      return answer([
        textElement(`${entity}Name`, holderName(holder)),
        textElement('PolicyName', name),
        documentElement('PolicyDocument', requirePolicy(holder, name)),
      ]);
    },
  };
  const list: IamAction = {
    name: `List${entity}Policies`,
    resource,
    run(call) {
      const names = Object.keys(holderOf(kind, call).inlinePolicies).sort();
      const page = pageOf(names, (name) => name, call.parameters);
      return answer([textList('PolicyNames', page.items), ...page.elements]);
    },
  };
  const remove: IamAction = {
    name: `Delete${entity}Policy`,
    resource,
    run(call) {
      const holder = modifiableHolderOf(kind, call);
      const name = call.parameters.requiredText('PolicyName', POLICY_NAME);
      requirePolicy(holder, name);
      const rest = Object.entries(holder.inlinePolicies).filter(([each]) => each !== name);
      const inlinePolicies = Object.fromEntries(rest);
      return done(kind.put(call.account, { ...holder, inlinePolicies }));
    },
  };
  return [put, get, list, remove];
}

function requirePolicy(holder: HolderRecord, name: string): string {
  const document = Object.hasOwn(holder.inlinePolicies, name)
    ? holder.inlinePolicies[name]
    : undefined;
  if (document !== undefined) return document;
  throw new QueryError('NoSuchEntity', `The policy with name ${name} cannot be found.`);
}

export const INLINE_POLICY_ACTIONS: readonly IamAction[] = [
  ...actionsOf(USER_HOLDER),
  ...actionsOf(GROUP_HOLDER),
  ...actionsOf(ROLE_HOLDER),
];
