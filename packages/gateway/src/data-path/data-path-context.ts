import type { ClusterView, StorageClient } from '@azimuth/clients';
import type { Clock, Logger, Random } from '@azimuth/common';
import type { Codec } from '@azimuth/erasure';
import type { ZoneId } from '@azimuth/placement';
import type { BlobRef } from '@azimuth/proto';

import type { BlobDiscarder } from './blob-discarder';
import type { ReadPacing } from './read-pacing';
import type { StripePool } from './stripe-pool';

/** What reading and writing share. */
export interface DataPathContext {
  readonly view: ClusterView;
  readonly storage: StorageClient;
  readonly codec: Codec;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly zone: ZoneId;
  readonly writePool: StripePool;
  readonly readPool: StripePool;
  readonly discarder: BlobDiscarder;
  readonly pacing: ReadPacing;
  /** A shard is gone or wrong on its disk. Must not block; may drop. */
  readonly onShardDamaged: (blob: BlobRef, shardIndex: number) => void;
}
