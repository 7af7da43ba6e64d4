import type { Logger } from '@azimuth/common';
import type { Frames, MetadataHandlers } from '@azimuth/proto';

import type { PeerIdentity } from './identity';
import { peerOf } from './rpc-server';
import { FRAMES_BYTES_MAX } from './session-client';
import { toServiceError } from './status';

/** Requests of one stream in work at a time; beyond it the stream is not read. */
const CONCURRENCY_MAX = 8_192;

/**
 * Answers the body of one frame. It encodes failures in its answer: a rejection ends the stream.
 */
export type SessionHandler = (body: Buffer, peer: PeerIdentity) => Promise<Buffer>;

type SessionCall = Parameters<MetadataHandlers['Session']>[0];
type AnswerFrame = { readonly id: number; readonly body: Buffer };

/**
 * The server's side of `Metadata/Session`. Requests run concurrently; the answers of one event-loop
 * turn go back in one message. A caller that does not read its answers is not read from either.
 */
export function serveSession(
  call: SessionCall,
  handler: SessionHandler,
  options: { readonly logger: Logger; readonly concurrencyMax?: number },
): void {
  new SessionServer(call, handler, options.logger, options.concurrencyMax ?? CONCURRENCY_MAX);
}

class SessionServer {
  readonly #call: SessionCall;
  readonly #handler: SessionHandler;
  readonly #logger: Logger;
  readonly #concurrencyMax: number;
  readonly #peer: PeerIdentity;
  #answers: AnswerFrame[] = [];
  #inWork = 0;
  #isFlushScheduled = false;
  #isWriting = false;
  #isOver = false;

  constructor(call: SessionCall, handler: SessionHandler, logger: Logger, concurrencyMax: number) {
    this.#call = call;
    this.#handler = handler;
    this.#logger = logger;
    this.#concurrencyMax = concurrencyMax;
    this.#peer = peerOf(call);
    call.on('data', (frames: Frames) => this.#receive(frames));
    call.on('end', () => this.#finish());
    call.on('cancelled', () => {
      this.#isOver = true;
    });
    call.on('error', () => {
      this.#isOver = true;
    });
  }

  #receive({ frames }: Frames): void {
    for (const { id, body } of frames) {
      this.#inWork += 1;
      this.#handler(body, this.#peer).then(
        (answer) => this.#answer({ id, body: answer }),
        (error: unknown) => this.#break(error),
      );
    }
    if (this.#inWork >= this.#concurrencyMax) this.#call.pause();
  }

  #answer(frame: AnswerFrame): void {
    if (this.#isOver) return;
    this.#answers.push(frame);
    this.#scheduleFlush();
  }

  #scheduleFlush(): void {
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    setImmediate(() => {
      this.#isFlushScheduled = false;
      this.#flush();
    });
  }

  /** While a message is being written the next one gathers: batches grow with the load. */
  #flush(): void {
    if (this.#isOver) {
      this.#answers = [];
      return;
    }
    if (this.#answers.length > 0 && !this.#isWriting) {
      const batch = this.#takeBatch();
      this.#inWork -= batch.length;
      this.#isWriting = true;
      this.#call.write({ frames: batch }, () => {
        this.#isWriting = false;
        if (this.#answers.length > 0) this.#scheduleFlush();
      });
    }
    if (this.#inWork < this.#concurrencyMax && this.#call.isPaused()) this.#call.resume();
  }

  #takeBatch(): AnswerFrame[] {
    let batchBytes = 0;
    let count = 0;
    for (const { body } of this.#answers) {
      if (count > 0 && batchBytes + body.length > FRAMES_BYTES_MAX) break;
      batchBytes += body.length;
      count += 1;
    }
    const batch = this.#answers.slice(0, count);
    this.#answers = this.#answers.slice(count);
    return batch;
  }

  /**
   * A handler that rejects has a bug; the caller learns that the answers of this stream are gone.
   */
  #break(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#logger.error({ error, peer: this.#peer.nodeId }, 'session handler failed');
    this.#call.emit('error', toServiceError(error));
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#call.end();
  }
}
