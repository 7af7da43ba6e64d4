import type { ClusterMap } from '@azimuth/placement';
import type { BucketRecord } from '@azimuth/proto';

/**
 * The root state as this process holds it from the watch: the cluster map and the buckets. Bodies
 * may be read from a stale view; writes are refused once `ageMs` is above `WATCH_AGE_MAX_MS`.
 */
export interface ClusterView {
  /** Throws StoreError UNAVAILABLE until the first answer of the watch. */
  map(): ClusterMap;
  /** From the watch; a miss asks the root leader, so a bucket just made elsewhere is found. */
  bucket(name: string, signal?: AbortSignal): Promise<BucketRecord | null>;
  /** Milliseconds since the root leader last confirmed this view. */
  ageMs(): number;
  /** Resolves at the next change, or after `timeoutMs`. */
  waitForChange(timeoutMs: number): Promise<void>;
  /** This process saw the disk fail (refused, reset, time-out): avoid it for a short while. */
  reportDiskFailure(diskId: string): void;
  /** True while a reported failure of the disk is recent. */
  isSuspect(diskId: string): boolean;
}

export const WATCH_AGE_MAX_MS = 5_000;
