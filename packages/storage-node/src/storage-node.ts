import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import type { MetadataClient } from '@azimuth/clients';
import type { BulkMode, Clock, FaultSource, Logger, Random, Service } from '@azimuth/common';
import { startAdminServer, UnsettledStarts } from '@azimuth/common';
import type { RpcServer, TlsMaterial } from '@azimuth/rpc';
import { startRpcServer } from '@azimuth/rpc';

import { openDiskIdentity } from './disk/disk-identity';
import { FaultyDisk } from './disk/faulty-disk';
import { FileDisk } from './disk/file-disk';
import { LevelIndexBackend } from './index/index-backend';
import { NodeMembership } from './node-membership';
import type { RepairService, RepairSettings } from './repair/repair-service';
import { startRepairService } from './repair/repair-service';
import { ScrubPositionFile } from './scrubber/scrub-position';
import type { ScrubPace } from './scrubber/scrub-tour';
import { Scrubber } from './scrubber/scrubber';
import { BulkSessions } from './server/bulk-sessions';
import type { ShardServer } from './server/shard-server';
import { startShardServer } from './server/shard-server';
import { storageRegistration } from './server/storage-service';
import { StorageMetrics } from './storage-metrics';
import { openStoreOf } from './store/open-store';
import type { SegmentStore, SegmentStoreOptions } from './store/segment-store';

export interface StorageNodeSettings {
  readonly clusterId: string;
  readonly nodeId: string;
  readonly zone: string;
  readonly host: string;
  readonly rpcPort: number;
  readonly bulkPort: number;
  readonly adminPort: number;
  readonly bulkMode: BulkMode;
  readonly diskPaths: readonly string[];
  readonly lowSpaceBytes: number;
  readonly diskCapacityBytes: number | null;
  readonly segmentBytesMax: number;
  readonly ownSegmentAboveBytes: number;
  readonly inFlightBytesMax: number;
  readonly scrubPace: ScrubPace;
  readonly repair: RepairSettings;
}

export interface StorageNodeWiring {
  readonly metadata: Pick<MetadataClient, 'root' | 'heartbeat'>;
  readonly tls: TlsMaterial;
  readonly bootId: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Null but in development clusters. */
  readonly faults: FaultSource | null;
  /** An index is damaged: a node that is started after this one is closed makes it again. */
  readonly onIndexDamaged?: () => void;
}

/** A running storage node with the ports that it got. */
export interface StorageNode extends Service {
  readonly bulkPort: number;
  readonly rpcPort: number;
  readonly adminPort: number;
  readonly incarnation: string;
  readonly stores: ReadonlyMap<string, SegmentStore>;
}

interface RunningDisk {
  readonly store: SegmentStore;
  readonly scrubber: Scrubber;
  readonly starts: UnsettledStarts;
}

const MAINTENANCE_INTERVAL_MS = 1000;

/**
 * Opens the disks, serves them, and keeps the root leader informed.
 *
 * @throws StoreError of the first disk that cannot be opened: a node that silently served without
 *   one of its disks would have the cluster rebuild all of it.
 */
