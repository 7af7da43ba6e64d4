import type { PlacementGroup } from '@azimuth/placement';
import type { OutboxKind } from '@azimuth/proto';

import { indexGroups } from '../curator-context';
import type { CuratorContext } from '../curator-context';
import { disksOfGroup, listGroup, readableDisks } from '../group-listing';
import { listOutbox } from '../outbox';

const KINDS: readonly OutboxKind[] = ['repair', 'garbage', 'restripe'];

/** Since when this curator has seen a group sealed without a break. */
export class SealedGroups {
  readonly #sinceMs = new Map<number, number>();

  /** Reduced groups that were sealed for long enough, by the monotonic clock. */
  old(context: CuratorContext): readonly PlacementGroup[] {
    const nowMs = context.clock.monotonicMs();
    const { groups } = context.view.map();
    for (const pgId of this.#sinceMs.keys()) {
      if (groups.get(pgId)?.state !== 'sealed') this.#sinceMs.delete(pgId);
    }
    const retired = [...groups.values()].filter(
      ({ isReduced, state, backfill }) => isReduced && state === 'sealed' && backfill === null,
    );
    for (const { pgId } of retired) {
      if (!this.#sinceMs.has(pgId)) this.#sinceMs.set(pgId, nowMs);
    }
    return retired.filter(
      ({ pgId }) => nowMs - (this.#sinceMs.get(pgId) ?? nowMs) > context.settings.sealedAgeMinMs,
    );
  }
}

/**
 * Removes reduced groups that are drained. A group goes only when it has been sealed for longer
 * than a commit may name a blob of it, when every one of its disks has listed nothing, and when no
 * outbox names it: a blob whose group is gone could never be read again.
 */
export async function retireGroups(context: CuratorContext, sealed: SealedGroups): Promise<void> {
  for (const group of sealed.old(context)) {
    if (!(await isEmpty(context, group)) || (await isInAnOutbox(context, group.pgId))) continue;
    await context.metadata.root('RemoveGroup', { pgId: group.pgId }, { signal: context.signal });
    context.logger.info({ pgId: group.pgId }, 'a drained reduced group was removed');
  }
}

async function isEmpty(context: CuratorContext, group: PlacementGroup): Promise<boolean> {
  const map = context.view.map();
  const disks = disksOfGroup(group).filter((diskId) => map.disks.get(diskId)?.state !== 'lost');
  const readable = readableDisks(map, disks);
  if (readable.length < disks.length) return false;
  const first = await listGroup(context, group, readable).next();
  return first.done === true;
}

async function isInAnOutbox(context: CuratorContext, pgId: number): Promise<boolean> {
  for (const group of indexGroups(context)) {
    for (const kind of KINDS) {
      let afterId: string | null = null;
      for (;;) {
        const page = await listOutbox(context, group, kind, afterId);
        if (page.entries.some(({ blob }) => blob.pgId === pgId)) return true;
        afterId = page.entries.at(-1)?.id ?? null;
        if (!page.isTruncated || afterId === null) break;
      }
    }
  }
  return false;
}
