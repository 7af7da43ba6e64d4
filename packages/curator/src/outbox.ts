import { indexGroupOfSlot } from '@azimuth/placement';
import { slotOfBlob } from '@azimuth/proto';
import type { IndexQueries, OutboxEntry, OutboxKind } from '@azimuth/proto';

import type { CuratorContext } from './curator-context';

export const OUTBOX_PAGE_ENTRIES = 200;
export const RESOLVE_BLOBS_MAX = 200;

export type Resolution = IndexQueries['ResolveBlobs']['result'][number];

/** The index group that may reference the blob. */
export function groupOfBlob(context: CuratorContext, blobId: string): string {
  return indexGroupOfSlot(slotOfBlob(blobId), context.view.map().settings.indexGroups);
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

/**
 * Who references each blob, by a linearizable read of the one group that may: the re-check before
 * anything is deleted (R2). Null is proof that nothing referenced the blob at that index. An error
 * proves nothing, and is thrown.
 */
export async function resolveBlobs(
  context: CuratorContext,
  blobIds: readonly string[],
): Promise<ReadonlyMap<string, Resolution>> {
  const byGroup = new Map<string, string[]>();
  for (const blobId of new Set(blobIds)) {
    const group = groupOfBlob(context, blobId);
    const list = byGroup.get(group);
    if (list === undefined) byGroup.set(group, [blobId]);
    else list.push(blobId);
  }
  const resolved = new Map<string, Resolution>();
  for (const [group, ids] of byGroup) {
    for (let at = 0; at < ids.length; at += RESOLVE_BLOBS_MAX) {
      const page = ids.slice(at, at + RESOLVE_BLOBS_MAX);
      const args = { blobIds: page };
      const options = { signal: context.signal };
      const answers = await context.metadata.queryIndex(group, 'ResolveBlobs', args, options);
      page.forEach((blobId, index) => {
        const answer = answers[index];
        // Too short an answer must not read as "unreferenced".
        if (answer !== undefined) resolved.set(blobId, answer);
      });
    }
  }
  return resolved;
}

/** True only when the read proved that nothing references the blob. */
export function isUnreferenced(resolved: ReadonlyMap<string, Resolution>, blobId: string): boolean {
  return resolved.get(blobId) === null;
}
