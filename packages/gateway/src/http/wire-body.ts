import { EventEmitter } from 'node:events';
import { Buffer } from 'node:buffer';
import type { IncomingMessage } from 'node:http';

import { assert } from '@azimuth/common';

/** What of Node's IncomingMessage is used here. */
type ParsedStream = Pick<
  IncomingMessage,
  'on' | 'off' | 'pause' | 'resume' | 'read' | 'readableLength' | 'complete' | 'destroyed'
>;

const NO_BYTES = Buffer.alloc(0);

/**
 * A request body of known length whose first bytes come from the HTTP parser, because they came
 * with the head, and the others straight from the socket. Emits `data`, `end` and `close` like an
 * IncomingMessage; but a chunk is good only until its listener returns or, if that pauses, until
 * `resume`.
 */
export class WireBody extends EventEmitter {
  readonly #parsed: ParsedStream;
  readonly #onResume: () => void;
  /** Not emitted yet. */
  #bytesLeft: number;
  #isInParser = true;
  #isFlowing = false;
  #isListening = false;
  /** Came when nobody wanted it: from the parser, or in the read that a late `pause` met. */
  #pending: Buffer | null = null;
  readonly #onParsed = (chunk: Buffer): void => this.#emitBytes(chunk);

  constructor(parsed: ParsedStream, sizeBytes: number, onResume: () => void) {
    super();
    this.#parsed = parsed;
    this.#bytesLeft = sizeBytes;
    this.#onResume = onResume;
    parsed.on('close', () => this.emit('close'));
  }

  get complete(): boolean {
    return this.#bytesLeft === 0 || (this.#isInParser && this.#parsed.complete);
  }

  get destroyed(): boolean {
    return this.#parsed.destroyed;
  }

  get isFlowing(): boolean {
    return this.#isFlowing && this.#pending === null;
  }

  /** What the socket has to give, once the body has left the parser. */
  get missingBytes(): number {
    return this.#bytesLeft - (this.#pending?.length ?? 0);
  }

  /**
   * From here on `take` gives the bytes. To be called when the parser has passed on all it was
   * given. False when that was the whole body.
   */
  leaveParser(): boolean {
    assert(this.#isInParser, 'a body leaves the parser once');
    const parsed = this.#parsed;
    if (parsed.complete || parsed.destroyed || this.#bytesLeft <= parsed.readableLength) {
      return false;
    }
    this.#isInParser = false;
    parsed.off('data', this.#onParsed);
    // Paused, it gives everything at once.
    parsed.pause();
    this.#pending = parsed.read() as Buffer | null;
    return true;
  }

  /** Bytes that the socket gave. Those that nobody wants now are copied. */
  take(bytes: Buffer): void {
    if (this.isFlowing) this.#emitBytes(bytes);
    else this.#pending = Buffer.concat([this.#pending ?? NO_BYTES, bytes]);
  }

  /** Emits what was left in the parser, if anybody wants it yet. */
  passOn(): void {
    const pending = this.#pending;
    if (pending === null || !this.#isFlowing) return;
    this.#pending = null;
    this.#emitBytes(pending);
  }

  pause(): this {
    this.#isFlowing = false;
    if (this.#isInParser) this.#parsed.pause();
    return this;
  }

  resume(): this {
    this.#isFlowing = true;
    if (this.#isInParser) {
      this.#listen();
      this.#parsed.resume();
      return this;
    }
    this.passOn();
    if (this.isFlowing) this.#onResume();
    return this;
  }

  #listen(): void {
    if (this.#isListening) return;
    this.#isListening = true;
    this.#parsed.on('data', this.#onParsed);
  }

  #emitBytes(bytes: Buffer): void {
    assert(bytes.length <= this.#bytesLeft, 'bytes beyond the body');
    this.#bytesLeft -= bytes.length;
    this.emit('data', bytes);
    if (this.#bytesLeft === 0) this.emit('end');
  }
}
