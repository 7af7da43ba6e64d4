import {
  createLogger,
  hasCode,
  NODE_CONFIG_SHAPE,
  openFaults,
  parseConfig,
  portSchema,
  startAdminServer,
  steppedClock,
  systemClock,
  systemRandom,
} from '@azimuth/common';
import type { ConfigSources, Service } from '@azimuth/common';
import { DEFAULT_GROUP_PLAN_OPTIONS } from '@azimuth/placement';
import type { ClusterSettings } from '@azimuth/placement';
import { loadTlsMaterial } from '@azimuth/rpc';
import { z } from 'zod';

import { readBootId } from './driver/boot-record';
import { FindingsLog } from './server/findings-log';
import { createMetadataMetrics } from './server/metadata-metrics';
import { MetadataNode } from './server/metadata-node';
import type { MetadataNodeOptions } from './server/metadata-node';

const profileSchema = z.object({ k: z.number().int().min(1), m: z.number().int().min(0) });

const metadataConfigSchema = z.object({
  ...NODE_CONFIG_SHAPE,
  rpcPort: portSchema,
  dataDirectory: z.string().min(1),
  /** `join` for one that a running cluster will take in; `rejoin` for a node whose disk was replaced: see docs/on-disk-format.md. */
  whenEmpty: z.enum(['bootstrap', 'rejoin', 'join']).default('bootstrap'),
  region: z.string().min(1).default('us-east-1'),
  zones: z.array(z.string().min(1)).min(1),
  indexGroups: z.number().int().min(1).max(64).default(1),
  erasureProfile: profileSchema.default({ k: 4, m: 2 }),
  replicaProfile: profileSchema.default({ k: 1, m: 2 }),
  inlineBytesMax: z.number().int().min(0).max(65_536).default(8_192),
  replicaBytesMax: z.number().int().min(0).default(131_072),
  blockBytes: z.number().int().min(4_096).default(262_144),
  heartbeatTimeoutMs: z.number().int().min(100).default(3_000),
  /** Everything stored is read, and compared with the other replicas, once in this time. */
  scrubPeriodMs: z.number().int().min(100).default(86_400_000),
  /** A group makes a snapshot each time its log has grown by so much. */
  snapshotLogBytes: z
    .number()
    .int()
    .min(4_096)
    .default(16 * 1024 * 1024),
  /** Stands for the kernel's boot id, for drills that cut the power of disks alone. */
  bootId: z.string().min(1).max(64).nullable().default(null),
  /**
   * Slots of a node that is down for longer move to other nodes, at once with 0. Never while its
   * whole zone is down: that takes `azimuth zone retire`.
   */
  nodeGraceMs: z.coerce.number().int().min(0).default(DEFAULT_GROUP_PLAN_OPTIONS.nodeGraceMs),
  /** What acknowledged data survives; the profiles must have the parity for it. */
  survive: z.enum(['zone', 'zone+1']).default('zone'),
});

type MetadataConfig = z.infer<typeof metadataConfigSchema>;

/** Runs a metadata node until `close`. */
export async function runMetadata(sources: ConfigSources): Promise<Service> {
  const config = parseConfig(metadataConfigSchema, sources);
  const { nodeId, zone, host, adminPort } = config;
  const logger = createLogger(config.logLevel, { role: 'metadata', nodeId, zone });
  let node: MetadataNode | null = null;
  let isClosing = false;

  const onFatal = (error: unknown): void => {
    if (isClosing) return;
    logger.error({ error }, 'metadata node failed');
    // What was damaged has been condemned, so a node opened again rebuilds it. Anything else must
    // not go on: the process ends before it can acknowledge what it cannot keep.
    if (!hasCode(error, 'STATE_CORRUPT', 'LOG_CORRUPT')) process.exit(1);
    setImmediate(() => {
      void restart();
    });
  };
  const faults = openFaults(config, { clock: systemClock, logger });
  const options = nodeOptions(config, { logger, onFatal, faults });
  const restart = async (): Promise<void> => {
    try {
      const failed = node;
      node = null;
      await failed?.close();
      node = await MetadataNode.start(options);
      logger.warn({}, 'metadata node was opened again to rebuild its state');
    } catch (error) {
      logger.error({ error }, 'metadata node cannot be opened again');
      process.exit(1);
    }
  };

  node = await MetadataNode.start(options);
  const admin = await startAdminServer(
    {
      registry: createMetadataMetrics(() => node),
      isLive: () => node?.isRunning ?? true,
      isReady: () => node?.isReady ?? false,
      documents: { '/status': () => node?.service.status() ?? null },
    },
    { host, port: adminPort },
  );
  logger.info({ rpcPort: node.rpcPort, adminPort: admin.port }, 'metadata node is running');
  return {
    close: async () => {
      isClosing = true;
      await admin.close();
      await node?.close();
      node = null;
      faults?.close();
    },
  };
}

function nodeOptions(
  config: MetadataConfig,
  wiring: Pick<MetadataNodeOptions, 'logger' | 'onFatal' | 'faults'>,
): MetadataNodeOptions {
  const settings: ClusterSettings = {
    clusterId: config.clusterId,
    region: config.region,
    zones: config.zones,
    erasureProfile: config.erasureProfile,
    replicaProfile: config.replicaProfile,
    inlineBytesMax: config.inlineBytesMax,
    replicaBytesMax: config.replicaBytesMax,
    blockBytes: config.blockBytes,
    indexGroups: config.indexGroups,
    // Clusters of the time before there was a choice have no such field.
    ...(config.survive === 'zone' ? {} : { survive: config.survive }),
  };
  return {
    nodeId: config.nodeId,
    zone: config.zone,
    clusterId: config.clusterId,
    host: config.host,
    rpcPort: config.rpcPort,
    dataDirectory: config.dataDirectory,
    whenEmpty: config.whenEmpty,
    peers: config.metadataPeers,
    settings,
    heartbeatTimeoutMs: config.heartbeatTimeoutMs,
    scrubPeriodMs: config.scrubPeriodMs,
    findings: new FindingsLog(systemClock),
    snapshotLogBytes: config.snapshotLogBytes,
    bootId: config.bootId ?? readBootId(),
    tls: loadTlsMaterial(config.tlsDirectory, config.addressMap),
    clock: steppedClock(systemClock, wiring.faults),
    nodeGraceMs: config.nodeGraceMs,
    random: systemRandom,
    ...wiring,
  };
}
