import type { Authorizer } from '../auth/authorize';
import { QueryError } from '../query/query-error';
import type { QueryService } from '../query/query-service';
import type { SessionIssuerOptions } from './session-issuer';
import { issueSession } from './session-issuer';
import type { StsCall } from './sts-action';
import { STS_ACTIONS } from './sts-actions';
import type { TokenIssuer } from './web-identity-token';

export interface StsServiceOptions extends SessionIssuerOptions {
  readonly authorizer: Authorizer;
  readonly region: string;
  /** Asked for each call: a reload brings new keys. */
  readonly issuers: () => readonly TokenIssuer[];
  readonly root: StsCall['root'];
}

/** The STS query API. */
export function stsService(options: StsServiceOptions): QueryService {
  const { authorizer, region, issuers, root, committer } = options;
  return {
    name: 'sts',
    version: '2011-06-15',
    namespace: 'https://sts.amazonaws.com/doc/2011-06-15/',
    has: (action) => STS_ACTIONS.has(action),
    isUnsigned: (action) => STS_ACTIONS.get(action)?.isUnsigned === true,
    async call({ action: name, caller, parameters, facts, signal }) {
      const action = STS_ACTIONS.get(name);
      if (action === undefined) throw new QueryError('InvalidAction');
      return action.run({
        caller,
        parameters,
        snapshot: committer.view.identities(),
        facts,
        region,
        issuers: issuers(),
        authorizer,
        root,
        issue: (request) => issueSession(request, options, signal),
      });
    },
  };
}
