import { createHash } from 'node:crypto';

import type { ClusterView, MetadataClient } from '@azimuth/clients';
import { WATCH_AGE_MAX_MS } from '@azimuth/clients';
import type { Clock, Logger, Random, Service } from '@azimuth/common';
import { startAdminServer } from '@azimuth/common';
import type { Registry } from 'prom-client';

import { accountDirectory } from './auth/accounts';
import { Authenticator } from './auth/authenticate';
import { clusterRootPrincipal, requireStrongCredentials } from './auth/credentials';
import { identityCredentialStore } from './auth/identity-credentials';
import { parseIpRange } from './auth/policy/ip-range';
import { PolicyAuthorizer } from './auth/policy/policy-authorizer';
import type { DataPath } from './data-path/data-path';
import type { GatewayConfig } from './gateway-config';
import { DEFAULT_MINIMUM_PROGRESS } from './http/incoming-body';
import { Pipeline } from './http/pipeline';
import { RequestIds } from './http/request-id';
import { RequestMetrics } from './http/request-metrics';
import { OPERATIONS } from './s3/operations';
import { startGatewayServer } from './server';

export interface GatewayParts {
  readonly metadata: MetadataClient;
  readonly view: ClusterView;
  readonly dataPath: DataPath;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly registry: Registry;
}

export interface GatewayService extends Service {
  readonly httpPort: number;
  readonly adminPort: number;
}

/** Every bucket is also a subdomain of this: clients on the same machine need no DNS. */
const LOCAL_DOMAIN = 'localhost';

/**
 * Serves S3 and the admin port. What was put in `parts` belongs to the caller, also after `close`.
 *
 * @throws StoreError INVALID_ARGUMENT for weak credentials; the socket error of a port in use.
 */
export async function startGateway(
  config: GatewayConfig,
  parts: GatewayParts,
): Promise<GatewayService> {
  requireStrongCredentials(config.accessKey, config.secretKey);
  const { metadata, view, dataPath, clock, random, logger, registry } = parts;
  const { region, host } = config;
  const requestIds = new RequestIds(random);
  // A name for support to ask about that tells the outside nothing about the nodes.
  const hostId = createHash('sha256')
    .update(`${config.clusterId}/${config.nodeId}`)
    .digest('base64url');
  const clusterRoot = clusterRootPrincipal(config.clusterId);
  const accounts = accountDirectory(view, clusterRoot);
  const credentials = identityCredentialStore({
    view,
    accounts,
    root: {
      accessKeyId: config.accessKey,
      secretKey: config.secretKey,
      accountId: clusterRoot.accountId,
    },
  });
  const pipeline = new Pipeline({
    operations: OPERATIONS,
    context: { metadata, view, dataPath, clock, random, region, accounts },
    authenticator: new Authenticator(credentials, region),
    authorizer: new PolicyAuthorizer({ view, accounts, region }),
    trustedProxies: config.trustedProxies.map(parseIpRange).filter((range) => range !== null),
    domains: [...config.domains, LOCAL_DOMAIN],
    hostId,
    requestIds,
    requestsInFlightMax: config.requestsInFlightMax,
    minimumProgress: DEFAULT_MINIMUM_PROGRESS,
    clock,
    logger,
    metrics: new RequestMetrics(registry),
  });
  const server = await startGatewayServer(pipeline, {
    host,
    port: config.httpPort,
    connectionsMax: config.connectionsMax,
    headersTimeoutMs: config.headersTimeoutMs,
    keepAliveTimeoutMs: config.keepAliveTimeoutMs,
    drainMs: config.drainMs,
    hostId,
    requestIds,
    clock,
    logger,
  });
  const admin = await startAdminServer(
    {
      registry,
      isLive: () => true,
      isReady: () => !server.isDraining && view.ageMs() <= WATCH_AGE_MAX_MS,
    },
    { host, port: config.adminPort },
  ).catch(async (error: unknown) => {
    await server.close();
    throw error;
  });
  logger.info({ httpPort: server.port, adminPort: admin.port, region }, 'gateway started');
  return {
    httpPort: server.port,
    adminPort: admin.port,
    async close() {
      await server.close();
      await admin.close();
    },
  };
}
