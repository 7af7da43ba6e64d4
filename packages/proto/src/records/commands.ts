import type { MetadataNodeAddress, MetadataNodeEntry } from './metadata-records';
import type {
  ClusterSettings,
  DiskEntry,
  DiskState,
  IntentKind,
  IntentScope,
  NodeState,
  PlacementGroup,
  StorageNodeEntry,
} from '@azimuth/placement';

import type { BucketRecord, LeaseRecord } from './bucket-records';
import type { IdentityChange } from './identity-records';
import type {
  BlobOwner,
  BlobRef,
  ChecksumAlgorithm,
  ChecksumType,
  MissingShards,
  OutboxEntry,
  OutboxKind,
  PartRecord,
  UploadRecord,
  VersionBody,
  VersionDraft,
  VersionHead,
  VersioningState,
  WritePrecondition,
} from './object-records';
import type { RepairRecord, RepairReport } from './repair-records';

/**
 * The replicated commands and the queries of the metadata groups, as maps from name to arguments
 * and result. Commands are deterministic and idempotent by `commandId`: the state machine remembers
 * results for `COMMAND_RETRY_WINDOW_MS` and refuses an older command with COMMAND_EXPIRED. Time
 * comes from the leader's hybrid clock, carried in the log entry.
 */
export const COMMAND_VERSION = 1;
export const COMMAND_RETRY_WINDOW_MS = 5 * 60_000;
/** A commit that names a blob older than this is refused, so that orphan collection can be sure. */
export const BLOB_COMMIT_AGE_MAX_MS = 12 * 3_600_000;
/** An unreferenced blob younger than this may still be committed and is never collected. */
export const ORPHAN_AGE_MIN_MS = 24 * 3_600_000;

interface Of<Args, Result> {
  readonly args: Args;
  readonly result: Result;
}

interface ObjectAddress {
  readonly bucketId: string;
  readonly key: string;
}

/** The bytes of a new version or part as the data path left them. */
export interface CommittedData {
  readonly inline: Uint8Array | null;
  readonly blobs: readonly BlobRef[];
  readonly missing: readonly MissingShards[];
  /**
   * Of the cluster map by which the shards were counted as being where readers look for them, of
   * several blobs the oldest: see `FenceGroup`. Absent in entries from before there were fences.
   */
  readonly mapVersion?: number;
}

export interface CommitVersionResult {
  readonly versionId: string;
  readonly sequence: number;
  readonly lastModifiedMs: number;
}

