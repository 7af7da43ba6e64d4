import type { ClusterMap } from '@azimuth/placement';
import type { IndexQueries, ListEntry, ListObjectsResult, ListPosition } from '@azimuth/proto';

import type { CallOptions, MetadataClient } from './metadata-client';

type Args = IndexQueries['ListObjects']['args'];

type Item =
  | { readonly key: string; readonly entry: ListEntry }
  | { readonly key: string; readonly entry: null };

/**
 * A page of a bucket over all index groups, merged in key order. Each group is asked for a whole
 * page, so no key that belongs on the page can be missing: the merge stops at `limit` items or at the
 * end of a group that has more.
 */
export async function listObjects(
  client: MetadataClient,
  map: ClusterMap,
  args: Args,
  options?: CallOptions,
): Promise<ListObjectsResult> {
  const groups = Array.from({ length: map.settings.indexGroups }, (_, group) => `index-${group}`);
  const pages = await Promise.all(
    groups.map((group) => client.queryIndex(group, 'ListObjects', args, options)),
  );
  const [only] = pages;
  return pages.length === 1 && only !== undefined ? only : mergePages(pages, args.limit);
}

/** Merges pages of the same listing; a common prefix that several groups have counts once (K-2). */
export function mergePages(pages: readonly ListObjectsResult[], limit: number): ListObjectsResult {
  const lists = pages.map(itemsOf);
  const positions = lists.map(() => 0);
  const entries: ListEntry[] = [];
  const commonPrefixes: string[] = [];
  let next: ListPosition | null = null;
  for (;;) {
    const hasUnread = lists.some(
      (items, list) => pages[list]?.isTruncated === true && positions[list] === items.length,
    );
    if (hasUnread) return { entries, commonPrefixes, isTruncated: limit > 0, next };
    const item = takeSmallest(lists, positions);
    if (item === null) return { entries, commonPrefixes, isTruncated: false, next };
    if (entries.length + commonPrefixes.length === limit) {
      return { entries, commonPrefixes, isTruncated: limit > 0, next };
    }
    if (item.entry === null) commonPrefixes.push(item.key);
    else entries.push(item.entry);
    next = { key: item.key, isPrefix: item.entry === null };
  }
}

/** The next item over all lists, taken from every list that has it. */
function takeSmallest(lists: readonly (readonly Item[])[], positions: number[]): Item | null {
  let smallest: Item | null = null;
  for (const [list, items] of lists.entries()) {
    const item = items[positions[list] as number];
    if (item === undefined) continue;
    if (smallest === null || compareUtf8(item.key, smallest.key) < 0) smallest = item;
  }
  if (smallest === null) return null;
  for (const [list, items] of lists.entries()) {
    const position = positions[list] as number;
    if (items[position]?.key === smallest.key) positions[list] = position + 1;
  }
  return smallest;
}

/** Entries and prefixes of a page in one order, as the group met them. */
function itemsOf({ entries, commonPrefixes }: ListObjectsResult): Item[] {
  const items: Item[] = [];
  let prefix = 0;
  for (const entry of entries) {
    for (; prefix < commonPrefixes.length; prefix += 1) {
      const key = commonPrefixes[prefix] as string;
      if (compareUtf8(key, entry.key) > 0) break;
      items.push({ key, entry: null });
    }
    items.push({ key: entry.key, entry });
  }
  for (const key of commonPrefixes.slice(prefix)) items.push({ key, entry: null });
  return items;
}

/**
 * The order of the UTF-8 bytes of two strings (K-1). It is the order of code points, from which that
 * of UTF-16 code units differs in one thing: surrogates come after U+E000 to U+FFFF.
 */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index += 1) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    if (left !== right) return codePointRank(left) - codePointRank(right);
  }
  return a.length - b.length;
}

function codePointRank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000;
}
