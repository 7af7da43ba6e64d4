import { readFileSync } from 'node:fs';

import { createMetadataClient } from '@azimuth/clients';
import type { ConfigSources, Service } from '@azimuth/common';
import {
  createLogger,
  NODE_CONFIG_SHAPE,
  openFaults,
  parseConfig,
  portSchema,
  steppedClock,
  systemClock,
  systemRandom,
} from '@azimuth/common';
import { loadTlsMaterial } from '@azimuth/rpc';
import { z } from 'zod';

import { startStorageNode } from './storage-node';
import type { StorageNode } from './storage-node';

const MIB = 1024 * 1024;
const DAY_MS = 24 * 3_600_000;
const bytes = z.coerce.number().int().min(0);

const storageConfigSchema = z.object({
  ...NODE_CONFIG_SHAPE,
  /** Port of the gRPC control service. */
  rpcPort: portSchema.default(0),
  /** Port of the HTTP shard server. */
  bulkPort: portSchema.default(0),
  /** One directory a disk; an empty one is formatted. From the environment: separated by commas. */
  diskPaths: z.preprocess(
    (value) => (typeof value === 'string' ? value.split(',') : value),
    z.array(z.string().min(1)).min(1),
  ),
  /** With less free space than this a disk takes no new shards. */
  lowSpaceBytes: bytes.default(256 * MIB),
  /** Uses only so much of each disk; unset means all of it. */
  diskCapacityBytes: bytes.nullable().default(null),
  /** Shared segments are sealed at this size. */
  segmentBytesMax: bytes.min(MIB).default(128 * MIB),
  /** Larger shards get a segment of their own. */
  ownSegmentAboveBytes: bytes
    .min(4096)
    .max(64 * MIB)
    .default(MIB),
  /** Memory of all shard requests in flight together. */
  inFlightBytesMax: bytes.min(16 * MIB).default(256 * MIB),
  /** Every byte is read and verified once in this time. */
  scrubPeriodMs: z.coerce
    .number()
    .min(1)
    .default(14 * DAY_MS),
  scrubFloorBytesPerSecond: bytes.min(1).default(4 * MIB),
  /** A scrub reads no faster than this, also when it cannot keep its period then; that is told. */
  scrubCapBytesPerSecond: bytes.min(1).default(64 * MIB),
  /** Stands for the kernel's boot id, for drills that cut the power of disks alone. */
  bootId: z.string().min(1).max(64).nullable().default(null),
  /** What repair may read, receive and write here while no client is busy; a tenth when one is. */
  repairBytesPerSecond: bytes.min(MIB).default(128 * MIB),
  repairOperationsPerSecond: bytes.min(1).default(1_000),
  /** Memory of the shards that are rebuilt, or added up for another node, at a time. */
  repairArenaBytes: bytes.min(16 * MIB).default(64 * MIB),
  /** Of so much that is rebuilt one page is decoded twice: less than a percent of the traffic. */
  repairCrossCheckEveryBytes: bytes.min(MIB).default(32 * MIB),
});

/** Runs a storage node until `close`. */
export async function runStorage(sources: ConfigSources): Promise<Service> {
  const config = parseConfig(storageConfigSchema, sources);
  const { nodeId, zone, clusterId, metadataPeers } = config;
  const logger = createLogger(config.logLevel, { role: 'storage', nodeId, zone });
  const tls = loadTlsMaterial(config.tlsDirectory, config.addressMap);
  const faults = openFaults(config, { clock: systemClock, logger });
  const clock = steppedClock(systemClock, faults);
  const shared = { clock, random: systemRandom, logger };
  const metadata = createMetadataClient({ peers: metadataPeers, tls, clusterId, ...shared });
  const settings = {
    ...config,
    scrubPace: {
      periodMs: config.scrubPeriodMs,
      floorBytesPerSecond: config.scrubFloorBytesPerSecond,
      capBytesPerSecond: config.scrubCapBytesPerSecond,
    },
    repair: {
      bytesPerSecond: config.repairBytesPerSecond,
      operationsPerSecond: config.repairOperationsPerSecond,
      arenaBytes: config.repairArenaBytes,
      crossCheckEveryBytes: config.repairCrossCheckEveryBytes,
    },
  };
  let node: StorageNode | null = null;
  let isClosing = false;
  let isRestarting = false;
  const start = (): Promise<StorageNode> =>
    startStorageNode(settings, {
      ...{ ...shared, metadata, tls, faults },
      bootId: config.bootId ?? readBootId(),
      onIndexDamaged: () => void restart(),
    });
  const restart = async (): Promise<void> => {
    if (isClosing || isRestarting) return;
    isRestarting = true;
    try {
      logger.error({}, 'shard index is damaged; the node opens its disks again');
      await node?.close();
      node = await start();
    } catch (error) {
      logger.error({ error }, 'storage node cannot be opened again');
      process.exit(1);
    } finally {
      isRestarting = false;
    }
  };
  try {
    node = await start();
    return {
      close: async () => {
        isClosing = true;
        await node?.close();
        await metadata.close();
        faults?.close();
      },
    };
  } catch (error) {
    await metadata.close();
    throw error;
  }
}

/** Changes when the kernel starts anew. Where there is none, every start counts as a new one. */
function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return systemRandom.bytes(16).toString('hex');
  }
}
