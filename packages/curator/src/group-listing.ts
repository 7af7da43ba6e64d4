import type { ShardListEntry } from '@azimuth/clients';
import { StoreError } from '@azimuth/common';
import { isDiskReadable } from '@azimuth/placement';
import type { BlobId, ClusterMap, DiskId, PlacementGroup } from '@azimuth/placement';

import type { BlobShape } from './blob-shards';
import type { CuratorContext } from './curator-context';

const LIST_PAGE_SHARDS = 500;

/** A blob of a group and the disks that list a shard of it. */
export interface ListedBlob {
  readonly blob: BlobShape;
  /** Shard indexes that lie where they belong: shard i on the disk of slot i, or on the target. */
  readonly present: ReadonlySet<number>;
  /** Every shard found on any disk that was listed, misplaced ones too. */
  readonly found: readonly { readonly diskId: DiskId; readonly shardIndex: number }[];
}

/** Disks of a group that are to be listed: the slots, and the target of a backfill for its slot. */
export function disksOfGroup(group: PlacementGroup): readonly DiskId[] {
  const { slots, backfill } = group;
  return backfill === null ? slots : [...slots, backfill.targetDiskId];
}

/** Disks that can be listed now. */
export function readableDisks(map: ClusterMap, diskIds: readonly DiskId[]): readonly DiskId[] {
  return diskIds.filter((diskId) => isDiskReadable(map, diskId));
}

/**
 * True when no blob that k shards are left of can be missing in the union of what the readable
 * slots list, so that `slot` may move. A lost disk has no shards left. Of the slots that are only
 * out, k could hold a blob between them that no other slot has: the one that moves counts among
 * them, as its disk may return. While that is the only one that is out, waiting for the others can
 * teach nothing more, and what its disk brings back one day goes home as a stray.
 */
export function isEveryBlobListed(map: ClusterMap, group: PlacementGroup, slot: number): boolean {
  const out = group.slots.flatMap((diskId, index) => {
    const isLost = map.disks.get(diskId)?.state === 'lost';
    return isLost || isDiskReadable(map, diskId) ? [] : [index];
  });
  return out.length < group.profile.k || out.every((index) => index === slot);
}

/**
 * The union of what `diskIds` list of a group, ascending by blob id, in pages. Any error of any
 * disk ends the walk with that error: a union with a hole would look like absence.
 */
export async function* listGroup(
  context: CuratorContext,
  group: PlacementGroup,
  diskIds: readonly DiskId[],
): AsyncGenerator<readonly ListedBlob[]> {
  const cursors = diskIds.map((diskId) => new DiskCursor(context, group.pgId, diskId));
  for (;;) {
    const page: ListedBlob[] = [];
    while (page.length < LIST_PAGE_SHARDS) {
      await Promise.all(cursors.map((cursor) => cursor.fill()));
      const blobId = lowest(cursors);
      if (blobId === null) break;
      page.push(takeBlob(group, cursors, blobId));
    }
    if (page.length === 0) return;
    yield page;
  }
}

function lowest(cursors: readonly DiskCursor[]): BlobId | null {
  let blobId: BlobId | null = null;
  for (const { head } of cursors) {
    if (head !== null && (blobId === null || head.blobId < blobId)) blobId = head.blobId;
  }
  return blobId;
}

function takeBlob(
  group: PlacementGroup,
  cursors: readonly DiskCursor[],
  blobId: BlobId,
): ListedBlob {
  const found: { diskId: DiskId; shardIndex: number }[] = [];
  const present = new Set<number>();
  let shape: ShardListEntry | null = null;
  for (const cursor of cursors) {
    for (const entry of cursor.take(blobId)) {
      shape = entry;
      const { diskId } = cursor;
      found.push({ diskId, shardIndex: entry.shardIndex });
      if (group.slots[entry.shardIndex] === diskId) present.add(entry.shardIndex);
    }
  }
  if (shape === null) throw new RangeError('no disk lists the blob');
  const { blobSizeBytes, profile, blockBytes } = shape;
  const blob = { blobId, pgId: group.pgId, sizeBytes: blobSizeBytes, profile, blockBytes };
  return { blob, present, found };
}

/** One disk's list, read ahead by a page. */
class DiskCursor {
  readonly diskId: DiskId;
  readonly #context: CuratorContext;
  readonly #pgId: number;
  #entries: readonly ShardListEntry[] = [];
  #at = 0;
  #afterBlobId: BlobId | null = null;
  #isAtEnd = false;

  constructor(context: CuratorContext, pgId: number, diskId: DiskId) {
    this.#context = context;
    this.#pgId = pgId;
    this.diskId = diskId;
  }

  get head(): ShardListEntry | null {
    return this.#entries[this.#at] ?? null;
  }

  /** Makes `head` the next entry, or null at the end of the list. */
  async fill(): Promise<void> {
    if (this.head !== null || this.#isAtEnd) return;
    const { storage, view, signal } = this.#context;
    const map = view.map();
    const node = map.nodes.get(map.disks.get(this.diskId)?.nodeId ?? '');
    if (node === undefined) throw new StoreError('UNAVAILABLE', { diskId: this.diskId });
    const query = {
      diskId: this.diskId,
      pgId: this.#pgId,
      afterBlobId: this.#afterBlobId,
      limit: LIST_PAGE_SHARDS,
    };
    const page = await storage.listShards(node, query, signal);
    this.#entries = page.shards;
    this.#at = 0;
    this.#afterBlobId = page.shards.at(-1)?.blobId ?? this.#afterBlobId;
    this.#isAtEnd = !page.isTruncated || page.shards.length === 0;
  }

  take(blobId: BlobId): ShardListEntry[] {
    const taken: ShardListEntry[] = [];
    while (this.head?.blobId === blobId) {
      taken.push(this.head);
      this.#at += 1;
    }
    return taken;
  }
}
