import type { Random } from '@azimuth/common';
import { COMMAND_VERSION, newBlobId, slotOfKey } from '@azimuth/proto';
import type {
  BlobRef,
  Command,
  CommittedData,
  IndexCommandName,
  IndexCommands,
  VersioningState,
  WritePrecondition,
} from '@azimuth/proto';
import type { VirtualClock } from '@azimuth/testkit';

import { RootGroupModel } from './group-model';
import type { IndexGroupModel } from './group-model';
import { BUCKET_ID } from './question';
import type { Question } from './question';
import { RootWorkload } from './root-workload';
import type { SafetyChecker } from './safety-checker';

export interface WorkloadOptions {
  readonly keys: number;
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly checker: SafetyChecker;
}

type Args<Name extends IndexCommandName> = IndexCommands[Name]['args'];
type NamedArgs = readonly [name: string, args: unknown];

const VERSIONS_LIMIT_MAX = 6;

/**
 * What clients do next. Ids of versions and uploads are taken from the model, so that most commands
 * meet what they are about, and some meet what is gone.
 */
export class Workload {
  readonly #options: WorkloadOptions;
  readonly #root: RootWorkload;
  #commands = 0;
  #uploads = 0;

  constructor(options: WorkloadOptions) {
    this.#options = options;
    this.#root = new RootWorkload(options.random);
  }

