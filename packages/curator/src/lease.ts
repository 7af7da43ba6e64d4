import type { CallOptions, MetadataClient } from '@azimuth/clients';
import type { Clock, Logger } from '@azimuth/common';

export const LEASE_NAME = 'curator';
export const LEASE_TTL_MS = 5_000;
const RENEW_INTERVAL_MS = 1_500;
/** A holder that did not renew for this long may be gone: from then on the others try to follow. */
const SILENCE_MS = 2 * RENEW_INTERVAL_MS;

/**
 * Keeps the lease in the root group, so that one of several curators works. Ownership is judged by
 * this process's monotonic clock from before the request was sent, so it ends here before it ends
 * there. It saves double work; correctness does not rest on it, because tasks re-check what they
 * do.
 */
export class Lease {
  readonly #metadata: MetadataClient;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #holder: string;
  #validUntilMs = Number.NEGATIVE_INFINITY;
  #leaderNowMs = 0;
  /** The lease of another holder, and since when it has been this one. */
  #others: { readonly expiresMs: number; readonly sinceMs: number } | null = null;

  constructor(options: {
    readonly metadata: MetadataClient;
    readonly clock: Clock;
    readonly logger: Logger;
    readonly holder: string;
  }) {
    this.#metadata = options.metadata;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#holder = options.holder;
  }

  get isHeld(): boolean {
    return this.#clock.monotonicMs() < this.#validUntilMs;
  }

  /** The metadata leader's clock at the last renewal; it only lags. */
  get leaderNowMs(): number {
    return this.#leaderNowMs;
  }

  /** Renews until `signal` aborts; calls `onChange` when the lease is taken or lost. */
  async keep(onChange: (isHeld: boolean) => void, signal: AbortSignal): Promise<void> {
    let wasHeld = false;
    while (!signal.aborted) {
      await this.renew(signal);
      if (this.isHeld !== wasHeld) {
        wasHeld = this.isHeld;
        this.#logger.info({ isHeld: wasHeld }, 'the curator lease changed');
        onChange(wasHeld);
      }
      await this.#clock.sleep(RENEW_INTERVAL_MS, signal).catch(() => undefined);
    }
    if (wasHeld) onChange(false);
  }

  /** One attempt to take or renew; a failure leaves the lease to run out. */
  async renew(signal: AbortSignal): Promise<void> {
    const options = { signal, timeoutMs: RENEW_INTERVAL_MS };
    try {
      if (await this.#isKeptByAnother(options)) return;
      const sentMs = this.#clock.monotonicMs();
      const args = { name: LEASE_NAME, holder: this.#holder, ttlMs: LEASE_TTL_MS };
      const { holder, expiresMs } = await this.#metadata.root('AcquireLease', args, options);
      if (holder !== this.#holder) {
        this.#validUntilMs = Number.NEGATIVE_INFINITY;
        this.#noteOthers(expiresMs);
        return;
      }
      this.#others = null;
      this.#validUntilMs = sentMs + LEASE_TTL_MS;
      this.#leaderNowMs = Math.max(this.#leaderNowMs, expiresMs - LEASE_TTL_MS);
    } catch (error) {
      this.#logger.debug({ error }, 'the curator lease could not be renewed');
    }
  }

  /**
   * Asks by a read while another curator renews: a command that changes nothing costs as much as
   * any other, on every metadata node.
   */
  async #isKeptByAnother(options: CallOptions): Promise<boolean> {
    if (this.#others === null) return false;
    const lease = await this.#metadata.queryRoot('GetLease', { name: LEASE_NAME }, options);
    if (lease === null || lease.holder === this.#holder) return false;
    this.#noteOthers(lease.expiresMs);
    return this.#clock.monotonicMs() - this.#others.sinceMs < SILENCE_MS;
  }

  #noteOthers(expiresMs: number): void {
    if (this.#others?.expiresMs === expiresMs) return;
    this.#others = { expiresMs, sinceMs: this.#clock.monotonicMs() };
  }
}
