import { StoreError } from '@azimuth/common';
import type {
  BlobRef,
  Command,
  CommittedData,
  IndexCommandName,
  IndexCommands,
  VersionBody,
  VersionHead,
} from '@azimuth/proto';

import type { CheckedStore } from './checked-store';
import type { CommandContext } from './command-context';
import { completeUpload } from './complete-upload';
import type { Counters } from './counters';
import type { CommandSet } from './group-state-machine';
import { addressOf, IndexState, versionOwner } from './index-state';
import { replaceBlob } from './replace-blob';
import { NULL_VERSION_ID } from './version-id';
import type { KeyAddress } from './version-store';
import { checkDeletePrecondition, checkWritePrecondition } from './write-precondition';

type Args<Name extends IndexCommandName> = IndexCommands[Name]['args'];
type Result<Name extends IndexCommandName> = IndexCommands[Name]['result'];

type Handlers = {
  readonly [Name in IndexCommandName]: (args: Args<Name>, context: CommandContext) => Result<Name>;
};

/** The commands of an index group. Every command checks first and changes then. */
export class IndexCommandSet implements CommandSet {
  readonly state: IndexState;
  readonly #handlers: Handlers;

  constructor(records: CheckedStore, counters: Counters) {
    this.state = new IndexState(records, counters);
    this.#handlers = {
      CommitVersion: (args, context) => this.#commitVersion(args, context),
      DeleteVersion: (args, context) => this.#deleteVersion(args, context),
      UpdateVersion: (args) => this.#updateVersion(args),
      CreateUpload: (args, context) => this.#createUpload(args, context),
      CommitPart: (args, context) => this.#commitPart(args, context),
      CompleteUpload: (args, context) => completeUpload(this.state, args, context),
      AbortUpload: (args, context) => this.#abortUpload(args, context),
      FenceBucket: (args) => this.#fenceBucket(args),
      FenceGroup: (args) => this.#fenceGroup(args),
      AcknowledgeOutbox: (args) => this.#acknowledgeOutbox(args),
      ReportMissingShards: (args, context) => this.#reportMissingShards(args, context),
      ReplaceBlob: (args, context) => replaceBlob(this.state, args, context),
    };
  }

  execute(command: Command, context: CommandContext): unknown {
    if (!Object.hasOwn(this.#handlers, command.name)) {
      throw new StoreError('INVALID_ARGUMENT', { command: command.name });
    }
    const handler = this.#handlers[command.name as IndexCommandName];
    return handler(command.args as never, context);
  }

  abandon(command: Command, { nowMs }: CommandContext): void {
    if (command.name === 'CommitVersion' || command.name === 'CommitPart') {
      const { data } = command.args as Args<'CommitVersion' | 'CommitPart'>;
      this.state.blobs.abandon(data.blobs, nowMs);
    } else if (command.name === 'ReplaceBlob') {
      this.state.blobs.abandon([(command.args as Args<'ReplaceBlob'>).blob], nowMs);
    }
  }

  evict(nowMs: number): void {
    this.state.uploads.evict(nowMs);
  }

  load(): Promise<void> {
    this.state.uploads.reload();
    this.state.usage.reload();
    return Promise.resolve();
  }

  afterApply(): void {
    // Nothing is kept in memory.
  }

  #commitVersion(args: Args<'CommitVersion'>, context: CommandContext): Result<'CommitVersion'> {
    const { draft, data } = args;
    const at = addressOf(args);
    this.state.usage.checkOpen(args.bucketId);
    checkSize(draft.sizeBytes, data);
    this.state.blobs.check(at, data.blobs, context.nowMs);
    this.state.fences.check(data);
    if (args.precondition !== null) {
      checkWritePrecondition(args.precondition, this.state.versions.current(at)?.head ?? null);
    }
    const body: VersionBody = { inline: data.inline, blobs: data.blobs, parts: null };
    const result = this.state.putVersion(
      at,
      args.versioning,
      { draft, partsCount: 0, body },
      context,
    );
    this.state.blobs.add(data, versionOwner(at, context.index), context.nowMs);
    return result;
  }

  #deleteVersion(args: Args<'DeleteVersion'>, context: CommandContext): Result<'DeleteVersion'> {
    const at = addressOf(args);
    this.state.usage.checkOpen(args.bucketId);
    if (args.versionId !== null) {
      const target = this.state.versions.find(at, args.versionId)?.head ?? null;
      if (!checkDeletePrecondition(args.precondition, target)) {
        return { versionId: args.versionId, isDeleteMarker: false };
      }
      const removed = this.state.removeVersion(at, args.versionId, context);
      return { versionId: args.versionId, isDeleteMarker: removed?.isDeleteMarker ?? false };
    }
    const current = this.state.versions.current(at)?.head ?? null;
    if (!checkDeletePrecondition(args.precondition, current)) {
      return { versionId: null, isDeleteMarker: false };
    }
    if (args.versioning === 'unversioned') {
      this.state.removeVersion(at, NULL_VERSION_ID, context);
      return { versionId: null, isDeleteMarker: false };
    }
    const versionId = this.state.makeRoom(at, args.versioning, context);
    this.state.versions.insert(at, markerHead(at, versionId, args.owner, context), null);
    this.state.usage.add(args.bucketId, { versions: 1 });
    return { versionId, isDeleteMarker: true };
  }

  #updateVersion(args: Args<'UpdateVersion'>): Result<'UpdateVersion'> {
    const at = addressOf(args);
    this.state.usage.checkOpen(args.bucketId);
    const { versions } = this.state;
    const version =
      args.versionId === null ? versions.current(at) : versions.find(at, args.versionId);
    const isAnother = args.sequence !== undefined && version?.head.sequence !== args.sequence;
    if (version === null || isAnother) throw new StoreError('KEY_NOT_FOUND');
    const { head } = version;
    const { versionId } = head;
    if (head.isDeleteMarker) throw new StoreError('DELETE_MARKER', { versionId });
    const tags = args.tags ?? head.tags;
    const acl = args.acl === undefined ? head.acl : args.acl;
    versions.replaceHead(at, version, { ...head, tags, acl });
    return { versionId };
  }

  #createUpload(args: Args<'CreateUpload'>, context: CommandContext): Result<'CreateUpload'> {
    const at = addressOf(args.upload);
    this.state.usage.checkOpen(at.bucketId);
    const { uploadId } = args.upload;
    if (
      this.state.uploads.find(at, uploadId) !== null ||
      this.state.uploads.tombstone(at, uploadId) !== null
    ) {
      throw new StoreError('ALREADY_EXISTS', { uploadId });
    }
    const upload = { ...args.upload, initiatedMs: context.nowMs };
    this.state.uploads.add(at, upload);
    this.state.usage.add(at.bucketId, { uploads: 1 });
    return upload;
  }

  #commitPart(args: Args<'CommitPart'>, context: CommandContext): Result<'CommitPart'> {
    const { uploadId, part, data } = args;
    const { nowMs } = context;
    const at = addressOf(args);
    this.state.usage.checkOpen(args.bucketId);
    this.state.uploads.require(at, uploadId);
    checkSize(part.sizeBytes, data);
    if ((data.inline === null ? 0 : 1) + data.blobs.length !== 1) {
      throw new StoreError('INVALID_ARGUMENT', { reason: 'a part is inline or one blob' });
    }
    this.state.blobs.check(at, data.blobs, nowMs);
    this.state.fences.check(data);
    const replaced = this.state.uploads.part(at, uploadId, part.partNumber);
    this.state.uploads.putPart(at, uploadId, {
      ...part,
      lastModifiedMs: nowMs,
      inline: data.inline,
      blobs: data.blobs,
    });
    const owner = {
      bucketId: at.bucketId,
      key: at.key,
      sequence: null,
      uploadId,
      partNumber: part.partNumber,
    };
    this.state.blobs.add(data, owner, nowMs);
    if (replaced !== null) this.state.blobs.release(replaced.blobs, nowMs);
    return { lastModifiedMs: nowMs };
  }

  #abortUpload(args: Args<'AbortUpload'>, { nowMs }: CommandContext): null {
    const at = addressOf(args);
    const upload = this.state.uploads.require(at, args.uploadId);
    for (const { blobs } of this.state.uploads.parts(at, args.uploadId)) {
      this.state.blobs.release(blobs, nowMs);
    }
    this.state.uploads.end(at, upload, null, nowMs);
    this.state.usage.add(args.bucketId, { uploads: -1 });
    return null;
  }

  #fenceBucket(args: Args<'FenceBucket'>): Result<'FenceBucket'> {
    const usage = this.state.usage.setFence(args);
    return { hasVersions: usage.versions > 0, hasUploads: usage.uploads > 0 };
  }

  #fenceGroup(args: Args<'FenceGroup'>): null {
    this.state.fences.set(args);
    return null;
  }

  #acknowledgeOutbox(args: Args<'AcknowledgeOutbox'>): null {
    for (const id of args.ids) this.state.outbox.acknowledge(id);
    return null;
  }

  #reportMissingShards(args: Args<'ReportMissingShards'>, { nowMs }: CommandContext): null {
    for (const { blobId, shardIndexes } of args.missing) {
      const reference = this.state.blobs.find(blobId);
      if (reference !== null) this.state.outbox.addRepair(reference.blob, shardIndexes, nowMs);
    }
    return null;
  }
}

function markerHead(
  at: KeyAddress,
  versionId: string,
  owner: string,
  context: CommandContext,
): VersionHead {
  return {
    key: at.key,
    versionId,
    sequence: context.index,
    isDeleteMarker: true,
    sizeBytes: 0,
    etag: '',
    lastModifiedMs: context.nowMs,
    storageClass: 'STANDARD',
    owner,
    headers: {},
    userMetadata: {},
    checksum: null,
    partsCount: 0,
    tags: {},
    acl: null,
  };
}

/** @throws StoreError INVALID_ARGUMENT when bytes and size of the record differ */
function checkSize(sizeBytes: number, data: CommittedData): void {
  const actualBytes = (data.inline?.length ?? 0) + totalBytes(data.blobs);
  if (actualBytes !== sizeBytes || (data.inline !== null && data.blobs.length > 0)) {
    throw new StoreError('INVALID_ARGUMENT', { sizeBytes, actualBytes });
  }
}

function totalBytes(blobs: readonly BlobRef[]): number {
  return blobs.reduce((sum, blob) => sum + blob.sizeBytes, 0);
}
