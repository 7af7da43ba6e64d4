import { backoffMs } from '@azimuth/common';
import type { Clock, Logger, Random } from '@azimuth/common';
import { RaftStub } from '@azimuth/proto';
import type { RaftStubClient } from '@azimuth/proto';
import { createClient } from '@azimuth/rpc';
import type { PeerAddress } from '@azimuth/rpc';
import type { ClientWritableStream } from '@grpc/grpc-js';

import type { GroupMessage } from './transport';
import type { OutgoingMessage } from './wire-message';
import { encodeMessage } from './wire-message';

const QUEUE_BYTES_MAX = 64 * 1024 * 1024;
const QUEUE_LENGTH_MAX = 16 * 1024;
/** One MessageBatch; well below what the channel accepts. */
const BATCH_BYTES_MAX = 4 * 1024 * 1024;
/** Not counting the entries. */
const MESSAGE_OVERHEAD_BYTES = 128;
const RECONNECT_BACKOFF = { baseMs: 50, maxMs: 500 };

interface Queued {
  readonly sizeBytes: number;
  readonly isHeartbeat: boolean;
  readonly wire: OutgoingMessage;
}

export interface PeerStreamOptions {
  readonly address: PeerAddress;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/**
 * The stream to one peer, for all groups. It never waits for the peer: the queue is bounded, and a
 * full one drops the oldest heartbeats first, then the oldest messages; Raft sends again. A silent
 * peer is noticed by the pings of the channel, which end the stream (pitfall 29).
 */
export class PeerStream {
  readonly #options: PeerStreamOptions;
  readonly #stub: RaftStubClient;
  #stream: ClientWritableStream<{ messages: OutgoingMessage[] }> | null = null;
  #queue: Queued[] = [];
  #queueBytes = 0;
  #isWriting = false;
  #isClosed = false;
  #failures = 0;
  #cancelReconnect: (() => void) | null = null;

  constructor(options: PeerStreamOptions) {
    this.#options = options;
    this.#stub = createClient<RaftStubClient>(RaftStub, options.address, options.clock);
  }

  get stub(): RaftStubClient {
    return this.#stub;
  }

  send(messages: readonly GroupMessage[]): void {
    if (this.#isClosed) return;
    for (const groupMessage of messages) {
      const { message } = groupMessage;
      let sizeBytes = MESSAGE_OVERHEAD_BYTES;
      if (message.type === 'AppendEntries') {
        for (const entry of message.entries) sizeBytes += entry.data.length + 16;
      }
      const isHeartbeat = message.type === 'Heartbeat' || message.type === 'HeartbeatResponse';
      this.#queue.push({ sizeBytes, isHeartbeat, wire: encodeMessage(groupMessage) });
      this.#queueBytes += sizeBytes;
    }
    this.#bound();
    this.#flush();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelReconnect?.();
    this.#queue = [];
    this.#stream?.cancel();
    this.#stub.close();
  }

  /** While a message is being written the next one gathers: batches grow with the load. */
  #flush(): void {
    if (this.#isWriting || this.#isClosed || this.#queue.length === 0) return;
    if (this.#cancelReconnect !== null) return;
    const stream = (this.#stream ??= this.#open());
    let count = 0;
    let sizeBytes = 0;
    for (const queued of this.#queue) {
      if (count > 0 && sizeBytes + queued.sizeBytes > BATCH_BYTES_MAX) break;
      sizeBytes += queued.sizeBytes;
      count += 1;
    }
    const batch = this.#queue.splice(0, count);
    this.#queueBytes -= sizeBytes;
    this.#isWriting = true;
    const messages = batch.map(({ wire }) => wire);
    stream.write({ messages }, (error?: Error | null) => {
      // What became of a stream that failed is told by its callback.
      if (this.#stream !== stream || (error !== undefined && error !== null)) return;
      this.#failures = 0;
      this.#isWriting = false;
      this.#flush();
    });
  }

  #open(): ClientWritableStream<{ messages: OutgoingMessage[] }> {
    const stream = this.#stub.Messages((error) => {
      this.#ended(stream, error);
    });
    // The callback reports the same; without a listener the error would be thrown.
    stream.on('error', () => undefined);
    return stream;
  }

  #ended(stream: unknown, error: Error | null): void {
    if (this.#stream !== stream || this.#isClosed) return;
    this.#stream = null;
    this.#isWriting = false;
    const { clock, random, logger, address } = this.#options;
    const delayMs = backoffMs(this.#failures, RECONNECT_BACKOFF, random);
    this.#failures += 1;
    logger.debug({ host: address.host, port: address.port, error }, 'raft stream ended');
    this.#cancelReconnect = clock.schedule(delayMs, () => {
      this.#cancelReconnect = null;
      this.#flush();
    });
  }

  #bound(): void {
    if (this.#isWithinBounds()) return;
    this.#drop((queued) => queued.isHeartbeat);
    this.#drop(() => true);
  }

  #isWithinBounds(): boolean {
    return this.#queue.length <= QUEUE_LENGTH_MAX && this.#queueBytes <= QUEUE_BYTES_MAX;
  }

  #drop(mayDrop: (queued: Queued) => boolean): void {
    const kept: Queued[] = [];
    for (const [position, queued] of this.#queue.entries()) {
      const length = kept.length + this.#queue.length - position;
      const isFull = length > QUEUE_LENGTH_MAX || this.#queueBytes > QUEUE_BYTES_MAX;
      if (isFull && mayDrop(queued)) this.#queueBytes -= queued.sizeBytes;
      else kept.push(queued);
    }
    this.#queue = kept;
  }
}
