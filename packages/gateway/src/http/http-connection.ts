import { Buffer } from 'node:buffer';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { Duplex } from 'node:stream';

import { assert } from '@azimuth/common';
import type { Clock } from '@azimuth/common';

import { WireBody } from './wire-body';

/** One read of a request head, or of a body that goes through the HTTP parser. */
const HEAD_BUFFER_BYTES = 64 * 1024;
/** One read of a body that does not. Belongs to its connection until the answer is out. */
const BODY_BUFFER_BYTES = 64 * 1024;
/** Body buffers kept for the next upload. */
const IDLE_BUFFERS_MAX = 64;
/** Smaller bodies are not worth leaving the parser: most of them arrive with their heads. */
const WIRE_BODY_BYTES_MIN = 128 * 1024;
const STREAM_BUFFER_BYTES = 64 * 1024;
/** How long a client that is gone may pass for one that waits, but for the first time it is asked. */
const PROBE_INTERVAL_MS = 500;

/** Heads are copied out before anything else is read, so one buffer serves every connection. */
const headBuffer = Buffer.allocUnsafeSlow(HEAD_BUFFER_BYTES);
const idleBuffers: Buffer[] = [];

/**
 * Where the bytes of a connection go. `http`: to Node's parser. `body`: past it, to the body whose
 * head it has parsed. `held`: the body is whole and its answer is not; what comes now waits.
 * `idle`: that answer is out, and nothing more has come.
 */
type Phase =
  | { readonly kind: 'http'; readonly http: HttpConnection }
  | BodyPhase
  | {
      readonly kind: 'held';
      readonly http: HttpConnection;
      readonly body: WireBody;
      readonly buffer: Buffer;
      early: Buffer | null;
    }
  | { readonly kind: 'idle' };

interface BodyPhase {
  readonly kind: 'body';
  readonly http: HttpConnection;
  readonly body: WireBody;
  readonly buffer: Buffer;
}

/**
 * An accepted TCP connection that is read into buffers of ours. Node gives every read of a socket,
 * and every piece of a body, a new buffer outside of its heap, and marks the whole heap for every
 * 64 MiB of them (`docs/decisions/0009-bodies-past-the-http-parser.md`).
 *
 * Node's HTTP server sees an `HttpConnection` instead of the socket, and parses every head, with
 * all its strictness. Three rules keep the two in step:
 *
 * H1: a body leaves the parser only when the parser has been given every byte that was read, and
 *     only with the length that the parser itself found in the head: no transfer coding.
 * H2: the socket is never asked for more than what is left of such a body.
 * H3: a parser that has not seen the end of a body sees nothing more. After the answer, the next
 *     request gets a new `HttpConnection`, or the connection ends.
 *
 * A client may end its side after the request and wait for the answer; TCP says the same of one
 * that went away, until that is sent something. So it is sent `100 Continue`, which every client
 * of HTTP/1.1 has to pass over (RFC 9110, section 15.2): the system of one that is gone answers
 * with a reset, the next one fails, and with it ends the work for nobody.
 */
export class WireConnection {
  readonly #socket: Socket;
  readonly #serve: (http: HttpConnection) => void;
  readonly #clock: Clock;
  #phase: Phase = { kind: 'idle' };
  /** Announced by its head; may leave the parser. */
  #candidate: WireBody | null = null;
  #isStopped = false;
  /** The client has ended its side, while a body past the parser was being answered. */
  #isHalfClosed = false;
  #cancelProbe = (): void => undefined;

