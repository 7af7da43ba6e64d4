import { textElement } from '../http/xml/xml-writer';
import { memberList } from '../query/query-document';
import { QueryError } from '../query/query-error';
import { pageOf } from '../query/query-page';
import type { IamAction } from './iam-action';
import { answer, done } from './iam-action';
import { boundaryOf, pathPrefixOf, policyArnConditions, requireRoom } from './iam-input';
import { ARN, ATTACHED_POLICIES_MAX } from './iam-limits';
import type { HolderKind, HolderRecord } from './policy-holder';
import {
  GROUP_HOLDER,
  holderOf,
  modifiableHolderOf,
  resourceOfHolder,
  ROLE_HOLDER,
  USER_HOLDER,
} from './policy-holder';

/** Managed policies of users, groups and roles, and what bounds users and roles. */
function attachmentActions<Holder extends HolderRecord>(
  kind: HolderKind<Holder>,
): readonly IamAction[] {
  const { entity } = kind;
  const resource = resourceOfHolder(kind);
  const attach: IamAction = {
    name: `Attach${entity}Policy`,
    resource,
    conditions: policyArnConditions,
    run(call) {
      const holder = modifiableHolderOf(kind, call);
      const arn = call.parameters.requiredText('PolicyArn', ARN);
      call.account.requirePolicy(arn);
      const attached = holder.attachedPolicyArns;
      if (attached.includes(arn)) return done();
      requireRoom(attached.length, ATTACHED_POLICIES_MAX, `PoliciesPer${entity}`);
      return done(kind.put(call.account, { ...holder, attachedPolicyArns: [...attached, arn] }));
    },
  };
  const detach: IamAction = {
    name: `Detach${entity}Policy`,
    resource,
    conditions: policyArnConditions,
    run(call) {
      const holder = modifiableHolderOf(kind, call);
      const arn = call.parameters.requiredText('PolicyArn', ARN);
      const attachedPolicyArns = holder.attachedPolicyArns.filter((each) => each !== arn);
      if (attachedPolicyArns.length === holder.attachedPolicyArns.length) {
        throw new QueryError('NoSuchEntity', `Policy ${arn} was not found.`);
      }
      return done(kind.put(call.account, { ...holder, attachedPolicyArns }));
    },
  };
  const list: IamAction = {
    name: `ListAttached${entity}Policies`,
    resource,
    run(call) {
      const prefix = pathPrefixOf(call.parameters);
      const policies = holderOf(kind, call).attachedPolicyArns.flatMap((arn) => {
        const policy = call.account.policy(arn);
        return policy?.path.startsWith(prefix) === true ? [{ arn, policy }] : [];
      });
      policies.sort((a, b) => (a.policy.policyName < b.policy.policyName ? -1 : 1));
      const page = pageOf(policies, ({ policy }) => policy.policyName, call.parameters);
      const members = page.items.map(({ arn, policy }) => [
        textElement('PolicyName', policy.policyName),
        textElement('PolicyArn', arn),
      ]);
      return answer([memberList('AttachedPolicies', members), ...page.elements]);
    },
  };
  return [attach, detach, list];
}

function boundaryActions<Holder extends Extract<HolderRecord, { tags: unknown }>>(
  kind: HolderKind<Holder>,
): readonly IamAction[] {
  const resource = resourceOfHolder(kind);
  const put: IamAction = {
    name: `Put${kind.entity}PermissionsBoundary`,
    resource,
    conditions: ({ parameters }) => ({
      'iam:PermissionsBoundary': [parameters.required('PermissionsBoundary')],
    }),
    run(call) {
      const holder = modifiableHolderOf(kind, call);
      call.parameters.required('PermissionsBoundary');
      const permissionsBoundaryArn = boundaryOf(call.parameters, call.account);
      return done(kind.put(call.account, { ...holder, permissionsBoundaryArn }));
    },
  };
  const remove: IamAction = {
    name: `Delete${kind.entity}PermissionsBoundary`,
    resource,
    conditions({ account, parameters }) {
      const name = parameters.optional(`${kind.entity}Name`) ?? '';
      const holder = kind.entity === 'User' ? account.user(name) : account.role(name);
      const arn = holder?.permissionsBoundaryArn ?? null;
      return arn === null ? {} : { 'iam:PermissionsBoundary': [arn] };
    },
    run(call) {
      const holder = modifiableHolderOf(kind, call);
      if (holder.permissionsBoundaryArn === null) {
        throw new QueryError('NoSuchEntity', 'There is no permissions boundary.');
      }
      return done(kind.put(call.account, { ...holder, permissionsBoundaryArn: null }));
    },
  };
  return [put, remove];
}

export const ATTACHMENT_ACTIONS: readonly IamAction[] = [
  ...attachmentActions(USER_HOLDER),
  ...attachmentActions(GROUP_HOLDER),
  ...attachmentActions(ROLE_HOLDER),
  ...boundaryActions(USER_HOLDER),
  ...boundaryActions(ROLE_HOLDER),
];
