import { isUnreferenced } from '@azimuth/clients';
import { mapLimited } from '@azimuth/common';
import type { OutboxEntry } from '@azimuth/proto';

import { indexGroups } from '../curator-context';
import type { CuratorContext } from '../curator-context';
import { moveBlob, targetGroup } from '../move-blob';
import { acknowledge, listOutbox, resolveBlobs } from '../outbox';
import type { RetrySchedule } from '../retry-schedule';

const COPIES_IN_PARALLEL = 8;

/** Moves blobs that were written during an outage into normal groups. */
export async function restripeOutbox(
  context: CuratorContext,
  retries: RetrySchedule,
): Promise<void> {
  for (const group of indexGroups(context)) {
    let afterId: string | null = null;
    for (;;) {
      const page = await listOutbox(context, group, 'restripe', afterId);
      const due = page.entries.filter(
        (entry) => retries.isDue(entry.id) && targetGroup(context, entry.blob) !== null,
      );
      await restripePage(context, group, due, retries);
      afterId = page.entries.at(-1)?.id ?? null;
      if (!page.isTruncated || afterId === null) break;
    }
  }
}

async function restripePage(
  context: CuratorContext,
  group: string,
  due: readonly OutboxEntry[],
  retries: RetrySchedule,
): Promise<void> {
  if (due.length === 0) return;
  const resolved = await resolveBlobs(
    context,
    due.map(({ blob }) => blob.blobId),
  );
  const obsolete = due.filter(({ blob }) => isUnreferenced(resolved, blob.blobId));
  await acknowledge(context, group, obsolete);
  await mapLimited(due, COPIES_IN_PARALLEL, async (entry) => {
    const reference = resolved.get(entry.blob.blobId);
    if (reference == null) return;
    context.signal.throwIfAborted();
    try {
      const { blob } = reference;
      await moveBlob(context, group, blob, targetGroup(context, blob));
      await acknowledge(context, group, [entry]);
    } catch (error) {
      context.signal.throwIfAborted();
      retries.postpone(entry.id);
      context.logger.warn({ blobId: entry.blob.blobId, error }, 'a blob stays reduced for now');
    }
  });
}
