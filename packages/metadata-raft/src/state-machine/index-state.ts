import type {
  BlobOwner,
  IndexCommands,
  VersionBody,
  VersionDraft,
  VersionHead,
  VersioningState,
} from '@azimuth/proto';

import { BlobLedger } from './blob-ledger';
import { BucketUsageStore } from './bucket-usage';
import type { CheckedStore } from './checked-store';
import type { CommandContext } from './command-context';
import type { Counters } from './counters';
import { GroupFences } from './group-fences';
import { Outbox } from './outbox';
import { encodeAddress } from './record-keys';
import { UploadStore } from './upload-store';
import { encodeVersionId, NULL_VERSION_ID } from './version-id';
import { VersionStore } from './version-store';
import type { KeyAddress } from './version-store';

/** The state of an index group: versions, uploads, blobs in use and outboxes. */
export class IndexState {
  readonly records: CheckedStore;
  readonly counters: Readonly<Counters>;
  readonly versions: VersionStore;
  readonly uploads: UploadStore;
  readonly blobs: BlobLedger;
  readonly usage: BucketUsageStore;
  readonly outbox: Outbox;
  readonly fences: GroupFences;

  constructor(records: CheckedStore, counters: Counters) {
    this.records = records;
    this.counters = counters;
    this.versions = new VersionStore(records);
    this.uploads = new UploadStore(records, counters);
    this.usage = new BucketUsageStore(records);
    this.outbox = new Outbox(records, counters);
    this.fences = new GroupFences(records);
    this.blobs = new BlobLedger(records, this.outbox);
  }

  /** Makes a version current by the rules V-2, V-4 and V-5; everything has been checked. */
  putVersion(
    at: KeyAddress,
    versioning: VersioningState,
    version: {
      readonly draft: VersionDraft;
      readonly partsCount: number;
      readonly body: VersionBody;
    },
    context: CommandContext,
  ): IndexCommands['CommitVersion']['result'] {
    const versionId = this.makeRoom(at, versioning, context);
    const { draft, partsCount } = version;
    // Field by field: to spread an object that was decoded takes as long as to decode it.
    const head: VersionHead = {
      key: at.key,
      versionId,
      sequence: context.index,
      isDeleteMarker: false,
      sizeBytes: draft.sizeBytes,
      etag: draft.etag,
      lastModifiedMs: context.nowMs,
      storageClass: draft.storageClass,
      owner: draft.owner,
      headers: draft.headers,
      userMetadata: draft.userMetadata,
      checksum: draft.checksum,
      partsCount,
      tags: draft.tags,
      acl: draft.acl,
    };
    this.versions.insert(at, head, version.body);
    this.usage.add(at.bucketId, { versions: 1 });
    return { versionId, sequence: context.index, lastModifiedMs: context.nowMs };
  }

  /** The id of the next version; where that is `null`, the version that has it goes. */
  makeRoom(at: KeyAddress, versioning: VersioningState, context: CommandContext): string {
    if (versioning === 'enabled') return encodeVersionId(context.nowMs, context.index);
    this.removeVersion(at, NULL_VERSION_ID, context);
    return NULL_VERSION_ID;
  }

  /** Removes a version if it exists and answers what it was. */
  removeVersion(at: KeyAddress, versionId: string, context: CommandContext): VersionHead | null {
    const version = this.versions.find(at, versionId);
    if (version === null) return null;
    const body = this.versions.remove(at, version);
    this.usage.add(at.bucketId, { versions: -1 });
    if (body !== null) this.blobs.release(body.blobs, context.nowMs);
    return version.head;
  }
}

export function addressOf(of: { readonly bucketId: string; readonly key: string }): KeyAddress {
  const { bucketId, key } = of;
  return { bucketId, key, address: encodeAddress(bucketId, key) };
}

/** The owner of the blobs of a version. */
export function versionOwner(
  at: { readonly bucketId: string; readonly key: string },
  sequence: number,
): BlobOwner {
  return { bucketId: at.bucketId, key: at.key, sequence, uploadId: null, partNumber: null };
}
