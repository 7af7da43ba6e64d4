import type { ShardWriter } from '@azimuth/clients';
import { hasCode, required, StoreError } from '@azimuth/common';
import type { StoreErrorCode } from '@azimuth/common';
import {
  isDiskReadable,
  isDiskWritable,
  isToBeEmptied,
  isZoneSafe,
  kindOfProfile,
  stripeLayout,
} from '@azimuth/placement';
import type {
  ClusterMap,
  DiskId,
  GroupKind,
  PlacementGroup,
  StripeLayout,
} from '@azimuth/placement';
import type { BlobRef } from '@azimuth/proto';

import type { DataPathContext } from './data-path-context';

/** How long shards that are not durable yet are waited for once the others are safe without them. */
const STRAGGLER_WAIT_MS = 500;
/** How often a write in progress looks whether its nodes are still up. */
const NODE_CHECK_INTERVAL_MS = 250;

/** These say nothing about the disk. */
const NOT_THE_DISK: readonly StoreErrorCode[] = ['CANCELLED', 'OVERLOADED', 'INTERNAL'];

/** Where a group was chosen from, and which disks the choice avoided. */
export interface ChosenGroup {
  readonly map: ClusterMap;
  /** What the body's size asks for; the group may be of the other kind for want of one of this. */
  readonly kind: GroupKind;
  readonly group: PlacementGroup;
  isSuspect(diskId: DiskId): boolean;
}

/** A stored blob and its shards that are not durable. */
export interface WrittenBlob {
  readonly blob: BlobRef;
  readonly missing: readonly number[];
  /** Of the map by which the other shards are where readers look for them. */
  readonly mapVersion: number;
}

/** A stripe in the codec's memory: k data blocks in a row, then m parity blocks to be computed. */
export interface Stripe {
  readonly dataOffset: number;
  readonly parityOffset: number;
  readonly blockBytes: number;
}

/**
 * One attempt to store one blob in one group: the shards of its slots, written in parallel.
 *
 * W1: it succeeds only with acknowledged shards that still decode after the loss of any one zone.
 * W2: once the shards that have not failed cannot reach W1 any more, it fails at once.
 * W3: a shard is not waited for once the leader has marked its node down: a frozen node resets no
 *     connection, and its time-outs are longer than the leader takes to open groups without it.
 * W4: a shard whose slot has moved meanwhile counts for nothing: readers look for it on another
 *     disk. One whose slot is moving is named missing, as the move may have passed it by. Nothing
 *     counts in a group that is being emptied: the copying may have passed the blob by. What was
 *     looked at is named as well: a commit by a map that knew nothing of the move is refused.
 */
export class StripeWriter {
  readonly blob: BlobRef;
  readonly layout: StripeLayout;
  readonly #context: DataPathContext;
  readonly #chosen: ChosenGroup;
  readonly #writers = new Map<number, ShardWriter>();
  readonly #signal: AbortSignal | undefined;
  /** The end of the last block handed to each shard: blocks of a shard leave in order. */
  readonly #tails = new Map<number, Promise<void>>();
  /** Shards that are durable. */
  readonly #acked = new Set<number>();
  readonly #onAbort = (): void => this.#fail(new StoreError('CANCELLED'));
  #cancelNodeCheck: (() => void) | null = null;
  #failure: StoreError | null = null;
  #onFailure: ((error: StoreError) => void) | null = null;

  constructor(
    context: DataPathContext,
    chosen: ChosenGroup,
    blob: { readonly blobId: string; readonly sizeBytes: number },
    signal: AbortSignal | undefined,
  ) {
    const { map, group } = chosen;
    const { blockBytes } = map.settings;
    this.#context = context;
    this.#chosen = chosen;
    this.#signal = signal;
    this.blob = {
      blobId: blob.blobId,
      pgId: group.pgId,
      sizeBytes: blob.sizeBytes,
      profile: group.profile,
      blockBytes,
      // Either way it moves to where it belongs once there is such a group again. Inside one zone
      // copies may be all that its nodes allow.
      isReduced:
        group.isReduced ||
        (group.zone === undefined && kindOfProfile(group.profile) !== chosen.kind),
    };
    this.layout = stripeLayout(blob.sizeBytes, group.profile, blockBytes);
    group.slots.forEach((diskId, shardIndex) => {
      if (isDiskWritable(map, diskId) && !chosen.isSuspect(diskId)) this.#open(diskId, shardIndex);
    });
    this.#checkReachable(null);
    if (signal?.aborted === true) this.#onAbort();
    else signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.#scheduleNodeCheck();
  }