export interface RootCommands {
  /** Once, at cluster creation; again with equal settings it changes nothing. */
  readonly InitializeCluster: Of<{ readonly settings: ClusterSettings }, null>;
  /**
   * Errors: BUCKET_EXISTS with `detail.owner`; INVALID_ARGUMENT with `detail.limit` when there are
   * as many buckets, or as many bytes of configurations, as there can be.
   */
  readonly CreateBucket: Of<
    {
      readonly name: string;
      readonly bucketId: string;
      readonly owner: string;
      /** Absent, as the configurations, in entries that were written before there were any. */
      readonly versioning?: VersioningState;
      readonly configurations?: Readonly<Record<string, string>>;
    },
    BucketRecord
  >;
  /**
   * Puts or, with null, removes one configuration document of a bucket.
   * Errors: BUCKET_NOT_FOUND; INVALID_ARGUMENT when the document or their number is too large.
   */
  readonly SetBucketConfiguration: Of<
    {
      readonly name: string;
      readonly bucketId: string;
      readonly configuration: string;
      readonly document: string | null;
    },
    null
  >;
  /**
   * Changes identities, all or none. Whoever computed the changes read revision
   * `expectedRevision`. Errors: PRECONDITION_FAILED with `detail.revision` when another change came
   * first: read again and compute again.
   */
  readonly CommitIdentities: Of<
    { readonly expectedRevision: number; readonly changes: readonly IdentityChange[] },
    { readonly revision: number }
  >;
  /**
   * Errors: BUCKET_NOT_FOUND, also for another bucket of that name than the one that is meant;
   * INVALID_ARGUMENT for the way back to `unversioned` (V-1).
   */
  readonly SetBucketVersioning: Of<
    {
      readonly name: string;
      /** Absent in entries that were written before it was asked for. */
      readonly bucketId?: string;
      readonly versioning: VersioningState;
    },
    null
  >;
  /**
   * Marks the bucket as being deleted and answers the mark; of a bucket that is marked already the
   * mark it has. Or takes back `mark`, unless another one has taken its place.
   */
  readonly MarkBucketDeleting: Of<
    { readonly name: string; readonly bucketId: string } & (
      { readonly isDeleting: true } | { readonly isDeleting: false; readonly mark: number }
    ),
    { readonly mark: number }
  >;
  /**
   * Removes the bucket; since `mark` was given all index groups must have been fenced for it and
   * found empty. Idempotent. Errors: INVALID_ARGUMENT when the mark was taken back meanwhile.
   */
  readonly RemoveBucket: Of<
    { readonly name: string; readonly bucketId: string; readonly mark: number },
    null
  >;
  /**
   * A storage node started. Its entry becomes `up`; disks it no longer has become `lost`; new disks
   * appear. Errors: INVALID_ARGUMENT when a disk id belongs to another node or zone is unknown.
   */
  readonly RegisterNode: Of<
    {
      readonly node: Omit<StorageNodeEntry, 'state'>;
      readonly disks: readonly Omit<DiskEntry, 'nodeId' | 'zone'>[];
    },
    null
  >;
  readonly SetNodeState: Of<
    { readonly nodeId: string; readonly incarnation: string; readonly state: NodeState },
    null
  >;
  readonly SetDiskState: Of<{ readonly diskId: string; readonly state: DiskState }, null>;
  /** Adds groups; `pgId` is assigned by apply. Refuses a group that breaks the zone condition. */
  readonly OpenGroups: Of<
    { readonly groups: readonly Omit<PlacementGroup, 'pgId' | 'backfill' | 'state'>[] },
    { readonly pgIds: readonly number[] }
  >;
  readonly SealGroup: Of<{ readonly pgId: number; readonly isSealed: boolean }, null>;
  /** Seals the group and names the disk that slot moves to. */
  readonly BeginBackfill: Of<
    { readonly pgId: number; readonly slot: number; readonly targetDiskId: string },
    null
  >;
  /** Flips the slot to the target; a normal group becomes active again, a reduced one does not. */
  readonly FinishBackfill: Of<
    { readonly pgId: number; readonly slot: number; readonly targetDiskId: string },
    null
  >;
  /** Removes an empty sealed reduced group. */
  readonly RemoveGroup: Of<{ readonly pgId: number }, null>;
  /**
   * What an operator wants of a disk, a node or a zone; null puts it back into service. `others`
   * are the keys of the other intents that its author has seen, ascending: whether a change keeps
   * the zone condition depends on them. Errors: NOT_FOUND; PRECONDITION_FAILED when there are other
   * ones by now; INVALID_ARGUMENT with `detail.reason` when too few zones would be left.
   */
  readonly SetIntent: Of<
    {
      readonly scope: IntentScope;
      readonly name: string;
      readonly kind: IntentKind | null;
      readonly others: readonly string[];
    },
    null
  >;
  /**
   * A census has proven that nothing referenced is on a disk that is leaving. Errors: NOT_FOUND;
   * INVALID_ARGUMENT when a slot is still, or again, on the disk, or it is not leaving.
   */
  readonly ConfirmDrained: Of<{ readonly diskId: string }, null>;
  /**
   * Forgets a disk, or a node with all its disks, that is gone: proven to be empty before, lost, or
   * given up by an intent. Idempotent. Errors: INVALID_ARGUMENT with `detail.reason` when a slot is
   * on it, when it is still there, or when it may hold what nobody has looked for.
   */
  readonly RemoveDisk: Of<{ readonly diskId: string }, null>;
  readonly RemoveNode: Of<{ readonly nodeId: string }, null>;
  /** Errors: INVALID_ARGUMENT for the second zone of a cluster: its promise was about nodes. */
  readonly AddZone: Of<{ readonly zone: string }, null>;
  /** Errors: INVALID_ARGUMENT unless the zone is drained or retired and has no nodes left. */
  readonly RemoveZone: Of<{ readonly zone: string }, null>;
  /**
   * Changes who the metadata nodes are. `expected` is all of them as the author saw them. Errors:
   * PRECONDITION_FAILED when another change came first.
   */
  readonly ChangeMetadataNodes: Of<
    {
      readonly expected: readonly MetadataNodeEntry[];
      readonly put: readonly MetadataNodeEntry[];
      readonly remove: readonly string[];
    },
    null
  >;
  /**
   * A metadata node started over the log `incarnation`. Errors: NOT_FOUND for a node that nobody
   * added; ALREADY_EXISTS when it had another log, unless `isRejoining` says that an operator
   * knows.
   */
  readonly RegisterMetadataNode: Of<
    MetadataNodeAddress & { readonly incarnation: string; readonly isRejoining: boolean },
    null
  >;
  /** Takes or renews a lease; answers who holds it now. */
  readonly AcquireLease: Of<
    { readonly name: string; readonly holder: string; readonly ttlMs: number },
    LeaseRecord
  >;
  /** What `azimuth status` says of repair; from the curator that holds the lease. */
  readonly ReportRepair: Of<{ readonly report: RepairReport }, null>;
  /** Asks the curator for a census of every group; answers the leader's time. */
  readonly RequestCensus: Of<Record<string, never>, { readonly requestedMs: number }>;
}

