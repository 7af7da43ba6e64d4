import { StoreError } from '@azimuth/common';
import type { Clock } from '@azimuth/common';
import type { Arena } from '@azimuth/erasure';

export interface StripePoolOptions {
  readonly arena: Arena;
  /** The part of the arena that this pool may hold at a time. */
  readonly budgetBytes: number;
  readonly waitersMax: number;
  readonly waitTimeoutMs: number;
  /** Called again and again while somebody waits: the place to make others give memory back. */
  onPressure(): void;
  readonly clock: Clock;
}

interface Waiter {
  readonly sizeBytes: number;
  resolve(offset: number): void;
  reject(error: StoreError): void;
}

const PRESSURE_INTERVAL_MS = 100;

/**
 * Lends ranges of the codec's memory within a budget, so that the memory of all bodies in flight is
 * bounded whatever their number and size. Callers wait in order; nobody is overtaken. Reads and
 * writes have a pool each: a copy holds of both.
 */
export class StripePool {
  readonly #options: StripePoolOptions;
  readonly #sizes = new Map<number, number>();
  readonly #waiters: Waiter[] = [];
  #usedBytes = 0;
  #isPressing = false;

  constructor(options: StripePoolOptions) {
    this.#options = options;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get waiterCount(): number {
    return this.#waiters.length;
  }

  /** More than half is lent: callers should take no more than they need to go on. */
  get isTight(): boolean {
    return this.#waiters.length > 0 || this.#usedBytes * 2 > this.#options.budgetBytes;
  }

  /**
   * Offset of `sizeBytes` bytes of unknown content. Errors: OVERLOADED when too many wait, or for
   * too long; CANCELLED.
   */
  allocate(sizeBytes: number, signal?: AbortSignal): number | Promise<number> {
    if (this.#waiters.length === 0) {
      const offset = this.#take(sizeBytes);
      if (offset !== null) return offset;
    }
    const { waitersMax } = this.#options;
    if (this.#waiters.length >= waitersMax || sizeBytes > this.#options.budgetBytes) {
      throw new StoreError('OVERLOADED', { waitersMax, sizeBytes });
    }
    return this.#wait(sizeBytes, signal);
  }

  free(offset: number): void {
    this.#usedBytes -= this.#sizes.get(offset) ?? 0;
    this.#sizes.delete(offset);
    this.#options.arena.free(offset);
    for (;;) {
      const waiter = this.#waiters[0];
      const next = waiter === undefined ? null : this.#take(waiter.sizeBytes);
      if (waiter === undefined || next === null) return;
      this.#waiters.shift();
      waiter.resolve(next);
    }
  }

  #take(sizeBytes: number): number | null {
    if (this.#usedBytes + sizeBytes > this.#options.budgetBytes) return null;
    const offset = this.#options.arena.allocate(sizeBytes);
    if (offset === null) return null;
    this.#sizes.set(offset, sizeBytes);
    this.#usedBytes += sizeBytes;
    return offset;
  }

  #wait(sizeBytes: number, signal: AbortSignal | undefined): Promise<number> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        cancelTimer();
        signal?.removeEventListener('abort', onAbort);
        const index = this.#waiters.indexOf(waiter);
        if (index !== -1) this.#waiters.splice(index, 1);
      };
      const waiter: Waiter = {
        sizeBytes,
        resolve(offset) {
          leave();
          resolve(offset);
        },
        reject(error) {
          leave();
          reject(error);
        },
      };
      const onAbort = (): void => waiter.reject(new StoreError('CANCELLED'));
      const cancelTimer = this.#options.clock.schedule(this.#options.waitTimeoutMs, () =>
        waiter.reject(new StoreError('OVERLOADED', { waiters: this.#waiters.length })),
      );
      this.#waiters.push(waiter);
      if (!this.#isPressing) this.#press();
      if (signal?.aborted === true) onAbort();
      else signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  #press(): void {
    this.#isPressing = true;
    this.#options.clock.schedule(PRESSURE_INTERVAL_MS, () => {
      this.#isPressing = false;
      if (this.#waiters.length === 0) return;
      this.#options.onPressure();
      this.#press();
    });
  }
}
