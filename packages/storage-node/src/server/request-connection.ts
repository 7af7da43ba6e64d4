import type { Socket } from 'node:net';
import { STATUS_CODES } from 'node:http';

import { assert, StoreError } from '@azimuth/common';
import type { PeerIdentity } from '@azimuth/rpc';

import type { InPlaceReader, OpenedSocket } from './in-place-socket';
import { parseRequestHead } from './request-head';
import type { RequestHead } from './request-head';

/**
 * The server's end of one HTTP/1.1 connection, one exchange at a time: the counterpart of
 * `shard-connection.ts` of @azimuth/clients. Bodies have a `content-length`, nothing is chunked or
 * pipelined, heads have at most 16 KiB. Anything else ends the connection.
 *
 * C1 The kernel writes a body straight to where it belongs (`BodySink.room`); in mode `secure` a
 *    copy does.
 * C2 While nothing is read the kernel's buffer is the scratch: whatever becomes of a sink
 *    meanwhile, no late byte lands in memory that belongs to somebody else by then.
 * C3 The next request may come as soon as the last byte of an answer was given to the socket,
 *    before the socket says so.
 */

/** Where a body goes. */
export interface BodySink {
  /** Where the next bytes belong; never empty while some are missing. */
  room(): Uint8Array;
  /**
   * The first `count` bytes of the last `room()` are there now. Returns a promise, which never
   * rejects, when the sender must wait.
   *
   * @throws StoreError when the body is good for nothing; the rest of it is skipped.
   */
  fill(count: number): Promise<void> | undefined;
}

export interface RequestConnectionOptions {
  /** Of the peer's certificate; null where there is none. */
  readonly identity: PeerIdentity | null;
  readonly nowMs: () => number;
  /** Never throws; must answer or destroy every exchange. */
  readonly onExchange: (exchange: ShardExchange) => void;
  readonly onClosed: () => void;
}

/** Above the 60 s after which clients drop idle connections, so that they never meet a closing one. */
const KEEP_ALIVE_MS = 65_000;
/** A peer that sends or takes nothing for so long is gone. */
const STALLED_MS = 30_000;
const HEAD_BYTES_MAX = 16 * 1024;
/** The rest of a refused body up to this is read, so that the connection can stay. */
const DRAIN_BYTES_MAX = 1024 * 1024;
/** So long a longer one is read, because closing with bytes unread may cost the peer the answer. */
const DRAIN_MS = 1000;

const HEAD_END = Buffer.from('\r\n\r\n');
const NO_BYTES = Buffer.alloc(0);
const KEEP_ALIVE_LINE = `keep-alive: timeout=${KEEP_ALIVE_MS / 1000}\r\n`;

/**
 * `head`: a request is awaited, or its head is incomplete · `held`: nobody has asked for the body ·
 * `body` · `skip`: nobody wants the body · `answer`: the body is there, the answer is not.
 */
type Phase = 'head' | 'held' | 'body' | 'skip' | 'answer';

interface Receiving {
  readonly sink: BodySink;
  resolve(): void;
  reject(error: unknown): void;
}

export type AnswerFields = Readonly<Record<string, string | number>>;

export class RequestConnection {
  readonly #options: RequestConnectionOptions;
  readonly #socket: Socket;
  readonly #isInPlace: boolean;
  /** Heads, and whatever comes while no sink has room. */
  readonly #scratch = Buffer.allocUnsafeSlow(HEAD_BYTES_MAX);
  #headFill = 0;
  #phase: Phase = 'head';
  /** Of the body. */
  #missingBytes = 0;
  #receiving: Receiving | null = null;
  /** Received and not yet consumed; nothing is read while there is some. */
  #pending: Uint8Array = NO_BYTES;
  /** The next bytes come into the sink's room. */
  #isInRoom = false;
  /** The sink asked to wait. */
  #isWaiting = false;
  #isReading = true;
  #isAnswered = false;
  /** No further request is taken. */
  #isLast = false;
  #isEnding = false;
  #isDestroyed = false;
  /** Ends of writes under way, which the socket does not report once it is destroyed. */
  readonly #unsent = new Set<() => void>();
  /** When the peer must have moved next, by the owner's clock; Infinity while it is our turn. */
  deadlineMs: number;

