import type { BucketRecord, Command, IdentityEntry } from '@azimuth/proto';

import {
  IndexModel,
  listVersionsOf,
} from '../../../packages/metadata-raft/test/state-machine/index-model';
import type {
  ModelCommand,
  ModelVersion,
} from '../../../packages/metadata-raft/test/state-machine/index-model';
import { RootModel } from '../../../packages/metadata-raft/test/state-machine/root-model';

import type { IndexQuestion, Question, RootQuestion } from './question';
import { Timeline, Timelines } from './timeline';

/** What the commands of a group mean, and what it answers at each index. */
interface GroupModel {
  /** The result, or `{ code }` of the refusal. */
  execute(command: Command, index: number, nowMs: number): unknown;
  /** What `answerTo` gives where everything up to `index` is applied. */
  expect(question: Question, index: number): unknown;
}

type PartSummary = {
  readonly partNumber: number;
  readonly etag: string;
  readonly sizeBytes: number;
};

export class IndexGroupModel implements GroupModel {
  readonly latest = new IndexModel();
  /** Keys of the uploads that were ever made, by id. */
  readonly keysOfUploads = new Map<string, string>();
  readonly #versions = new Timelines<readonly ModelVersion[]>([]);
  readonly #parts = new Timelines<readonly PartSummary[] | null>(null);

  execute(command: Command, index: number, nowMs: number): unknown {
    const result = this.latest.apply(command as ModelCommand, index, nowMs);
    const args = command.args as { key?: string; uploadId?: string; upload?: UploadAddress };
    const { key, uploadId } = args.upload ?? args;
    if (args.upload !== undefined) this.keysOfUploads.set(args.upload.uploadId, args.upload.key);
    if (key !== undefined) this.#versions.push(key, index, this.latest.versions.get(key) ?? []);
    if (uploadId !== undefined) this.#parts.push(uploadId, index, this.#summaryOf(uploadId));
    return result;
  }

  expect(question: Question, index: number): unknown {
    const asked = question as IndexQuestion;
    if (asked.kind === 'parts') return this.#parts.at(asked.uploadId, index);
    if (asked.kind === 'version') {
      const { key, versionId } = asked;
      const all = this.#versions.at(key, index);
      const version =
        versionId === null ? all[0] : all.find(({ head }) => head.versionId === versionId);
      const { head = null, inline = null, blobs = [] } = version ?? {};
      return { head, inline, blobs };
    }
    const { prefix, limit } = asked;
    const items = listVersionsOf(this.#versions.allAt(index), prefix, '');
    return {
      entries: items.slice(0, limit).map(({ version }) => version),
      isTruncated: items.length > limit,
    };
  }

  #summaryOf(uploadId: string): readonly PartSummary[] | null {
    const parts = this.latest.uploads.get(uploadId);
    return (
      parts?.map(({ partNumber, etag, sizeBytes }) => ({ partNumber, etag, sizeBytes })) ?? null
    );
  }
}

interface UploadAddress {
  readonly key: string;
  readonly uploadId: string;
}

export class RootGroupModel implements GroupModel {
  readonly latest = new RootModel();
  readonly #buckets = new Timelines<BucketRecord | null>(null);
  readonly #identities = new Timeline<unknown>({ revision: 0, identities: [] });

  execute(command: Command, index: number, nowMs: number): unknown {
    const result = this.latest.apply(command, index, nowMs);
    const { name } = command.args as { readonly name?: string };
    if (name !== undefined) this.#buckets.push(name, index, this.latest.buckets.get(name) ?? null);
    if (command.name === 'CommitIdentities') {
      const revision = this.latest.identityRevision;
      this.#identities.push(index, { revision, identities: this.#sortedIdentities() });
    }
    return result;
  }

  expect(question: Question, index: number): unknown {
    const asked = question as RootQuestion;
    if (asked.kind === 'bucket') return this.#buckets.at(asked.name, index);
    return this.#identities.at(index);
  }

  #sortedIdentities(): IdentityEntry[] {
    const byName = [...this.latest.identities].sort(([a], [b]) => (a < b ? -1 : 1));
    return byName.map(([, entry]) => entry);
  }
}
