import { groupOfBlob } from '@azimuth/clients';
import type { ClusterView, MetadataClient } from '@azimuth/clients';
import type { Clock, Logger } from '@azimuth/common';
import type { BlobRef, MissingShards } from '@azimuth/proto';

/** Reports wait this long for others, so that a broken disk costs one command and not thousands. */
const COLLECT_MS = 500;
const BLOBS_MAX = 512;
/** What was reported is not reported again within this time: repair has it by then, or never will. */
const FORGET_MS = 60_000;
const REPORTED_MAX = 8_192;

export interface DamageReporterOptions {
  readonly metadata: MetadataClient;
  readonly view: ClusterView;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Turns shards that a read found gone or wrong into repair work. Best effort and bounded: what does
 * not fit or fails is dropped, because the scrub finds it too.
 */
export class DamageReporter {
  readonly #options: DamageReporterOptions;
  /** Blob → shards, waiting to be sent. */
  #waiting = new Map<string, Set<number>>();
  #reported = new Set<string>();
  #cancelSend: (() => void) | null = null;
  #forgetAtMs = 0;
  #isClosed = false;

  constructor(options: DamageReporterOptions) {
    this.#options = options;
  }

  /** Returns at once. */
  report(blob: BlobRef, shardIndex: number): void {
    const { clock } = this.#options;
    this.#forgetOldReports();
    const name = `${blob.blobId}/${shardIndex}`;
    if (this.#isClosed || this.#reported.has(name)) return;
    let shards = this.#waiting.get(blob.blobId);
    if (shards === undefined) {
      if (this.#waiting.size >= BLOBS_MAX) return;
      shards = new Set();
      this.#waiting.set(blob.blobId, shards);
    }
    shards.add(shardIndex);
    this.#reported.add(name);
    this.#cancelSend ??= clock.schedule(COLLECT_MS, () => {
      this.#cancelSend = null;
      void this.#send();
    });
  }

  /** Drops what was not sent yet. */
  close(): void {
    this.#isClosed = true;
    this.#cancelSend?.();
  }

  #forgetOldReports(): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs < this.#forgetAtMs && this.#reported.size < REPORTED_MAX) return;
    this.#reported = new Set();
    this.#forgetAtMs = nowMs + FORGET_MS;
  }

  async #send(): Promise<void> {
    const { metadata, view, logger } = this.#options;
    const waiting = this.#waiting;
    this.#waiting = new Map();
    try {
      const groups = new Map<string, MissingShards[]>();
      const { indexGroups } = view.map().settings;
      for (const [blobId, shards] of waiting) {
        const group = groupOfBlob(blobId, indexGroups);
        const missing = groups.get(group) ?? [];
        missing.push({ blobId, shardIndexes: [...shards].sort((a, b) => a - b) });
        groups.set(group, missing);
      }
      for (const [group, missing] of groups) {
        await metadata.index(group, 'ReportMissingShards', { missing });
        logger.warn({ group, blobs: missing.length }, 'damaged shards reported');
      }
    } catch (error) {
      logger.warn({ error, blobs: waiting.size }, 'damaged shards not reported');
    }
  }
}
