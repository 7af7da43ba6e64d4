import type { ClusterView, StorageClient } from '@azimuth/clients';
import type { Clock, Logger, Random } from '@azimuth/common';
import type { Codec } from '@azimuth/erasure';
import type { ZoneId } from '@azimuth/placement';
import type { BlobRef } from '@azimuth/proto';

import { BlobDiscarder } from './blob-discarder';
import type { DataPath } from './data-path';
import type { DataPathContext } from './data-path-context';
import { readObject } from './read-object';
import { ReadPacing } from './read-pacing';
import type { ReadCounts } from './read-pacing';
import { StripePool } from './stripe-pool';
import { writeObject } from './write-object';

export interface DataPathOptions {
  readonly view: ClusterView;
  readonly storage: StorageClient;
  /** Its arena bounds the memory of all bodies in flight; half is for writes, half for reads. */
  readonly codec: Codec;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Zone of this process: its shards are read first. */
  readonly zone: ZoneId;
  /** Called again and again while reads wait for memory. */
  readonly onReadPressure?: (() => void) | undefined;
  /** A read found a shard gone or wrong. Must return at once and may drop reports. */
  readonly onShardDamaged?: ((blob: BlobRef, shardIndex: number) => void) | undefined;
  /** How long a body waits for memory before it is refused; default 30 s. */
  readonly memoryWaitMs?: number | undefined;
}

/** A data path that can be drained. */
export interface ErasureDataPath extends DataPath {
  /** Resolves when background deletions are done. */
  idle(): Promise<void>;
  /** Reads of shards sent so far, for metrics. */
  readCounts(): ReadCounts;
  /** Bytes of bodies in memory now, for metrics. */
  memoryBytes(): { readonly writing: number; readonly reading: number };
}

const WAITERS_MAX = 1_024;
const MEMORY_WAIT_MS = 30_000;

/** The data path over a storage client and a codec. */
export function createDataPath(options: DataPathOptions): ErasureDataPath {
  const { view, storage, codec, clock, random, logger, zone } = options;
  const makePool = (onPressure: () => void): StripePool =>
    new StripePool({
      arena: codec.arena,
      budgetBytes: Math.floor(codec.arena.freeBytes / 2),
      waitersMax: WAITERS_MAX,
      waitTimeoutMs: options.memoryWaitMs ?? MEMORY_WAIT_MS,
      onPressure,
      clock,
    });
  const discarder = new BlobDiscarder({ view, storage, clock, logger });
  const context: DataPathContext = {
    view,
    storage,
    codec,
    clock,
    random,
    logger,
    zone,
    writePool: makePool(() => undefined),
    readPool: makePool(options.onReadPressure ?? (() => undefined)),
    discarder,
    pacing: new ReadPacing(clock),
    onShardDamaged: options.onShardDamaged ?? (() => undefined),
  };
  return {
    write: (source, writeOptions) => writeObject(context, source, writeOptions),
    read: (body, range, sink, signal = new AbortController().signal) =>
      readObject(context, body, { range, signal }, sink),
    discard: (blobs) => discarder.discard(blobs),
    idle: () => discarder.idle(),
    readCounts: () => context.pacing.counts,
    memoryBytes: () => ({
      writing: context.writePool.usedBytes,
      reading: context.readPool.usedBytes,
    }),
  };
}
