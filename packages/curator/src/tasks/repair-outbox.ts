import { hasCode, mapLimited } from '@azimuth/common';
import { isDiskReadable, isDiskWritable } from '@azimuth/placement';
import type { ClusterMap, PlacementGroup } from '@azimuth/placement';
import type { OutboxEntry } from '@azimuth/proto';

import { indexGroups } from '../curator-context';
import type { CuratorContext } from '../curator-context';
import { acknowledge, isUnreferenced, listOutbox, resolveBlobs } from '../outbox';
import { rebuildShards } from '../rebuild-shards';
import type { RetrySchedule } from '../retry-schedule';

const REPAIRS_IN_PARALLEL = 8;
/** Entries sorted by risk at a time; a tour goes over the whole outbox all the same. */
const BATCH_ENTRIES_MAX = 2_000;

/**
 * Works off the repair outbox of every index group: rebuilds what an entry lists, and acknowledges
 * it only when every listed shard is proven intact on the disk of its slot (R3). What lies on
 * disks that are out stays for later. Most at risk first.
 */
export async function repairOutbox(context: CuratorContext, retries: RetrySchedule): Promise<void> {
  for (const group of indexGroups(context)) {
    let afterId: string | null = null;
    let isTruncated = true;
    while (isTruncated) {
      const batch: OutboxEntry[] = [];
      while (isTruncated && batch.length < BATCH_ENTRIES_MAX) {
        const page = await listOutbox(context, group, 'repair', afterId);
        batch.push(...page.entries);
        afterId = page.entries.at(-1)?.id ?? afterId;
        isTruncated = page.isTruncated && page.entries.length > 0;
      }
      await repairBatch(context, group, batch, retries);
    }
  }
}

async function repairBatch(
  context: CuratorContext,
  group: string,
  batch: readonly OutboxEntry[],
  retries: RetrySchedule,
): Promise<void> {
  const map = context.view.map();
  const due = batch.filter((entry) => retries.isDue(entry.id) && canProgress(map, entry));
  if (due.length === 0) return;
  const resolved = await resolveBlobs(
    context,
    due.map(({ blob }) => blob.blobId),
  );
  const obsolete = due.filter(({ blob }) => isUnreferenced(resolved, blob.blobId));
  await acknowledge(context, group, obsolete);
  const wanted = due.filter((entry) => !obsolete.includes(entry));
  await mapLimited(orderByRisk(map, wanted), REPAIRS_IN_PARALLEL, (entry) =>
    repairEntry(context, group, entry, retries),
  );
}

/** Fewest further losses that the blob survives first; then oldest. Pure. */
export function orderByRisk(map: ClusterMap, entries: readonly OutboxEntry[]): OutboxEntry[] {
  const spare = (entry: OutboxEntry): number => {
    const group = map.groups.get(entry.blob.pgId);
    const missing = new Set(entry.shardIndexes);
    group?.slots.forEach((diskId, slot) => {
      if (!isDiskReadable(map, diskId)) missing.add(slot);
    });
    return entry.blob.profile.m - missing.size;
  };
  return entries
    .map((entry) => ({ entry, spare: spare(entry) }))
    .sort((a, b) => a.spare - b.spare || a.entry.createdMs - b.entry.createdMs)
    .map(({ entry }) => entry);
}

/** Whether any listed shard has a disk that takes writes now. Pure. */
function canProgress(map: ClusterMap, entry: OutboxEntry): boolean {
  const group = map.groups.get(entry.blob.pgId);
  if (group === undefined) return false;
  return entry.shardIndexes.some((index) => isDiskWritable(map, group.slots[index] ?? ''));
}

async function repairEntry(
  context: CuratorContext,
  indexGroup: string,
  entry: OutboxEntry,
  retries: RetrySchedule,
): Promise<void> {
  context.signal.throwIfAborted();
  const group = context.view.map().groups.get(entry.blob.pgId);
  if (group === undefined) return;
  try {
    const proven = await rebuildShards(
      context,
      entry.blob,
      group,
      targetsOf(context, group, entry),
    );
    if (entry.shardIndexes.every((index) => proven.has(index)) && isCurrent(context, group)) {
      await acknowledge(context, indexGroup, [entry]);
      retries.forget(entry.id);
      return;
    }
  } catch (error) {
    if (hasCode(error, 'CANCELLED')) throw error;
    context.logger.warn({ blobId: entry.blob.blobId, error }, 'a blob could not be repaired yet');
  }
  retries.postpone(entry.id);
}

function targetsOf(
  context: CuratorContext,
  group: PlacementGroup,
  entry: OutboxEntry,
): { shardIndex: number; diskId: string }[] {
  const map = context.view.map();
  return entry.shardIndexes
    .map((shardIndex) => ({ shardIndex, diskId: group.slots[shardIndex] ?? '' }))
    .filter(({ diskId }) => isDiskWritable(map, diskId));
}

/** False when a slot moved while its shard was rebuilt on the disk it had before. */
function isCurrent(context: CuratorContext, group: PlacementGroup): boolean {
  const now = context.view.map().groups.get(group.pgId);
  return now !== undefined && now.slots.every((diskId, slot) => diskId === group.slots[slot]);
}
