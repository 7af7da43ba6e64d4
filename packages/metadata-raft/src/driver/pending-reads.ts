import { StoreError } from '@azimuth/common';
import type { Clock } from '@azimuth/common';

import type { LogIndex } from '../core/message';
import type { RaftNode } from '../core/raft-node';
import type { ReadState } from '../core/ready';

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: StoreError) => void;
}

interface Round {
  readonly context: number;
  readonly waiting: readonly Waiting[];
  readonly cancelTimeout: () => void;
}

/** Linearizable reads: one confirmation round at a time, for all reads that arrived before it. */
export class PendingReads {
  #queue: Waiting[] = [];
  #round: Round | null = null;
  /** Confirmed, and waiting for the state machine. Ascending by index. */
  #confirmed: { readonly index: LogIndex; readonly waiting: readonly Waiting[] }[] = [];

  enqueue(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ resolve, reject });
    });
  }

  submit(
    node: RaftNode,
    host: { readonly clock: Clock; readonly readTimeoutMs: number },
    notLeader: () => StoreError,
  ): void {
    if (this.#queue.length === 0 || this.#round !== null) return;
    const waiting = this.#queue;
    this.#queue = [];
    const context = node.readIndex();
    if (typeof context !== 'number') {
      const error = context === 'not-leader' ? notLeader() : new StoreError('OVERLOADED');
      for (const { reject } of waiting) reject(error);
      return;
    }
    const cancelTimeout = host.clock.schedule(host.readTimeoutMs, () => {
      if (this.#round?.context !== context) return;
      this.#round = null;
      const error = new StoreError('UNAVAILABLE', { reason: 'no quorum confirmed the leader' });
      for (const { reject } of waiting) reject(error);
    });
    this.#round = { context, waiting, cancelTimeout };
  }

  settle(readStates: readonly ReadState[], lastApplied: LogIndex): void {
    for (const { context, index } of readStates) {
      const round = this.#round;
      if (round?.context !== context) continue;
      this.#round = null;
      round.cancelTimeout();
      this.#confirmed.push({ index, waiting: round.waiting });
    }
    while (this.#confirmed[0] !== undefined && this.#confirmed[0].index <= lastApplied) {
      for (const { resolve } of this.#confirmed[0].waiting) resolve();
      this.#confirmed.shift();
    }
  }

  rejectAll(error: StoreError): void {
    const waiting = [...this.#queue, ...(this.#round?.waiting ?? [])];
    for (const confirmed of this.#confirmed) waiting.push(...confirmed.waiting);
    this.#round?.cancelTimeout();
    this.#queue = [];
    this.#round = null;
    this.#confirmed = [];
    for (const { reject } of waiting) reject(error);
  }
}
