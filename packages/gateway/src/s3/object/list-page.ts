import { mapLimited } from '@azimuth/common';
import type { BucketRecord, IndexQueries, ListEntry, ListPosition } from '@azimuth/proto';

import type { S3Request } from '../../http/request';
import { indexGroups } from '../bucket-access';
import { compareKeys } from '../listing';
import type { OperationContext } from '../operation';

const GROUPS_IN_FLIGHT_MAX = 8;

export interface ObjectPage {
  readonly entries: readonly ListEntry[];
  readonly commonPrefixes: readonly string[];
  /** Where the next page starts; null when this is the last. */
  readonly next: ListPosition | null;
}

type ListArgs = IndexQueries['ListObjects']['args'];
type GroupPage = IndexQueries['ListObjects']['result'];

/**
 * One page of a bucket, merged in key order from all index groups, each of which holds the keys of
 * its slots. Linearizable, because each group's answer is (K-8).
 */
export async function listPage(
  bucket: BucketRecord,
  query: Omit<ListArgs, 'bucketId'>,
  request: S3Request,
  context: OperationContext,
): Promise<ObjectPage> {
  const { prefix, delimiter, after, limit } = query;
  // A page of nothing is complete, whatever the bucket holds (K-2).
  if (limit === 0) return { entries: [], commonPrefixes: [], next: null };
  const args: ListArgs = { bucketId: bucket.bucketId, prefix, delimiter, after, limit };
  const pages = await mapLimited(indexGroups(context), GROUPS_IN_FLIGHT_MAX, (group) =>
    context.metadata.queryIndex(group, 'ListObjects', args, { signal: request.signal }),
  );
  return mergePages(pages, limit);
}

type Item =
  | { readonly key: string; readonly entry: ListEntry }
  | { readonly key: string; readonly entry: null };

/**
 * Merges pages of the groups. A prefix may come from several groups and counts once. What lies
 * behind the last item of a truncated page is unknown, so nothing behind it can be on the merged
 * page.
 */
export function mergePages(pages: readonly GroupPage[], limit: number): ObjectPage {
  const items = pages.flatMap(itemsOf).sort((a, b) => compareKeys(a.key, b.key));
  const horizon = horizonOf(pages);
  const entries: ListEntry[] = [];
  const commonPrefixes: string[] = [];
  let next: ListPosition | null = null;

  for (const { key, entry } of items) {
    if (entry === null && commonPrefixes.at(-1) === key) continue;
    const isFull = entries.length + commonPrefixes.length === limit;
    if (isFull || (horizon !== null && compareKeys(key, horizon) > 0)) {
      return { entries, commonPrefixes, next };
    }
    if (entry === null) commonPrefixes.push(key);
    else entries.push(entry);
    next = { key, isPrefix: entry === null };
  }
  return { entries, commonPrefixes, next: horizon === null ? null : next };
}

function itemsOf(page: GroupPage): Item[] {
  return [
    ...page.entries.map((entry) => ({ key: entry.key, entry })),
    ...page.commonPrefixes.map((key) => ({ key, entry: null })),
  ];
}

/** The smallest last key of the truncated pages; null when all pages are complete. */
function horizonOf(pages: readonly GroupPage[]): string | null {
  let horizon: string | null = null;
  for (const page of pages) {
    if (!page.isTruncated || page.next === null) continue;
    if (horizon === null || compareKeys(page.next.key, horizon) < 0) horizon = page.next.key;
  }
  return horizon;
}
