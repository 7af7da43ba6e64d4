import {
  createClusterView,
  createMetadataClient,
  createStorageClient,
  watchLeaders,
} from '@azimuth/clients';
import type { ClusterView, LeaderWatch } from '@azimuth/clients';
import {
  collectProcessMetrics,
  createLogger,
  openFaults,
  parseConfig,
  steppedClock,
  systemClock,
  systemRandom,
} from '@azimuth/common';
import type { ConfigSources } from '@azimuth/common';
import { createCodec } from '@azimuth/erasure';
import { loadTlsMaterial } from '@azimuth/rpc';
import { Counter, Gauge, Registry } from 'prom-client';

import { requireStrongCredentials } from './auth/credentials';
import { DamageReporter } from './damage-reporter';
import type { ErasureDataPath } from './data-path/erasure-data-path';
import { createDataPath } from './data-path/erasure-data-path';
import type { GatewayConfig } from './gateway-config';
import { gatewayConfigSchema } from './gateway-config';
import type { GatewayParts, GatewayService } from './gateway-service';
import { startGateway } from './gateway-service';
import { SlowReaders } from './http/slow-readers';

/** What a gateway holds besides its sockets, and how all of it ends. */
interface Connections {
  readonly parts: GatewayParts;
  close(): Promise<void>;
}

/**
 * Runs a gateway until `close`.
 *
 * @throws StoreError INVALID_ARGUMENT when a setting is missing, wrong or a weak secret.
 */
export async function runGateway(sources: ConfigSources): Promise<GatewayService> {
  const config = parseConfig(gatewayConfigSchema, sources);
  requireStrongCredentials(config.accessKey, config.secretKey);
  const connections = openConnections(config);
  let closing: Promise<void> | null = null;
  try {
    const gateway = await startGateway(config, connections.parts);
    return {
      httpPort: gateway.httpPort,
      httpsPort: gateway.httpsPort,
      websitePort: gateway.websitePort,
      adminPort: gateway.adminPort,
      reload: () => gateway.reload(),
      close() {
        closing ??= gateway.close().then(() => connections.close());
        return closing;
      },
    };
  } catch (error) {
    await connections.close();
    throw error;
  }
}

function openConnections(config: GatewayConfig): Connections {
  const { clusterId, nodeId, zone, bulkMode, metadataPeers } = config;
  const random = systemRandom;
  const logger = createLogger(config.logLevel, { role: 'gateway', nodeId, zone });
  const faults = openFaults(config, { clock: systemClock, logger });
  const clock = steppedClock(systemClock, faults);
  const tls = loadTlsMaterial(config.tlsDirectory, config.addressMap);
  const metadata = createMetadataClient({
    peers: metadataPeers,
    tls,
    clusterId,
    clock,
    random,
    logger,
  });
  const view = createClusterView({ metadata, withIdentities: true, clock, random, logger });
  const leaders = watchLeaders({ metadata, clock, logger });
  const storage = createStorageClient({ tls, clusterId, bulkMode, clock, logger });
  const damage = new DamageReporter({ metadata, view, clock, logger });
  const slowReaders = new SlowReaders(clock);
  const dataPath = createDataPath({
    view,
    storage,
    codec: createCodec({ arenaBytes: config.bodyMemoryBytes }),
    clock,
    random,
    logger,
    zone,
    onShardDamaged: (blob, shardIndex) => damage.report(blob, shardIndex),
    onReadPressure: () => slowReaders.cutSlowest(),
  });
  const registry = new Registry();
  registerProcessMetrics(registry, dataPath, { view, leaders });
  return {
    parts: { metadata, view, leaders, dataPath, slowReaders, clock, random, logger, registry },
    async close() {
      // Discards in flight still need the storage nodes.
      await dataPath.idle();
      damage.close();
      leaders.close();
      view.close();
      await storage.close();
      await metadata.close();
      faults?.close();
    },
  };
}

function registerProcessMetrics(
  registry: Registry,
  dataPath: ErasureDataPath,
  { view, leaders }: { readonly view: ClusterView; readonly leaders: LeaderWatch },
): void {
  collectProcessMetrics(registry);
  new Gauge({
    name: 'azimuth_gateway_body_memory_bytes',
    help: 'Memory held by bodies on their way.',
    labelNames: ['direction'],
    registers: [registry],
    collect() {
      const { writing, reading } = dataPath.memoryBytes();
      this.set({ direction: 'write' }, writing);
      this.set({ direction: 'read' }, reading);
    },
  });
  new Counter({
    name: 'azimuth_gateway_shard_reads_total',
    help: 'Reads of shards: needed, hedged beside slow ones, probes, replacements of failed ones.',
    labelNames: ['kind'],
    registers: [registry],
    collect() {
      this.reset();
      const { primary, hedge, probe, replacement } = dataPath.readCounts();
      this.inc({ kind: 'primary' }, primary);
      this.inc({ kind: 'hedge' }, hedge);
      this.inc({ kind: 'probe' }, probe);
      this.inc({ kind: 'replacement' }, replacement);
    },
  });
  new Gauge({
    name: 'azimuth_gateway_cluster_view_age_seconds',
    help: 'Since the root leader last confirmed what this gateway knows of the cluster.',
    registers: [registry],
    collect() {
      this.set(Math.min(view.ageMs(), Number.MAX_SAFE_INTEGER) / 1000);
    },
  });
  new Gauge({
    name: 'azimuth_gateway_leader_silence_seconds',
    help: 'Since the last answer of a metadata leader that others reach; of several the longest.',
    registers: [registry],
    collect() {
      this.set(leaders.silentMs() / 1000);
    },
  });
}
