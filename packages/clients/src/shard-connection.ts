import type { Socket } from 'node:net';

import { isStoreErrorCode, StoreError } from '@azimuth/common';
import type { StoreErrorCode } from '@azimuth/common';

/**
 * One HTTP/1.1 connection to a storage node, one exchange at a time. It exists because no library
 * lets a response body land where it belongs: the kernel writes shard bytes straight into the
 * reader's buffer (`onread`), which costs a third of what parsing into fresh buffers does
 * (`docs/decisions/0006-own-http-client-for-shards.md`).
 *
 * The server is ours, so the dialect is small: `content-length` or no body, no transfer coding, no
 * trailers, no pipelining. Anything else ends the connection.
 */

/** As small as a head needs: what lands here of a body has to be copied out. */
export const SCRATCH_BYTES = 16 * 1024;
const HEAD_BYTES_MAX = 8 * 1024;
const HEAD_END = Buffer.from('\r\n\r\n');

export interface ResponseHead {
  readonly status: number;
  /** Lower-case names; of repeated ones the last. */
  readonly headers: ReadonlyMap<string, string>;
  readonly contentLength: number;
}

/** Where the response of one exchange goes. */
export interface ResponseReceiver {
  onHead(head: ResponseHead): void;
  /** Where the next bytes of the body belong; never empty while some are missing. */
  bodyTarget(): Uint8Array;
  /** The first `count` bytes of the last `bodyTarget()` are there now. */
  onBody(count: number): void;
  /** The whole response is there. */
  onComplete(): void;
  /** The connection failed first. Never called after `onComplete`. */
  onFailure(error: StoreError): void;
}

/** Lets the kernel write into the buffer that `buffer` returns (`net.connect`'s `onread`). */
export interface InPlaceReader {
  readonly buffer: () => Uint8Array;
  readonly callback: (count: number, bytes: Uint8Array) => boolean;
}

/** Opens a socket. TLS cannot read in place: then `isInPlace` is false and bytes come as events. */
export type SocketFactory = (reader: InPlaceReader) => {
  readonly socket: Socket;
  readonly isInPlace: boolean;
  readonly connectEvent: 'connect' | 'secureConnect';
};

interface Exchange {
  readonly receiver: ResponseReceiver;
  readonly hasNoBody: boolean;
  head: ResponseHead | null;
  missingBytes: number;
  /** No byte of the response yet: on a reused connection the peer may have closed it before. */
  isUnanswered: boolean;
}

export class ShardConnection {
  readonly #socket: Socket;
  readonly #scratch = Buffer.allocUnsafe(SCRATCH_BYTES);
  readonly #onClosed: () => void;
  #headBytes: Buffer | null = null;
  #exchange: Exchange | null = null;
  #failure: StoreError | null = null;
  #canStay = true;
  #isUnanswered = false;
  #isConnected = false;
  readonly #isInPlace: boolean;
  #idleLimitMs = 4_000;
  /** When the peer must have moved next, by the owner's clock; Infinity while nothing is awaited. */
  deadlineMs = Number.POSITIVE_INFINITY;
  /** When the last exchange ended. */
  idleSinceMs = 0;
  exchangeCount = 0;

  constructor(open: SocketFactory, onClosed: () => void) {
    this.#onClosed = onClosed;
    const { socket, isInPlace, connectEvent } = open({
      buffer: () => this.#nextBuffer(),
      callback: (count, bytes) => this.#receive(count, bytes),
    });
    this.#socket = socket;
    this.#isInPlace = isInPlace;
    socket.setNoDelay(true);
    socket.once(connectEvent, () => {
      this.#isConnected = true;
    });
    if (!isInPlace) socket.on('data', (bytes: Buffer) => this.#receive(bytes.length, bytes));
    socket.on('error', (error) => this.destroy(connectionError(error)));
    socket.on('end', () => this.destroy(new StoreError('UNAVAILABLE', { reason: 'closed' })));
    socket.on('close', () => this.destroy(new StoreError('UNAVAILABLE', { reason: 'closed' })));
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** Idle, healthy, and not so old that the peer may be about to close it. */
  isReusable(nowMs: number): boolean {
    const isFresh = nowMs - this.idleSinceMs < this.#idleLimitMs;
    return this.#exchange === null && this.#failure === null && this.#canStay && isFresh;
  }

  /** It failed before one byte of a response came: perhaps the peer had closed it while idle. */
  get isUnanswered(): boolean {
    return this.#isUnanswered;
  }

  /** Begins an exchange. The request's bytes follow by `send`. */
  begin(receiver: ResponseReceiver, options: { readonly hasNoBody: boolean }): void {
    this.exchangeCount += 1;
    this.#exchange = {
      receiver,
      hasNoBody: options.hasNoBody,
      head: null,
      missingBytes: 0,
      isUnanswered: true,
    };
    if (this.#failure !== null) this.#fail(this.#failure);
  }

  /** Writes the pieces in one system call; `onSent` runs once they have left their buffers. */
  send(pieces: readonly (string | Uint8Array)[], onSent: (error: StoreError | null) => void): void {
    if (this.#failure !== null) {
      onSent(this.#failure);
      return;
    }
    const last = pieces.length - 1;
    this.#socket.cork();
    pieces.forEach((piece, index) => {
      if (index < last) this.#socket.write(piece);
      else this.#socket.write(piece, (error) => onSent(error == null ? null : this.#reason(error)));
    });
    this.#socket.uncork();
  }

  /** Ends the connection now: from here on nothing is written into a receiver's buffers. */
  destroy(error: StoreError): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.#socket.destroy();
    this.#fail(error);
    this.#onClosed();
  }

  #reason(error: Error): StoreError {
    return this.#failure ?? connectionError(error);
  }

  #fail(error: StoreError): void {
    const exchange = this.#exchange;
    this.#exchange = null;
    this.#isUnanswered = exchange?.isUnanswered ?? false;
    exchange?.receiver.onFailure(error);
  }

