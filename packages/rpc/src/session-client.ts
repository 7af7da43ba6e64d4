import { connectivityState } from '@grpc/grpc-js';
import { backoffMs, StoreError, systemClock, systemRandom } from '@azimuth/common';
import type { Clock, Random } from '@azimuth/common';
import { MetadataStub } from '@azimuth/proto';
import type { Frames, MetadataStubClient } from '@azimuth/proto';

import { CONNECT_TIMEOUT_MS } from './channel-options';
import { createClient, grpcDeadline } from './rpc-client';
import type { PeerAddress } from './rpc-client';
import { toStoreError } from './status';

/** One message of frames is cut here, far below the transport's own limit. */
export const FRAMES_BYTES_MAX = 4 * 1024 * 1024;
const IN_FLIGHT_CALLS_MAX = 8_192;
const IN_FLIGHT_BYTES_MAX = 64 * 1024 * 1024;
const RECONNECT_BACKOFF = { baseMs: 100, maxMs: 1_000 };
const RECONNECT_DELAY_MS_MIN = 20;
/** A connection that nobody used for this long ends: as long as it is open it is pinged. */
const IDLE_MS = 30_000;

export interface SessionClientOptions {
  readonly clock?: Clock;
  readonly random?: Random;
  readonly inFlightCallsMax?: number;
  readonly inFlightBytesMax?: number;
}

interface Outgoing {
  readonly id: number;
  readonly body: Buffer;
}

interface Pending {
  readonly bodyBytes: number;
  readonly resolve: (body: Buffer) => void;
  readonly reject: (error: StoreError) => void;
  readonly cancelTimer: () => void;
  isSent: boolean;
}

type SessionStream = ReturnType<MetadataStubClient['Session']>;

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'connecting'; readonly stub: MetadataStubClient }
  | { readonly kind: 'open'; readonly stub: MetadataStubClient; readonly stream: SessionStream }
  | { readonly kind: 'waiting'; readonly error: StoreError; readonly cancelTimer: () => void }
  | { readonly kind: 'closed' };

/**
 * The caller's side of `Metadata/Session`: one long-lived stream to one metadata node. Everything
 * one event-loop turn has to say travels in one message.
 *
 * C1 A call ends exactly once: with its answer, or with UNAVAILABLE, TIMEOUT, OVERLOADED or
 * CANCELLED. C2 UNAVAILABLE carries `detail.sent`: false means that the body never left this
 * process, so the
 *    peer cannot have acted on it.
 * C3 Bounded: at most `inFlightCallsMax` calls and `inFlightBytesMax` bytes of bodies at a time.
 * C4 While the peer is known to be away, calls fail at once, so that the caller can ask another.
 *
 * It connects at the first call, and from then on reconnects by itself, with backoff, until
 * `close`, or until it was connected for IDLE_MS without a call: then the next call connects.
 */
export class SessionClient {
  readonly #peer: PeerAddress;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #inFlightCallsMax: number;
  readonly #inFlightBytesMax: number;
  readonly #pending = new Map<number, Pending>();
  #state: State = { kind: 'idle' };
  #outgoing: Outgoing[] = [];
  #inFlightBytes = 0;
  #nextId = 1;
  #attempt = 0;
  #isFlushScheduled = false;
  #isWriting = false;
  #cancelIdleCheck: () => void = () => undefined;

  constructor(peer: PeerAddress, options: SessionClientOptions = {}) {
    this.#peer = peer;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? systemRandom;
    this.#inFlightCallsMax = options.inFlightCallsMax ?? IN_FLIGHT_CALLS_MAX;
    this.#inFlightBytesMax = options.inFlightBytesMax ?? IN_FLIGHT_BYTES_MAX;
  }

  /** True while a stream is open. */
  get isConnected(): boolean {
    return this.#state.kind === 'open';
  }

