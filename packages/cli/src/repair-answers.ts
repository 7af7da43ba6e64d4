import { mapLimited } from '@azimuth/common';
import type { BlobOwner, OutboxEntry, RootQueries } from '@azimuth/proto';

import type { ClusterAccess } from './cluster-access';
import type { RepairAnswers } from './durability-statement';

/** Of each index group; the rest is counted. */
const ENTRIES_MAX = 200;
const BUCKETS_PAGE_MAX = 1_000;
const BUCKETS_MAX = 10_000;
const PARALLEL_MAX = 8;

/**
 * The oldest repair work of each index group with the objects that it is for. Null when one of the
 * groups does not answer: what waits there is unknown, not nothing.
 */
export async function collectRepairs(
  { metadata }: Pick<ClusterAccess, 'metadata'>,
  indexGroups: readonly string[],
  timeoutMs: number,
): Promise<RepairAnswers | null> {
  const options = { timeoutMs };
  try {
    const answers = await mapLimited(indexGroups, PARALLEL_MAX, async (group) => {
      const page = { kind: 'repair', afterId: null, limit: ENTRIES_MAX } as const;
      const { entries } = await metadata.queryIndex(group, 'ListOutbox', page, options);
      if (entries.length === 0) return { entries, total: 0, owners: [] };
      const { repairEntries } = await metadata.queryIndex(group, 'CountOutbox', {}, options);
      const blobIds = entries.map(({ blob }) => blob.blobId);
      const owners = await metadata.queryIndex(group, 'ResolveBlobs', { blobIds }, options);
      return { entries, total: Math.max(repairEntries, entries.length), owners };
    });
    const owned = answers.flatMap(({ entries, owners }) => withOwners(entries, owners));
    const names =
      owned.length === 0 ? new Map<string, string>() : await bucketNames(metadata, options);
    return {
      entries: answers.flatMap(({ entries }) => entries),
      total: answers.reduce((sum, { total }) => sum + total, 0),
      objects: new Map(
        owned.flatMap(({ blobId, owner }) => {
          const bucket = names.get(owner.bucketId);
          return bucket === undefined ? [] : [[blobId, { bucket, key: owner.key }] as const];
        }),
      ),
    };
  } catch {
    return null;
  }
}

function withOwners(
  entries: readonly OutboxEntry[],
  owners: readonly ({ readonly owner: BlobOwner } | null)[],
): { readonly blobId: string; readonly owner: BlobOwner }[] {
  return entries.flatMap(({ blob }, index) => {
    const owner = owners[index]?.owner;
    return owner === undefined ? [] : [{ blobId: blob.blobId, owner }];
  });
}

type BucketPage = RootQueries['ListBuckets']['result'];

/** Names by bucket id. */
async function bucketNames(
  metadata: ClusterAccess['metadata'],
  options: { readonly timeoutMs: number },
): Promise<ReadonlyMap<string, string>> {
  const names = new Map<string, string>();
  let after: string | null = null;
  while (names.size < BUCKETS_MAX) {
    const page: BucketPage = await metadata.queryRoot(
      'ListBuckets',
      { after, prefix: '', limit: BUCKETS_PAGE_MAX },
      options,
    );
    for (const { bucketId, name } of page.buckets) names.set(bucketId, name);
    after = page.buckets.at(-1)?.name ?? null;
    if (!page.isTruncated || after === null) break;
  }
  return names;
}
