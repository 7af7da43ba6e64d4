import { createStorageClient } from '@azimuth/clients';
import type { ShardSumRequest } from '@azimuth/clients';
import type { BulkMode, Clock, Logger, PaceLimits, Random } from '@azimuth/common';
import { Pace, StoreError } from '@azimuth/common';
import { createCodec } from '@azimuth/erasure';
import type { TlsMaterial } from '@azimuth/rpc';

import type { ShardStore } from '../store/shard-store';
import { ClientLoad, DEFAULT_YIELD_LIMITS, repairShare } from './client-load';
import { ShardRebuilder } from './shard-rebuilder';
import type { FailedSource, RebuildRequest } from './shard-rebuilder';
import { sumShards } from './shard-summer';
import type { ShardSum } from './shard-summer';
import { TermReader } from './term-reader';
import type { RepairTraffic } from './term-reader';

export interface RepairSettings extends PaceLimits {
  /** Ranges of shards that are multiplied and added. */
  readonly arenaBytes: number;
  /** A page of a rebuilt shard is decoded a second time, without helpers, once in so many bytes. */
  readonly crossCheckEveryBytes: number;
}

export interface RepairServiceOptions {
  readonly settings: RepairSettings;
  readonly stores: ReadonlyMap<string, ShardStore>;
  readonly zone: string;
  readonly clusterId: string;
  readonly bulkMode: BulkMode;
  readonly tls: TlsMaterial;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  onTraffic(traffic: RepairTraffic): void;
}

/** What a storage node does for repair: sums for others, rebuilds on its own disks. */
export interface RepairService {
  readonly pace: Pace;
  readonly clientLoad: ClientLoad;
  sum(request: ShardSumRequest): Promise<ShardSum>;
  rebuild(
    store: ShardStore,
    request: RebuildRequest,
    signal: AbortSignal,
  ): Promise<readonly FailedSource[]>;
  /** Calls off what is under way and waits for its end. */
  close(): Promise<void>;
}

export function startRepairService(options: RepairServiceOptions): RepairService {
  const { settings, stores, zone, clock, random, logger } = options;
  const stopped = new AbortController();
  const storage = createStorageClient(options);
  const onTraffic = (traffic: RepairTraffic): void => options.onTraffic(traffic);
  const reader = new TermReader({ stores, storage, zone, onTraffic });
  const codec = createCodec({ arenaBytes: settings.arenaBytes });
  const clientLoad = new ClientLoad(clock);
  const pace = new Pace(clock, settings, () =>
    repairShare(clientLoad.reading, DEFAULT_YIELD_LIMITS),
  );
  const { crossCheckEveryBytes } = settings;
  const parts = { codec, reader, pace, clock, random, logger, crossCheckEveryBytes };
  const rebuilder = new ShardRebuilder(parts);
  const running = new Set<Promise<unknown>>();
  const track = <T>(work: Promise<T>): Promise<T> => {
    running.add(work);
    const forget = (): void => void running.delete(work);
    work.then(forget, forget);
    return work;
  };
  return {
    pace,
    clientLoad,
    sum: (request) => {
      const context = { signal: stopped.signal, purpose: 'repair' } as const;
      return track(sumShards(codec, reader, request, context));
    },
    rebuild: (store, request, signal) =>
      track(rebuilder.rebuild(store, request, AbortSignal.any([signal, stopped.signal]))),
    async close() {
      stopped.abort(new StoreError('CANCELLED'));
      await Promise.allSettled([...running]);
      await storage.close();
    },
  };
}
