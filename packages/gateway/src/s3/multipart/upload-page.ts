import { mapLimited } from '@azimuth/common';
import type { BucketRecord, UploadRecord } from '@azimuth/proto';

import type { S3Request } from '../../http/request';
import { indexGroups, KEY_BYTES_MAX } from '../bucket-access';
import { commonPrefixOf, compareKeys } from '../listing';
import type { OperationContext } from '../operation';

const GROUPS_IN_FLIGHT_MAX = 8;
/** With a delimiter a query often ends at its first upload, so it asks for few. */
const ROLL_UP_PAGE_LENGTH = 50;

export interface UploadPosition {
  readonly key: string;
  /** Null: after every upload of the key. */
  readonly uploadId: string | null;
}

export interface UploadQuery {
  readonly prefix: string;
  readonly delimiter: string;
  readonly after: UploadPosition | null;
  readonly limit: number;
}

export interface UploadPage {
  readonly uploads: readonly UploadRecord[];
  readonly commonPrefixes: readonly string[];
  /** Last upload or prefix of the page when more follow; a prefix has no upload id. */
  readonly next: UploadPosition | null;
}

/**
 * One page of uploads by key, then time of initiation (M-9), with what falls under a delimiter
 * rolled up. The uploads behind a prefix are skipped by seeking, not by reading them.
 */
export async function uploadPage(
  bucket: BucketRecord,
  { prefix, delimiter, limit, ...start }: UploadQuery,
  request: S3Request,
  context: OperationContext,
): Promise<UploadPage> {
  const uploads: UploadRecord[] = [];
  const commonPrefixes: string[] = [];
  let last: UploadPosition | null = null;
  let after = skipRolledUp(start.after, prefix, delimiter);
  if (limit === 0) return { uploads, commonPrefixes, next: null };

  for (;;) {
    const pageLength = delimiter === '' ? limit : Math.min(limit, ROLL_UP_PAGE_LENGTH);
    const query = { bucketId: bucket.bucketId, prefix, after, limit: pageLength };
    const merged = await mergedUploads(query, request, context);
    let isSkipping = false;
    for (const upload of merged.uploads) {
      if (uploads.length + commonPrefixes.length === limit) {
        return { uploads, commonPrefixes, next: last };
      }
      const rolledUp = commonPrefixOf(upload.key, prefix, delimiter);
      if (rolledUp === null) {
        uploads.push(upload);
        last = { key: upload.key, uploadId: upload.uploadId };
        after = last;
      } else {
        commonPrefixes.push(rolledUp);
        last = { key: rolledUp, uploadId: null };
        after = { key: endOfPrefix(rolledUp), uploadId: null };
        isSkipping = true;
        break;
      }
    }
    if (!isSkipping && !merged.isTruncated) return { uploads, commonPrefixes, next: null };
  }
}

/** A marker inside a rolled-up prefix means that the prefix was returned (K-3). */
function skipRolledUp(
  after: UploadPosition | null,
  prefix: string,
  delimiter: string,
): UploadPosition | null {
  const rolledUp = after === null ? null : commonPrefixOf(after.key, prefix, delimiter);
  return rolledUp === null ? after : { key: endOfPrefix(rolledUp), uploadId: null };
}

/** A text not less than any key that begins with `prefix`: no code point is above U+10FFFF. */
function endOfPrefix(prefix: string): string {
  return prefix + '\u{10ffff}'.repeat(KEY_BYTES_MAX / 4);
}

async function mergedUploads(
  args: {
    readonly bucketId: string;
    readonly prefix: string;
    readonly after: UploadPosition | null;
    readonly limit: number;
  },
  { signal }: S3Request,
  context: OperationContext,
): Promise<{ readonly uploads: readonly UploadRecord[]; readonly isTruncated: boolean }> {
  const pages = await mapLimited(indexGroups(context), GROUPS_IN_FLIGHT_MAX, (group) =>
    context.metadata.queryIndex(group, 'ListUploads', args, { signal }),
  );
  // All uploads of one key are in one group, in order; the sort is stable, so they stay in order.
  const known = pages.flatMap((page) => page.uploads).sort((a, b) => compareKeys(a.key, b.key));
  // What lies behind the end of a truncated page is unknown, so nothing behind it may come before.
  const horizon = horizonOf(pages);
  const uploads = known
    .filter(({ key }) => horizon === null || compareKeys(key, horizon) <= 0)
    .slice(0, args.limit);
  return { uploads, isTruncated: horizon !== null || known.length > uploads.length };
}

/** The smallest last key of the truncated pages; null when all pages are complete. */
function horizonOf(
  pages: readonly { readonly uploads: readonly UploadRecord[]; readonly isTruncated: boolean }[],
): string | null {
  const ends = pages.flatMap((page) => (page.isTruncated ? page.uploads.slice(-1) : []));
  return ends.map(({ key }) => key).sort(compareKeys)[0] ?? null;
}