export async function startStorageNode(
  settings: StorageNodeSettings,
  wiring: StorageNodeWiring,
): Promise<StorageNode> {
  const { clock, random, logger } = wiring;
  const incarnation = random.bytes(8).toString('hex');
  const disks = new Map<string, RunningDisk>();
  const metrics = new StorageMetrics(disks);
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    for (const path of settings.diskPaths) {
      const disk = await openDisk(path, settings, wiring, metrics);
      disks.set(disk.store.diskId, disk);
      closers.push(async () => {
        await disk.store.close();
        disk.starts.settle();
      });
    }
    const stores = new Map([...disks].map(([diskId, { store }]) => [diskId, store]));
    const sessions = new BulkSessions(incarnation, clock, random);
    const repair = startRepairService({
      ...wiring,
      ...settings,
      settings: settings.repair,
      stores,
      onTraffic: (traffic) => metrics.onRepairTraffic(traffic),
    });
    closers.push(() => repair.close());
    const bulk = await serveShards(settings, wiring, { stores, sessions, metrics, repair });
    closers.push(() => bulk.close());
    const rpc = await serveControl(settings, wiring, { disks, sessions, incarnation, repair });
    closers.push(() => rpc.close());
    let membership: NodeMembership | null = null;
    const admin = await startAdminServer(
      {
        registry: metrics.registry,
        isLive: () => true,
        isReady: () => membership?.isRegistered ?? false,
      },
      { host: settings.host, port: settings.adminPort },
    );
    closers.push(() => admin.close());
    const { nodeId, zone, host } = settings;
    const ports = { bulkPort: bulk.port, rpcPort: rpc.port, adminPort: admin.port };
    const node = { nodeId, zone, host, ...ports, incarnation };
    const started = new NodeMembership({
      ...wiring,
      node,
      stores: [...stores.values()],
    });
    membership = started;
    started.start();
    closers.push(() => started.stop());
    for (const { scrubber } of disks.values()) {
      scrubber.start();
      closers.push(() => scrubber.stop());
    }
    closers.push(keepMaintained([...stores.values()], clock, logger));
    logger.info({ ...ports, incarnation, disks: disks.size }, 'storage node serves');
    return { ...ports, incarnation, stores, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openDisk(
  path: string,
  settings: StorageNodeSettings,
  wiring: StorageNodeWiring,
  metrics: StorageMetrics,
): Promise<RunningDisk> {
  const { clock, random, logger, bootId, faults } = wiring;
  await mkdir(path, { recursive: true });
  const fileDisk = new FileDisk(path);
  const disk = faults === null ? fileDisk : new FaultyDisk(fileDisk, { faults, clock });
  const identity = await openDiskIdentity(disk, settings, random);
  const { diskId } = identity;
  const options: SegmentStoreOptions = {
    disk,
    identity,
    indexBackend: new LevelIndexBackend(join(path, 'index')),
    bootId,
    clock,
    random,
    logger,
    observer: metrics.observerOf(diskId),
    space: {
      lowSpaceBytes: settings.lowSpaceBytes,
      capacityBytes: settings.diskCapacityBytes,
    },
    segmentBytesMax: settings.segmentBytesMax,
    ownSegmentAboveBytes: settings.ownSegmentAboveBytes,
    ...(wiring.onIndexDamaged === undefined ? {} : { onIndexDamaged: wiring.onIndexDamaged }),
  };
  const starts = new UnsettledStarts(join(path, 'index.starts'), { clock, logger });
  const store = await openStoreOf(options, starts, () => metrics.onIndexDiscarded(diskId));
  const positions = new ScrubPositionFile(disk);
  const scrubber = new Scrubber(store, { pace: settings.scrubPace, positions, clock, logger });
  logger.info({ diskId, path, ...store.statistics() }, 'disk opened');
  return { store, scrubber, starts };
}

function serveShards(
  settings: StorageNodeSettings,
  { tls, clock, logger }: StorageNodeWiring,
  served: {
    readonly stores: ReadonlyMap<string, SegmentStore>;
    readonly sessions: BulkSessions;
    readonly metrics: StorageMetrics;
    readonly repair: RepairService;
  },
): Promise<ShardServer> {
  const { metrics, stores, sessions, repair } = served;
  return startShardServer({
    stores,
    sessions,
    mode: settings.bulkMode,
    tls,
    clusterId: settings.clusterId,
    host: settings.host,
    port: settings.bulkPort,
    inFlightBytesMax: settings.inFlightBytesMax,
    clock,
    logger,
    repairPace: repair.pace,
    clientLoad: repair.clientLoad,
    sum: (request) => repair.sum(request),
    onTraffic: (traffic) => metrics.onTraffic(traffic),
  });
}

function serveControl(
  settings: StorageNodeSettings,
  { tls, logger }: StorageNodeWiring,
  served: {
    readonly disks: ReadonlyMap<string, RunningDisk>;
    readonly sessions: BulkSessions;
    readonly incarnation: string;
    readonly repair: RepairService;
  },
): Promise<RpcServer> {
  const { clusterId, host, rpcPort, nodeId } = settings;
  const { repair: rebuilder, ...rest } = served;
  const registration = storageRegistration({ ...rest, rebuilder, nodeId, isServing: () => true });
  return startRpcServer({ tls, clusterId, host, port: rpcPort, logger }, [registration]);
}

/** Regular upkeep of all stores, one after the other. Returns what ends it. */
function keepMaintained(
  stores: readonly SegmentStore[],
  clock: Clock,
  logger: Logger,
): () => Promise<void> {
  const stop = new AbortController();
  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      for (const store of stores) {
        await store.maintain().catch((error: unknown) => {
          logger.error({ diskId: store.diskId, error }, 'upkeep of a disk failed');
        });
      }
      await clock.sleep(MAINTENANCE_INTERVAL_MS, stop.signal).catch(() => undefined);
    }
  };
  const running = run();
  return async () => {
    stop.abort(new Error('node stops'));
    await running;
  };
}
