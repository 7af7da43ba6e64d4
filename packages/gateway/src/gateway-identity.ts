import type { ClusterView, MetadataClient } from '@azimuth/clients';
import type { Clock, Logger, Random } from '@azimuth/common';

import type { AccountDirectory } from './auth/accounts';
import { accountDirectory } from './auth/accounts';
import { Authenticator } from './auth/authenticate';
import type { Authorizer } from './auth/authorize';
import { clusterRootPrincipal, requireStrongCredentials } from './auth/credentials';
import { identityCredentialStore } from './auth/identity-credentials';
import { PolicyAuthorizer } from './auth/policy/policy-authorizer';
import type { GatewayConfig } from './gateway-config';
import { iamService } from './iam/iam-service';
import { IdentitiesFile } from './iam/identities-file';
import { IdentityCommitter } from './iam/identity-committer';
import { QueryApi } from './query/query-api';
import { loadTokenIssuers } from './sts/oidc-issuers';
import { stsService } from './sts/sts-service';

export interface IdentityParts {
  readonly metadata: MetadataClient;
  readonly view: ClusterView;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Everything of a gateway that knows who asks and what they may do. */
export interface GatewayIdentity {
  readonly accounts: AccountDirectory;
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  readonly queryApi: QueryApi;
  /** Reads files of identities and of keys again; what is wrong with them is logged. */
  reload(): void;
  close(): Promise<void>;
}

/**
 * @throws StoreError INVALID_ARGUMENT for weak credentials, a file of identities or keys of an
 *   identity provider that are refused.
 */
export function openIdentity(config: GatewayConfig, parts: IdentityParts): GatewayIdentity {
  const { accessKey, secretKey, region, clusterId, allowSignatureV2, identitiesFile } = config;
  requireStrongCredentials(accessKey, secretKey);
  const { view, logger } = parts;
  const committer = new IdentityCommitter(parts);
  const clusterRoot = clusterRootPrincipal(clusterId);
  const accounts = accountDirectory(view, clusterRoot);
  const root = { accessKeyId: accessKey, secretKey, accountId: clusterRoot.accountId };
  const credentials = identityCredentialStore({ view, accounts, root });
  const authenticator = new Authenticator(credentials, region, {
    allowsSignatureV2: allowSignatureV2,
  });
  const authorizer = new PolicyAuthorizer({ view, accounts, region });
  let issuers = loadTokenIssuers(config.oidc);
  const services = [
    iamService({ ...parts, committer, authorizer }),
    stsService({ ...parts, committer, authorizer, region, issuers: () => issuers, root }),
  ];
  const file =
    identitiesFile === undefined
      ? null
      : new IdentitiesFile({
          ...parts,
          committer,
          path: identitiesFile,
          rootAccessKeyId: accessKey,
        });
  return {
    accounts,
    authenticator,
    authorizer,
    queryApi: new QueryApi({ authenticator, services, logger }),
    reload() {
      file?.reload();
      try {
        issuers = loadTokenIssuers(config.oidc);
      } catch (error) {
        logger.error({ error }, 'keys of an identity provider refused; the old ones stay');
      }
    },
    close: () => file?.close() ?? Promise.resolve(),
  };
}