export interface IndexCommands {
  /**
   * Makes a version current. Errors: BUCKET_FENCED, PRECONDITION_FAILED, KEY_NOT_FOUND,
   * INVALID_ARGUMENT (a blob too old to commit), QUORUM_NOT_REACHED (its group is fenced).
   */
  readonly CommitVersion: Of<
    ObjectAddress & {
      readonly versioning: VersioningState;
      readonly draft: VersionDraft;
      readonly data: CommittedData;
      readonly precondition: WritePrecondition | null;
    },
    CommitVersionResult
  >;
  /**
   * DELETE with the rules V-5 to V-8. `versionId` null addresses the key. Deleting what is absent
   * succeeds. Errors: BUCKET_FENCED, PRECONDITION_FAILED.
   */
  readonly DeleteVersion: Of<
    ObjectAddress & {
      readonly versioning: VersioningState;
      readonly versionId: string | null;
      readonly owner: string;
      readonly precondition: WritePrecondition | null;
    },
    {
      /** Version id for the response header; null on an unversioned bucket. */
      readonly versionId: string | null;
      /** True when a marker was made, or the version removed was one. */
      readonly isDeleteMarker: boolean;
    }
  >;
  /**
   * Replaces tags or ACL of a version (null: the current one) without making a new one (V-23); an
   * absent field stays. Errors: KEY_NOT_FOUND when there is no such version, or it has not the
   * sequence that the caller has seen: `null` names one version after another; BUCKET_FENCED;
   * DELETE_MARKER when it is one, with `detail.versionId`.
   */
  readonly UpdateVersion: Of<
    ObjectAddress & {
      readonly versionId: string | null;
      readonly sequence?: number;
      readonly tags?: Readonly<Record<string, string>>;
      readonly acl?: string | null;
    },
    { readonly versionId: string }
  >;
  readonly CreateUpload: Of<{ readonly upload: Omit<UploadRecord, 'initiatedMs'> }, UploadRecord>;
  /**
   * Adds or replaces a part. Errors: UPLOAD_NOT_FOUND, BUCKET_FENCED, INVALID_ARGUMENT,
   * QUORUM_NOT_REACHED (the group of its blob is fenced).
   */
  readonly CommitPart: Of<
    ObjectAddress & {
      readonly uploadId: string;
      readonly part: Omit<PartRecord, 'lastModifiedMs' | 'inline' | 'blobs'>;
      readonly data: CommittedData;
    },
    { readonly lastModifiedMs: number }
  >;
  /**
   * The parts named, in order, become a version; the other parts become garbage. The gateway has
   * computed `draft` (etag, checksum, size) from ListParts; apply checks that each part named is
   * still the one with that etag. Repeating a completed upload answers as the first did, for 24 h.
   * Errors: UPLOAD_NOT_FOUND, PART_NOT_FOUND (`detail.partNumber`), PRECONDITION_FAILED,
   * KEY_NOT_FOUND, BUCKET_FENCED.
   */
  readonly CompleteUpload: Of<
    ObjectAddress & {
      readonly uploadId: string;
      readonly versioning: VersioningState;
      readonly draft: VersionDraft;
      readonly parts: readonly { readonly partNumber: number; readonly etag: string }[];
      readonly precondition: WritePrecondition | null;
    },
    CommitVersionResult & { readonly etag: string; readonly checksum: VersionDraft['checksum'] }
  >;
  /** Errors: UPLOAD_NOT_FOUND. */
  readonly AbortUpload: Of<ObjectAddress & { readonly uploadId: string }, null>;
  /**
   * Fences a bucket: no command may add to it from now on; or lifts the fence, unless it was set
   * for a later mark. A fence is lifted only after its mark was taken back, so that nobody who
   * still holds that mark can remove what was added since. Answers what is left in this group at
   * that instant. Uploads do not count as content: they are aborted by the fence owner before
   * RemoveBucket.
   */
  readonly FenceBucket: Of<
    { readonly bucketId: string; readonly isFenced: boolean; readonly mark: number },
    { readonly hasVersions: boolean; readonly hasUploads: boolean }
  >;
  /**
   * A slot of the placement group begins to move. From now on no blob of the group is referenced
   * whose writer looked at an older cluster map than `mapVersion`: it counted a shard where the
   * slot was, and the move may have passed that by. So what the group holds is known to a walk over
   * it that begins after this. Never taken back; a later move sets a later one.
   */
  readonly FenceGroup: Of<{ readonly pgId: number; readonly mapVersion: number }, null>;
  /** Removes outbox entries that were worked off. Unknown ids are ignored. */
  readonly AcknowledgeOutbox: Of<{ readonly ids: readonly string[] }, null>;
  /** Adds repair work that a scrub, a census or a reader found, unless the blob is unreferenced. */
  readonly ReportMissingShards: Of<{ readonly missing: readonly MissingShards[] }, null>;
  /**
   * Compare-and-set on a manifest: replaces `oldBlobId` by `blob` wherever its owner still
   * references it, and turns the old blob into garbage; when the owner is gone, the new blob
   * becomes garbage. Errors: INVALID_ARGUMENT; QUORUM_NOT_REACHED (the group is fenced).
   */
  readonly ReplaceBlob: Of<
    {
      readonly oldBlobId: string;
      readonly blob: BlobRef;
      readonly missing: readonly MissingShards[];
      /** As in `CommittedData`. */
      readonly mapVersion?: number;
    },
    { readonly isReplaced: boolean }
  >;
}

