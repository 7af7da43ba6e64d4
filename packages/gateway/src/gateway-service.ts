import { createHash } from 'node:crypto';

import type { ClusterView, LeaderWatch, MetadataClient } from '@azimuth/clients';
import type { Clock, Logger, Random, Service } from '@azimuth/common';
import { startAdminServer } from '@azimuth/common';
import type { Registry } from 'prom-client';

import { parseIpRange } from './auth/policy/ip-range';
import type { DataPath } from './data-path/data-path';
import type { GatewayConfig } from './gateway-config';
import type { GatewayIdentity } from './gateway-identity';
import { openIdentity } from './gateway-identity';
import { DEFAULT_MINIMUM_PROGRESS } from './http/incoming-body';
import type { PipelineOptions } from './http/pipeline';
import type { SlowReaders } from './http/slow-readers';
import { Pipeline } from './http/pipeline';
import { RequestIds } from './http/request-id';
import { RequestMetrics } from './http/request-metrics';
import { WebsiteEndpoint } from './http/website-endpoint';
import { OPERATIONS } from './s3/operations';
import type { GatewayServer, RequestHandler, ServerOptions } from './server';
import { startGatewayServer } from './server';
import { loadServerCertificate } from './server-certificate';

export interface GatewayParts {
  readonly metadata: MetadataClient;
  readonly view: ClusterView;
  readonly leaders: LeaderWatch;
  readonly dataPath: DataPath;
  readonly slowReaders: SlowReaders;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly registry: Registry;
}

export interface GatewayService extends Service {
  readonly httpPort: number;
  /** Null without HTTPS. */
  readonly httpsPort: number | null;
  readonly websitePort: number | null;
  readonly adminPort: number;
  /** Reads identities, keys of identity providers and the certificate again. */
  reload(): void;
}

const STUCK_REQUESTS_INTERVAL_MS = 250;

type AdminServer = Awaited<ReturnType<typeof startAdminServer>>;

/** Every bucket is also a subdomain of this: clients on the same machine need no DNS. */
const LOCAL_DOMAIN = 'localhost';

/**
 * Serves S3, IAM and STS, and the admin port. What was put in `parts` belongs to the caller, also
 * after `close`.
 *
 * @throws StoreError INVALID_ARGUMENT for weak credentials or a file that is refused; the socket
 *   error of a port in use.
 */
export async function startGateway(
  config: GatewayConfig,
  parts: GatewayParts,
): Promise<GatewayService> {
  const { registry, logger } = parts;
  const identity = openIdentity(config, parts);
  let servers: readonly GatewayServer[] = [];
  let admin: AdminServer | null = null;
  let stopEnding: () => void = () => undefined;
  const closeAll = async (): Promise<void> => {
    stopEnding();
    await Promise.all(servers.map((each) => each.close()));
    await admin?.close();
    await identity.close();
  };
  try {
    const { pipeline, ...started } = await startServers(config, parts, identity);
    const { server, tlsServer, websiteServer } = started;
    stopEnding = keepEndingStuckRequests(pipeline, parts.clock);
    servers = [server, tlsServer, websiteServer].filter((each) => each !== null);
    admin = await startAdminServer(
      {
        registry,
        isLive: () => true,
        isReady: () => !server.isDraining && !pipeline.isCutOff,
      },
      { host: config.host, port: config.adminPort },
    );
    const ports = {
      httpPort: server.port,
      httpsPort: tlsServer?.port ?? null,
      websitePort: websiteServer?.port ?? null,
      adminPort: admin.port,
    };
    logger.info({ ...ports, region: config.region }, 'gateway started');
    return {
      ...ports,
      close: closeAll,
      reload() {
        identity.reload();
        if (tlsServer !== null) renewCertificate(tlsServer, config, logger);
      },
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

interface GatewayServers {
  readonly pipeline: Pipeline;
  readonly server: GatewayServer;
  readonly tlsServer: GatewayServer | null;
  readonly websiteServer: GatewayServer | null;
}

/** One pipeline behind HTTP, and HTTPS when it is configured; beside them the website endpoint. */
async function startServers(
  config: GatewayConfig,
  parts: GatewayParts,
  identity: GatewayIdentity,
): Promise<GatewayServers> {
  const { metadata, view, leaders, dataPath, clock, random, logger, registry } = parts;
  const { region, httpsPort } = config;
  const certificate = httpsPort === undefined ? null : loadServerCertificate(config);
  const { accounts, authenticator, authorizer, queryApi } = identity;
  const requestIds = new RequestIds(random);
  // A name for support to ask about that tells the outside nothing about the nodes.
  const hostId = createHash('sha256')
    .update(`${config.clusterId}/${config.nodeId}`)
    .digest('base64url');
  const pipelineOptions: PipelineOptions = {
    operations: OPERATIONS,
    context: { metadata, view, dataPath, clock, random, region, accounts },
    leaders,
    authenticator,
    authorizer,
    queryApi,
    trustedProxies: config.trustedProxies.map(parseIpRange).filter((range) => range !== null),
    domains: [...config.domains, LOCAL_DOMAIN],
    hostId,
    requestIds,
    requestsInFlightMax: config.requestsInFlightMax,
    ...{ minimumProgress: DEFAULT_MINIMUM_PROGRESS, slowReaders: parts.slowReaders },
    tellsLogPositions: config.tellsLogPositions,
    clock,
    logger,
    metrics: new RequestMetrics(registry),
  };
  const pipeline = new Pipeline(pipelineOptions);
  const options: ServerOptions = {
    host: config.host,
    port: config.httpPort,
    connectionsMax: config.connectionsMax,
    connectionsPerAddressMax: config.connectionsPerAddressMax ?? config.connectionsMax,
    headersTimeoutMs: config.headersTimeoutMs,
    keepAliveTimeoutMs: config.keepAliveTimeoutMs,
    drainMs: config.drainMs,
    hostId,
    requestIds,
    clock,
    logger,
  };
  const started: GatewayServer[] = [];
  const start = async (
    handler: RequestHandler,
    more: Partial<ServerOptions>,
  ): Promise<GatewayServer> => {
    const one = await startGatewayServer(handler, { ...options, ...more });
    started.push(one);
    return one;
  };
  try {
    const server = await start(pipeline, {});
    const tlsServer =
      httpsPort === undefined || certificate === null
        ? null
        : await start(pipeline, { port: httpsPort, certificate });
    const websiteServer =
      config.websitePort === undefined
        ? null
        : await start(new WebsiteEndpoint(pipelineOptions), { port: config.websitePort });
    return { pipeline, server, tlsServer, websiteServer };
  } catch (error) {
    await Promise.all(started.map((each) => each.close()));
    throw error;
  }
}

/** Returns what ends it. */
function keepEndingStuckRequests(pipeline: Pipeline, clock: Clock): () => void {
  let cancel: () => void = () => undefined;
  const tick = (): void => {
    pipeline.endStuckRequests();
    cancel = clock.schedule(STUCK_REQUESTS_INTERVAL_MS, tick);
  };
  tick();
  return () => cancel();
}

function renewCertificate(server: GatewayServer, config: GatewayConfig, logger: Logger): void {
  try {
    server.setCertificate(loadServerCertificate(config));
  } catch (error) {
    logger.error({ error }, 'certificate refused; the old one stays');
  }
}
