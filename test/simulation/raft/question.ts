import type { IndexCommandSet } from '../../../packages/metadata-raft/src/state-machine/index-commands';
import { queryIndex } from '../../../packages/metadata-raft/src/state-machine/index-queries';
import type { RootCommandSet } from '../../../packages/metadata-raft/src/state-machine/root-commands';
import { queryRoot } from '../../../packages/metadata-raft/src/state-machine/root-queries';

export const BUCKET_ID = '00112233445566778899aabbccddeeff';

/** What clients ask the index groups. */
export type IndexQuestion =
  /** `versionId` null asks for the current version. */
  | { readonly kind: 'version'; readonly key: string; readonly versionId: string | null }
  | { readonly kind: 'versions'; readonly prefix: string; readonly limit: number }
  | { readonly kind: 'parts'; readonly key: string; readonly uploadId: string };

/** What clients ask the root group. */
export type RootQuestion =
  { readonly kind: 'bucket'; readonly name: string } | { readonly kind: 'identities' };

export type Question = IndexQuestion | RootQuestion;

/** Lists read what is written; everything else sees also what is being written. */
export function isRangeQuestion({ kind }: Question): boolean {
  return kind === 'versions' || kind === 'parts';
}

/** The answer of a replica, through the queries of the service, in a form that can be compared. */
export async function answerTo(
  question: Question,
  commands: IndexCommandSet | RootCommandSet,
): Promise<unknown> {
  if (question.kind === 'bucket' || question.kind === 'identities') {
    return answerOfRoot(question, commands as RootCommandSet);
  }
  const { state } = commands as IndexCommandSet;
  if (question.kind === 'version') {
    const { key, versionId } = question;
    const args = { bucketId: BUCKET_ID, key, versionId, withBody: true };
    const found = await queryIndex(state, 'GetVersion', args);
    const inline = found?.body?.inline ?? null;
    return {
      head: found?.head ?? null,
      inline: inline === null ? null : Buffer.from(inline).toString(),
      blobs: found?.body?.blobs ?? [],
    };
  }
  if (question.kind === 'versions') {
    const { prefix, limit } = question;
    const list = { bucketId: BUCKET_ID, prefix, delimiter: '', after: null, limit };
    const { entries, isTruncated } = await queryIndex(state, 'ListVersions', list);
    return { entries, isTruncated };
  }
  const { key, uploadId } = question;
  const list = { bucketId: BUCKET_ID, key, uploadId, afterPartNumber: 0, limit: 100 };
  const found = await queryIndex(state, 'ListParts', list);
  if (found === null) return null;
  return found.parts.map(({ partNumber, etag, sizeBytes }) => ({ partNumber, etag, sizeBytes }));
}

function answerOfRoot(question: RootQuestion, { state }: RootCommandSet): unknown {
  if (question.kind === 'bucket') return queryRoot(state, 'GetBucket', { name: question.name });
  const names = [...state.all('identity')].map(({ kind, name }) => `${kind}/${name}`).sort();
  return {
    revision: state.counters.identityRevision,
    identities: names.map((name) => state.get('identity', name)),
  };
}
