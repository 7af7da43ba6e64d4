import { assert, StoreError } from '@azimuth/common';

import type { ConnectionPool } from './connection-pool';
import { PageChecksums } from './page-checksums';
import { DocumentReceiver } from './response-receivers';
import type { ShardConnection } from './shard-connection';
import type { ShardWriter } from './storage-client';

export interface ShardWriterOptions {
  readonly pool: ConnectionPool;
  /**
   * The request head, signed when the first block is there: a body may wait for memory longer than
   * a signature is good for. Asynchronous only while a session key is fetched.
   */
  readonly signHead: () => string | Promise<string>;
  readonly shardSizeBytes: number;
  readonly nowMs: () => number;
  readonly progressTimeoutMs: number;
  /** For the answer, which comes after an fsync. */
  readonly answerTimeoutMs: number;
  readonly onError: (error: StoreError) => void;
  readonly signal?: AbortSignal | undefined;
}

const noop = (): void => undefined;

/**
 * Streams one shard. Blocks are sent from where they lie, so `write` resolves when the operating
 * system has taken them; the checksum table leaves together with the last block.
 */
export class HttpShardWriter implements ShardWriter {
  readonly #options: ShardWriterOptions;
  readonly #checksums: PageChecksums;
  #opening: Promise<ShardConnection> | null = null;
  readonly #answer: Promise<void>;
  #settle: { resolve: () => void; reject: (error: StoreError) => void } | null = null;
  #connection: ShardConnection | null = null;
  #unsentHead: string | null = null;
  #missingBytes: number;
  #isSent = false;
  #isDone = false;
  #failure: StoreError | null = null;
  /** Rejects the block that is being written when the shard fails for another reason. */
  #rejectWrite: ((error: StoreError) => void) | null = null;
  readonly #onAbort = (): void => this.#fail(new StoreError('CANCELLED'));

  constructor(options: ShardWriterOptions) {
    this.#options = options;
    this.#missingBytes = options.shardSizeBytes;
    this.#checksums = new PageChecksums(options.shardSizeBytes);
    this.#answer = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.#answer.catch(noop);
    if (options.signal?.aborted === true) this.#onAbort();
    else options.signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  async write(block: Uint8Array): Promise<void> {
    this.#throwFailure();
    this.#opening ??= this.#open();
    const connection = this.#connection ?? (await this.#opening);
    this.#throwFailure();
    assert(block.length > 0 && block.length <= this.#missingBytes, 'block beyond the shard');
    this.#checksums.update(block);
    this.#missingBytes -= block.length;
    const pieces: (string | Uint8Array)[] = [block];
    if (this.#unsentHead !== null) pieces.unshift(this.#unsentHead);
    this.#unsentHead = null;
    if (this.#missingBytes === 0) pieces.push(this.#checksums.table());
    connection.deadlineMs = this.#options.nowMs() + this.#options.progressTimeoutMs;
    await this.#send(connection, pieces);
  }

  async finish(): Promise<void> {
    if (this.#failure === null) {
      assert(this.#missingBytes === 0, 'finish before the whole shard was written');
    }
    await this.#answer;
  }

  abort(): void {
    this.#fail(new StoreError('CANCELLED'));
  }

  #send(connection: ShardConnection, pieces: readonly (string | Uint8Array)[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#rejectWrite = reject;
      connection.send(pieces, (error) => {
        this.#rejectWrite = null;
        if (error !== null) {
          this.#fail(error);
          reject(this.#failure ?? error);
          return;
        }
        this.#isSent = this.#missingBytes === 0;
        const { nowMs, answerTimeoutMs } = this.#options;
        if (this.#connection !== null) {
          connection.deadlineMs = this.#isSent
            ? nowMs() + answerTimeoutMs
            : Number.POSITIVE_INFINITY;
        }
        resolve();
      });
    });
  }

  async #open(): Promise<ShardConnection> {
    try {
      const head = await this.#options.signHead();
      const connection = await this.#options.pool.acquire();
      if (this.#failure !== null) {
        this.#options.pool.release(connection);
        throw this.#failure;
      }
      this.#unsentHead = head;
      this.#connection = connection;
      connection.begin(
        new DocumentReceiver({
          resolve: () => this.#succeed(),
          reject: (error) => this.#fail(error),
          onProgress: noop,
        }),
        { hasNoBody: false },
      );
      return connection;
    } catch (error) {
      const failure = error instanceof StoreError ? error : new StoreError('INTERNAL', {}, error);
      this.#fail(failure);
      throw failure;
    }
  }

  #succeed(): void {
    if (!this.#isSent && this.#missingBytes > 0) {
      this.#fail(new StoreError('UNAVAILABLE', { reason: 'answered before the end' }));
      return;
    }
    const connection = this.#connection;
    this.#connection = null;
    this.#isDone = true;
    this.#stopListening();
    if (connection !== null) this.#options.pool.release(connection);
    this.#settle?.resolve();
  }

  /** The request is cut short, so the connection cannot be used again. */
  #fail(error: StoreError): void {
    if (this.#failure !== null || this.#isDone) return;
    this.#failure = error;
    this.#stopListening();
    this.#settle?.reject(error);
    const connection = this.#connection;
    this.#connection = null;
    connection?.destroy(error);
    this.#rejectWrite?.(error);
    this.#options.onError(error);
  }

  #throwFailure(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  #stopListening(): void {
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
  }
}