  constructor(open: (reader: InPlaceReader) => OpenedSocket, options: RequestConnectionOptions) {
    this.#options = options;
    this.deadlineMs = options.nowMs() + KEEP_ALIVE_MS;
    const { socket, isInPlace } = open({
      buffer: () => this.#nextBuffer(),
      callback: (count, bytes) => {
        this.#receive(bytes.subarray(0, count));
        return true;
      },
    });
    this.#socket = socket;
    this.#isInPlace = isInPlace;
    socket.setNoDelay(true);
    if (!isInPlace) socket.on('data', (bytes: Buffer) => this.#receive(bytes));
    const destroy = (): void => this.destroy();
    socket.on('error', destroy);
    socket.on('end', destroy);
    socket.on('close', destroy);
    socket.resume();
  }

  get identity(): PeerIdentity | null {
    return this.#options.identity;
  }

  get isDestroyed(): boolean {
    return this.#isDestroyed;
  }

  /** Ends the connection now; a body that is being received is cut off. */
  destroy(): void {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.#socket.destroy();
    this.#pending = NO_BYTES;
    for (const settle of [...this.#unsent]) settle();
    const receiving = this.#receiving;
    this.#receiving = null;
    receiving?.reject(new StoreError('CANCELLED', { reason: 'body was cut off' }));
    this.#options.onClosed();
  }

  /** Called when the deadline has passed. */
  expire(nowMs: number): void {
    if (!this.#isLast || this.#isEnding) this.destroy();
    else this.#end(nowMs);
  }

  receive(sink: BodySink): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#isDestroyed) {
        reject(new StoreError('CANCELLED', { reason: 'body was cut off' }));
        return;
      }
      assert(this.#phase === 'held', 'a request without a body, or one that was received before');
      this.#phase = 'body';
      this.#receiving = { sink, resolve, reject };
      this.#expectProgress();
      this.#consume();
    });
  }

  /** Resolves when the bytes have left their buffers; also when the peer has gone. */
  send(pieces: readonly (string | Uint8Array)[], isLast: boolean): Promise<void> {
    if (this.#isDestroyed) return Promise.resolve();
    return new Promise((resolve) => {
      const settle = (): void => {
        if (!this.#unsent.delete(settle)) return;
        if (!isLast && this.#unsent.size === 0) this.deadlineMs = Number.POSITIVE_INFINITY;
        resolve();
      };
      this.#unsent.add(settle);
      this.#expectProgress();
      this.#socket.cork();
      pieces.forEach((piece, index) => {
        const isEnd = index === pieces.length - 1;
        if (typeof piece === 'string') this.#socket.write(piece, 'latin1', isEnd ? settle : noop);
        else this.#socket.write(piece, isEnd ? settle : noop);
      });
      this.#socket.uncork();
      if (isLast) this.#answered();
    });
  }

  /** A body that nobody received is skipped when it is short; else the connection ends with it. */
  skipBody(): void {
    if (this.#phase === 'held') this.#phase = 'skip';
    if (this.#phase === 'skip' && this.#missingBytes > DRAIN_BYTES_MAX) this.#isLast = true;
  }

  get isLast(): boolean {
    return this.#isLast;
  }

  #answered(): void {
    this.#isAnswered = true;
    const isSkipping = this.#phase === 'skip';
    if (isSkipping)
      this.deadlineMs = this.#options.nowMs() + (this.#isLast ? DRAIN_MS : STALLED_MS);
    else this.#finishExchange();
    this.#consume();
  }

  #finishExchange(): void {
    const nowMs = this.#options.nowMs();
    this.#isAnswered = false;
    this.#headFill = 0;
    if (this.#isLast) {
      this.#phase = 'answer';
      this.#end(nowMs);
      return;
    }
    this.#phase = 'head';
    this.deadlineMs = nowMs + KEEP_ALIVE_MS;
  }

  #end(nowMs: number): void {
    this.#isEnding = true;
    this.deadlineMs = nowMs + STALLED_MS;
    this.#socket.destroySoon();
  }

  #expectProgress(): void {
    this.deadlineMs = this.#options.nowMs() + STALLED_MS;
  }

  /** What the kernel fills next (C1, C2). */
  #nextBuffer(): Uint8Array {
    const receiving = this.#receiving;
    this.#isInRoom = receiving !== null && this.#isReading;
    if (receiving === null || !this.#isReading) return this.#scratch.subarray(this.#headFill);
    return limited(receiving.sink.room(), this.#missingBytes);
  }

  #receive(bytes: Uint8Array): void {
    if (this.#isDestroyed) return;
    if (this.#isInPlace && this.#isInRoom) {
      this.#fill(bytes.length);
    } else {
      this.#pending = bytes;
    }
    this.#consume();
  }

  /** Takes what is pending as far as possible, and lets the socket read when nothing is. */
  #consume(): void {
    try {
      while (this.#pending.length > 0 && this.#isConsuming()) this.#consumePiece();
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.destroy();
    }
    if (this.#isDestroyed) return;
    const isReading = this.#pending.length === 0 && this.#isConsuming();
    if (isReading === this.#isReading) return;
    this.#isReading = isReading;
    if (isReading) this.#socket.resume();
    else this.#socket.pause();
  }

  #isConsuming(): boolean {
    return this.#phase !== 'held' && !this.#isWaiting;
  }

  #consumePiece(): void {
    const receiving = this.#receiving;
    if (this.#phase === 'head') {
      this.#takeHead();
    } else if (receiving !== null) {
      const room = limited(receiving.sink.room(), this.#missingBytes);
      const piece = this.#takePending(room.length);
      room.set(piece);
      this.#fill(piece.length);
    } else if (this.#phase === 'skip') {
      this.#missingBytes -= this.#takePending(this.#missingBytes).length;
      if (!this.#isLast) this.#expectProgress();
      if (this.#missingBytes === 0) this.#endBody();
    } else if (this.#isEnding) {
      this.#pending = NO_BYTES;
    } else {
      throw new StoreError('INVALID_ARGUMENT', { reason: 'bytes behind a request' });
    }
  }

  #takePending(lengthMax: number): Uint8Array {
    const piece = limited(this.#pending, lengthMax);
    this.#pending = this.#pending.subarray(piece.length);
    return piece;
  }

  #fill(count: number): void {
    const receiving = this.#receiving;
    if (receiving === null) return;
    this.#missingBytes -= count;
    this.#expectProgress();
    let isRoomAgain: Promise<void> | undefined;
    try {
      isRoomAgain = receiving.sink.fill(count);
    } catch (error) {
      this.#receiving = null;
      this.#phase = 'skip';
      if (this.#missingBytes === 0) this.#endBody();
      receiving.reject(error);
      return;
    }
    if (this.#missingBytes === 0) {
      this.#receiving = null;
      this.#endBody();
      receiving.resolve();
    } else if (isRoomAgain !== undefined) {
      this.#isWaiting = true;
      this.deadlineMs = Number.POSITIVE_INFINITY;
      void isRoomAgain.then(() => this.#goOn());
    }
  }

  #goOn(): void {
    this.#isWaiting = false;
    if (this.#isDestroyed) return;
    this.#expectProgress();
    this.#consume();
  }

  #endBody(): void {
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.#phase = 'answer';
    if (this.#isAnswered) this.#finishExchange();
  }

  #takeHead(): void {
    const scratch = this.#scratch;
    const fillBefore = this.#headFill;
    if (fillBefore === 0) this.#expectProgress();
    const piece = limited(this.#pending, scratch.length - fillBefore);
    scratch.set(piece, fillBefore);
    this.#headFill += piece.length;
    const from = Math.max(0, fillBefore - HEAD_END.length + 1);
    const end = scratch.subarray(0, this.#headFill).indexOf(HEAD_END, from);
    if (end === -1) {
      this.#pending = this.#pending.subarray(piece.length);
      if (this.#headFill === scratch.length) this.#refuseHead();
      return;
    }
    // What follows is all of this piece: an earlier one had no end of a head in it. Read in place, it
    // may have been moved to the front just now.
    const restAt = end + HEAD_END.length;
    this.#pending = this.#isInPlace
      ? scratch.subarray(restAt, this.#headFill)
      : this.#pending.subarray(restAt - fillBefore);
    this.#headFill = 0;
    let head: RequestHead;
    try {
      head = parseRequestHead(scratch.toString('latin1', 0, end));
    } catch {
      this.#refuseHead();
      return;
    }
    this.#isLast = !head.canStay;
    this.#missingBytes = head.contentLength;
    this.#phase = head.contentLength > 0 ? 'held' : 'answer';
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.#options.onExchange(new ShardExchange(this, head));
  }

  /** Where such a request ends nobody knows, so it is the last one. */
  #refuseHead(): void {
    this.#isLast = true;
    this.#phase = 'skip';
    this.#headFill = 0;
    this.#missingBytes = Number.MAX_SAFE_INTEGER;
    void this.send([answerHead(400, { 'x-azimuth-error': 'INVALID_ARGUMENT' }, true)], true);
  }
}

/** One request and its answer. */
export class ShardExchange {
  readonly head: RequestHead;
  readonly #connection: RequestConnection;
  #isAnswerBegun = false;

  constructor(connection: RequestConnection, head: RequestHead) {
    this.#connection = connection;
    this.head = head;
  }

  get identity(): PeerIdentity | null {
    return this.#connection.identity;
  }

  get isAnswerBegun(): boolean {
    return this.#isAnswerBegun;
  }

  /** Nobody reads the answer any more. */
  get isCut(): boolean {
    return this.#connection.isDestroyed;
  }

  /**
   * Receives the whole body.
   *
   * @throws StoreError CANCELLED when it was cut off; what `sink.fill` throws.
   */
  receive(sink: BodySink): Promise<void> {
    return this.#connection.receive(sink);
  }

  /** The whole answer; a body that was not received is skipped. */
  answer(status: number, fields: AnswerFields = {}, body: Uint8Array = NO_BYTES): void {
    // RFC 9110, 8.6: none with 204.
    const length = status === 204 ? {} : { 'content-length': body.length };
    void this.begin(status, { ...fields, ...length }, [body], true);
  }

  /** The head of an answer with `content-length`, and the first pieces of its body. */
  begin(
    status: number,
    fields: AnswerFields,
    pieces: readonly Uint8Array[],
    isLast: boolean,
  ): Promise<void> {
    assert(!this.#isAnswerBegun, 'a request is answered once');
    this.#isAnswerBegun = true;
    this.#connection.skipBody();
    const head = answerHead(status, fields, this.#connection.isLast);
    const filled = pieces.filter((piece) => piece.length > 0);
    return this.#connection.send([head, ...filled], isLast);
  }

  /** Further pieces. Resolves when they have left their buffers; also when the peer has gone. */
  send(pieces: readonly Uint8Array[], isLast: boolean): Promise<void> {
    return this.#connection.send(pieces, isLast);
  }

  /** Cuts the connection: no reader takes that for an end. */
  destroy(): void {
    this.#connection.destroy();
  }
}

function answerHead(status: number, fields: AnswerFields, isLast: boolean): string {
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`;
  for (const name of Object.keys(fields)) text += `${name}: ${fields[name] ?? ''}\r\n`;
  return `${text}${isLast ? 'connection: close\r\n' : KEEP_ALIVE_LINE}\r\n`;
}

function limited(bytes: Uint8Array, lengthMax: number): Uint8Array {
  return bytes.length <= lengthMax ? bytes : bytes.subarray(0, lengthMax);
}

function noop(): void {
  // The last piece reports for all.
}