  /**
   * @param accepted is left without its handle, and destroyed with the connection.
   * @param serve begins HTTP: at once, and again after a body that the parser has not seen.
   */
  constructor(accepted: Socket, serve: (http: HttpConnection) => void, clock: Clock) {
    this.#serve = serve;
    this.#clock = clock;
    this.#socket = takeOver(accepted, {
      buffer: () => this.#nextBuffer(),
      callback: (count, bytes) => {
        this.#isStopped = !this.#receive(count, bytes);
        return !this.#isStopped;
      },
    });
    this.#socket.on('error', (error) => this.#end((http) => http.destroy(error)));
    this.#socket.on('drain', () => this.#end((http) => http.emit('drain')));
    this.#socket.on('end', () => this.#onEnd());
    this.#socket.on('timeout', () => this.#end((http) => http.emit('timeout')));
    this.#socket.on('close', () => {
      this.#cancelProbe();
      this.#end((http) => http.destroy());
      accepted.destroy();
    });
    this.#begin();
  }

  /** Ends the connection when it waits for a request, after one whose body went past the parser. */
  closeIfIdle(): void {
    if (this.#phase.kind === 'idle') this.#socket.destroy();
  }

  /** A request has begun whose body may go past the parser. */
  announce(body: WireBody): void {
    this.#candidate = body;
  }

  /** Reads on, if somebody wants the bytes. */
  readOn(): void {
    const isUnwanted = this.#phase.kind === 'body' && !this.#phase.body.isFlowing;
    if (!this.#isStopped || isUnwanted || this.#socket.destroyed) return;
    this.#isStopped = false;
    this.#socket.resume();
  }

  /**
   * Its answer is out. False when the connection cannot go on: the rest of the body is in it, or
   * nothing more will come.
   */
  endBody(body: WireBody): boolean {
    if (this.#candidate === body) this.#candidate = null;
    const phase = this.#phase;
    if (phase.kind === 'http' || phase.kind === 'idle' || phase.body !== body) return true;
    if (phase.kind === 'body') return false;
    if (idleBuffers.length < IDLE_BUFFERS_MAX) idleBuffers.push(phase.buffer);
    if (this.#isHalfClosed) return false;
    phase.http.retire();
    this.#phase = { kind: 'idle' };
    // Node's parser counts the time of a head from its own beginning: it begins with a byte.
    if (phase.early !== null) this.#begin().push(phase.early);
    this.readOn();
    return true;
  }

  #nextBuffer(): Uint8Array {
    if (this.#phase.kind !== 'body') return headBuffer;
    const { body, buffer } = this.#phase;
    return body.missingBytes < buffer.length ? buffer.subarray(0, body.missingBytes) : buffer;
  }

  /** Returns whether to read on. */
  #receive(count: number, bytes: Uint8Array): boolean {
    const phase = this.#phase;
    if (phase.kind === 'body') {
      assert(bytes.buffer === phase.buffer.buffer, 'bytes of a body are in its buffer');
      return this.#receiveBody(phase, count);
    }
    const copy = Buffer.from(bytes.subarray(0, count));
    if (phase.kind === 'held') {
      assert(phase.early === null, 'a connection was read on while it waited for an answer');
      phase.early = copy;
      return false;
    }
    const http = phase.kind === 'http' ? phase.http : this.#begin();
    const wantsMore = http.deliver(copy);
    return this.#leaveParser(http) ?? wantsMore;
  }

  #receiveBody({ http, body, buffer }: BodyPhase, count: number): boolean {
    const isLast = count === body.missingBytes;
    // Reading goes on for a little: how else would one learn that the client went away?
    if (isLast) this.#phase = { kind: 'held', http, body, buffer, early: null };
    body.take(buffer.subarray(0, count));
    return isLast || body.isFlowing;
  }

  #begin(): HttpConnection {
    const http = new HttpConnection(this, this.#socket);
    this.#phase = { kind: 'http', http };
    // That of the wait between two requests.
    http.setTimeout(0);
    this.#serve(http);
    return http;
  }

  /**
   * Whether to read on, when a body has left the parser. Only after a read: the next one is then
   * made for the body.
   */
  #leaveParser(http: HttpConnection): boolean | null {
    const body = this.#candidate;
    // H1: what the parser has paused on is parsed first.
    if (body === null || http.readableLength > 0) return null;
    this.#candidate = null;
    if (!body.leaveParser()) return null;
    const buffer = idleBuffers.pop() ?? Buffer.allocUnsafeSlow(BODY_BUFFER_BYTES);
    this.#phase = { kind: 'body', http, body, buffer };
    body.passOn();
    return body.isFlowing;
  }

  #end(end: (http: HttpConnection) => void): void {
    if (this.#phase.kind === 'idle') this.#socket.destroy();
    else end(this.#phase.http);
  }

  #onEnd(): void {
    const { kind } = this.#phase;
    this.#end((http) => {
      if (kind === 'held') {
        // The whole request came. The parser would call it cut short.
        this.#isHalfClosed = true;
        this.#probe(http);
        return;
      }
      if (http.hasWholeRequest) this.#probe(http);
      http.push(null);
      // Node pauses it while a body is not read; there is nothing in it to wait for.
      if (kind === 'body') http.resume();
    });
  }

  #probe(http: HttpConnection): void {
    if (!http.sayContinue()) return;
    this.#cancelProbe = this.#clock.schedule(PROBE_INTERVAL_MS, () => this.#probe(http));
  }
}

type WriteCallback = (error?: Error | null) => void;

/** What Node's HTTP server takes for the socket. */
export class HttpConnection extends Duplex {
  readonly wire: WireConnection;
  readonly #socket: Socket;
  #isRetired = false;
  /** The last that has begun and not ended. */
  #answer: ServerResponse | null = null;

  constructor(wire: WireConnection, socket: Socket) {
    super({
      allowHalfOpen: true,
      // Heads are written as the strings that they are.
      decodeStrings: false,
      readableHighWaterMark: STREAM_BUFFER_BYTES,
      writableHighWaterMark: STREAM_BUFFER_BYTES,
    });
    this.wire = wire;
    this.#socket = socket;
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress;
  }

  get remotePort(): number | undefined {
    return this.#socket.remotePort;
  }

  get bytesWritten(): number {
    return this.#socket.bytesWritten;
  }

  /** A request has been emitted; what answers it counts until it has ended. */
  beginAnswer(answer: ServerResponse): void {
    this.#answer = answer;
  }

