import type { Buffer } from 'node:buffer';

import type { Clock } from '@azimuth/common';
import { assert } from '@azimuth/common';

import type { ByteSink, ByteSource } from '../data-path/byte-source';
import { S3Error } from '../s3/s3-error';

/** The slowest upload that is still served; anything slower only holds memory and sockets. */
export interface MinimumProgress {
  readonly windowMs: number;
  /** Bytes that must arrive in every window in which this side did not stop the sender. */
  readonly bytes: number;
}

export const DEFAULT_MINIMUM_PROGRESS: MinimumProgress = { windowMs: 30_000, bytes: 30 * 1024 };

/** What delivers the bytes: Node's IncomingMessage, or a body past its parser (`WireBody`). */
export interface IncomingStream {
  /** Every byte has come. */
  readonly complete: boolean;
  readonly destroyed: boolean;
  on(event: 'data', listener: (chunk: Buffer) => void): unknown;
  on(event: 'end' | 'close', listener: () => void): unknown;
  off(event: 'data', listener: (chunk: Buffer) => void): unknown;
  off(event: 'end' | 'close', listener: () => void): unknown;
  pause(): unknown;
  resume(): unknown;
}

/**
 * The bytes of a request as the socket delivers them, with back-pressure and without copies.
 *
 * Node's own `requestTimeout` would cut every upload that takes longer, however steadily it flows,
 * so it is off and progress is watched here instead.
 */
export class IncomingBody implements ByteSource {
  readonly #request: IncomingStream;
  readonly #clock: Clock;
  readonly #progress: MinimumProgress;
  readonly #onStart: () => void;
  #receivedBytes = 0;
  #isStarted = false;

  /** @param onStart called before the first byte is asked for: the place for `100 Continue`. */
  constructor(
    request: IncomingStream,
    clock: Clock,
    progress: MinimumProgress,
    onStart: () => void,
  ) {
    this.#request = request;
    this.#clock = clock;
    this.#progress = progress;
    this.#onStart = onStart;
  }

  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** Every byte has come, be it read or not. */
  get isComplete(): boolean {
    return this.#request.complete;
  }

  get isStarted(): boolean {
    return this.#isStarted;
  }

  /**
   * Errors: S3Error IncompleteBody when the client goes away, RequestTimeout when it is too slow.
   */
  readInto(sink: ByteSink): Promise<void> {
    assert(!this.#isStarted, 'a request body is read once');
    this.#isStarted = true;
    this.#onStart();
    return this.#receive(sink);
  }

  /**
   * Reads and drops what is left, so that the answer is not lost in a connection reset. Resolves
   * with false when more than `bytesMax` are coming or they come too slowly.
   */
  async discard(bytesMax: number): Promise<boolean> {
    this.#isStarted = true;
    let droppedBytes = 0;
    try {
      await this.#receive((chunk) => {
        droppedBytes += chunk.length;
        if (droppedBytes > bytesMax) throw new S3Error('EntityTooLarge');
        return undefined;
      });
      return true;
    } catch {
      return false;
    }
  }

  #receive(sink: ByteSink): Promise<void> {
    return new Promise((resolve, reject) => {
      const request = this.#request;
      let isDone = false;
      let isSinkBusy = false;
      let hasEnded = false;

      const finish = (error?: Error): void => {
        if (isDone) return;
        isDone = true;
        stopWatching();
        request.off('data', onData);
        request.off('end', onEnd);
        request.off('close', onClose);
        if (error === undefined) {
          resolve();
        } else {
          request.pause();
          reject(error);
        }
      };
      const onData = (chunk: Buffer): void => {
        this.#receivedBytes += chunk.length;
        try {
          const wait = sink(chunk);
          if (wait === undefined) return;
          isSinkBusy = true;
          request.pause();
          wait.then(onSinkReady, finish);
        } catch (error) {
          finish(error as Error);
        }
      };
      const onSinkReady = (): void => {
        isSinkBusy = false;
        if (hasEnded) finish();
        else if (!isDone) request.resume();
      };
      const onEnd = (): void => {
        hasEnded = true;
        if (!isSinkBusy) finish();
      };
      // After 'end' this comes too, when nothing listens any more.
      const onClose = (): void => {
        if (!hasEnded) finish(incompleteBody());
      };
      const stopWatching = this.#watchProgress(
        () => isSinkBusy,
        () => finish(new S3Error('RequestTimeout')),
      );

      if (request.destroyed && !request.complete) {
        finish(incompleteBody());
        return;
      }
      request.on('data', onData);
      request.on('end', onEnd);
      request.on('close', onClose);
      request.resume();
    });
  }

  /** Calls `onStall` when a whole window passes with too few bytes and without a busy sink. */
  #watchProgress(isSinkBusy: () => boolean, onStall: () => void): () => void {
    const { windowMs, bytes } = this.#progress;
    let bytesAtStart = this.#receivedBytes;
    let cancel = (): void => undefined;
    const arm = (): void => {
      cancel = this.#clock.schedule(windowMs, () => {
        const isStalled = !isSinkBusy() && this.#receivedBytes - bytesAtStart < bytes;
        bytesAtStart = this.#receivedBytes;
        if (isStalled) onStall();
        else arm();
      });
    };
    arm();
    return () => cancel();
  }
}

function incompleteBody(): S3Error {
  return new S3Error('IncompleteBody');
}
