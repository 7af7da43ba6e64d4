import type { IdentitySnapshot } from '@azimuth/clients';

import type { Credential } from '../auth/credentials';
import type { Authorizer, RequestFacts } from '../auth/authorize';
import type { Principal } from '../auth/principal';
import type { XmlFragment } from '../http/xml/xml-writer';
import { element, textElement } from '../http/xml/xml-writer';
import { dateElement } from '../query/query-document';
import type { QueryParameters } from '../query/query-parameters';
import type { SessionCredentials, SessionRequest } from './session-issuer';
import type { TokenIssuer } from './web-identity-token';

/** A call of the STS API. */
export interface StsCall {
  /** Null only for unsigned actions. */
  readonly caller: Principal | null;
  readonly parameters: QueryParameters;
  readonly snapshot: IdentitySnapshot;
  readonly facts: RequestFacts;
  readonly region: string;
  readonly issuers: readonly TokenIssuer[];
  readonly authorizer: Authorizer;
  /** The key of the configuration, which no snapshot has. */
  readonly root: Pick<Credential, 'accessKeyId'> & { readonly accountId: string };
  readonly issue: (request: SessionRequest) => Promise<SessionCredentials>;
}

export interface StsAction {
  /** The exact API name. */
  readonly name: string;
  /** A token inside says who asks. */
  readonly isUnsigned: boolean;
  /** @throws QueryError, S3Error */
  run(call: StsCall): Promise<readonly (XmlFragment | null)[]>;
}

export function credentialsElement(credentials: SessionCredentials): XmlFragment {
  return element('Credentials', [
    textElement('AccessKeyId', credentials.accessKeyId),
    textElement('SecretAccessKey', credentials.secretKey),
    textElement('SessionToken', credentials.sessionToken),
    dateElement('Expiration', credentials.expiresMs),
  ]);
}