/** Where a listing page starts: strictly after `key`, or after everything that begins with it. */
export interface ListPosition {
  readonly key: string;
  readonly isPrefix: boolean;
}

export interface ListEntry {
  readonly key: string;
  readonly sizeBytes: number;
  readonly etag: string;
  readonly lastModifiedMs: number;
  readonly storageClass: string;
  readonly owner: string;
  readonly checksumAlgorithm: ChecksumAlgorithm | null;
  readonly checksumType: ChecksumType | null;
}

export interface ListObjectsResult {
  /** Ascending UTF-8 byte order; entries and prefixes apart, `limit` together. */
  readonly entries: readonly ListEntry[];
  /** The entries instead, for `decodeListRows`, when they were asked for so. */
  readonly rows?: Uint8Array;
  readonly commonPrefixes: readonly string[];
  readonly isTruncated: boolean;
  /** Position of the last entry or prefix returned; null when there was none. */
  readonly next: ListPosition | null;
}

export interface ListVersionEntry extends ListEntry {
  readonly versionId: string;
  readonly isLatest: boolean;
  readonly isDeleteMarker: boolean;
}

/**
 * Where a page of versions starts: strictly after the version, after all versions of the key when
 * `versionId` is null, or after everything that begins with `key`.
 */
export interface VersionPosition {
  readonly key: string;
  readonly versionId: string | null;
  readonly isPrefix: boolean;
}

