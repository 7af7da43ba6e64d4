import { WATCH_AGE_MAX_MS } from '@azimuth/clients';
import type { PlacementGroup } from '@azimuth/placement';
import type { OutboxKind } from '@azimuth/proto';

import { indexGroups } from '../curator-context';
import type { CuratorContext } from '../curator-context';
import { disksOfGroup, listGroup, readableDisks } from '../group-listing';
import { listOutbox } from '../outbox';

const KINDS: readonly OutboxKind[] = ['repair', 'garbage', 'restripe'];

/**
 * Since when this curator has seen a group sealed without a break. Every change of a group makes
 * another object of it in the view, so a group that an outage brought back into use between two
 * looks starts anew; so does every group when the view was read as a whole, which costs only time.
 */
export class SealedGroups {
  readonly #since = new Map<number, { readonly group: PlacementGroup; readonly sinceMs: number }>();

  /** Reduced groups that were sealed for long enough, by the monotonic clock. */
  old(context: CuratorContext): readonly PlacementGroup[] {
    const nowMs = context.clock.monotonicMs();
    const { groups } = context.view.map();
    for (const [pgId, { group }] of this.#since) {
      if (groups.get(pgId) !== group) this.#since.delete(pgId);
    }
    const retired = [...groups.values()].filter(
      ({ isReduced, state, backfill }) => isReduced && state === 'sealed' && backfill === null,
    );
    for (const group of retired) {
      if (!this.#since.has(group.pgId)) this.#since.set(group.pgId, { group, sinceMs: nowMs });
    }
    return retired.filter(
      ({ pgId }) =>
        nowMs - (this.#since.get(pgId)?.sinceMs ?? nowMs) > context.settings.sealedAgeMinMs,
    );
  }
}

/**
 * Removes reduced groups that are drained. A group goes only when it has been sealed for longer
 * than a commit may name a blob of it, when every one of its disks has listed nothing, and when no
 * outbox names it: a blob whose group is gone could never be read again. What was found holds for
 * the group as it was looked at, so a group that changed meanwhile stays.
 */
export async function retireGroups(context: CuratorContext, sealed: SealedGroups): Promise<void> {
  for (const group of sealed.old(context)) {
    if (!(await isEmpty(context, group)) || (await isInAnOutbox(context, group.pgId))) continue;
    const isStale = context.view.ageMs() > WATCH_AGE_MAX_MS;
    if (isStale || context.view.map().groups.get(group.pgId) !== group) continue;
    await context.metadata.root('RemoveGroup', { pgId: group.pgId }, { signal: context.signal });
    context.logger.info({ pgId: group.pgId }, 'a drained reduced group was removed');
  }
}

/**
 * A lost disk cannot say that it is empty, and may return with what it holds: its slot is moved by
 * backfill first.
 */
async function isEmpty(context: CuratorContext, group: PlacementGroup): Promise<boolean> {
  const disks = disksOfGroup(group);
  const readable = readableDisks(context.view.map(), disks);
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
