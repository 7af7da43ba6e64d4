import type { ShardSumReader, ShardSumTerm, StorageClient } from '@azimuth/clients';
import { StoreError } from '@azimuth/common';
import type { StorageNodeEntry } from '@azimuth/placement';

import type { ShardRange, ShardStore } from '../store/shard-store';

/** Bytes that came to this node for a rebuild. */
export interface RepairTraffic {
  readonly fromZone: string;
  readonly toZone: string;
  readonly purpose: 'repair' | 'cross-check';
  readonly bytes: number;
}

export interface TermReaderOptions {
  readonly stores: ReadonlyMap<string, ShardStore>;
  readonly storage: StorageClient & ShardSumReader;
  readonly zone: string;
  onTraffic(traffic: RepairTraffic): void;
}

export interface TermRange extends ShardRange {
  readonly blobId: string;
}

export interface ReadContext {
  readonly signal: AbortSignal;
  readonly purpose: RepairTraffic['purpose'];
}

/** Reads ranges of shards, of this node and of others, verified page by page. */
export class TermReader {
  readonly #options: TermReaderOptions;

  constructor(options: TermReaderOptions) {
    this.#options = options;
  }

  get zone(): string {
    return this.#options.zone;
  }

  /**
   * Fills `into`, as long as the range, with the shard of `term`, which lies in `zone`.
   *
   * @throws StoreError SHARD_NOT_FOUND, SHARD_CORRUPT, DISK_UNKNOWN, OVERLOADED, UNAVAILABLE, …
   */
  async read(
    term: Omit<ShardSumTerm, 'coefficient'> & { readonly zone: string },
    range: TermRange,
    into: Uint8Array,
    { signal, purpose }: ReadContext,
  ): Promise<void> {
    const { node, diskId, shardIndex, zone } = term;
    if (node === null) {
      await this.#readOwn(term, range, into);
      return;
    }
    const address = { node: entryOf(node, zone), diskId, blobId: range.blobId, shardIndex };
    await this.#options.storage.readShard(address, range, { target: into, signal });
    this.#count(zone, purpose, range.lengthBytes);
  }

  /** Fills `into` with the sum of `terms`, computed by a node of `zone`. */
  async readSum(
    helper: { readonly node: NonNullable<ShardSumTerm['node']>; readonly zone: string },
    terms: readonly ShardSumTerm[],
    range: TermRange,
    into: Uint8Array,
    { signal, purpose }: ReadContext,
  ): Promise<void> {
    const { blobId, offsetBytes, lengthBytes } = range;
    const node = entryOf(helper.node, helper.zone);
    const sum = { blobId, offsetBytes, lengthBytes, terms };
    await this.#options.storage.readSum(node, sum, { target: into, signal });
    this.#count(helper.zone, purpose, lengthBytes);
  }

  async #readOwn(
    { diskId, shardIndex }: Pick<ShardSumTerm, 'diskId' | 'shardIndex'>,
    range: TermRange,
    into: Uint8Array,
  ): Promise<void> {
    const store = this.#options.stores.get(diskId);
    if (store === undefined) throw new StoreError('DISK_UNKNOWN', { diskId });
    const reader = await store.openRead({ blobId: range.blobId, shardIndex }, range);
    try {
      if (reader.lengthBytes !== into.byteLength) throw new StoreError('SHARD_SIZE_MISMATCH');
      let at = 0;
      for (let piece = await reader.next(); piece !== null; piece = await reader.next()) {
        into.set(piece, at);
        at += piece.byteLength;
      }
    } finally {
      reader.close();
    }
  }

  #count(fromZone: string, purpose: RepairTraffic['purpose'], bytes: number): void {
    this.#options.onTraffic({ fromZone, toZone: this.#options.zone, purpose, bytes });
  }
}

function entryOf(node: NonNullable<ShardSumTerm['node']>, zone: string): StorageNodeEntry {
  return { ...node, zone, adminPort: 0, state: 'up' };
}
