import type { VersioningState } from './object-records';

/** Records of the `root` group that are not part of the cluster map. */
export interface BucketRecord {
  readonly name: string;
  /** 32 hexadecimal digits; a bucket made again under the same name gets another. */
  readonly bucketId: string;
  readonly createdMs: number;
  readonly owner: string;
  readonly versioning: VersioningState;
  /**
   * Configuration documents by name (`policy`, `cors`, `analytics/ID`, …): JSON texts that the
   * gateway made from what the client sent, and that only it reads.
   */
  readonly configurations: Readonly<Record<string, string>>;
  /** Set while DeleteBucket fences the index groups; the curator finishes or lifts it. */
  readonly deletingSinceMs: number | null;
  /** Root log index of the last mark; 0 before the first. One mark is one attempt to delete. */
  readonly deletionMark: number;
}

/** Name of the configuration that says what writes do in an outage: a JSON string. */
export const OUTAGE_POLICY_CONFIGURATION = 'outage-policy';

/** A lease in the root group: one holder until `expiresMs` of the leader's clock. */
export interface LeaseRecord {
  readonly name: string;
  readonly holder: string;
  readonly epoch: number;
  readonly expiresMs: number;
}
