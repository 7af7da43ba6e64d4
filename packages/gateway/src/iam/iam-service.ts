import type { IdentitySnapshot } from '@azimuth/clients';
import type { Random } from '@azimuth/common';

import type { Authorizer, RequestFacts } from '../auth/authorize';
import { QueryError } from '../query/query-error';
import type { QueryCall, QueryService } from '../query/query-service';
import { AccountIdentities } from './account-identities';
import type { IamAction, IamCall, IamOutcome } from './iam-action';
import { IAM_ACTIONS } from './iam-actions';
import type { IdentityCommitter } from './identity-committer';

export interface IamServiceOptions {
  readonly committer: IdentityCommitter;
  readonly authorizer: Authorizer;
  readonly random: Random;
}

/** The IAM query API: actions are pure; this commits what they change. */
export function iamService(options: IamServiceOptions): QueryService {
  return {
    name: 'iam',
    version: '2010-05-08',
    namespace: 'https://iam.amazonaws.com/doc/2010-05-08/',
    has: (action) => IAM_ACTIONS.has(action),
    isUnsigned: () => false,
    async call(call) {
      const action = IAM_ACTIONS.get(call.action);
      if (action === undefined) throw new QueryError('InvalidAction');
      const callOn = (snapshot: IdentitySnapshot): IamCall => iamCall(call, snapshot, options);
      await requireAllowed(
        action,
        callOn(options.committer.view.identities()),
        call.facts,
        options,
      );
      const outcome = await options.committer.commit<IamOutcome>(
        (snapshot) => action.run(callOn(snapshot)),
        call.signal,
      );
      return outcome.result;
    },
  };
}

/** No parameter says whose identities are meant: only the signature does. */
function iamCall(
  { caller, parameters, facts }: QueryCall,
  snapshot: IdentitySnapshot,
  { random }: IamServiceOptions,
): IamCall {
  if (caller === null) throw new QueryError('MissingAuthenticationToken');
  const account = new AccountIdentities(snapshot, caller.accountId);
  return { caller, parameters, account, nowMs: facts.nowMs, random };
}

/** @throws QueryError AccessDenied, naming who was refused what, as AWS does. */
async function requireAllowed(
  action: IamAction,
  call: IamCall,
  facts: RequestFacts,
  { authorizer }: IamServiceOptions,
): Promise<void> {
  const resource = action.resource(call);
  const isAllowed = await authorizer.isAllowed({
    principal: call.caller,
    action: `iam:${action.name}`,
    target: { bucket: null, bucketName: null, key: null, versionId: null, arn: resource },
    facts,
    conditions: action.conditions?.(call) ?? {},
  });
  if (isAllowed) return;
  throw new QueryError(
    'AccessDenied',
    `User: ${call.caller.arn} is not authorized to perform: iam:${action.name} on resource: ` +
      resource,
  );
}
