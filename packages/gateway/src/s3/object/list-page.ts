import { mapLimited } from '@azimuth/common';
import { INDEX_SLOT_COUNT } from '@azimuth/placement';
import { decodeListRows } from '@azimuth/proto';
import type {
  BucketRecord,
  IndexQueries,
  ListEntry,
  ListPosition,
  ListVersionEntry,
  VersionPosition,
} from '@azimuth/proto';

import type { S3Request } from '../../http/request';
import { indexGroups } from '../bucket-access';
import { compareKeys } from '../listing';
import type { OperationContext } from '../operation';

const GROUPS_IN_FLIGHT_MAX = 8;
/** Standard deviations above its share that a group is asked for: one in a thousand has more. */
const SHARE_DEVIATIONS = 3;

export interface ListedPage<Entry, Position> {
  readonly entries: readonly Entry[];
  readonly commonPrefixes: readonly string[];
  /** The last entry or prefix of the page when more follow; null when this is the last page. */
  readonly next: Position | null;
}

export type ObjectPage = ListedPage<ListEntry, ListPosition>;
export type VersionPage = ListedPage<ListVersionEntry, VersionPosition>;

/** What one index group answers. */
interface GroupPage<Entry> {
  readonly entries: readonly Entry[];
  readonly commonPrefixes: readonly string[];
  readonly isTruncated: boolean;
  readonly next: ListPosition | null;
}

type ListArgs = IndexQueries['ListObjects']['args'];
type ListVersionsArgs = IndexQueries['ListVersions']['args'];

/**
 * One page of a bucket, merged in key order from all index groups, each of which holds the keys of
 * its slots. Linearizable, because each group's answer is (K-8).
 */
export async function listPage(
  bucket: BucketRecord,
  query: Omit<ListArgs, 'bucketId'>,
  { signal }: S3Request,
  context: OperationContext,
): Promise<ObjectPage> {
  // A page of nothing is complete, whatever the bucket holds (K-2).
  if (query.limit === 0) return { entries: [], commonPrefixes: [], next: null };
  const { prefix, delimiter, after, limit } = query;
  const common = { bucketId: bucket.bucketId, prefix, delimiter, withRows: true };
  const pages = await readEnough(indexGroups(context), { after, limit }, async (group, part) => {
    const args: ListArgs = { ...common, ...part };
    const page = await context.metadata.queryIndex(group, 'ListObjects', args, { signal });
    return page.rows === undefined ? page : { ...page, entries: decodeListRows(page.rows) };
  });
  return mergePages(pages, limit, (key, entry) => ({ key, isPrefix: entry === null }));
}

/**
 * The same for all versions and delete markers (V-14): those of one key are in one group. Each is
 * asked once, for a whole page: keys are even over the groups, versions need not be, and those of
 * one key are better told of as they were at one moment.
 */
export async function listVersionPage(
  bucket: BucketRecord,
  query: Omit<ListVersionsArgs, 'bucketId'>,
  { signal }: S3Request,
  context: OperationContext,
): Promise<VersionPage> {
  if (query.limit === 0) return { entries: [], commonPrefixes: [], next: null };
  const args: ListVersionsArgs = { bucketId: bucket.bucketId, ...query };
  const pages = await mapLimited(indexGroups(context), GROUPS_IN_FLIGHT_MAX, (group) =>
    context.metadata.queryIndex(group, 'ListVersions', args, { signal }),
  );
  return mergePages(pages, query.limit, (key, entry) => ({
    key,
    versionId: entry?.versionId ?? null,
    isPrefix: entry === null,
  }));
}

interface Part {
  readonly after: ListPosition | null;
  readonly limit: number;
}

/**
 * What the groups have behind `after`, as far as a page of `limit` needs it. The hash of the keys
 * makes them even over the groups, so each is asked for its share and a little more. Where that
 * ends before the page is full (common prefixes come from every group, and chance) each that may
 * have some of the rest is asked once more, for as many as can be missing. Then the page is full:
 * behind the first end of a group there are at least that many items of whichever ends first.
 *
 * No group is asked more than twice, or for more than `limit`.
 */