  /** What the kernel fills next: the receiver's buffer, unless a head is expected. */
  #nextBuffer(): Uint8Array {
    const exchange = this.#exchange;
    if (exchange === null || exchange.head === null || exchange.missingBytes === 0) {
      return this.#scratch;
    }
    return limited(exchange.receiver.bodyTarget(), exchange.missingBytes);
  }

  #receive(count: number, bytes: Uint8Array): boolean {
    try {
      this.#consume(count, bytes);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.destroy(error);
    }
    return true;
  }

  #consume(count: number, bytes: Uint8Array): void {
    const exchange = this.#exchange;
    if (this.#failure !== null) return;
    if (exchange === null) throw malformed('bytes outside a response');
    exchange.isUnanswered = false;
    let rest = bytes.subarray(0, count);
    if (exchange.head === null) {
      const afterHead = this.#takeHead(exchange, rest);
      if (afterHead === null) return;
      rest = afterHead;
    } else if (this.#isInPlace && bytes !== this.#scratch) {
      exchange.missingBytes -= count;
      exchange.receiver.onBody(count);
      rest = rest.subarray(count);
    }
    while (rest.length > 0) {
      if (exchange.missingBytes === 0) throw malformed('bytes behind a response');
      const target = limited(exchange.receiver.bodyTarget(), exchange.missingBytes);
      const piece = limited(rest, target.length);
      target.set(piece);
      exchange.missingBytes -= piece.length;
      exchange.receiver.onBody(piece.length);
      rest = rest.subarray(piece.length);
    }
    if (exchange.missingBytes === 0) {
      this.#exchange = null;
      exchange.receiver.onComplete();
    }
  }

  /** Null while the head is incomplete; else what came behind it. */
  #takeHead(exchange: Exchange, bytes: Uint8Array): Uint8Array | null {
    const all =
      this.#headBytes === null ? Buffer.from(bytes) : Buffer.concat([this.#headBytes, bytes]);
    const end = all.indexOf(HEAD_END);
    if (end === -1) {
      if (all.length > HEAD_BYTES_MAX) throw malformed('response head too long');
      this.#headBytes = all;
      return null;
    }
    this.#headBytes = null;
    const head = parseHead(all.toString('latin1', 0, end), exchange.hasNoBody);
    if (head.headers.get('connection')?.toLowerCase() === 'close') this.#canStay = false;
    const timeout = /timeout=(\d+)/.exec(head.headers.get('keep-alive') ?? '')?.[1];
    if (timeout !== undefined) this.#idleLimitMs = Math.max(0, Number(timeout) * 1_000 - 1_000);
    exchange.missingBytes = head.contentLength;
    exchange.head = head;
    exchange.receiver.onHead(head);
    return all.subarray(end + HEAD_END.length);
  }
}

function limited(bytes: Uint8Array, lengthMax: number): Uint8Array {
  return bytes.length <= lengthMax ? bytes : bytes.subarray(0, lengthMax);
}

function parseHead(text: string, hasNoBody: boolean): ResponseHead {
  const [statusLine = '', ...lines] = text.split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3})(?: |$)/.exec(statusLine)?.[1]);
  if (!(status >= 200)) throw malformed('status line');
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon < 1) throw malformed('header');
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const isEmpty = hasNoBody || status === 204 || status === 304;
  const contentLength = isEmpty ? 0 : Number(headers.get('content-length') ?? Number.NaN);
  if (!Number.isSafeInteger(contentLength) || headers.has('transfer-encoding')) {
    throw malformed('body without content-length');
  }
  return { status, headers, contentLength };
}

function malformed(reason: string): StoreError {
  return new StoreError('UNAVAILABLE', { reason: `malformed response: ${reason}` });
}

function connectionError(error: Error): StoreError {
  if (error instanceof StoreError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? 'error';
  return new StoreError('UNAVAILABLE', { reason: code }, error);
}

/** The error that a response of status 400 and above stands for. */
export function responseError(head: ResponseHead): StoreError {
  const named = head.headers.get('x-azimuth-error') ?? '';
  const code: StoreErrorCode = isStoreErrorCode(named) ? named : 'UNAVAILABLE';
  return new StoreError(code, { status: head.status });
}
