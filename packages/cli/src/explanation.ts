import type { OutagePolicy } from '@azimuth/placement';
import type { VersionHead } from '@azimuth/proto';

import type {
  BlobAtRisk,
  LossStatement,
  MetadataDurability,
  ProfileDurability,
} from './durability-statement';

/** Where one version is and what it still survives. */
export interface Explanation extends LossStatement {
  readonly bucket: string;
  readonly head: Pick<
    VersionHead,
    | 'key'
    | 'versionId'
    | 'sizeBytes'
    | 'etag'
    | 'storageClass'
    | 'lastModifiedMs'
    | 'isDeleteMarker'
  >;
  readonly indexGroup: string;
  /** Of the index group, which holds the version itself; null when none of its voters answers. */
  readonly metadata: MetadataDurability | null;
  /** Bytes kept in the metadata itself; null when they are in blobs. */
  readonly inlineBytes: number | null;
  readonly blobs: readonly BlobExplanation[];
}

export interface BlobExplanation extends LossStatement {
  readonly blobId: string;
  readonly pgId: number;
  readonly profile: string;
  readonly sizeBytes: number;
  readonly isReduced: boolean;
  /** Of a blob that is all in one zone and is lost with it; null of one that is spread. */
  readonly zone: string | null;
  readonly shards: readonly ShardExplanation[];
  readonly zones: readonly {
    readonly zone: string;
    /** Intact shards of `slots`. */
    readonly live: number;
    readonly slots: number;
  }[];
  readonly risk: 'none' | 'degraded' | 'at-risk' | 'lost';
  /** Zones each of which would be the end of it. */
  readonly fatalZones: readonly string[];
  /** Why it protects less than its profile does; empty when all is well. */
  readonly reasons: readonly string[];
}

export interface ShardExplanation {
  readonly shardIndex: number;
  readonly zone: string;
  readonly nodeId: string;
  readonly diskId: string;
  /** As the storage node says that it is, having read it. */
  readonly presence: string;
}

/** All versions of a key, newest first. */
export interface VersionsExplanation {
  readonly bucket: string;
  readonly key: string;
  readonly versions: readonly Explanation[];
  /** True when the key has more versions than were looked at. */
  readonly isTruncated: boolean;
}

/**
 * What a bucket survives, with bounded work: `sample` says how much was looked at, and `survives`
 * is said of it. `atLeast` is what everything in the cluster survives, so it holds for the versions
 * that were not looked at too; null when that is not known.
 */
export interface BucketExplanation extends LossStatement {
  readonly bucket: string;
  readonly versioning: string;
  /** What writes do while a zone is out: `reduced` or `strict`. */
  readonly outagePolicy: OutagePolicy;
  readonly sample: {
    readonly versionsListed: number;
    readonly versionsRead: number;
    readonly blobsRead: number;
    /** True when these are all versions of the bucket. */
    readonly isComplete: boolean;
  };
  readonly versions: {
    readonly deleteMarkers: number;
    readonly inline: number;
    readonly inBlobs: number;
  };
  /** Of the groups that hold the blobs that were read. */
  readonly profiles: readonly ProfileDurability[];
  /** Of the blobs of the bucket that wait for repair, at most 20. */
  readonly blobsAtRisk: readonly BlobAtRisk[] | null;
  readonly metadata: readonly MetadataDurability[];
  readonly atLeast: LossStatement | null;
}
