import { groupOfBlob as groupByCount, resolveBlobs as resolveByReads } from '@azimuth/clients';
import type { Resolution } from '@azimuth/clients';
import type { IndexQueries, OutboxEntry, OutboxKind } from '@azimuth/proto';

import type { CuratorContext } from './curator-context';

export const OUTBOX_PAGE_ENTRIES = 200;

/** The index group that may reference the blob. */
export function groupOfBlob(context: CuratorContext, blobId: string): string {
  return groupByCount(blobId, context.view.map().settings.indexGroups);
}

/** One page of an outbox, oldest first. */
export async function listOutbox(
  context: CuratorContext,
  group: string,
  kind: OutboxKind,
  afterId: string | null,
): Promise<IndexQueries['ListOutbox']['result']> {
  return context.metadata.queryIndex(
    group,
    'ListOutbox',
    { kind, afterId, limit: OUTBOX_PAGE_ENTRIES },
    { signal: context.signal },
  );
}

export async function acknowledge(
  context: CuratorContext,
  group: string,
  entries: readonly OutboxEntry[],
): Promise<void> {
  if (entries.length === 0) return;
  const ids = entries.map(({ id }) => id);
  await context.metadata.index(group, 'AcknowledgeOutbox', { ids }, { signal: context.signal });
}

/** Who references each blob: see `resolveBlobs` of the clients. */
export function resolveBlobs(
  { metadata, view, signal }: CuratorContext,
  blobIds: readonly string[],
): Promise<ReadonlyMap<string, Resolution>> {
  return resolveByReads(metadata, view.map().settings.indexGroups, blobIds, { signal });
}