export async function readEnough<Entry extends { readonly key: string }>(
  groups: readonly string[],
  { after, limit }: Part,
  read: (group: string, part: Part) => Promise<GroupPage<Entry>>,
): Promise<readonly GroupPage<Entry>[]> {
  const share = shareOfGroup(limit, groups.length);
  const first = await mapLimited(groups, GROUPS_IN_FLIGHT_MAX, async (group) => ({
    group,
    page: await read(group, { after, limit: share }),
  }));
  const pages = first.map(({ page }) => page);
  const horizon = horizonOf(pages);
  if (share === limit || horizon === null) return pages;
  const missing = limit - countUpTo(horizon, pages);
  if (missing <= 0) return pages;
  return mapLimited(first, GROUPS_IN_FLIGHT_MAX, async ({ group, page }) => {
    const behind = itemsOf(page).filter(({ key }) => compareKeys(key, horizon) > 0).length;
    if (!page.isTruncated || behind >= missing) return page;
    const more = await read(group, { after: page.next, limit: missing - behind });
    return {
      ...more,
      entries: [...page.entries, ...more.entries],
      commonPrefixes: [...page.commonPrefixes, ...more.commonPrefixes],
    };
  });
}

/** How many of `limit` keys are in one group, but for rare cases: binomial by its slots. */
export function shareOfGroup(limit: number, groupsCount: number): number {
  const mean = (limit * Math.ceil(INDEX_SLOT_COUNT / groupsCount)) / INDEX_SLOT_COUNT;
  return Math.min(limit, Math.ceil(mean + SHARE_DEVIATIONS * Math.sqrt(mean)));
}

interface Item<Entry> {
  readonly key: string;
  /** Null for a common prefix. */
  readonly entry: Entry | null;
}

/**
 * Merges pages of the groups. A prefix may come from several groups and counts once. What lies
 * behind the last item of a truncated page is unknown, so nothing behind it can be on the merged
 * page.
 */
export function mergePages<Entry extends { readonly key: string }, Position>(
  pages: readonly GroupPage<Entry>[],
  limit: number,
  positionOf: (key: string, entry: Entry | null) => Position,
): ListedPage<Entry, Position> {
  // The sort is stable: entries of one key stay in the order of their group.
  const items = pages
    .flatMap((page): Item<Entry>[] => itemsOf(page))
    .sort((a, b) => compareKeys(a.key, b.key));
  const horizon = horizonOf(pages);
  const entries: Entry[] = [];
  const commonPrefixes: string[] = [];
  let next: Position | null = null;

  for (const { key, entry } of items) {
    if (entry === null && commonPrefixes.at(-1) === key) continue;
    const isFull = entries.length + commonPrefixes.length === limit;
    if (isFull || (horizon !== null && compareKeys(key, horizon) > 0)) {
      return { entries, commonPrefixes, next };
    }
    if (entry === null) commonPrefixes.push(key);
    else entries.push(entry);
    next = positionOf(key, entry);
  }
  return { entries, commonPrefixes, next: horizon === null ? null : next };
}

function itemsOf<Entry extends { readonly key: string }>(page: GroupPage<Entry>): Item<Entry>[] {
  return [
    ...page.entries.map((entry) => ({ key: entry.key, entry })),
    ...page.commonPrefixes.map((key) => ({ key, entry: null })),
  ];
}

/** How many items all pages together have up to `horizon`, a prefix of several groups once. */
function countUpTo(horizon: string, pages: readonly GroupPage<{ readonly key: string }>[]): number {
  const isKnown = (key: string): boolean => compareKeys(key, horizon) <= 0;
  const prefixes = new Set(pages.flatMap((page) => page.commonPrefixes.filter(isKnown)));
  return pages.reduce(
    (count, { entries }) => count + entries.filter(({ key }) => isKnown(key)).length,
    prefixes.size,
  );
}

/** The smallest last key of the truncated pages; null when all pages are complete. */
function horizonOf(pages: readonly GroupPage<unknown>[]): string | null {
  let horizon: string | null = null;
  for (const page of pages) {
    if (!page.isTruncated || page.next === null) continue;
    if (horizon === null || compareKeys(page.next.key, horizon) < 0) horizon = page.next.key;
  }
  return horizon;
}
