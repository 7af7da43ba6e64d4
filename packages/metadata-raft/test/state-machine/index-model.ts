import type {
  BlobRef,
  CommittedData,
  IndexCommandName,
  IndexCommands,
  ListEntry,
  ListVersionEntry,
  VersionHead,
} from '@azimuth/proto';

import { encodeVersionId } from '../../src/state-machine/version-id';

type Args<Name extends IndexCommandName> = IndexCommands[Name]['args'];

export interface ModelCommand {
  readonly name: IndexCommandName;
  readonly args: unknown;
}

export interface ModelVersion {
  readonly head: VersionHead;
  readonly inline: string | null;
  blobs: BlobRef[];
}

interface ModelPart {
  readonly partNumber: number;
  readonly etag: string;
  readonly sizeBytes: number;
  readonly inline: string | null;
  blobs: BlobRef[];
}

/** One item of a list of versions; a common prefix has no version. */
export interface ModelListItem {
  readonly key: string;
  readonly version: ListVersionEntry | null;
}

class Refusal extends Error {
  readonly code: string;
  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

/**
 * What an index group means, in plain maps and lists, with no thought of speed. Each rule is
 * written once here and once in the state machine; the tests compare the two.
 */
export class IndexModel {
  /** Newest first. */
  readonly versions = new Map<string, ModelVersion[]>();
  readonly uploads = new Map<string, ModelPart[]>();
  readonly ended = new Map<string, unknown>();
  readonly garbage: string[] = [];
  readonly repairs = new Map<string, Set<number>>();
  readonly restripes = new Set<string>();
  /** Marks for which the bucket is fenced. */
  readonly fences = new Set<number>();

  /** The result, or `{ code }` of the refusal. */
  apply({ name, args }: ModelCommand, index: number, nowMs: number): unknown {
    try {
      return this.#execute(name, args as never, index, nowMs);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const data = (args as { data?: CommittedData }).data;
      if (data !== undefined) this.#abandon(data.blobs);
      return { code: error.code };
    }
  }

  /** Every blob in use. */
  references(): Map<string, BlobRef> {
    const all = [...this.versions.values(), ...this.uploads.values()].flat();
    return new Map(all.flatMap(({ blobs }) => blobs).map((blob) => [blob.blobId, blob]));
  }

  list(prefix: string, delimiter: string): { key: string; entry: ListEntry | null }[] {
    const items = new Map<string, { key: string; entry: ListEntry | null }>();
    const keys = [...this.versions.keys()].sort((a, b) =>
      Buffer.compare(Buffer.from(a), Buffer.from(b)),
    );
    for (const key of keys) {
      const head = this.versions.get(key)?.[0]?.head;
      if (!key.startsWith(prefix) || head === undefined || head.isDeleteMarker) continue;
      const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
      if (end >= 0) {
        const common = key.slice(0, end + delimiter.length);
        items.set(`prefix ${common}`, { key: common, entry: null });
      } else {
        const { sizeBytes, etag, lastModifiedMs, storageClass, owner } = head;
        const entry = { key, sizeBytes, etag, lastModifiedMs, storageClass, owner };
        items.set(key, { key, entry: { ...entry, checksumAlgorithm: null, checksumType: null } });
      }
    }
    return [...items.values()];
  }

  listVersions(prefix: string, delimiter: string): ModelListItem[] {
    return listVersionsOf(this.versions, prefix, delimiter);
  }

