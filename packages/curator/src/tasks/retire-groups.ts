import { WATCH_AGE_MAX_MS } from '@azimuth/clients';
import { isGivenUp, isToBeEmptied } from '@azimuth/placement';
import type { PlacementGroup } from '@azimuth/placement';
import type { OutboxKind } from '@azimuth/proto';

import { indexGroups } from '../curator-context';
import type { CuratorContext } from '../curator-context';
import { fenceLateWriters } from '../fence-group';
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

  /** Groups to remove that were sealed for long enough, by the monotonic clock. */
  old(context: CuratorContext): readonly PlacementGroup[] {
    const nowMs = context.clock.monotonicMs();
    const { groups } = context.view.map();
    for (const [pgId, { group }] of this.#since) {
      if (groups.get(pgId) !== group) this.#since.delete(pgId);
    }
    const retired = [...groups.values()].filter(
      (group) =>
        isToBeEmptied(group) ||
        (group.isReduced && group.state === 'sealed' && group.backfill === null),
    );
    for (const group of retired) {
      if (!this.#since.has(group.pgId)) this.#since.set(group.pgId, { group, sinceMs: nowMs });
    }
    const { sealedAgeMinMs, leavingAgeMinMs } = context.settings;
    return retired.filter(({ pgId, zone }) => {
      const sealedMs = nowMs - (this.#since.get(pgId)?.sinceMs ?? nowMs);
      // No write is acknowledged in a group that its gateway knows to be emptied.
      return sealedMs > (zone === undefined ? sealedAgeMinMs : leavingAgeMinMs);
    });
  }
}

/**
 * Removes reduced groups that are drained, and groups inside one zone that are emptied. A group
 * goes only when it has been sealed for long enough that no commit may name a blob of it, when
 * every one of its disks has listed nothing, and when no outbox names it: a blob whose group is
 * gone could never be read again. What was found holds for the group as it was looked at, so a
 * group that changed meanwhile stays.
 */
export async function retireGroups(context: CuratorContext, sealed: SealedGroups): Promise<void> {
  for (const group of sealed.old(context)) {
    if (!(await isEmpty(context, group)) || (await isInAnOutbox(context, group.pgId))) continue;
    if (group.zone !== undefined) {
      await fenceLateWriters(context, group);
      if (!(await isEmpty(context, group))) continue;
    }
    const isStale = context.view.ageMs() > WATCH_AGE_MAX_MS;
    if (isStale || context.view.map().groups.get(group.pgId) !== group) continue;
    await context.metadata.root('RemoveGroup', { pgId: group.pgId }, { signal: context.signal });
    context.logger.info({ pgId: group.pgId }, 'a group with nothing left in it was removed');
  }
}

/**
 * A lost disk cannot say that it is empty, and may return with what it holds: its slot is moved by
 * backfill first. Inside one zone there may be no other disk to move it to; there the others speak
 * for as many as k of those that will not return, since k shards alone are never acknowledged.
 */
async function isEmpty(context: CuratorContext, group: PlacementGroup): Promise<boolean> {
  const map = context.view.map();
  const disks = disksOfGroup(group);
  const readable = readableDisks(map, disks);
  const silent = disks.filter((diskId) => !readable.includes(diskId));
  const isProven =
    silent.length === 0 ||
    (isToBeEmptied(group) &&
      silent.length <= group.profile.k &&
      silent.every((diskId) => isGivenUp(map, diskId)));
  if (!isProven) return false;
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