  /** Sends `body`, resolves with the answer to it. See C1 to C4 for how it fails. */
  call(body: Buffer, timeoutMs: number): Promise<Buffer> {
    const refusal = this.#refusal(body.length);
    if (refusal !== null) return Promise.reject(refusal);
    if (this.#state.kind === 'idle') this.#connect();
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise((resolve, reject) => {
      const cancelTimer = this.#clock.schedule(timeoutMs, () => {
        const isSent = this.#pending.get(id)?.isSent ?? false;
        this.#fail(id, new StoreError('TIMEOUT', { timeoutMs, sent: isSent }));
      });
      this.#pending.set(id, {
        bodyBytes: body.length,
        resolve,
        reject,
        cancelTimer,
        isSent: false,
      });
      this.#inFlightBytes += body.length;
      this.#outgoing.push({ id, body });
      this.#scheduleFlush();
    });
  }

  /** Ends the stream; calls in flight reject with CANCELLED. */
  close(): void {
    if (this.#state.kind === 'closed') return;
    this.#release();
    this.#state = { kind: 'closed' };
    this.#failAll((sent) => new StoreError('CANCELLED', { sent }));
  }

  #refusal(bodyBytes: number): StoreError | null {
    if (this.#state.kind === 'closed') return new StoreError('CANCELLED', { sent: false });
    if (this.#state.kind === 'waiting') {
      return new StoreError(this.#state.error.code, { ...this.#state.error.detail, sent: false });
    }
    if (bodyBytes > FRAMES_BYTES_MAX) return new StoreError('INVALID_ARGUMENT', { bodyBytes });
    if (
      this.#pending.size >= this.#inFlightCallsMax ||
      this.#inFlightBytes + bodyBytes > this.#inFlightBytesMax
    ) {
      return new StoreError('OVERLOADED', { inFlight: this.#pending.size, sent: false });
    }
    return null;
  }

  #connect(): void {
    const stub = createClient(MetadataStub, this.#peer, this.#clock);
    this.#state = { kind: 'connecting', stub };
    this.#awaitReady(stub, grpcDeadline(CONNECT_TIMEOUT_MS));
  }

  /** Unlike `waitForReady`, gives up at the first failure to connect. */
  #awaitReady(stub: MetadataStubClient, deadlineMs: number): void {
    if (this.#state.kind !== 'connecting' || this.#state.stub !== stub) return;
    const channel = stub.getChannel();
    const connectivity = channel.getConnectivityState(true);
    if (connectivity === connectivityState.READY) {
      this.#open(stub);
    } else if (connectivity === connectivityState.TRANSIENT_FAILURE) {
      this.#lose(new StoreError('UNAVAILABLE', { peer: this.#address() }));
    } else {
      channel.watchConnectivityState(connectivity, deadlineMs, (error) => {
        if (error === undefined) this.#awaitReady(stub, deadlineMs);
        else if (this.#state.kind === 'connecting' && this.#state.stub === stub) {
          this.#lose(new StoreError('TIMEOUT', { peer: this.#address() }, error));
        }
      });
    }
  }

  #open(stub: MetadataStubClient): void {
    const stream = stub.Session();
    this.#state = { kind: 'open', stub, stream };
    this.#isWriting = false;
    const isCurrent = (): boolean => this.#state.kind === 'open' && this.#state.stream === stream;
    stream.on('data', (frames: Frames) => {
      if (isCurrent()) this.#receive(frames);
    });
    stream.on('error', (error) => {
      if (isCurrent()) this.#lose(toStoreError(error));
    });
    stream.on('end', () => {
      if (isCurrent()) this.#lose(new StoreError('UNAVAILABLE', { peer: this.#address() }));
    });
    this.#scheduleFlush();
    this.#checkIdle();
  }

  /** One timer for all calls: what it compares is whether there were any since it was set. */
  #checkIdle(): void {
    const nextId = this.#nextId;
    this.#cancelIdleCheck = this.#clock.schedule(IDLE_MS, () => {
      if (this.#nextId !== nextId || this.#pending.size > 0) {
        this.#checkIdle();
      } else {
        this.#release();
        this.#state = { kind: 'idle' };
      }
    });
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
    const state = this.#state;
    if (state.kind !== 'open' || this.#isWriting || this.#outgoing.length === 0) return;
    const frames = this.#takeBatch();
    if (frames.length === 0) return;
    const { stream } = state;
    this.#isWriting = true;
    stream.write({ frames }, () => {
      // What became of a stream that failed is told by its events.
      if (this.#state.kind !== 'open' || this.#state.stream !== stream) return;
      this.#isWriting = false;
      if (this.#outgoing.length > 0) this.#scheduleFlush();
    });
  }

  /** The next message: live calls from the head of the queue, up to FRAMES_BYTES_MAX. */
  #takeBatch(): Outgoing[] {
    const batch: Outgoing[] = [];
    let batchBytes = 0;
    let taken = 0;
    for (const outgoing of this.#outgoing) {
      if (batch.length > 0 && batchBytes + outgoing.body.length > FRAMES_BYTES_MAX) break;
      taken += 1;
      const pending = this.#pending.get(outgoing.id);
      // Timed out while it waited: it must not be sent any more.
      if (pending === undefined) continue;
      pending.isSent = true;
      batchBytes += outgoing.body.length;
      batch.push(outgoing);
    }
    this.#outgoing = taken === this.#outgoing.length ? [] : this.#outgoing.slice(taken);
    return batch;
  }

  #receive({ frames }: Frames): void {
    this.#attempt = 0;
    for (const { id, body } of frames) {
      // An answer to a call that timed out belongs to nobody.
      const pending = this.#settle(id);
      pending?.resolve(body);
    }
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    if (pending === undefined) return undefined;
    this.#pending.delete(id);
    this.#inFlightBytes -= pending.bodyBytes;
    pending.cancelTimer();
    return pending;
  }

  #fail(id: number, error: StoreError): void {
    this.#settle(id)?.reject(error);
  }

  #failAll(errorOf: (isSent: boolean) => StoreError): void {
    this.#outgoing = [];
    for (const [id, pending] of [...this.#pending]) this.#fail(id, errorOf(pending.isSent));
  }

  /**
   * The connection is gone or could not be made: everything in flight fails, and we come back
   * later.
   */
  #lose(cause: StoreError): void {
    this.#release();
    const delayMs =
      RECONNECT_DELAY_MS_MIN + backoffMs(this.#attempt, RECONNECT_BACKOFF, this.#random);
    this.#attempt += 1;
    // Only a refusal of who we are is told as such; all else means that the peer is away.
    const isRefusal = cause.code === 'UNAUTHENTICATED' || cause.code === 'PERMISSION_DENIED';
    const code = isRefusal ? cause.code : 'UNAVAILABLE';
    const detail = { peer: this.#address(), cause: cause.code };
    this.#state = {
      kind: 'waiting',
      error: new StoreError(code, detail, cause),
      cancelTimer: this.#clock.schedule(delayMs, () => {
        this.#connect();
      }),
    };
    this.#failAll((sent) => new StoreError(code, { ...detail, sent }, cause));
  }

  #release(): void {
    const state = this.#state;
    this.#cancelIdleCheck();
    if (state.kind === 'waiting') state.cancelTimer();
    if (state.kind === 'open') {
      // `cancel` ends in an error event of its own, which is nobody's business any more.
      state.stream.on('error', () => undefined);
      state.stream.cancel();
    }
    if (state.kind === 'open' || state.kind === 'connecting') state.stub.close();
  }

  #address(): string {
    return `${this.#peer.host}:${this.#peer.port}`;
  }
}
