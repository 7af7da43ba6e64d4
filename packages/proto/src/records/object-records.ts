import type { BlobId, Profile } from '@azimuth/placement';

/** Records of the `index-*` groups: what is stored of objects, uploads and follow-up work. */

export type VersioningState = 'unversioned' | 'enabled' | 'suspended';

export type ChecksumAlgorithm =
  | 'CRC32'
  | 'CRC32C'
  | 'CRC64NVME'
  | 'SHA1'
  | 'SHA256'
  | 'SHA512'
  | 'MD5'
  | 'XXHASH64'
  | 'XXHASH3'
  | 'XXHASH128';
export type ChecksumType = 'FULL_OBJECT' | 'COMPOSITE';

export interface StoredChecksum {
  readonly algorithm: ChecksumAlgorithm;
  readonly type: ChecksumType;
  /** Base64 of the big-endian digest; COMPOSITE values end with `-N`. */
  readonly value: string;
}

/** Where the bytes of one PUT body or one part are. Immutable; referenced by exactly one record. */
export interface BlobRef {
  readonly blobId: BlobId;
  readonly pgId: number;
  readonly sizeBytes: number;
  readonly profile: Profile;
  readonly blockBytes: number;
  /** True when written to a reduced group: to be re-striped. */
  readonly isReduced: boolean;
}

/** Shards of a new blob that were not durable at commit; they become repair work in the same apply. */
export interface MissingShards {
  readonly blobId: BlobId;
  readonly shardIndexes: readonly number[];
}

/** One part of a completed multipart upload; its bytes are `blobs[blobIndex]` of the body, in order. */
export interface VersionPart {
  readonly partNumber: number;
  readonly sizeBytes: number;
  readonly etag: string;
  readonly checksum: string | null;
}

/**
 * The bytes of a version: the blobs one after the other, then the inline bytes. Both only when the
 * last part of a multipart upload was small. Kept apart from the head: lists skip it.
 */
export interface VersionBody {
  readonly inline: Uint8Array | null;
  readonly blobs: readonly BlobRef[];
  /** Null unless made by CompleteMultipartUpload; then one entry a blob, and one for inline bytes. */
  readonly parts: readonly VersionPart[] | null;
}

/** What HEAD and lists need of a version. */
export interface VersionHead {
  readonly key: string;
  /** `null` (the string) or 32 characters; opaque to clients. */
  readonly versionId: string;
  /** Log index of the commit in its group: newest is greatest; the order inside a key (V-16). */
  readonly sequence: number;
  readonly isDeleteMarker: boolean;
  readonly sizeBytes: number;
  /** Lower-case hex, `-N` behind it for multipart; no quotes. Empty for a delete marker. */
  readonly etag: string;
  readonly lastModifiedMs: number;
  readonly storageClass: string;
  readonly owner: string;
  /** Stored system headers by lower-case name: content-type, cache-control, … */
  readonly headers: Readonly<Record<string, string>>;
  /** Without the `x-amz-meta-` prefix, lower-case names. */
  readonly userMetadata: Readonly<Record<string, string>>;
  readonly checksum: StoredChecksum | null;
  /** 0 unless multipart. */
  readonly partsCount: number;
  /** Object tags, in the order they were given. */
  readonly tags: Readonly<Record<string, string>>;
  /** Access control list as the JSON text that the gateway made; null grants the owner everything. */
  readonly acl: string | null;
}

/** What the gateway knows of a version before it is committed. */
export type VersionDraft = Omit<
  VersionHead,
  'versionId' | 'sequence' | 'lastModifiedMs' | 'isDeleteMarker' | 'partsCount'
>;

/**
 * Evaluated inside apply, against the current version (C-5, C-6, C-10). ETags without quotes; `*`
 * stands alone. Null means absent.
 */
export interface WritePrecondition {
  readonly ifMatch: readonly string[] | null;
  readonly ifNoneMatch: readonly string[] | null;
}

export interface UploadRecord {
  readonly bucketId: string;
  readonly key: string;
  readonly uploadId: string;
  readonly initiatedMs: number;
  readonly owner: string;
  /** Canonical id of an account, or ARN of a user or role of one; absent: the owner. */
  readonly initiator?: string;
  readonly storageClass: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly userMetadata: Readonly<Record<string, string>>;
  readonly checksumAlgorithm: ChecksumAlgorithm | null;
  readonly checksumType: ChecksumType | null;
  readonly tags: Readonly<Record<string, string>>;
  readonly acl: string | null;
}

export interface PartRecord {
  readonly partNumber: number;
  readonly etag: string;
  readonly sizeBytes: number;
  readonly lastModifiedMs: number;
  readonly checksum: StoredChecksum | null;
  readonly inline: Uint8Array | null;
  readonly blobs: readonly BlobRef[];
}

export type OutboxKind = 'repair' | 'garbage' | 'restripe';

/**
 * Work that follows from a commit, written in the same apply, consumed at least once and then
 * acknowledged by id. `repair`: rebuild `shardIndexes`. `garbage`: delete the blob once
 * `notBeforeMs` has passed and it is still unreferenced. `restripe`: copy the blob into a normal
 * group.
 */
export interface OutboxEntry {
  readonly id: string;
  readonly kind: OutboxKind;
  readonly blob: BlobRef;
  readonly shardIndexes: readonly number[];
  readonly createdMs: number;
}

/** Who references a blob. */
export interface BlobOwner {
  readonly bucketId: string;
  readonly key: string;
  /** A version's sequence, or null for a part of an upload. */
  readonly sequence: number | null;
  readonly uploadId: string | null;
  readonly partNumber: number | null;
}
