import type { Command, CommittedData, SessionResponse } from '@azimuth/proto';
import fc from 'fast-check';

import { checkCommand } from '../../src/state-machine/command-schema';
import {
  blobData,
  blobOf,
  BUCKET_ID,
  commandOf,
  draftOf,
  IndexDriver,
  inlineData,
} from './index-fixture';
import { IndexModel } from './index-model';
import type { ModelCommand } from './index-model';

export const KEYS = [
  'a',
  'a/',
  'a/b',
  'a/b/c',
  'a\0',
  'a\0b',
  'b',
  'é/x',
  '\uffee/',
  '\u{10000}/y',
];
const UPLOADS = ['u1', 'u2', 'u3'];

export const key = fc.constantFrom(...KEYS);
export const versioning = fc.constantFrom('unversioned', 'enabled', 'suspended');
export const etag = fc.constantFrom('e1', 'e2');
const condition = fc.option(
  fc.record({
    ifMatch: fc.option(fc.constantFrom(['*'], ['e1']), { nil: null }),
    ifNoneMatch: fc.option(fc.constantFrom(['*'], ['e2']), { nil: null }),
  }),
  { nil: null, freq: 4 },
);
export const body = fc.record({
  isInline: fc.boolean(),
  isReduced: fc.boolean(),
  missing: fc.constantFrom([], [1], [0, 5]),
});

interface BodyChoice {
  readonly isInline: boolean;
  readonly isReduced: boolean;
  readonly missing: readonly number[];
}

/** What a step says; ids that depend on earlier steps are filled in when it runs. */
export const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('put' as const),
      key,
      versioning,
      etag,
      condition,
      body,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('delete' as const),
      key,
      versioning,
      condition,
      /** null: the key; -1: `null`; else the n-th version there is. */
      version: fc.option(fc.integer({ min: -1, max: 3 }), { nil: null }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record(
      {
        kind: fc.constant('update' as const),
        key,
        version: fc.option(fc.integer({ min: -1, max: 3 }), { nil: null }),
        tags: fc.constantFrom({}, { team: 'green' }),
        acl: fc.constantFrom(null, '{"grants":[]}'),
      },
      { requiredKeys: ['kind', 'key', 'version'] },
    ),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('create' as const), upload: fc.nat(2) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('part' as const),
      upload: fc.nat(2),
      part: fc.integer({ min: 1, max: 4 }),
      etag,
      body,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('complete' as const),
      upload: fc.nat(2),
      versioning,
      condition,
      skip: fc.nat(4),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('abort' as const), upload: fc.nat(2) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('fence' as const),
      isFenced: fc.boolean(),
      mark: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('report' as const),
      blob: fc.nat(5),
      shards: fc.constantFrom([2], [1, 3]),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('replace' as const), blob: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('retry' as const), back: fc.nat(8) }) },
);
export type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

class Generator {
  readonly #model: IndexModel;
  #blobs = 0;

  constructor(model: IndexModel) {
    this.#model = model;
  }

