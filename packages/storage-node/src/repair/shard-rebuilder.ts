import type { ShardAttributes } from '@azimuth/clients';
import { PAGE_BYTES, PageChecksums, SUM_RANGE_BYTES_MAX } from '@azimuth/clients';
import { assert, hasCode, Semaphore, StoreError } from '@azimuth/common';
import type { Clock, Logger, Pace, Random } from '@azimuth/common';
import { coefficientsOf } from '@azimuth/erasure';
import type { Codec } from '@azimuth/erasure';

import type { ShardId } from '../segment/shard-id';
import type { ShardStore, ShardUpload } from '../store/shard-store';
import { directly, planStreams, termsFor } from './rebuild-plan';
import type { RebuildStream, RebuildTerm } from './rebuild-plan';
import { readAll } from './shard-summer';
import type { TermReader } from './term-reader';

/** What to rebuild on a disk of this node, and from what: k sources. */
export interface RebuildRequest {
  readonly id: ShardId;
  readonly attributes: ShardAttributes;
  readonly sources: readonly Omit<RebuildTerm, 'coefficient'>[];
}

export interface FailedSource {
  readonly shardIndex: number;
  readonly code: string;
}

export interface ShardRebuilderOptions {
  readonly codec: Codec;
  readonly reader: TermReader;
  readonly pace: Pace;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** One page is decoded a second time, without helpers, about every so many bytes. */
  readonly crossCheckEveryBytes: number;
}

const REBUILDS_AT_A_TIME = 4;
const REBUILDS_WAITING_MAX = 64;
/** A source that is overloaded is asked again this often, a little later each time. */
const OVERLOADED_RETRIES_MAX = 6;
const OVERLOADED_PAUSE_MS = 250;

/** A source could not be read, with or without a helper. */
class SourceFailure extends Error {
  readonly failed: FailedSource;

  constructor(shardIndex: number, cause: unknown) {
    super(`shard ${shardIndex} cannot be read`, { cause });
    const code = cause instanceof StoreError ? cause.code : 'INTERNAL';
    this.failed = { shardIndex, code };
  }
}

interface Rebuild {
  readonly request: RebuildRequest;
  readonly terms: readonly RebuildTerm[];
  readonly windowBytes: number;
  /** Of the arena: the window of the result, and behind it one for each stream. */
  readonly base: number;
  readonly signal: AbortSignal;
  streams: readonly RebuildStream[];
}

/**
 * Rebuilds shards of this node's disks. It pulls, so that nothing passes through a third zone: the
 * sources of its own zone one by one, those of another zone as one sum (`rebuild-plan.ts`).
 *
 * P1 Every page is verified where it is read and where it arrives.
 * P2 A helper that fails is done without: its shards are read one by one. Only a source that cannot
 *    be read itself ends a rebuild, which says which one.
 * P3 Nothing is stored unless every byte was there; what a helper computed wrong under a right
 *    checksum is caught by samples that are decoded without helpers.
 */
export class ShardRebuilder {
  readonly #options: ShardRebuilderOptions;
  readonly #permits = new Semaphore(REBUILDS_AT_A_TIME, REBUILDS_WAITING_MAX);
  #bytesSinceCheck = 0;

  constructor(options: ShardRebuilderOptions) {
    this.#options = options;
  }

  /**
   * Resolves with the sources that failed; with none of them, the shard is durable.
   *
   * @throws StoreError INVALID_ARGUMENT, OVERLOADED, CANCELLED, CHECKSUM_MISMATCH (a sum was
   *   wrong), and what the store says: DISK_FULL, DISK_FENCED.
   */
  async rebuild(
    store: ShardStore,
    request: RebuildRequest,
    signal: AbortSignal,
  ): Promise<readonly FailedSource[]> {
    const terms = termsOf(request);
    const release = await this.#permits.acquire();
    try {
      const { codec, reader } = this.#options;
      const windowBytes = Math.min(request.attributes.shardSizeBytes, SUM_RANGE_BYTES_MAX);
      const base = codec.arena.allocate(windowBytes * (terms.length + 1));
      if (base === null) throw new StoreError('OVERLOADED', { reason: 'arena' });
      try {
        const turn = Number.parseInt(request.id.blobId.slice(-4), 16);
        const streams = planStreams(reader.zone, terms, turn);
        await this.#store(store, { request, terms, windowBytes, base, signal, streams });
        return [];
      } finally {
        codec.arena.free(base);
      }
    } catch (error) {
      if (error instanceof SourceFailure) return [error.failed];
      throw error;
    } finally {
      release();
    }
  }

