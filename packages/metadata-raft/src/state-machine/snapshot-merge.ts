import { decodeRecords, SnapshotEncoder } from './snapshot-codec';
import type { SnapshotRecord } from './snapshot-codec';

/**
 * A snapshot and what changed after it, oldest first, as the one snapshot they add up to. All are
 * read side by side, as each is in the order of keys; of a key the newest part decides.
 *
 * @throws StoreError CHECKSUM_MISMATCH, STATE_CORRUPT from the iteration
 */
export async function* mergedChunks(
  parts: readonly AsyncIterable<Buffer>[],
): AsyncGenerator<Buffer> {
  const encoder = new SnapshotEncoder();
  const newestFirst = parts.map((part) => new PartCursor(part)).reverse();
  try {
    for (const cursor of newestFirst) await cursor.next();
    for (;;) {
      const chosen = smallest(newestFirst);
      if (chosen === null) break;
      if (chosen.value !== null) encoder.add(chosen.key, chosen.value);
      if (encoder.isChunkFull) yield encoder.take();
      for (const cursor of newestFirst) {
        if (cursor.head?.key.equals(chosen.key) === true && !cursor.skip()) await cursor.next();
      }
    }
  } finally {
    for (const cursor of newestFirst) await cursor.close();
  }
  yield encoder.take();
  yield encoder.trailer();
}

/** The first of those with the smallest key; null when all parts have ended. */
function smallest(cursors: readonly PartCursor[]): SnapshotRecord | null {
  let found: SnapshotRecord | null = null;
  for (const { head } of cursors) {
    if (head !== null && (found === null || head.key.compare(found.key) < 0)) found = head;
  }
  return found;
}

class PartCursor {
  readonly #batches: AsyncGenerator<readonly SnapshotRecord[]>;
  #batch: readonly SnapshotRecord[] = [];
  #position = 0;

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#batches = decodeRecords(chunks);
  }

  /** Null at the end, and before the first {@link next}. */
  get head(): SnapshotRecord | null {
    return this.#batch[this.#position] ?? null;
  }

  /** To the next record if it has been read already. */
  skip(): boolean {
    this.#position += 1;
    return this.#position < this.#batch.length;
  }

  /** To the first record of the next batch. */
  async next(): Promise<void> {
    const batch = await this.#batches.next();
    this.#batch = batch.done === true ? [] : batch.value;
    this.#position = 0;
  }

  async close(): Promise<void> {
    await this.#batches.return(undefined);
  }
}
