import type { ClusterView, StorageClient } from '@azimuth/clients';
import type { Clock, Logger } from '@azimuth/common';
import type { BlobRef } from '@azimuth/proto';

const QUEUE_LENGTH_MAX = 10_000;
const DISCARDS_AT_A_TIME_MAX = 8;
/** By then a shard that was all there when its write was given up is durable, or never will be. */
const DISCARD_AGAIN_MS = 5_000;
const AGAIN_MAX = 1_000;

export type DiscardedBlob = Pick<BlobRef, 'blobId' | 'pgId'>;

/**
 * Deletes, in the background, the shards of blobs that nothing will ever refer to. A hint, not a
 * duty: what is missed here (a node is down, the queue is full) is an orphan for the collector.
 */
export class BlobDiscarder {
  readonly #view: ClusterView;
  readonly #storage: StorageClient;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #queue: DiscardedBlob[] = [];
  #running = 0;
  #again = 0;
  #onIdle: (() => void)[] = [];

  constructor(options: {
    readonly view: ClusterView;
    readonly storage: StorageClient;
    readonly clock: Clock;
    readonly logger: Logger;
  }) {
    this.#view = options.view;
    this.#storage = options.storage;
    this.#clock = options.clock;
    this.#logger = options.logger;
  }

  /**
   * Of a write that was given up while shards were on their way: a node that had all of one makes
   * it durable after the deletion has come by, so that comes again.
   */
  discardCutOff(blob: DiscardedBlob): void {
    this.discard([blob]);
    if (this.#again >= AGAIN_MAX) return;
    this.#again += 1;
    this.#clock.schedule(DISCARD_AGAIN_MS, () => {
      this.#again -= 1;
      this.discard([blob]);
    });
  }

  discard(blobs: readonly DiscardedBlob[]): void {
    for (const blob of blobs) {
      if (this.#queue.length < QUEUE_LENGTH_MAX) this.#queue.push(blob);
    }
    while (this.#running < DISCARDS_AT_A_TIME_MAX && this.#queue.length > 0) {
      this.#running += 1;
      void this.#work();
    }
  }

  /** Resolves once nothing is left to delete. */
  async idle(): Promise<void> {
    if (this.#running === 0) return;
    await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  async #work(): Promise<void> {
    for (let blob = this.#queue.shift(); blob !== undefined; blob = this.#queue.shift()) {
      await this.#delete(blob);
    }
    this.#running -= 1;
    if (this.#running > 0) return;
    for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  async #delete({ blobId, pgId }: DiscardedBlob): Promise<void> {
    try {
      const map = this.#view.map();
      const slots = map.groups.get(pgId)?.slots ?? [];
      const deletions = slots.map(async (diskId, shardIndex) => {
        const node = map.nodes.get(map.disks.get(diskId)?.nodeId ?? '');
        if (node?.state !== 'up') return;
        await this.#storage.deleteShard({ node, diskId, blobId, shardIndex });
      });
      const results = await Promise.allSettled(deletions);
      const failed = results.filter(({ status }) => status === 'rejected').length;
      if (failed > 0) this.#logger.debug({ blobId, pgId, failed }, 'blob discarded in part');
    } catch (error) {
      this.#logger.debug({ blobId, pgId, error }, 'blob not discarded');
    }
  }
}
