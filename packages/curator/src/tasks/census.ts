import type { PlacementGroup } from '@azimuth/placement';
import { isDiskReadable, isDiskWritable } from '@azimuth/placement';
import type { MissingShards } from '@azimuth/proto';

import type { CuratorContext } from '../curator-context';
import { disksOfGroup, listGroup, readableDisks } from '../group-listing';
import { groupOfBlob, resolveBlobs } from '../outbox';

/** Census of one group: what its disks list, against what is referenced. */
export interface CensusResult {
  readonly blobs: number;
  readonly reportedShards: number;
}

/**
 * Reports every shard that a readable slot should list and does not, for blobs that are referenced;
 * the repair outbox does the rest, and a shard that was only late is found intact there. Slots that
 * are out are not looked at: nothing is known of them, and they get a census when they return.
 */
export async function takeCensus(
  context: CuratorContext,
  group: PlacementGroup,
): Promise<CensusResult> {
  const map = context.view.map();
  const readable = new Set(readableDisks(map, disksOfGroup(group)));
  const slots = [...group.slots.keys()].filter((slot) => readable.has(group.slots[slot] ?? ''));
  let blobs = 0;
  let reportedShards = 0;
  for await (const page of listGroup(context, group, [...readable])) {
    blobs += page.length;
    const short = page.filter(({ present }) => slots.some((slot) => !present.has(slot)));
    if (short.length > 0) reportedShards += await reportShort(context, short, slots);
    await context.throttle.run(() => Promise.resolve(), context.signal);
  }
  return { blobs, reportedShards };
}

async function reportShort(
  context: CuratorContext,
  short: readonly { readonly blob: { blobId: string }; readonly present: ReadonlySet<number> }[],
  slots: readonly number[],
): Promise<number> {
  const blobIds = short.map(({ blob }) => blob.blobId);
  const resolved = await resolveBlobs(context, blobIds);
  const missing = short.flatMap(({ blob: { blobId }, present }) => {
    const isReferenced = resolved.get(blobId) != null;
    const shardIndexes = slots.filter((slot) => !present.has(slot));
    return isReferenced ? [{ blobId, shardIndexes }] : [];
  });
  return reportMissing(context, missing, 'census');
}

/** Writes repair work into the index groups of the blobs; returns the number of shards. */
export async function reportMissing(
  context: CuratorContext,
  missing: readonly MissingShards[],
  source: 'census' | 'scrub',
): Promise<number> {
  const byGroup = new Map<string, MissingShards[]>();
  for (const item of missing) {
    const group = groupOfBlob(context, item.blobId);
    byGroup.set(group, [...(byGroup.get(group) ?? []), item]);
  }
  let shards = 0;
  for (const [group, items] of byGroup) {
    await context.metadata.index(
      group,
      'ReportMissingShards',
      { missing: items },
      { signal: context.signal },
    );
    shards += items.reduce((sum, { shardIndexes }) => sum + shardIndexes.length, 0);
  }
  context.metrics.missingReported.inc({ source }, shards);
  return shards;
}

/**
 * Which groups are due for a census: those with a disk that came back (its node is up again, or in
 * another incarnation), and every group once an interval. State of one curator; a new one starts
 * with everything due.
 */
export class CensusSchedule {
  readonly #intervalMs: number;
  readonly #seen = new Map<string, string>();
  readonly #dueMs = new Map<number, number>();

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  /** Groups due now, in the order to take them. */
  due(context: CuratorContext): readonly PlacementGroup[] {
    const map = context.view.map();
    const nowMs = context.clock.monotonicMs();
    const returned = this.#returnedDisks(context);
    for (const { pgId, slots } of map.groups.values()) {
      if (slots.some((diskId) => returned.has(diskId))) this.#dueMs.set(pgId, nowMs);
    }
    return [...map.groups.values()]
      .filter(({ pgId }) => (this.#dueMs.get(pgId) ?? nowMs) <= nowMs)
      .sort((a, b) => (this.#dueMs.get(a.pgId) ?? 0) - (this.#dueMs.get(b.pgId) ?? 0));
  }

  done(context: CuratorContext, pgId: number): void {
    this.#dueMs.set(pgId, context.clock.monotonicMs() + this.#intervalMs);
  }

  /** Disks that are readable now and were not, or not in this incarnation, at the last look. */
  #returnedDisks(context: CuratorContext): ReadonlySet<string> {
    const map = context.view.map();
    const returned = new Set<string>();
    for (const { diskId, nodeId } of map.disks.values()) {
      const isHere = isDiskReadable(map, diskId);
      const incarnation = map.nodes.get(nodeId)?.incarnation ?? '';
      const state = isHere ? `${incarnation} ${isDiskWritable(map, diskId) ? 'w' : 'r'}` : 'out';
      if (isHere && this.#seen.get(diskId) !== state) returned.add(diskId);
      this.#seen.set(diskId, state);
    }
    return returned;
  }
}
