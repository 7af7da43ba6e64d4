import { StoreError } from '@azimuth/common';

import { checksumTableBytes, PageChecksums } from './page-checksums';
import { responseError } from './shard-connection';
import type { ResponseHead, ResponseReceiver } from './shard-connection';

/** Bodies other than shards: lists and error documents. */
const DOCUMENT_BYTES_MAX = 16 * 1024 * 1024;

/** How an exchange ended: its owner returns the connection to the pool, or the error to the caller. */
export interface ExchangeEnd<Result> {
  resolve(result: Result): void;
  reject(error: StoreError): void;
  /** A byte has moved. */
  onProgress(): void;
}

/** Collects a small body; an error response ends with the error that it names. */
export class DocumentReceiver implements ResponseReceiver {
  readonly #end: ExchangeEnd<{ readonly head: ResponseHead; readonly body: Buffer }>;
  #head: ResponseHead | null = null;
  #body = Buffer.alloc(0);
  #fill = 0;

  constructor(end: ExchangeEnd<{ readonly head: ResponseHead; readonly body: Buffer }>) {
    this.#end = end;
  }

  onHead(head: ResponseHead): void {
    if (head.contentLength > DOCUMENT_BYTES_MAX) {
      throw new StoreError('UNAVAILABLE', { reason: 'response too long' });
    }
    this.#head = head;
    this.#body = Buffer.allocUnsafe(head.contentLength);
    this.#end.onProgress();
  }

  bodyTarget(): Uint8Array {
    return this.#body.subarray(this.#fill);
  }

  onBody(count: number): void {
    this.#fill += count;
    this.#end.onProgress();
  }

  onComplete(): void {
    const head = this.#head;
    if (head === null) throw new StoreError('INTERNAL');
    if (head.status >= 400) this.#end.reject(responseError(head));
    else this.#end.resolve({ head, body: this.#body });
  }

  onFailure(error: StoreError): void {
    this.#end.reject(error);
  }
}

/** Puts shard bytes where they belong and checks every page as it fills, while it is in the cache. */
export class ShardReceiver implements ResponseReceiver {
  readonly #end: ExchangeEnd<undefined>;
  readonly #target: Uint8Array;
  readonly #checksums: PageChecksums;
  readonly #table: Buffer;
  #received = 0;
  #errorDocument: DocumentReceiver | null = null;

  constructor(target: Uint8Array, end: ExchangeEnd<undefined>) {
    this.#target = target;
    this.#end = end;
    this.#checksums = new PageChecksums(target.length);
    this.#table = Buffer.allocUnsafe(checksumTableBytes(target.length));
  }

  onHead(head: ResponseHead): void {
    if (head.status >= 400) {
      this.#errorDocument = new DocumentReceiver({
        resolve: () => undefined,
        reject: (error) => this.#end.reject(error),
        onProgress: () => this.#end.onProgress(),
      });
      this.#errorDocument.onHead(head);
      return;
    }
    if (head.contentLength !== this.#target.length + this.#table.length) {
      throw new StoreError('SHARD_SIZE_MISMATCH', { contentLength: head.contentLength });
    }
    this.#end.onProgress();
  }

  bodyTarget(): Uint8Array {
    if (this.#errorDocument !== null) return this.#errorDocument.bodyTarget();
    const beyond = this.#received - this.#target.length;
    return beyond >= 0 ? this.#table.subarray(beyond) : this.#target.subarray(this.#received);
  }

  onBody(count: number): void {
    if (this.#errorDocument !== null) {
      this.#errorDocument.onBody(count);
      return;
    }
    if (this.#received < this.#target.length) {
      this.#checksums.update(this.#target.subarray(this.#received, this.#received + count));
    }
    this.#received += count;
    this.#end.onProgress();
  }

  onComplete(): void {
    if (this.#errorDocument !== null) {
      this.#errorDocument.onComplete();
    } else if (this.#checksums.table().equals(this.#table)) {
      this.#end.resolve(undefined);
    } else {
      this.#end.reject(new StoreError('SHARD_CORRUPT', { reason: 'page checksum' }));
    }
  }

  onFailure(error: StoreError): void {
    this.#end.reject(error);
  }
}