  /** Encodes a stripe and sends its blocks. The memory is free again when the promise has settled. */
  async writeStripe(stripe: Stripe): Promise<void> {
    const { k, m } = this.blob.profile;
    if (this.#failure !== null) throw this.#failure;
    const { codec } = this.#context;
    const { dataOffset, parityOffset, blockBytes } = stripe;
    if (k > 1 && m > 0) codec.encode({ k, m }, dataOffset, parityOffset, blockBytes);
    const sends: Promise<void>[] = [];
    for (const [shardIndex, writer] of this.#writers) {
      const offset =
        k === 1
          ? dataOffset
          : shardIndex < k
            ? dataOffset + shardIndex * blockBytes
            : parityOffset + (shardIndex - k) * blockBytes;
      const block = codec.memory.subarray(offset, offset + blockBytes);
      const tail = required(this.#tails.get(shardIndex), 'tail of the shard');
      const sent = tail.then(() => this.#send(shardIndex, writer, block));
      this.#tails.set(shardIndex, sent);
      sends.push(sent);
    }
    await Promise.all(sends);
    this.#throwFailure();
  }

  /**
   * Waits until the blob is safe and, for a bounded time, complete.
   *
   * @returns the shards that are not durable where readers will look for them.
   * @throws StoreError QUORUM_NOT_REACHED
   */
  async finish(): Promise<Omit<WrittenBlob, 'blob'>> {
    await this.#collectAcks();
    const { version: mapVersion } = this.#context.view.map();
    this.#disownMoved();
    this.#throwFailure();
    this.#stopListening();
    const missing: number[] = [];
    const movingSlot = this.#groupNow()?.backfill?.slot;
    this.#chosen.group.slots.forEach((_diskId, shardIndex) => {
      const isAcked = this.#acked.has(shardIndex);
      if (!isAcked || shardIndex === movingSlot) missing.push(shardIndex);
      if (!isAcked) this.#writers.get(shardIndex)?.abort();
    });
    return { missing, mapVersion };
  }

  /** Gives up every shard. Sends in progress settle soon. */
  abort(): void {
    this.#fail(new StoreError('CANCELLED'));
  }

  #open(diskId: DiskId, shardIndex: number): void {
    const { map } = this.#chosen;
    const node = required(map.nodes.get(map.disks.get(diskId)?.nodeId ?? ''), 'node of the disk');
    const { blobId, pgId, profile, sizeBytes, blockBytes } = this.blob;
    const writer = this.#context.storage.openShard(
      { node, diskId, blobId, shardIndex },
      {
        pgId,
        profile,
        blobSizeBytes: sizeBytes,
        blockBytes,
        shardSizeBytes: this.layout.shardSizeBytes,
      },
    );
    this.#writers.set(shardIndex, writer);
    this.#tails.set(shardIndex, Promise.resolve());
  }

  /** Never rejects: a failed shard is dropped and the others go on. */
  async #send(shardIndex: number, writer: ShardWriter, block: Uint8Array): Promise<void> {
    if (!this.#writers.has(shardIndex)) return;
    try {
      await writer.write(block);
    } catch (error) {
      this.#drop(shardIndex, error);
    }
  }

  #collectAcks(): Promise<void> {
    const { map, group } = this.#chosen;
    const acked = this.#acked;
    return new Promise((resolve) => {
      let pending = this.#writers.size;
      let cancelWait: (() => void) | null = null;
      const end = (): void => {
        this.#onFailure = null;
        cancelWait?.();
        resolve();
      };
      this.#onFailure = end;
      if (this.#failure !== null || pending === 0) end();
      for (const [shardIndex, writer] of this.#writers) {
        const settle = (): void => {
          pending -= 1;
          if (pending === 0) end();
          else if (cancelWait === null && isZoneSafe(map, group, acked)) {
            cancelWait = this.#context.clock.schedule(STRAGGLER_WAIT_MS, end);
          }
        };
        writer.finish().then(
          () => {
            acked.add(shardIndex);
            settle();
          },
          (error: unknown) => {
            this.#drop(shardIndex, error);
            settle();
          },
        );
      }
    });
  }

  #drop(shardIndex: number, error: unknown): void {
    const writer = this.#writers.get(shardIndex);
    if (writer === undefined || this.#failure !== null) return;
    this.#writers.delete(shardIndex);
    writer.abort();
    const diskId = required(this.#chosen.group.slots[shardIndex], 'disk of the slot');
    if (!hasCode(error, ...NOT_THE_DISK)) this.#context.view.reportDiskFailure(diskId);
    this.#context.logger.debug({ diskId, pgId: this.blob.pgId, error }, 'shard write failed');
    this.#checkReachable(error);
  }

  #scheduleNodeCheck(): void {
    if (this.#failure !== null) return;
    this.#cancelNodeCheck = this.#context.clock.schedule(NODE_CHECK_INTERVAL_MS, () => {
      this.#dropShardsOfDownNodes();
      this.#scheduleNodeCheck();
    });
  }

  #dropShardsOfDownNodes(): void {
    const map = this.#context.view.map();
    if (map.version === this.#chosen.map.version) return;
    for (const shardIndex of [...this.#writers.keys()]) {
      const diskId = required(this.#chosen.group.slots[shardIndex], 'disk of the slot');
      if (this.#acked.has(shardIndex) || isDiskReadable(map, diskId)) continue;
      this.#drop(shardIndex, new StoreError('UNAVAILABLE', { diskId, reason: 'its node is down' }));
    }
  }

  /** W4. */
  #disownMoved(): void {
    const { map, group } = this.#chosen;
    const now = this.#groupNow();
    if (now !== undefined && isToBeEmptied(now)) this.#acked.clear();
    for (const [shardIndex, diskId] of group.slots.entries()) {
      if (now?.slots[shardIndex] !== diskId) this.#acked.delete(shardIndex);
    }
    if (this.#failure !== null || isZoneSafe(map, group, this.#acked)) return;
    const detail = { pgId: group.pgId, reason: 'slots have moved meanwhile' };
    this.#fail(new StoreError('QUORUM_NOT_REACHED', detail));
  }

  #groupNow(): PlacementGroup | undefined {
    return this.#context.view.map().groups.get(this.#chosen.group.pgId);
  }

  #checkReachable(cause: unknown): void {
    const { map, group } = this.#chosen;
    if (isZoneSafe(map, group, this.#writers.keys())) return;
    const writable = this.#writers.size;
    this.#fail(new StoreError('QUORUM_NOT_REACHED', { pgId: group.pgId, writable }, cause));
  }

  #fail(error: StoreError): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    this.#stopListening();
    for (const writer of this.#writers.values()) writer.abort();
    this.#onFailure?.(error);
  }

  #stopListening(): void {
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#cancelNodeCheck?.();
    this.#cancelNodeCheck = null;
  }

  #throwFailure(): void {
    if (this.#failure !== null) throw this.#failure;
  }
}
