import type { RecordEntry } from '../segment/segment-format';
import { shardName } from '../segment/shard-id';
import type { ShardLocation } from './index-record';
import type { IndexChange, ShardIndex } from './shard-index';

const BATCH_LENGTH_MAX = 5_000;

/**
 * Puts records into the index in any order: per shard the greatest sequence wins, whether it is a
 * shard or a tombstone (F2 of segment-format.ts). Tombstones are kept beside the entries while it
 * runs.
 */
export class IndexMerge {
  readonly #index: ShardIndex;
  readonly #pending = new Map<string, RecordEntry & { readonly segment: number }>();
  #maxSequence = 0;

  constructor(index: ShardIndex) {
    this.#index = index;
  }

  /** The greatest sequence met. */
  get maxSequence(): number {
    return this.#maxSequence;
  }

  async add(segment: number, entries: readonly RecordEntry[]): Promise<void> {
    for (const entry of entries) {
      this.#maxSequence = Math.max(this.#maxSequence, entry.sequence);
      const name = shardName(entry.id);
      const pending = this.#pending.get(name);
      // Equal sequences are copies of an interrupted compaction; either will do.
      if (pending === undefined || pending.sequence <= entry.sequence) {
        this.#pending.set(name, { ...entry, segment });
      }
      if (this.#pending.size >= BATCH_LENGTH_MAX) await this.#flush();
    }
  }

  async finish(): Promise<void> {
    await this.#flush();
  }

  async #flush(): Promise<void> {
    const changes: IndexChange[] = [];
    for (const record of this.#pending.values()) {
      const present = this.#index.get(record.id);
      const tombstone = this.#index.getTombstone(record.id) ?? -1;
      const newest = Math.max(present?.sequence ?? -1, tombstone);
      if (record.sequence < newest) continue;
      if (record.kind === 'tombstone') {
        await this.#index.putTombstone(record.id, record.sequence);
        if (present !== null) changes.push({ kind: 'delete', location: present });
      } else {
        const location: ShardLocation = { ...record, kind: 'shard' };
        if (present !== null) changes.push({ kind: 'delete', location: present });
        changes.push({ kind: 'put', location });
      }
    }
    this.#pending.clear();
    await this.#index.apply(changes, this.#maxSequence);
  }
}