  command(client: string, group: string): Command {
    this.#commands += 1;
    const { model } = this.#options.checker.history(group);
    const [name, args] =
      model instanceof RootGroupModel ? this.#root.next(model) : this.#indexCommand(client, model);
    return {
      version: COMMAND_VERSION,
      name,
      commandId: this.#commands.toString(16).padStart(32, '0'),
      issuedMs: Math.floor(this.#options.clock.wallMs()),
      args,
    };
  }

  question(group: string): Question {
    const { random } = this.#options;
    const { model } = this.#options.checker.history(group);
    if (model instanceof RootGroupModel) return this.#root.question();
    const key = this.#anyKey();
    const dice = random.below(10);
    if (dice === 0) {
      const limit = 1 + random.below(VERSIONS_LIMIT_MAX);
      return { kind: 'versions', prefix: random.below(2) === 0 ? '' : key, limit };
    }
    if (dice === 1) return { kind: 'parts', ...this.#anyUpload(model) };
    const versionId = dice < 5 ? this.#anyVersionId(model, key) : null;
    return { kind: 'version', key, versionId };
  }

  #indexCommand(client: string, model: IndexGroupModel): NamedArgs {
    const dice = this.#options.random.below(20);
    if (dice < 8) return ['CommitVersion', this.#commitVersion(client)];
    if (dice < 11) return ['DeleteVersion', this.#deleteVersion(model)];
    if (dice < 13) return ['UpdateVersion', this.#updateVersion(model)];
    if (dice < 15) return ['CreateUpload', this.#createUpload()];
    if (dice < 17) return ['CommitPart', this.#commitPart(client, model)];
    if (dice < 19) return ['CompleteUpload', this.#completeUpload(model)];
    return ['AbortUpload', { bucketId: BUCKET_ID, ...this.#anyUpload(model) }];
  }

  #commitVersion(client: string): Args<'CommitVersion'> {
    const key = this.#anyKey();
    const data = this.#data(client, key);
    return {
      ...{ bucketId: BUCKET_ID, key, versioning: this.#versioningOf(key), data },
      ...{ draft: this.#draft(key, sizeOf(data)), precondition: this.#precondition() },
    };
  }

  #deleteVersion(model: IndexGroupModel): Args<'DeleteVersion'> {
    const { random } = this.#options;
    const key = this.#anyKey();
    const versionId = random.below(2) === 0 ? null : this.#anyVersionId(model, key);
    return {
      ...{ bucketId: BUCKET_ID, key, versioning: this.#versioningOf(key), versionId },
      ...{ owner: 'me', precondition: this.#precondition() },
    };
  }

  #updateVersion(model: IndexGroupModel): Args<'UpdateVersion'> {
    const { random } = this.#options;
    const key = this.#anyKey();
    const versionId = random.below(2) === 0 ? null : this.#anyVersionId(model, key);
    const tags = { n: String(random.below(4)) };
    const acl = random.below(2) === 0 ? null : `{"n":${String(random.below(4))}}`;
    const changes = [{ tags }, { acl }, { tags, acl }][random.below(3)];
    return { bucketId: BUCKET_ID, key, versionId, ...changes };
  }

  #createUpload(): Args<'CreateUpload'> {
    this.#uploads += 1;
    const at = { bucketId: BUCKET_ID, key: this.#anyKey(), uploadId: `u${String(this.#uploads)}` };
    const { headers, userMetadata, storageClass, owner, tags, acl } = this.#draft(at.key, 0);
    const checksums = { checksumAlgorithm: null, checksumType: null };
    return {
      upload: { ...at, owner, storageClass, headers, userMetadata, ...checksums, tags, acl },
    };
  }

  #commitPart(client: string, model: IndexGroupModel): Args<'CommitPart'> {
    const { random } = this.#options;
    const at = this.#anyUpload(model);
    const partNumber = 1 + random.below(3);
    // Only the last part of what becomes an object may be inline.
    const data = partNumber < 3 ? this.#blob(at.key) : this.#data(client, at.key);
    const part = {
      ...{ partNumber, etag: String(random.below(3)) },
      ...{ sizeBytes: sizeOf(data), checksum: null },
    };
    return { bucketId: BUCKET_ID, ...at, part, data };
  }

  #completeUpload(model: IndexGroupModel): Args<'CompleteUpload'> {
    const at = this.#anyUpload(model);
    const stored = model.latest.uploads.get(at.uploadId) ?? [];
    const none = [{ partNumber: 1, etag: 'none', sizeBytes: 0 }];
    const parts = stored.length > 0 ? stored : none;
    return {
      ...{ bucketId: BUCKET_ID, ...at, versioning: this.#versioningOf(at.key) },
      draft: this.#draft(
        at.key,
        parts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      ),
      parts: parts.map(({ partNumber, etag }) => ({ partNumber, etag })),
      precondition: this.#precondition(),
    };
  }

  #draft(key: string, sizeBytes: number): Args<'CommitVersion'>['draft'] {
    const { random } = this.#options;
    const tags: Record<string, string> = random.below(4) === 0 ? { first: '1', a: '' } : {};
    return {
      ...{ key, sizeBytes, etag: String(random.below(3)), owner: 'me' },
      ...{ storageClass: 'STANDARD', headers: {}, userMetadata: {}, checksum: null },
      ...{ tags, acl: null },
    };
  }

  #data(client: string, key: string): CommittedData {
    const { random } = this.#options;
    if (random.below(5) === 0) return this.#blob(key);
    const text = `${client}-${String(this.#commands)}${'x'.repeat(random.below(200))}`;
    return { inline: Buffer.from(text), blobs: [], missing: [] };
  }

  #blob(key: string): CommittedData {
    const { random, clock } = this.#options;
    const blob: BlobRef = {
      blobId: newBlobId(slotOfKey(BUCKET_ID, key), Math.floor(clock.wallMs()), random),
      ...{ pgId: 1, sizeBytes: 1 + random.below(9), profile: { k: 4, m: 2 } },
      ...{ blockBytes: 4096, isReduced: random.below(4) === 0 },
    };
    return { inline: null, blobs: [blob], missing: [] };
  }

  /** Keys by turns: one keeps all its versions, one none, one is suspended now and then. */
  #versioningOf(key: string): VersioningState {
    const states = ['enabled', 'unversioned', 'suspended'] as const;
    const state = states[Number(key.slice(1)) % states.length] as VersioningState;
    const isEnabled = state === 'suspended' && this.#options.random.below(2) === 0;
    return isEnabled ? 'enabled' : state;
  }

  #precondition(): WritePrecondition | null {
    const { random } = this.#options;
    if (random.below(4) > 0) return null;
    const etag = String(random.below(3));
    return { ifMatch: [etag], ifNoneMatch: null };
  }

  #anyKey(): string {
    const { random, keys } = this.#options;
    return `k${String(random.below(keys))}`;
  }

  /** Of a version that is there when it is asked for, or `null`. */
  #anyVersionId(model: IndexGroupModel, key: string): string {
    const versions = model.latest.versions.get(key) ?? [];
    const chosen = this.#options.random.below(versions.length + 1);
    return versions[chosen]?.head.versionId ?? 'null';
  }

  /** One that goes on, or else one that is over or never was. */
  #anyUpload(model: IndexGroupModel): { readonly key: string; readonly uploadId: string } {
    const { random } = this.#options;
    const open = [...model.latest.uploads.keys()];
    const ids = open.length > 0 && random.below(5) > 0 ? open : [...model.keysOfUploads.keys()];
    const uploadId = ids[random.below(Math.max(1, ids.length))] ?? 'u0';
    return { key: model.keysOfUploads.get(uploadId) ?? this.#anyKey(), uploadId };
  }
}

function sizeOf({ inline, blobs }: CommittedData): number {
  return (inline?.length ?? 0) + blobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
