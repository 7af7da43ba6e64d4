import { setMaxListeners } from 'node:events';

import type { ClusterView, MetadataClient, StorageClient } from '@azimuth/clients';
import { WATCH_AGE_MAX_MS } from '@azimuth/clients';
import { Pace, Semaphore, startAdminServer } from '@azimuth/common';
import type { Clock, Logger, Random, Service } from '@azimuth/common';
import { createCodec } from '@azimuth/erasure';
import type { Registry } from 'prom-client';

import { runTasks } from './curator';
import type { CuratorConfig } from './curator-config';
import type { CuratorContext } from './curator-context';
import { createCuratorMetrics } from './curator-metrics';
import { Lease } from './lease';
import { WINDOW_BYTES } from './rebuild-shards';
import { RepairProgress } from './repair-progress';
import type { StorageControl } from './storage-control';
import { Throttle } from './throttle';

export interface CuratorParts {
  readonly metadata: MetadataClient;
  readonly view: ClusterView;
  readonly storage: StorageClient;
  readonly control: StorageControl;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly registry: Registry;
}

export interface CuratorService extends Service {
  readonly adminPort: number;
}

/**
 * Windows that a piece of work holds in the arena: all shards of a source and of a copy, for
 * profiles of up to 12 shards. Wider ones may find the arena full; they are tried again.
 */
const WINDOWS_PER_REBUILD = 24;
const REBUILDS_WAITING_MAX = 1_024;
const LISTENERS_MAX = 1_024;

/**
 * Serves the admin port, keeps the lease, and runs the tasks while it is held. What was put in
 * `parts` belongs to the caller, also after `close`.
 */
export async function startCurator(
  config: CuratorConfig,
  parts: CuratorParts,
): Promise<CuratorService> {
  const { metadata, view, clock, logger, registry } = parts;
  const metrics = createCuratorMetrics(registry);
  const lease = new Lease({ metadata, clock, logger, holder: config.nodeId });
  const rebuildBytes = WINDOW_BYTES * WINDOWS_PER_REBUILD;
  const shared: Omit<CuratorContext, 'signal'> = {
    ...parts,
    metrics,
    codec: createCodec({ arenaBytes: config.arenaBytes }),
    throttle: new Throttle(clock, config.tranquility),
    repairPace: new Pace(clock, {
      bytesPerSecond: config.repairBytesPerSecond,
      operationsPerSecond: config.repairOperationsPerSecond,
    }),
    progress: new RepairProgress(),
    zone: config.zone,
    holder: config.nodeId,
    rebuilds: new Semaphore(
      Math.max(1, Math.floor(config.arenaBytes / rebuildBytes)),
      REBUILDS_WAITING_MAX,
    ),
    settings: config,
    leaderNowMs: () => lease.leaderNowMs,
  };
  const stopped = new AbortController();
  const work = new LeasedWork(shared);
  const admin = await startAdminServer(
    { registry, isLive: () => true, isReady: () => view.ageMs() <= WATCH_AGE_MAX_MS },
    { host: config.host, port: config.adminPort },
  );
  const keeping = lease.keep((isHeld) => {
    metrics.isLeader.set(isHeld ? 1 : 0);
    if (isHeld) work.start();
    else work.stop();
  }, stopped.signal);
  logger.info({ adminPort: admin.port }, 'curator started');
  return {
    adminPort: admin.port,
    async close() {
      stopped.abort();
      await keeping;
      await work.ended;
      await admin.close();
    },
  };
}

/** The tasks of one holding of the lease after the other; never two at once in this process. */
class LeasedWork {
  readonly #shared: Omit<CuratorContext, 'signal'>;
  #holding = new AbortController();
  #ended: Promise<void> = Promise.resolve();

  constructor(shared: Omit<CuratorContext, 'signal'>) {
    this.#shared = shared;
  }

  /** Resolves when nothing runs. Rejects with a failed assertion, which is to end the process. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  start(): void {
    const holding = new AbortController();
    // Every sleep and every call in flight listens; that many are not a leak.
    setMaxListeners(LISTENERS_MAX, holding.signal);
    this.#holding = holding;
    this.#ended = this.#ended.then(() => runTasks({ ...this.#shared, signal: holding.signal }));
  }

  stop(): void {
    this.#holding.abort();
  }
}