export interface ListVersionsResult {
  /** Keys ascending in UTF-8 byte order, inside a key newest first (V-14). */
  readonly entries: readonly ListVersionEntry[];
  readonly commonPrefixes: readonly string[];
  readonly isTruncated: boolean;
  /** Position of the last entry or prefix returned; null when there was none. */
  readonly next: VersionPosition | null;
}

export interface RootQueries {
  readonly GetBucket: Of<{ readonly name: string }, BucketRecord | null>;
  /** Names ascending, strictly after `after`. */
  readonly ListBuckets: Of<
    { readonly after: string | null; readonly prefix: string; readonly limit: number },
    { readonly buckets: readonly BucketRecord[]; readonly isTruncated: boolean }
  >;
  readonly GetLease: Of<{ readonly name: string }, LeaseRecord | null>;
  readonly GetRepair: Of<Record<string, never>, RepairRecord | null>;
}

export interface IndexQueries {
  /** `versionId` null asks for the current version, which may be a delete marker. */
  readonly GetVersion: Of<
    ObjectAddress & { readonly versionId: string | null; readonly withBody: boolean },
    { readonly head: VersionHead; readonly body: VersionBody | null } | null
  >;
  readonly ListObjects: Of<
    {
      readonly bucketId: string;
      readonly prefix: string;
      /** Empty for none. */
      readonly delimiter: string;
      readonly after: ListPosition | null;
      readonly limit: number;
      /** Entries as `rows`; a node that does not know them yet answers `entries` all the same. */
      readonly withRows?: boolean;
    },
    ListObjectsResult
  >;
  /** All versions and delete markers. A marker version that is gone still marks its place (V-15). */
  readonly ListVersions: Of<
    {
      readonly bucketId: string;
      readonly prefix: string;
      /** Empty for none. */
      readonly delimiter: string;
      readonly after: VersionPosition | null;
      readonly limit: number;
    },
    ListVersionsResult
  >;
  readonly GetUpload: Of<ObjectAddress & { readonly uploadId: string }, UploadRecord | null>;
  /** Parts ascending, strictly after `afterPartNumber`; null when there is no such upload. */
  readonly ListParts: Of<
    ObjectAddress & {
      readonly uploadId: string;
      readonly afterPartNumber: number;
      readonly limit: number;
    },
    {
      readonly upload: UploadRecord;
      readonly parts: readonly Omit<PartRecord, 'inline' | 'blobs'>[];
      readonly isTruncated: boolean;
    } | null
  >;
  /** By key, then initiation time, then id; strictly after the pair. */
  readonly ListUploads: Of<
    {
      readonly bucketId: string;
      readonly prefix: string;
      readonly after: { readonly key: string; readonly uploadId: string | null } | null;
      readonly limit: number;
    },
    { readonly uploads: readonly UploadRecord[]; readonly isTruncated: boolean }
  >;
  /** One answer a blob id, in order; null = referenced by nothing at this read index. */
  readonly ResolveBlobs: Of<
    { readonly blobIds: readonly string[] },
    readonly ({ readonly blob: BlobRef; readonly owner: BlobOwner } | null)[]
  >;
  /** Oldest first, strictly after `afterId`. */
  readonly ListOutbox: Of<
    { readonly kind: OutboxKind; readonly afterId: string | null; readonly limit: number },
    { readonly entries: readonly OutboxEntry[]; readonly isTruncated: boolean }
  >;
  readonly CountOutbox: Of<
    Record<string, never>,
    {
      readonly repairEntries: number;
      readonly missingShards: number;
      readonly garbageEntries: number;
      readonly restripeEntries: number;
    }
  >;
}

export type RootCommandName = keyof RootCommands;
export type IndexCommandName = keyof IndexCommands;
export type RootQueryName = keyof RootQueries;
export type IndexQueryName = keyof IndexQueries;

/** A command as it is proposed and logged (inside an envelope with the leader's time). */
export interface Command<Name extends string = string, Args = unknown> {
  readonly version: number;
  readonly name: Name;
  /** 32 hexadecimal digits, random, the same for every retry. */
  readonly commandId: string;
  /** The proposer's clock at the first attempt, ms. */
  readonly issuedMs: number;
  readonly args: Args;
}