  async #store(store: ShardStore, rebuild: Rebuild): Promise<void> {
    const { id, attributes } = rebuild.request;
    const { shardSizeBytes } = attributes;
    const checkAt = this.#chooseCrossCheck(shardSizeBytes);
    const checksums = new PageChecksums(shardSizeBytes);
    const upload = await store.beginPut(id, attributes);
    try {
      for (let from = 0; from < shardSizeBytes; from += rebuild.windowBytes) {
        rebuild.signal.throwIfAborted();
        const lengthBytes = Math.min(rebuild.windowBytes, shardSizeBytes - from);
        const bytes = await this.#window(rebuild, from, lengthBytes);
        if (checkAt !== null && checkAt >= from && checkAt < from + lengthBytes) {
          await this.#crossCheck(rebuild, checkAt, bytes.subarray(checkAt - from));
        }
        checksums.update(bytes);
        await give(upload, bytes);
      }
      await give(upload, checksums.table());
      await upload.finish();
    } catch (error) {
      await upload.abort();
      // Somebody else has stored it meanwhile: whoever asked verifies what is there.
      if (!hasCode(error, 'SHARD_EXISTS')) throw error;
    }
  }

  /** The bytes of one range of the shard, in the arena until the next call. */
  async #window(rebuild: Rebuild, offsetBytes: number, lengthBytes: number): Promise<Uint8Array> {
    const { codec, pace } = this.#options;
    const { base, windowBytes, signal } = rebuild;
    const bytes = lengthBytes * (rebuild.streams.length + 1);
    await pace.take({ bytes, operations: 1 }, { signal });
    await this.#readStreams(rebuild, offsetBytes, lengthBytes);
    const { streams } = rebuild;
    const offsets = streams.map((_, index) => base + (index + 1) * windowBytes);
    const coefficients = Uint8Array.from(streams, (stream) =>
      stream.kind === 'sum' ? 1 : stream.term.coefficient,
    );
    codec.combine(coefficients, offsets, base, lengthBytes);
    return codec.memory.subarray(base, base + lengthBytes);
  }

  /** Reads every stream of a window; goes on without the helpers that failed (P2). */
  async #readStreams(rebuild: Rebuild, offsetBytes: number, lengthBytes: number): Promise<void> {
    for (;;) {
      const lame = new Set<RebuildStream>();
      await readAll(rebuild.streams, async (stream, index) => {
        const into = this.#memoryOf(rebuild, index, lengthBytes);
        try {
          await this.#readStream(rebuild, stream, { offsetBytes, lengthBytes }, into);
        } catch (error) {
          if (stream.kind === 'shard' || rebuild.signal.aborted) throw error;
          const { zone, helper } = stream;
          this.#options.logger.info({ zone, nodeId: helper.nodeId, error }, 'a helper failed');
          lame.add(stream);
        }
      });
      if (lame.size === 0) return;
      rebuild.streams = rebuild.streams.flatMap((stream) =>
        stream.kind === 'sum' && lame.has(stream) ? directly(stream.terms) : [stream],
      );
    }
  }

  #memoryOf({ base, windowBytes }: Rebuild, index: number, lengthBytes: number): Uint8Array {
    const at = base + (index + 1) * windowBytes;
    return this.#options.codec.memory.subarray(at, at + lengthBytes);
  }

  async #readStream(
    { request, signal }: Rebuild,
    stream: RebuildStream,
    range: { readonly offsetBytes: number; readonly lengthBytes: number },
    into: Uint8Array,
  ): Promise<void> {
    const { reader } = this.#options;
    const { blobId } = request.id;
    const context = { signal, purpose: 'repair' } as const;
    if (stream.kind === 'sum') {
      const { helper, zone, terms } = stream;
      const wanted = termsFor(helper, terms);
      await this.#patiently(signal, () =>
        reader.readSum({ node: helper, zone }, wanted, { blobId, ...range }, into, context),
      );
      return;
    }
    try {
      await this.#patiently(signal, () =>
        reader.read(stream.term, { blobId, ...range }, into, context),
      );
    } catch (error) {
      if (signal.aborted) throw new StoreError('CANCELLED', {}, error);
      throw new SourceFailure(stream.term.shardIndex, error);
    }
  }

  /** A node that gives way to its clients has not failed. */
  async #patiently(signal: AbortSignal, read: () => Promise<void>): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await read();
        return;
      } catch (error) {
        if (!hasCode(error, 'OVERLOADED') || attempt > OVERLOADED_RETRIES_MAX) throw error;
        await this.#options.clock.sleep(attempt * OVERLOADED_PAUSE_MS, signal);
      }
    }
  }

  /** The offset of a page to decode twice, or null: one page in `crossCheckEveryBytes` (P3). */
  #chooseCrossCheck(shardSizeBytes: number): number | null {
    const { crossCheckEveryBytes, random } = this.#options;
    this.#bytesSinceCheck += shardSizeBytes;
    if (this.#bytesSinceCheck < crossCheckEveryBytes) return null;
    this.#bytesSinceCheck = 0;
    return random.below(Math.ceil(shardSizeBytes / PAGE_BYTES)) * PAGE_BYTES;
  }

  /** Decodes the page at `offsetBytes` from the sources themselves and compares. */
  async #crossCheck(rebuild: Rebuild, offsetBytes: number, result: Uint8Array): Promise<void> {
    const { codec, reader, logger } = this.#options;
    const { request, terms, signal } = rebuild;
    const lengthBytes = Math.min(PAGE_BYTES, result.byteLength);
    const base = codec.arena.allocate(lengthBytes * (terms.length + 1));
    if (base === null) return;
    try {
      const offsets = terms.map((_, index) => base + (index + 1) * lengthBytes);
      const range = { blobId: request.id.blobId, offsetBytes, lengthBytes };
      await readAll(terms, (term, index) => {
        const at = offsets[index] as number;
        const into = codec.memory.subarray(at, at + lengthBytes);
        return reader.read(term, range, into, { signal, purpose: 'cross-check' });
      });
      const coefficients = Uint8Array.from(terms, ({ coefficient }) => coefficient);
      codec.combine(coefficients, offsets, base, lengthBytes);
      const expected = codec.memory.subarray(base, base + lengthBytes);
      if (Buffer.compare(expected, result.subarray(0, lengthBytes)) === 0) return;
    } finally {
      codec.arena.free(base);
    }
    const helpers = rebuild.streams
      .flatMap((stream) => (stream.kind === 'sum' ? [stream.helper.nodeId] : []))
      .join();
    logger.error({ ...request.id, helpers }, 'a sum of shards was wrong');
    throw new StoreError('CHECKSUM_MISMATCH', { reason: 'cross-check', helpers });
  }
}

/** @throws StoreError INVALID_ARGUMENT unless there are k distinct sources beside the target. */
function termsOf({ id, attributes, sources }: RebuildRequest): readonly RebuildTerm[] {
  const { profile } = attributes;
  const indexes = sources.map(({ shardIndex }) => shardIndex);
  const isValid =
    new Set([...indexes, id.shardIndex]).size === profile.k + 1 &&
    sources.length === profile.k &&
    [...indexes, id.shardIndex].every((index) => index < profile.k + profile.m);
  if (!isValid) throw new StoreError('INVALID_ARGUMENT', { reason: 'sources' });
  const coefficients = coefficientsOf(profile, indexes, id.shardIndex);
  return sources.map((source, index) => ({
    ...source,
    coefficient: coefficients[index] as number,
  }));
}

/** Puts all of `bytes` into the upload. */
async function give(upload: ShardUpload, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.byteLength;) {
    const room = upload.room();
    assert(room.byteLength > 0, 'an upload without room before its end');
    const piece = bytes.subarray(at, at + room.byteLength);
    room.set(piece);
    at += piece.byteLength;
    await upload.fill(piece.byteLength);
  }
}