  commandOf(one: Exclude<Step, { kind: 'retry' }>): ModelCommand {
    const bucketId = BUCKET_ID;
    switch (one.kind) {
      case 'put': {
        const data = this.#data(one.key, one.body);
        const draft = draftOf(one.key, sizeOf(data), one.etag);
        const args = { bucketId, key: one.key, versioning: one.versioning, draft, data };
        return { name: 'CommitVersion', args: { ...args, precondition: one.condition } };
      }
      case 'delete': {
        const versionId = this.#versionId(one);
        const precondition =
          one.condition === null ? null : { ifMatch: one.condition.ifMatch, ifNoneMatch: null };
        const args = { bucketId, key: one.key, versioning: one.versioning, versionId };
        return { name: 'DeleteVersion', args: { ...args, owner: 'me', precondition } };
      }
      case 'update': {
        return {
          name: 'UpdateVersion',
          args: {
            ...{ bucketId, key: one.key, versionId: this.#versionId(one) },
            ...(one.tags === undefined ? {} : { tags: one.tags }),
            ...(one.acl === undefined ? {} : { acl: one.acl }),
          },
        };
      }
      case 'create': {
        const upload = {
          ...{ bucketId, ...uploadAt(one.upload), owner: 'me', storageClass: 'STANDARD' },
          ...{ headers: {}, userMetadata: {}, checksumAlgorithm: null, checksumType: null },
          ...{ tags: { team: 'blue' }, acl: null },
        };
        return { name: 'CreateUpload', args: { upload } };
      }
      case 'part': {
        const at = uploadAt(one.upload);
        const data = this.#data(at.key, one.body);
        const { etag: partEtag, part: partNumber } = one;
        const part = { partNumber, etag: partEtag, sizeBytes: sizeOf(data), checksum: null };
        return { name: 'CommitPart', args: { bucketId, ...at, part, data } };
      }
      case 'complete': {
        const at = uploadAt(one.upload);
        const all = this.#model.uploads.get(at.uploadId) ?? [];
        const chosen = all.filter(({ partNumber }) => partNumber !== one.skip);
        const parts =
          chosen.length === 0
            ? [{ partNumber: 1, etag: 'none' }]
            : chosen.map(({ partNumber, etag: partEtag }) => ({ partNumber, etag: partEtag }));
        const sizeBytes = chosen.reduce((sum, part) => sum + part.sizeBytes, 0);
        const draft = draftOf(at.key, sizeBytes, 'multi-1');
        const args = { bucketId, ...at, versioning: one.versioning, draft, parts };
        return { name: 'CompleteUpload', args: { ...args, precondition: one.condition } };
      }
      case 'abort':
        return { name: 'AbortUpload', args: { bucketId, ...uploadAt(one.upload) } };
      case 'fence':
        return { name: 'FenceBucket', args: { bucketId, isFenced: one.isFenced, mark: one.mark } };
      case 'report': {
        const blobId = this.#someBlob(one.blob)?.blobId ?? 'f'.repeat(32);
        const missing = [{ blobId, shardIndexes: one.shards }];
        return { name: 'ReportMissingShards', args: { missing } };
      }
      case 'replace': {
        const old = this.#someBlob(one.blob);
        this.#blobs += 1;
        const slotKey = KEYS.find((each) =>
          old?.blobId.startsWith(blobOf(each, 0).blobId.slice(0, 2)),
        );
        const blob = blobOf(slotKey ?? 'a', this.#blobs);
        return {
          name: 'ReplaceBlob',
          args: { oldBlobId: old?.blobId ?? 'f'.repeat(32), blob, missing: [] },
        };
      }
    }
  }

  #versionId({ key: at, version }: { key: string; version: number | null }): string | null {
    if (version === null) return null;
    const found = (this.#model.versions.get(at) ?? [])[version];
    return found?.head.versionId ?? (version < 0 ? 'null' : 'unknown');
  }

  #data(at: string, { isInline, isReduced, missing }: BodyChoice): CommittedData {
    if (isInline) return inlineData('text');
    this.#blobs += 1;
    return blobData(blobOf(at, this.#blobs, { isReduced }), missing);
  }

  #someBlob(position: number) {
    return [...this.#model.references().values()][position];
  }
}

function uploadAt(upload: number): { key: string; uploadId: string } {
  return { key: KEYS[upload * 2]!, uploadId: UPLOADS[upload]! };
}

function sizeOf(data: CommittedData): number {
  return (data.inline?.length ?? 0) + data.blobs.reduce((sum, blob) => sum + blob.sizeBytes, 0);
}

function comparable(response: SessionResponse): unknown {
  return response.ok ? response.result : { code: response.code };
}

/** Runs the steps on machine and model, comparing every answer; returns the log. */
export async function runBoth(steps: readonly Step[]) {
  const driver = await IndexDriver.open();
  const model = new IndexModel();
  const generator = new Generator(model);
  const log: { command: Command; nowMs: number }[] = [];
  const answers = new Map<string, unknown>();
  for (const one of steps) {
    driver.nowMs += 7;
    const command =
      one.kind === 'retry'
        ? log.at(-1 - one.back)?.command
        : ((made) => commandOf(made.name, made.args, driver.nowMs))(generator.commandOf(one));
    if (command === undefined) continue;
    checkCommand('index', command);
    log.push({ command, nowMs: driver.nowMs });
    const index = driver.machine.lastApplied() + 1;
    if (!answers.has(command.commandId)) {
      answers.set(command.commandId, model.apply(command as never, index, driver.nowMs));
    }
    expect(comparable(await driver.send(command))).toEqual(answers.get(command.commandId));
  }
  return { driver, model, log };
}
