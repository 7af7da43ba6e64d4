import type { VersionHead } from '@azimuth/proto';

/** Where one version is and what it still survives. */
export interface Explanation {
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
  /** Bytes kept in the metadata itself; null when they are in blobs. */
  readonly inlineBytes: number | null;
  readonly blobs: readonly BlobExplanation[];
}

export interface BlobExplanation {
  readonly blobId: string;
  readonly pgId: number;
  readonly profile: string;
  readonly sizeBytes: number;
  readonly isReduced: boolean;
  readonly shards: readonly ShardExplanation[];
  /** What it still survives, in words. */
  readonly survives: string;
}

export interface ShardExplanation {
  readonly shardIndex: number;
  readonly zone: string;
  readonly nodeId: string;
  readonly diskId: string;
  /** As the storage node says that it is, having read it. */
  readonly presence: string;
}
