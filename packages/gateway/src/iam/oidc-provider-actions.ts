import type { OidcProviderRecord } from '@azimuth/proto';

import { oidcProviderArn, parseIamArn } from '../auth/arn';
import { textElement } from '../http/xml/xml-writer';
import { dateElement, memberList, textList } from '../query/query-document';
import { QueryError } from '../query/query-error';
import type { AccountIdentities } from './account-identities';
import type { IamAction, IamCall } from './iam-action';
import { answer, done } from './iam-action';
import { requireRoom } from './iam-input';
import { ARN, CLIENT_IDS_MAX, OIDC_PROVIDERS_MAX, THUMBPRINTS_MAX } from './iam-limits';

/**
 * OpenID Connect providers of an account. They say which audiences the account accepts; whose
 * tokens can be verified at all is configured with the gateways, so thumbprints are only kept.
 */
const URL_RULE = { lengthMax: 255, pattern: /^https:\/\/[A-Za-z0-9._~:/-]+$/ };
const CLIENT_ID = { lengthMax: 255 };
const THUMBPRINT = { lengthMin: 40, lengthMax: 40, pattern: /^[0-9A-Fa-f]{40}$/ };

const arnOf = ({ parameters }: IamCall): string =>
  parameters.requiredText('OpenIDConnectProviderArn', ARN);

const create: IamAction = {
  name: 'CreateOpenIDConnectProvider',
  resource: ({ account, parameters }) =>
    oidcProviderArn({ accountId: account.accountId, url: urlOf(parameters) }),
  run({ account, parameters, nowMs }) {
    const url = urlOf(parameters);
    if (account.oidcProvider(url) !== null) {
      throw new QueryError(
        'EntityAlreadyExists',
        `Provider with url https://${url} already exists.`,
      );
    }
    requireRoom(account.oidcProviders.length, OIDC_PROVIDERS_MAX, 'OpenIdConnectProviders');
    const provider: OidcProviderRecord = {
      accountId: account.accountId,
      url,
      clientIds: clientIdsOf(parameters),
      thumbprints: thumbprintsOf(parameters),
      createdMs: nowMs,
    };
    return {
      changes: [account.put('oidc-provider', url, provider)],
      result: [textElement('OpenIDConnectProviderArn', oidcProviderArn(provider))],
    };
  },
};

const get: IamAction = {
  name: 'GetOpenIDConnectProvider',
  resource: arnOf,
  run(call) {
    const { url, clientIds, thumbprints, createdMs } = requireProvider(call);
    return answer([
      textElement('Url', url),
      textList('ClientIDList', clientIds),
      textList('ThumbprintList', thumbprints),
      dateElement('CreateDate', createdMs),
    ]);
  },
};

const list: IamAction = {
  name: 'ListOpenIDConnectProviders',
  resource: ({ account }) => `arn:aws:iam::${account.accountId}:oidc-provider/`,
  run: ({ account }) =>
    answer([
      memberList(
        'OpenIDConnectProviderList',
        account.oidcProviders.map((provider) => [textElement('Arn', oidcProviderArn(provider))]),
      ),
    ]),
};

const remove: IamAction = {
  name: 'DeleteOpenIDConnectProvider',
  resource: arnOf,
  run: (call) => done(call.account.remove('oidc-provider', requireProvider(call).url)),
};

const addClientId: IamAction = {
  name: 'AddClientIDToOpenIDConnectProvider',
  resource: arnOf,
  run(call) {
    const provider = requireProvider(call);
    const clientId = call.parameters.requiredText('ClientID', CLIENT_ID);
    if (provider.clientIds.includes(clientId)) return done();
    requireRoom(provider.clientIds.length, CLIENT_IDS_MAX, 'ClientIdsPerOpenIdConnectProvider');
    return put(call.account, { ...provider, clientIds: [...provider.clientIds, clientId] });
  },
};

const removeClientId: IamAction = {
  name: 'RemoveClientIDFromOpenIDConnectProvider',
  resource: arnOf,
  run(call) {
    const provider = requireProvider(call);
    const clientId = call.parameters.requiredText('ClientID', CLIENT_ID);
    const clientIds = provider.clientIds.filter((each) => each !== clientId);
    return put(call.account, { ...provider, clientIds });
  },
};

const updateThumbprint: IamAction = {
  name: 'UpdateOpenIDConnectProviderThumbprint',
  resource: arnOf,
  run(call) {
    const thumbprints = thumbprintsOf(call.parameters);
    return put(call.account, { ...requireProvider(call), thumbprints });
  },
};

function put(account: AccountIdentities, provider: OidcProviderRecord): ReturnType<typeof done> {
  return done(account.put('oidc-provider', provider.url, provider));
}

function requireProvider(call: IamCall): OidcProviderRecord {
  const arn = arnOf(call);
  const parsed = parseIamArn(arn);
  const isHere = parsed?.type === 'oidc-provider' && parsed.accountId === call.account.accountId;
  const provider = isHere
    ? call.account.oidcProvider(`${parsed.path.slice(1)}${parsed.name}`)
    : null;
  if (provider !== null) return provider;
  throw new QueryError('NoSuchEntity', `OpenIDConnect Provider not found for arn ${arn}`);
}

/** Without the scheme and an ending slash: so providers are named. */
function urlOf(parameters: IamCall['parameters']): string {
  return parameters.requiredText('Url', URL_RULE).slice('https://'.length).replace(/\/+$/, '');
}

function clientIdsOf(parameters: IamCall['parameters']): readonly string[] {
  const clientIds = parameters.list('ClientIDList');
  if (clientIds.length > CLIENT_IDS_MAX) {
    requireRoom(clientIds.length, CLIENT_IDS_MAX, 'ClientIdsPerOpenIdConnectProvider');
  }
  if (clientIds.some((id) => id === '' || id.length > CLIENT_ID.lengthMax)) {
    throw new QueryError('InvalidInput', 'A client id has 1 to 255 characters.');
  }
  return [...new Set(clientIds)];
}

function thumbprintsOf(parameters: IamCall['parameters']): readonly string[] {
  const thumbprints = parameters.list('ThumbprintList');
  if (thumbprints.length > THUMBPRINTS_MAX) {
    throw new QueryError('InvalidInput', 'Thumbprint list must contain fewer than 5 entries.');
  }
  if (!thumbprints.every((each) => THUMBPRINT.pattern.test(each))) {
    throw new QueryError('InvalidInput', 'Thumbprints have 40 hexadecimal digits.');
  }
  return thumbprints;
}

export const OIDC_PROVIDER_ACTIONS: readonly IamAction[] = [
  create,
  get,
  list,
  remove,
  addClientId,
  removeClientId,
  updateThumbprint,
];
