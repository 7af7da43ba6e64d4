import { once } from 'node:events';

import { StoreError } from '@azimuth/common';
import type { Clock } from '@azimuth/common';
import type { RaftStubClient, SnapshotChunk } from '@azimuth/proto';
import { toStoreError } from '@azimuth/rpc';

import type { SnapshotAnswer, SnapshotTransfer } from './transport';

/** A snapshot that does not finish in this time is given up; the next attempt starts over. */
const TRANSFER_TIMEOUT_MS = 10 * 60_000;

/** Streams `transfer` and resolves with what the peer said of it. */
export async function sendSnapshotStream(
  stub: RaftStubClient,
  transfer: SnapshotTransfer,
  clock: Clock,
): Promise<SnapshotAnswer> {
  const { group, from, term, lastIncludedIndex, lastIncludedTerm, configuration } = transfer;
  const { voters, outgoing, learners } = configuration;
  const head = {
    ...{ group, from, term, lastIncludedIndex, lastIncludedTerm },
    ...{ voters: [...voters], outgoing: [...(outgoing ?? [])], learners: [...learners] },
  };
  let settled = false;
  const abort = new AbortController();
  const answer = new Promise<SnapshotAnswer>((resolve, reject) => {
    const deadline = clock.wallMs() + TRANSFER_TIMEOUT_MS;
    const stream = stub.InstallSnapshot({ deadline }, (error, result) => {
      settled = true;
      abort.abort();
      if (error !== null || result === undefined) {
        reject(error === null ? new StoreError('UNAVAILABLE') : toStoreError(error));
      } else resolve({ isAccepted: result.accepted, term: result.term });
    });
    stream.on('error', () => undefined);
    const write = async (): Promise<void> => {
      let offset = 0;
      for await (const data of transfer.chunks) {
        if (settled) return;
        const isRoom = stream.write({ ...head, offset, data, done: false });
        offset += data.length;
        if (!isRoom) await once(stream, 'drain', { signal: abort.signal });
      }
      stream.write({ ...head, offset, data: Buffer.alloc(0), done: true });
      stream.end();
    };
    write().catch((error: unknown) => {
      stream.cancel();
      reject(error instanceof Error ? error : new StoreError('INTERNAL'));
    });
  });
  return answer;
}

/**
 * Turns the chunks of a call into a transfer. The iteration fails when chunks are missing or out of
 * order, or when the stream ends before the last one, so that half a snapshot is never a snapshot.
 *
 * @throws StoreError INVALID_ARGUMENT when there is not even a first chunk.
 */
export async function receiveSnapshotStream(
  call: AsyncIterable<SnapshotChunk>,
): Promise<SnapshotTransfer> {
  const iterator = call[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done === true) throw new StoreError('INVALID_ARGUMENT', { stream: 'empty' });
  const { group, from, term, lastIncludedIndex, lastIncludedTerm } = first.value;
  const { voters, outgoing, learners } = first.value;
  const configuration = {
    ...{ voters, learners },
    // No set of voters is empty, so an empty one means that there is none.
    outgoing: outgoing.length === 0 ? null : outgoing,
  };
  const chunks = readChunks(first.value, iterator);
  return { group, from, term, lastIncludedIndex, lastIncludedTerm, configuration, chunks };
}

async function* readChunks(
  first: SnapshotChunk,
  iterator: AsyncIterator<SnapshotChunk>,
): AsyncGenerator<Buffer> {
  let chunk = first;
  let offset = 0;
  for (;;) {
    if (chunk.offset !== offset || chunk.lastIncludedIndex !== first.lastIncludedIndex) {
      throw new StoreError('INVALID_ARGUMENT', { offset: chunk.offset, expected: offset });
    }
    if (chunk.data.length > 0) yield chunk.data;
    offset += chunk.data.length;
    if (chunk.done) return;
    const next = await iterator.next();
    if (next.done === true) throw new StoreError('UNAVAILABLE', { stream: 'cut', offset });
    chunk = next.value;
  }
}
