import type { ShardSumRequest } from '@azimuth/clients';
import { PageChecksums } from '@azimuth/clients';
import { mapLimited, StoreError } from '@azimuth/common';
import type { Codec } from '@azimuth/erasure';
import { VECTOR_BYTES } from '@azimuth/erasure';

import type { ReadContext, TermReader } from './term-reader';

const TERMS_AT_A_TIME = 8;

/** A sum of shards, in the codec's memory until `release`. */
export interface ShardSum {
  readonly bytes: Uint8Array;
  /** Of the sum, not of any shard. */
  readonly table: Buffer;
  release(): void;
}

/**
 * Computes the sum that another node asked for. Each term is verified by its page checksums as it
 * arrives; those of the sum are computed here.
 *
 * @throws StoreError INVALID_ARGUMENT · OVERLOADED (no memory left for it), and of the first term
 *   that cannot be read.
 */
export async function sumShards(
  codec: Codec,
  reader: TermReader,
  request: ShardSumRequest,
  context: ReadContext,
): Promise<ShardSum> {
  const { terms, lengthBytes } = request;
  // Shards and pages are whole vectors, so ranges of them are.
  if (lengthBytes % VECTOR_BYTES !== 0) {
    throw new StoreError('INVALID_ARGUMENT', { lengthBytes });
  }
  const base = codec.arena.allocate(lengthBytes * (terms.length + 1));
  if (base === null) throw new StoreError('OVERLOADED', { arenaFreeBytes: codec.arena.freeBytes });
  try {
    const offsets = terms.map((_, index) => base + (index + 1) * lengthBytes);
    await readAll(terms, (term, index) => {
      const at = offsets[index] as number;
      const into = codec.memory.subarray(at, at + lengthBytes);
      return reader.read({ ...term, zone: reader.zone }, request, into, context);
    });
    const coefficients = Uint8Array.from(terms, ({ coefficient }) => coefficient);
    codec.combine(coefficients, offsets, base, lengthBytes);
    const bytes = codec.memory.subarray(base, base + lengthBytes);
    const checksums = new PageChecksums(lengthBytes);
    checksums.update(bytes);
    return { bytes, table: checksums.table(), release: () => codec.arena.free(base) };
  } catch (error) {
    codec.arena.free(base);
    throw error;
  }
}

/**
 * Runs all reads to their ends, also when one fails: memory that a socket still fills cannot be
 * given to somebody else. Then throws the first failure.
 */
export async function readAll<T>(
  items: readonly T[],
  read: (item: T, index: number) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = [];
  await mapLimited(items, TERMS_AT_A_TIME, (item, index) =>
    read(item, index).catch((error: unknown) => {
      failures.push(error);
    }),
  );
  if (failures.length > 0) throw failures[0];
}