  endAnswer(answer: ServerResponse): void {
    if (this.#answer === answer) this.#answer = null;
  }

  get hasWholeRequest(): boolean {
    return this.#answer?.req.complete === true;
  }

  /**
   * An interim answer, if the client may get one now: not within a final one, nor behind others.
   * False once there is none to give: no request is left, or the client speaks HTTP/1.0.
   */
  sayContinue(): boolean {
    const answer = this.#answer;
    if (answer === null || this.destroyed || answer.req.httpVersion !== '1.1') return false;
    const isNext = answer.socket !== null && !answer.headersSent;
    if (isNext) answer.writeContinue();
    return true;
  }

  setTimeout(timeoutMs: number): this {
    this.#socket.setTimeout(timeoutMs);
    return this;
  }

  /** As `net.Socket` has it: the end, once everything is written. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  /** Ends for Node's HTTP server alone. */
  retire(): void {
    this.#isRetired = true;
    this.destroy();
  }

  /** As `push`, but straight to the parser when that waits: a stream's queue costs as much. */
  deliver(bytes: Buffer): boolean {
    if (this.readableFlowing !== true || this.readableLength > 0) return this.push(bytes);
    this.emit('data', bytes);
    return true;
  }

  override _read(): void {
    this.wire.readOn();
  }

  // Answers are queued once, by the socket; what was begun is ended and destroyed here.

  override cork(): void {
    this.#socket.cork();
  }

  override uncork(): void {
    this.#socket.uncork();
  }

  override write(
    chunk: string | Uint8Array,
    encoding?: BufferEncoding | WriteCallback,
    callback?: WriteCallback,
  ): boolean {
    const onWritten = typeof encoding === 'function' ? encoding : callback;
    const name = typeof encoding === 'string' ? encoding : undefined;
    if (this.writable && !this.#isRetired) return this.#socket.write(chunk, name, onWritten);
    // Refused with the error of any stream.
    return super.write(chunk, name ?? 'utf8', onWritten);
  }

  /** What comes with `end`. */
  override _write(
    chunk: string | Uint8Array,
    encoding: BufferEncoding,
    callback: WriteCallback,
  ): void {
    this.#socket.write(chunk, encoding, callback);
  }

  override _final(callback: WriteCallback): void {
    this.#socket.end(callback);
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    if (!this.#isRetired) this.#socket.destroy();
    callback(error);
  }
}

/** Puts a `WireConnection` under every connection of a server; returns those that are open. */
export function readIntoOwnBuffers(server: Server, clock: Clock): ReadonlySet<WireConnection> {
  // No option of `createServer`: a client that has ended its side is answered, then closed.
  (server as Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;
  const [serveHttp] = server.listeners('connection') as ((http: HttpConnection) => void)[];
  assert(serveHttp !== undefined, 'the HTTP server takes connections');
  const connections = new Set<WireConnection>();
  server.removeAllListeners('connection');
  server.on('connection', (accepted: Socket) => {
    const connection = new WireConnection(accepted, (http) => serveHttp.call(server, http), clock);
    connections.add(connection);
    accepted.once('close', () => connections.delete(connection));
  });
  return connections;
}

/**
 * The body of a request past the parser when it is large and on a connection of ours, else the
 * request itself. To be called when the request has just been emitted.
 */
export function bodyStreamOf(
  request: IncomingMessage,
  response: { once(event: 'finish', listener: () => void): unknown },
): IncomingMessage | WireBody {
  const connection: unknown = request.socket;
  const { 'content-length': contentLength, 'transfer-encoding': coding, upgrade } = request.headers;
  // Fifteen digits stay exact; every limit of S3 is far below.
  if (contentLength === undefined || !/^\d{1,15}$/.test(contentLength)) return request;
  const sizeBytes = Number(contentLength);
  if (sizeBytes < WIRE_BODY_BYTES_MIN || coding !== undefined || upgrade !== undefined) {
    return request;
  }
  if (!(connection instanceof HttpConnection)) return request;
  const { wire } = connection;
  const body = new WireBody(request, sizeBytes, () => wire.readOn());
  wire.announce(body);
  response.once('finish', () => {
    // What ends anyway needs no successor.
    if (connection.destroyed || connection.writableEnded) return;
    if (!wire.endBody(body)) connection.destroy();
  });
  return body;
}

/** The same connection as a socket that reads into our buffers. */
function takeOver(
  accepted: Socket,
  onread: {
    readonly buffer: () => Uint8Array;
    readonly callback: (count: number, bytes: Uint8Array) => boolean;
  },
): Socket {
  // What Node itself does to hand a socket to a child process; there is no public way.
  const owner = accepted as unknown as { _handle: object | null };
  const handle = owner._handle;
  assert(handle !== null, 'accepted a socket without a handle');
  owner._handle = null;
  const options = { handle, onread, allowHalfOpen: true };
  return new Socket(options);
}
