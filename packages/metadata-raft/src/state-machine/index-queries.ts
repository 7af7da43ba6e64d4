import { StoreError } from '@azimuth/common';
import type { IndexQueries, IndexQueryName, UploadRecord } from '@azimuth/proto';

import type { IndexState } from './index-state';
import { addressOf } from './index-state';
import { listObjects } from './list-objects';
import { listVersions } from './list-versions';
import { idOfEntryKey, outboxRange } from './outbox';
import { decodeOutboxRecord, decodePartSummary } from './record-codec';
import type { PartSummary } from './record-codec';
import {
  encodeAddressPrefix,
  keyBytesOf,
  partSuffix,
  pastPrefix,
  recordKey,
  uploadOrderSuffix,
} from './record-keys';
import type { KeyAddress } from './version-store';

type Args<Name extends IndexQueryName> = IndexQueries[Name]['args'];
type Result<Name extends IndexQueryName> = IndexQueries[Name]['result'];

type Handlers = {
  readonly [Name in IndexQueryName]: (
    state: IndexState,
    args: Args<Name>,
  ) => Result<Name> | Promise<Result<Name>>;
};

export const QUERY_LIMIT_MAX = 1_000;

const HANDLERS: Handlers = {
  GetVersion: getVersion,
  ListObjects: (state, args) => listObjects(state.records, args),
  ListVersions: (state, args) => listVersions(state.records, args),
  GetUpload: (state, args) => state.uploads.find(addressOf(args), args.uploadId),
  ListParts: listParts,
  ListUploads: listUploads,
  ResolveBlobs: (state, { blobIds }) => blobIds.map((blobId) => state.blobs.find(blobId)),
  ListOutbox: listOutbox,
  CountOutbox: ({ counters }) => ({
    repairEntries: counters.repairEntries,
    missingShards: counters.missingShards,
    garbageEntries: counters.garbageEntries,
    restripeEntries: counters.restripeEntries,
  }),
};

/**
 * Answers a query from what is applied. Exact reads answer synchronously, which is what keeps HEAD
 * cheap; lists read a range.
 *
 * @throws StoreError INVALID_ARGUMENT, STATE_CORRUPT
 */
export function queryIndex<Name extends IndexQueryName>(
  state: IndexState,
  name: Name,
  args: Args<Name>,
): Result<Name> | Promise<Result<Name>> {
  if (!Object.hasOwn(HANDLERS, name)) throw new StoreError('INVALID_ARGUMENT', { query: name });
  return HANDLERS[name](state, args);
}

function getVersion(state: IndexState, args: Args<'GetVersion'>): Result<'GetVersion'> {
  const at = addressOf(args);
  const version =
    args.versionId === null ? state.versions.current(at) : state.versions.find(at, args.versionId);
  if (version === null) return null;
  const { head } = version;
  const hasBody = args.withBody && !head.isDeleteMarker;
  return { head, body: hasBody ? state.versions.body(at, head.sequence) : null };
}

async function listParts(state: IndexState, args: Args<'ListParts'>): Promise<Result<'ListParts'>> {
  const at = addressOf(args);
  const { uploadId, limit } = args;
  const upload = state.uploads.find(at, uploadId);
  if (upload === null) return null;
  const first = recordKey('p', at.address, partSuffix(uploadId, args.afterPartNumber));
  const range = state.records.range({
    from: pastPrefix(first),
    to: pastPrefix(recordKey('p', at.address, partSuffix(uploadId, 0xffff))),
  });
  try {
    const parts: PartSummary[] = [];
    const wanted = boundedLimit(limit) + 1;
    while (parts.length < wanted) {
      const pairs = await range.next(wanted - parts.length);
      if (pairs.length === 0) break;
      for (const [, content] of pairs) parts.push(decodePartSummary(content));
    }
    const isTruncated = limit > 0 && parts.length > limit;
    return { upload, parts: parts.slice(0, limit), isTruncated };
  } finally {
    await range.close();
  }
}

async function listUploads(
  state: IndexState,
  args: Args<'ListUploads'>,
): Promise<Result<'ListUploads'>> {
  const { bucketId, limit } = args;
  const first = recordKey('w', encodeAddressPrefix(bucketId, Buffer.from(args.prefix)));
  const to = pastPrefix(first);
  let from = args.after === null ? first : uploadsAfter(state, bucketId, args.after);
  if (Buffer.compare(from, first) < 0) from = first;
  if (Buffer.compare(from, to) > 0) from = to;
  const range = state.records.range({ from, to });
  try {
    const uploads: UploadRecord[] = [];
    const wanted = boundedLimit(limit) + 1;
    while (uploads.length < wanted) {
      const pairs = await range.next(wanted - uploads.length);
      if (pairs.length === 0) break;
      for (const [key] of pairs) {
        const upload = uploadOfOrderKey(state, bucketId, key);
        if (upload !== null) uploads.push(upload);
      }
    }
    const isTruncated = limit > 0 && uploads.length > limit;
    return { uploads: uploads.slice(0, limit), isTruncated };
  } finally {
    await range.close();
  }
}

/** Where the page after the pair starts; an upload that ended meanwhile keeps its place for a day. */
function uploadsAfter(
  state: IndexState,
  bucketId: string,
  after: { readonly key: string; readonly uploadId: string | null },
): Buffer {
  const at = addressOf({ bucketId, key: after.key });
  const pastKey = pastPrefix(recordKey('w', at.address));
  if (after.uploadId === null) return pastKey;
  const upload =
    state.uploads.find(at, after.uploadId) ?? state.uploads.tombstone(at, after.uploadId);
  if (upload === null) return pastKey;
  const suffix = uploadOrderSuffix(upload.initiatedMs, after.uploadId);
  return pastPrefix(recordKey('w', at.address, suffix));
}

function uploadOfOrderKey(state: IndexState, bucketId: string, key: Buffer): UploadRecord | null {
  const at: KeyAddress = addressOf({ bucketId, key: keyBytesOf(key).toString('utf8') });
  const uploadId = key.toString('latin1', 1 + at.address.length + 6);
  return state.uploads.find(at, uploadId);
}

async function listOutbox(
  state: IndexState,
  args: Args<'ListOutbox'>,
): Promise<Result<'ListOutbox'>> {
  const limit = boundedLimit(args.limit);
  const range = state.records.range(outboxRange(args.kind, args.afterId));
  try {
    const pairs: (readonly [Buffer, Buffer])[] = [];
    while (pairs.length <= limit) {
      const more = await range.next(limit + 1 - pairs.length);
      if (more.length === 0) break;
      pairs.push(...more);
    }
    const entries = pairs.slice(0, limit).map(([key, content]) => ({
      id: idOfEntryKey(key),
      kind: args.kind,
      ...decodeOutboxRecord(content),
    }));
    return { entries, isTruncated: pairs.length > limit };
  } finally {
    await range.close();
  }
}

/** @throws StoreError INVALID_ARGUMENT */
function boundedLimit(limit: number): number {
  if (limit < 0 || limit > QUERY_LIMIT_MAX) throw new StoreError('INVALID_ARGUMENT', { limit });
  return limit;
}
