import { StoreError } from '@azimuth/common';

import type { Entry, LogIndex, Term } from '../core/message';
import type { RaftNode } from '../core/raft-node';

interface Waiting {
  readonly data: Buffer;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: StoreError) => void;
  readonly onApplied: ((index: LogIndex) => void) | undefined;
}

/** Proposals from the call to the result of apply. One turn's proposals become one append. */
export class PendingProposals {
  #queue: Waiting[] = [];
  readonly #inFlight = new Map<LogIndex, Waiting & { readonly term: Term }>();

  enqueue(data: Buffer, onApplied?: (index: LogIndex) => void): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ data, resolve, reject, onApplied });
    });
  }

  submit(node: RaftNode, notLeader: () => StoreError): void {
    if (this.#queue.length === 0) return;
    const queue = this.#queue;
    this.#queue = [];
    if (this.#propose(node, queue, notLeader) !== 'overloaded') return;
    // Not all of them fit; some may.
    for (const waiting of queue) {
      if (this.#propose(node, [waiting], notLeader) === 'overloaded') {
        waiting.reject(new StoreError('OVERLOADED', { limit: 'uncommittedBytesMax' }));
      }
    }
  }

  /** The entry was applied with this result. */
  settle(entry: Entry, result: unknown): void {
    const waiting = this.#inFlight.get(entry.index);
    if (waiting === undefined) return;
    this.#inFlight.delete(entry.index);
    if (waiting.term !== entry.term) {
      waiting.reject(new StoreError('OUTCOME_UNKNOWN', { index: entry.index }));
      return;
    }
    waiting.onApplied?.(entry.index);
    waiting.resolve(result);
  }

  rejectAll(error: StoreError): void {
    const inFlight = [...this.#inFlight.values()];
    const queue = this.#queue;
    this.#inFlight.clear();
    this.#queue = [];
    for (const waiting of [...inFlight, ...queue]) waiting.reject(error);
  }

  #propose(
    node: RaftNode,
    batch: readonly Waiting[],
    notLeader: () => StoreError,
  ): 'accepted' | 'rejected' | 'overloaded' {
    const outcome = node.proposeMany(batch.map(({ data }) => data));
    if ('refused' in outcome) {
      if (outcome.refused === 'overloaded') return 'overloaded';
      const error =
        outcome.refused === 'transferring'
          ? new StoreError('UNAVAILABLE', { reason: 'leadership is being transferred' })
          : notLeader();
      for (const { reject } of batch) reject(error);
      return 'rejected';
    }
    for (const [position, waiting] of batch.entries()) {
      this.#inFlight.set(outcome.firstIndex + position, { term: outcome.term, ...waiting });
    }
    return 'accepted';
  }
}
