import type { Socket } from 'node:net';

import type { Clock, Random } from '@azimuth/common';

import type { LinkRule } from './link-rule';

/** What is under way on a link; above it the sender waits. */
const UNDER_WAY_BYTES_MAX = 4 * 1024 * 1024;
/** RFC 6298 with the lower bound that Linux has. */
const RETRANSMISSION_MS = 200;
/** So many losses in a row, and the connection is reset. */
const LOSSES_MAX = 6;

type Parcel =
  | { readonly kind: 'bytes'; readonly bytes: Buffer; readonly dueMs: number }
  | { readonly kind: 'end' | 'reset'; readonly dueMs: number };

export interface LinkPipeOptions {
  readonly from: Socket;
  readonly to: Socket;
  readonly rule: () => LinkRule;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * One direction of one connection over a link. Bytes keep their order, and so do the end and the
 * reset of the connection behind them: what is cut off learns of neither.
 */
export class LinkPipe {
  readonly #options: LinkPipeOptions;
  readonly #parcels: Parcel[] = [];
  #underWayBytes = 0;
  #lastDueMs = 0;
  #cancelTimer: (() => void) | null = null;
  #isBlocked = false;
  #isEnded = false;

  constructor(options: LinkPipeOptions) {
    this.#options = options;
    const { from, to } = options;
    from.on('data', (bytes: Buffer) => this.#take(bytes));
    from.on('end', () => this.#takeEnd('end'));
    from.on('error', () => this.#takeEnd('reset'));
    from.on('close', () => this.#takeEnd('reset'));
    to.on('drain', () => {
      this.#isBlocked = false;
      this.deliver();
    });
    to.on('close', () => this.#cancelTimer?.());
  }

  /** Delivers what is due. To be called too when the rule has changed. */
  deliver(): void {
    const { clock, to, from, rule } = this.#options;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    while (this.#parcels[0] !== undefined && !this.#isBlocked && !to.destroyed) {
      const [parcel] = this.#parcels;
      if (rule().isCut) return;
      // Timers count whole milliseconds and may be early by a little of one.
      const waitMs = parcel.dueMs - clock.monotonicMs();
      if (waitMs > 0.1) {
        this.#cancelTimer = clock.schedule(waitMs, () => this.deliver());
        return;
      }
      this.#parcels.shift();
      this.#hand(parcel);
    }
    if (this.#underWayBytes < UNDER_WAY_BYTES_MAX && from.isPaused()) from.resume();
  }

  #hand(parcel: Parcel): void {
    const { to } = this.#options;
    if (parcel.kind === 'bytes') {
      this.#underWayBytes -= parcel.bytes.length;
      this.#isBlocked = !to.write(parcel.bytes);
    } else if (parcel.kind === 'end') to.end();
    else to.resetAndDestroy();
  }

  #take(bytes: Buffer): void {
    const dueMs = this.#dueMs(bytes.length);
    if (dueMs === null) {
      this.#takeEnd('reset');
      this.#options.from.resetAndDestroy();
      return;
    }
    this.#underWayBytes += bytes.length;
    if (this.#underWayBytes >= UNDER_WAY_BYTES_MAX) this.#options.from.pause();
    this.#parcels.push({ kind: 'bytes', bytes, dueMs });
    if (this.#parcels.length === 1) this.deliver();
  }

  /** The end of a half; or, after it, that the whole connection is gone, which says no more. */
  #takeEnd(kind: 'end' | 'reset'): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    const { clock, rule } = this.#options;
    const dueMs = Math.max(this.#lastDueMs, clock.monotonicMs() + rule().delayMs);
    this.#parcels.push({ kind, dueMs });
    this.deliver();
  }

  /** When the bytes arrive; null when so many were lost that the connection breaks. */
  #dueMs(sizeBytes: number): number | null {
    const { clock, random, rule } = this.#options;
    const { delayMs, bytesPerSecond, lossRate } = rule();
    const nowMs = clock.monotonicMs();
    if (delayMs === 0 && bytesPerSecond === null && lossRate === 0) {
      return Math.max(this.#lastDueMs, nowMs);
    }
    let losses = 0;
    while (lossRate > 0 && random.next() < lossRate) losses += 1;
    if (losses > LOSSES_MAX) return null;
    const lostMs = RETRANSMISSION_MS * (2 ** losses - 1);
    const sendMs = bytesPerSecond === null ? 0 : (sizeBytes / bytesPerSecond) * 1000;
    this.#lastDueMs = Math.max(nowMs + delayMs, this.#lastDueMs) + sendMs + lostMs;
    return this.#lastDueMs;
  }
}