  #execute(name: IndexCommandName, args: never, index: number, nowMs: number): unknown {
    switch (name) {
      case 'CommitVersion':
        return this.#commitVersion(args, index, nowMs);
      case 'DeleteVersion':
        return this.#deleteVersion(args, index, nowMs);
      case 'UpdateVersion':
        return this.#updateVersion(args);
      case 'CreateUpload':
        return this.#createUpload(args, nowMs);
      case 'CommitPart':
        return this.#commitPart(args, nowMs);
      case 'CompleteUpload':
        return this.#completeUpload(args, index, nowMs);
      case 'AbortUpload':
        return this.#abortUpload(args);
      case 'FenceBucket':
        this.#fence(args);
        return { hasVersions: this.versions.size > 0, hasUploads: this.uploads.size > 0 };
      case 'ReportMissingShards':
        for (const { blobId, shardIndexes } of (args as Args<'ReportMissingShards'>).missing) {
          if (this.references().has(blobId)) this.#addRepair(blobId, shardIndexes);
        }
        return null;
      case 'ReplaceBlob':
        return this.#replaceBlob(args);
      case 'FenceGroup':
      case 'AcknowledgeOutbox':
        return null;
    }
  }

  #commitVersion(args: Args<'CommitVersion'>, index: number, nowMs: number): unknown {
    this.#checkOpen();
    this.#checkCondition(args.key, args.precondition);
    this.#useBlobs(args.data);
    const body = {
      inline: args.data.inline === null ? null : Buffer.from(args.data.inline).toString(),
      blobs: [...args.data.blobs],
    };
    return this.#insert(args, { ...body, partsCount: 0 }, index, nowMs);
  }

  #insert(
    args: Pick<Args<'CommitVersion'>, 'key' | 'versioning' | 'draft'>,
    body: { inline: string | null; blobs: BlobRef[]; partsCount: number },
    index: number,
    nowMs: number,
  ): { versionId: string; sequence: number; lastModifiedMs: number } {
    const { key, versioning, draft } = args;
    if (versioning !== 'enabled') this.#remove(key, 'null');
    const versionId = versioning === 'enabled' ? encodeVersionId(nowMs, index) : 'null';
    const head: VersionHead = {
      ...draft,
      key,
      versionId,
      sequence: index,
      isDeleteMarker: false,
      lastModifiedMs: nowMs,
      partsCount: body.partsCount,
    };
    const version = { head, inline: body.inline, blobs: body.blobs };
    this.versions.set(key, [version, ...(this.versions.get(key) ?? [])]);
    return { versionId, sequence: index, lastModifiedMs: nowMs };
  }

  #deleteVersion(args: Args<'DeleteVersion'>, index: number, nowMs: number): unknown {
    this.#checkOpen();
    const { key, versionId } = args;
    const list = this.versions.get(key) ?? [];
    const target =
      versionId === null ? list[0] : list.find(({ head }) => head.versionId === versionId);
    if (args.precondition?.ifMatch != null) {
      if (target === undefined || target.head.isDeleteMarker) {
        return { versionId, isDeleteMarker: false };
      }
      const { ifMatch } = args.precondition;
      if (!ifMatch.includes('*') && !ifMatch.includes(target.head.etag)) {
        throw new Refusal('PRECONDITION_FAILED');
      }
    }
    if (versionId !== null) {
      this.#remove(key, versionId);
      return { versionId, isDeleteMarker: target?.head.isDeleteMarker ?? false };
    }
    if (args.versioning !== 'enabled') this.#remove(key, 'null');
    if (args.versioning === 'unversioned') return { versionId: null, isDeleteMarker: false };
    const markerId = args.versioning === 'enabled' ? encodeVersionId(nowMs, index) : 'null';
    const head: VersionHead = {
      key,
      versionId: markerId,
      sequence: index,
      isDeleteMarker: true,
      sizeBytes: 0,
      etag: '',
      lastModifiedMs: nowMs,
      storageClass: 'STANDARD',
      owner: args.owner,
      headers: {},
      userMetadata: {},
      checksum: null,
      partsCount: 0,
      tags: {},
      acl: null,
    };
    const marker = { head, inline: null, blobs: [] };
    this.versions.set(key, [marker, ...(this.versions.get(key) ?? [])]);
    return { versionId: markerId, isDeleteMarker: true };
  }

  #updateVersion(args: Args<'UpdateVersion'>): unknown {
    this.#checkOpen();
    const list = this.versions.get(args.key) ?? [];
    const { versionId, tags, acl } = args;
    const target =
      versionId === null ? list[0] : list.find(({ head }) => head.versionId === versionId);
    if (target === undefined) throw new Refusal('KEY_NOT_FOUND');
    if (target.head.isDeleteMarker) throw new Refusal('DELETE_MARKER');
    const changes = {
      ...(tags === undefined ? {} : { tags }),
      ...(acl === undefined ? {} : { acl }),
    };
    const changed = { ...target, head: { ...target.head, ...changes } };
    this.versions.set(args.key, list.with(list.indexOf(target), changed));
    return { versionId: target.head.versionId };
  }

  #createUpload({ upload }: Args<'CreateUpload'>, nowMs: number): unknown {
    this.#checkOpen();
    const { uploadId } = upload;
    if (this.uploads.has(uploadId) || this.ended.has(uploadId)) throw new Refusal('ALREADY_EXISTS');
    this.uploads.set(uploadId, []);
    return { ...upload, initiatedMs: nowMs };
  }

  #commitPart(args: Args<'CommitPart'>, nowMs: number): unknown {
    this.#checkOpen();
    const parts = this.#upload(args.uploadId);
    this.#useBlobs(args.data);
    const { partNumber, etag, sizeBytes } = args.part;
    const inline = args.data.inline === null ? null : Buffer.from(args.data.inline).toString();
    const replaced = parts.findIndex((part) => part.partNumber === partNumber);
    if (replaced >= 0) this.#release(parts.splice(replaced, 1)[0]?.blobs ?? []);
    parts.push({ partNumber, etag, sizeBytes, inline, blobs: [...args.data.blobs] });
    parts.sort((a, b) => a.partNumber - b.partNumber);
    return { lastModifiedMs: nowMs };
  }

  #completeUpload(args: Args<'CompleteUpload'>, index: number, nowMs: number): unknown {
    const earlier = this.ended.get(args.uploadId);
    if (earlier != null) return earlier;
    const parts = this.#upload(args.uploadId);
    this.#checkOpen();
    const chosen = args.parts.map(({ partNumber, etag }) => {
      const part = parts.find((each) => each.partNumber === partNumber && each.etag === etag);
      if (part === undefined) throw new Refusal('PART_NOT_FOUND');
      return part;
    });
    const isWrong =
      chosen.some(({ inline }, position) => inline !== null && position < chosen.length - 1) ||
      chosen.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) !== args.draft.sizeBytes;
    if (isWrong) throw new Refusal('INVALID_ARGUMENT');
    this.#checkCondition(args.key, args.precondition);
    this.uploads.delete(args.uploadId);
    this.#release(parts.filter((part) => !chosen.includes(part)).flatMap(({ blobs }) => blobs));
    const body = {
      inline: chosen.at(-1)?.inline ?? null,
      blobs: chosen.flatMap(({ blobs }) => blobs),
      partsCount: chosen.length,
    };
    const commit = this.#insert(args, body, index, nowMs);
    const result = { ...commit, etag: args.draft.etag, checksum: args.draft.checksum };
    this.ended.set(args.uploadId, result);
    return result;
  }

  #abortUpload(args: Args<'AbortUpload'>): null {
    const parts = this.#upload(args.uploadId);
    this.uploads.delete(args.uploadId);
    this.ended.set(args.uploadId, null);
    this.#release(parts.flatMap(({ blobs }) => blobs));
    return null;
  }

  #replaceBlob({ oldBlobId, blob, missing }: Args<'ReplaceBlob'>): unknown {
    const old = this.references().get(oldBlobId);
    if (old === undefined || old.sizeBytes !== blob.sizeBytes) {
      this.#abandon([blob]);
      return { isReplaced: false };
    }
    for (const each of [...this.versions.values(), ...this.uploads.values()].flat()) {
      each.blobs = each.blobs.map((one) => (one.blobId === oldBlobId ? blob : one));
    }
    this.#release([old]);
    this.#useBlobs({ inline: null, blobs: [blob], missing });
    return { isReplaced: true };
  }

  #upload(uploadId: string): ModelPart[] {
    const parts = this.uploads.get(uploadId);
    if (parts === undefined) throw new Refusal('UPLOAD_NOT_FOUND');
    return parts;
  }

  #remove(key: string, versionId: string): void {
    const list = this.versions.get(key) ?? [];
    const left = list.filter(({ head }) => head.versionId !== versionId);
    for (const version of list) if (!left.includes(version)) this.#release(version.blobs);
    if (left.length === 0) this.versions.delete(key);
    else this.versions.set(key, left);
  }

  /** A fence for an earlier mark ends with the later one's. */
  #fence({ isFenced, mark }: Args<'FenceBucket'>): void {
    if (isFenced) this.fences.add(mark);
    else if (Math.max(...this.fences) <= mark) this.fences.clear();
  }

  #checkOpen(): void {
    if (this.fences.size > 0) throw new Refusal('BUCKET_FENCED');
  }

  #checkCondition(key: string, precondition: Args<'CommitVersion'>['precondition']): void {
    if (precondition === null) return;
    const head = this.versions.get(key)?.[0]?.head;
    const etag = head === undefined || head.isDeleteMarker ? null : head.etag;
    const matches = (etags: readonly string[]): boolean =>
      etag !== null && (etags.includes('*') || etags.includes(etag));
    if (precondition.ifMatch !== null && !matches(precondition.ifMatch)) {
      throw new Refusal(etag === null ? 'KEY_NOT_FOUND' : 'PRECONDITION_FAILED');
    }
    if (precondition.ifNoneMatch !== null && matches(precondition.ifNoneMatch)) {
      throw new Refusal('PRECONDITION_FAILED');
    }
  }

  #useBlobs({ blobs, missing }: CommittedData): void {
    for (const { blobId, isReduced } of blobs) if (isReduced) this.restripes.add(blobId);
    for (const { blobId, shardIndexes } of missing) this.#addRepair(blobId, shardIndexes);
  }

  #addRepair(blobId: string, shardIndexes: readonly number[]): void {
    if (shardIndexes.length === 0) return;
    const shards = this.repairs.get(blobId) ?? new Set();
    for (const shard of shardIndexes) shards.add(shard);
    this.repairs.set(blobId, shards);
  }

  #release(blobs: readonly BlobRef[]): void {
    for (const { blobId } of blobs) {
      this.garbage.push(blobId);
      this.repairs.delete(blobId);
      this.restripes.delete(blobId);
    }
  }

  #abandon(blobs: readonly BlobRef[]): void {
    this.#release(blobs.filter(({ blobId }) => !this.references().has(blobId)));
  }
}

/** Every version under the prefix in the order of V-14, or the common prefix it is under. */
export function listVersionsOf(
  all: ReadonlyMap<string, readonly ModelVersion[]>,
  prefix: string,
  delimiter: string,
): ModelListItem[] {
  const items = new Map<string, ModelListItem>();
  const keys = [...all.keys()]
    .filter((key) => key.startsWith(prefix))
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  for (const key of keys) {
    const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    if (end >= 0) {
      const common = key.slice(0, end + delimiter.length);
      items.set(`prefix ${common}`, { key: common, version: null });
      continue;
    }
    for (const [position, { head }] of (all.get(key) ?? []).entries()) {
      const { versionId, isDeleteMarker } = head;
      const { sizeBytes, etag, lastModifiedMs, storageClass, owner } = head;
      const entry = { key, sizeBytes, etag, lastModifiedMs, storageClass, owner };
      const version = { ...entry, checksumAlgorithm: null, checksumType: null };
      items.set(`${key} ${versionId}`, {
        key,
        version: { ...version, versionId, isLatest: position === 0, isDeleteMarker },
      });
    }
  }
  return [...items.values()];
}
