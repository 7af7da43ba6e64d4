import type { ClusterMap } from '@azimuth/placement';
import type { BucketRecord, IdentityKind, IdentityRecords } from '@azimuth/proto';

/**
 * The root state as this process holds it from the watch: the cluster map and the buckets. Bodies
 * may be read from a stale view; writes are refused once `ageMs` is above `WATCH_AGE_MAX_MS`.
 */
export interface ClusterView {
  /** Throws StoreError UNAVAILABLE until the first answer of the watch. */
  map(): ClusterMap;
  /** From the watch; a miss asks the root leader, so a bucket just made elsewhere is found. */
  bucket(name: string, signal?: AbortSignal): Promise<BucketRecord | null>;
  /** Identities as of the last answer; empty for processes that are not gateways. */
  identities(): IdentitySnapshot;
  /** Milliseconds since the root leader last confirmed this view. */
  ageMs(): number;
  /** Resolves at the next change, or after `timeoutMs`. */
  waitForChange(timeoutMs: number): Promise<void>;
  /** This process saw the disk fail (refused, reset, time-out): avoid it for a short while. */
  reportDiskFailure(diskId: string): void;
  /** True while a reported failure of the disk is recent. */
  isSuspect(diskId: string): boolean;
}

/** Accounts, users, keys and policies at one revision; never changed in place. */
export interface IdentitySnapshot {
  /** What CommitIdentities must expect; 0 before the first change. */
  readonly revision: number;
  get<Kind extends IdentityKind>(kind: Kind, name: string): IdentityRecords[Kind] | null;
  /** Records whose name begins with `namePrefix`, ascending by name. */
  list<Kind extends IdentityKind>(kind: Kind, namePrefix: string): readonly IdentityRecords[Kind][];
}

export const WATCH_AGE_MAX_MS = 5_000;

/**
 * A gateway whose view is older reaches no root leader, and one to which another leader says
 * nothing for longer does not reach that one: requests go better to another gateway. Above the age
 * of a view, and the silence of a leader, while a new leader is elected.
 */
export const CUT_OFF_AGE_MS = 3_000;
