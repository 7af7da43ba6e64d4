import type { ClusterView, MetadataClient, StorageClient } from '@azimuth/clients';
import type { Clock, Logger, Pace, Random, Semaphore } from '@azimuth/common';
import type { Codec } from '@azimuth/erasure';

import type { CuratorMetrics } from './curator-metrics';
import type { RepairProgress } from './repair-progress';
import type { StorageControl } from './storage-control';
import type { Throttle } from './throttle';

/** Settings of the tasks; ages can only be lowered by tests. */
export interface CuratorSettings {
  /** Garbage rests this long, so that a reader that holds an old manifest can finish. */
  readonly garbageGraceMs: number;
  /** An unreferenced blob younger than this may still be committed. */
  readonly orphanAgeMinMs: number;
  /** A group sealed for less may still be named by a commit. */
  readonly sealedAgeMinMs: number;
  /** A bucket being deleted for longer was left behind by its gateway. */
  readonly bucketDeletionAgeMinMs: number;
  /** An unreferenced blob younger than this may be of a write that goes on: its disk waits. */
  readonly leavingAgeMinMs: number;
  /** Every group is enumerated at least this often. */
  readonly censusIntervalMs: number;
}

/** What the tasks work with. All effects are here; a task is a function of it. */
export interface CuratorContext {
  readonly metadata: MetadataClient;
  readonly storage: StorageClient;
  readonly control: StorageControl;
  readonly view: ClusterView;
  readonly codec: Codec;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: CuratorMetrics;
  readonly throttle: Throttle;
  /** Bounds what repair moves in the whole cluster. */
  readonly repairPace: Pace;
  readonly progress: RepairProgress;
  /** Of this curator. */
  readonly zone: string;
  /** Its name, as the holder of the lease. */
  readonly holder: string;
  /** Bounds the stripes in the codec's memory. */
  readonly rebuilds: Semaphore;
  readonly settings: CuratorSettings;
  /**
   * The metadata leader's clock, as the lease was last renewed: never ahead of it. The ages of
   * blobs are judged by it and not by this machine's clock, which may jump.
   */
  leaderNowMs(): number;
  /** Aborts when the lease is gone or the process stops. */
  readonly signal: AbortSignal;
}

/** All index groups of the cluster. */
export function indexGroups(context: CuratorContext): readonly string[] {
  const { indexGroups: count } = context.view.map().settings;
  return Array.from({ length: count }, (_, index) => `index-${index}`);
}
