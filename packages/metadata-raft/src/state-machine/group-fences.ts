import { StoreError } from '@azimuth/common';
import { decodeRecord, encodeRecord } from '@azimuth/proto';
import type { CommittedData, IndexCommands } from '@azimuth/proto';

import type { CheckedStore } from './checked-store';
import { plainKey } from './record-keys';

/**
 * Up to which cluster map the writers of a placement group are too late (`FenceGroup`). One small
 * record for each group of which a slot has ever moved.
 */
export class GroupFences {
  readonly #records: CheckedStore;

  constructor(records: CheckedStore) {
    this.#records = records;
  }

  /** Never goes back: who repeats an old fence takes nothing away from a later one. */
  set({ pgId, mapVersion }: IndexCommands['FenceGroup']['args']): void {
    if (mapVersion <= this.#fenceOf(pgId)) return;
    this.#records.put(keyOf(pgId), encodeRecord(mapVersion));
  }

  /**
   * Refuses blobs whose writer did not know that a slot of their group moves.
   *
   * @throws StoreError QUORUM_NOT_REACHED
   */
  check({ blobs, mapVersion }: Pick<CommittedData, 'blobs' | 'mapVersion'>): void {
    if (mapVersion === undefined) return;
    for (const { pgId } of blobs) {
      const fence = this.#fenceOf(pgId);
      if (mapVersion >= fence) continue;
      const reason = 'a slot of the group moves, and the writer did not know';
      throw new StoreError('QUORUM_NOT_REACHED', { reason, pgId, mapVersion, fence });
    }
  }

  #fenceOf(pgId: number): number {
    const content = this.#records.get(keyOf(pgId));
    return content === null ? 0 : (decodeRecord(content) as number);
  }
}

function keyOf(pgId: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64BE(BigInt(pgId));
  return plainKey('g', bytes);
}
