import { isUnreferenced } from '@azimuth/clients';
import { hasCode, mapLimited } from '@azimuth/common';
import { isDiskWritable, isLostInZone, isToBeEmptied } from '@azimuth/placement';
import type { ClusterMap, PlacementGroup } from '@azimuth/placement';
import type { OutboxEntry } from '@azimuth/proto';

import { attributesOf } from '../blob-shards';
import { indexGroups } from '../curator-context';
import type { CuratorContext } from '../curator-context';
import { acknowledge, listOutbox, resolveBlobs } from '../outbox';
import { rebuildShards } from '../rebuild-shards';
import { RepairBacklog } from '../repair-progress';
import type { RetrySchedule } from '../retry-schedule';
import { LEVEL_UNREADABLE, riskLevel } from '../risk-level';
import { RiskQueue } from '../risk-queue';

const REPAIRS_IN_PARALLEL = 8;
/** Of one tour; what is riskier than the rest is kept. */
const QUEUE_ENTRIES_MAX = 20_000;
const CHUNK_ENTRIES = 200;
/** Of those that failed before, behind each chunk of the others. */
const RETRIES_ENTRIES = 50;
/** Then the outboxes are read again: something riskier may have come. */
const TOUR_MS = 30_000;

interface QueuedEntry {
  readonly indexGroup: string;
  readonly entry: OutboxEntry;
}

/**
 * Works off the repair outboxes of all index groups: rebuilds what an entry lists, and acknowledges
 * it only when every listed shard is proven intact on the disk of its slot (R3). What lies on disks
 * that are out stays for later. Most at risk first, over the whole cluster; but what fails again
 * and again, like all that lies on a node that hangs, only takes its turns between the rest.
 */
export async function repairOutbox(context: CuratorContext, retries: RetrySchedule): Promise<void> {
  const { clock, progress } = context;
  const map = context.view.map();
  const backlog = new RepairBacklog();
  const makeQueue = (): RiskQueue<QueuedEntry> =>
    new RiskQueue(QUEUE_ENTRIES_MAX, ({ entry }) => entry.createdMs);
  const [fresh, failed] = [makeQueue(), makeQueue()];
  for (const indexGroup of indexGroups(context)) {
    for await (const entry of repairEntries(context, indexGroup)) {
      const { blob, shardIndexes } = entry;
      const level = riskLevel(map, entry);
      const lossesLeft = level === LEVEL_UNREADABLE ? 0 : level;
      const { shardSizeBytes } = attributesOf(blob);
      backlog.add(blob.pgId, lossesLeft, shardIndexes.length, shardSizeBytes);
      if (!retries.isDue(entry.id) || !canProgress(map, entry)) continue;
      (retries.isPostponed(entry.id) ? failed : fresh).add({ indexGroup, entry }, level);
    }
  }
  progress.toured(backlog);
  const endMs = clock.monotonicMs() + TOUR_MS;
  for (const chunk of inTurns(fresh.drain(CHUNK_ENTRIES), failed.drain(RETRIES_ENTRIES))) {
    await repairChunk(context, chunk, retries);
    if (clock.monotonicMs() > endMs) return;
  }
}

/** One of the first, one of the second, and so on to the end of both. */
function* inTurns<T>(first: Iterator<T>, second: Iterator<T>): Generator<T> {
  for (;;) {
    const next = [first.next(), second.next()].filter(({ done }) => done !== true);
    if (next.length === 0) return;
    for (const { value } of next) yield value as T;
  }
}

/** Oldest first. */
async function* repairEntries(
  context: CuratorContext,
  indexGroup: string,
): AsyncGenerator<OutboxEntry> {
  let afterId: string | null = null;
  for (;;) {
    const page: OutboxPage = await listOutbox(context, indexGroup, 'repair', afterId);
    yield* page.entries;
    afterId = page.entries.at(-1)?.id ?? afterId;
    if (!page.isTruncated || page.entries.length === 0) return;
  }
}

type OutboxPage = Awaited<ReturnType<typeof listOutbox>>;

async function repairChunk(
  context: CuratorContext,
  chunk: readonly QueuedEntry[],
  retries: RetrySchedule,
): Promise<void> {
  const blobIds = chunk.map(({ entry }) => entry.blob.blobId);
  const resolved = await resolveBlobs(context, blobIds);
  const isObsolete = ({ entry }: QueuedEntry): boolean =>
    isUnreferenced(resolved, entry.blob.blobId);
  for (const indexGroup of indexGroups(context)) {
    const obsolete = chunk
      .filter((queued) => queued.indexGroup === indexGroup && isObsolete(queued))
      .map(({ entry }) => entry);
    await acknowledge(context, indexGroup, obsolete);
  }
  const wanted = chunk.filter((queued) => !isObsolete(queued));
  await mapLimited(wanted, REPAIRS_IN_PARALLEL, ({ indexGroup, entry }) =>
    repairEntry(context, indexGroup, entry, retries),
  );
}

/**
 * Whether any listed shard has a disk that takes writes now, or the blob may have left its group
 * meanwhile: its entry would keep the group for ever. Pure.
 */
function canProgress(map: ClusterMap, entry: OutboxEntry): boolean {
  const group = map.groups.get(entry.blob.pgId);
  if (group === undefined) return false;
  if (isToBeEmptied(group) && !isLostInZone(map, group)) return true;
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
    if (entry.shardIndexes.every((index) => proven.has(index)) && isAtRest(context, group, entry)) {
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

/**
 * False when a slot moved while its shard was rebuilt on the disk it had before, and while one of
 * those that the entry lists is moving: the move may have passed the blob by.
 */
function isAtRest(context: CuratorContext, group: PlacementGroup, entry: OutboxEntry): boolean {
  const now = context.view.map().groups.get(group.pgId);
  const isMoving = now?.backfill != null && entry.shardIndexes.includes(now.backfill.slot);
  return !isMoving && now?.slots.every((diskId, slot) => diskId === group.slots[slot]) === true;
}
