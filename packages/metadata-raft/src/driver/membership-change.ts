import { StoreError } from '@azimuth/common';

import type { MembershipTarget } from '../core/membership';
import type { LogIndex } from '../core/message';
import type { RaftNode } from '../core/raft-node';
import type { MembershipRefusal } from '../core/reconfigure';

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: StoreError) => void;
}

/** Refusals that pass by themselves. */
const REASONS: Readonly<Partial<Record<MembershipRefusal, string>>> = {
  transferring: 'leadership is being transferred',
  pending: 'another change is not done',
  'not-caught-up': 'a new voter is behind',
  'no-quorum': 'no majority of the voters before, or after, answers',
};

/** The one change of membership that a caller waits for here, from its first entry to its end. */
export class MembershipChange {
  #waiting: Waiting | null = null;

  /** @throws StoreError see `RaftGroup.changeMembership` */
  begin(
    node: RaftNode,
    target: MembershipTarget,
    expectedIndex: LogIndex,
    notLeader: () => StoreError,
  ): Promise<void> {
    const { configurationIndex } = node.membership();
    if (configurationIndex !== expectedIndex) {
      const detail = { expectedIndex, configurationIndex };
      return Promise.reject(new StoreError('PRECONDITION_FAILED', detail));
    }
    const outcome = node.changeMembership(target);
    if (outcome === 'not-leader') return Promise.reject(notLeader());
    if (outcome === 'invalid') {
      return Promise.reject(new StoreError('INVALID_ARGUMENT', { reason: 'membership' }));
    }
    if (outcome === 'unchanged') return Promise.resolve();
    if (typeof outcome === 'string') {
      const reason = REASONS[outcome] ?? outcome;
      return Promise.reject(new StoreError('UNAVAILABLE', { reason }));
    }
    // The core takes one change at a time, so nobody waits here already.
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  /** Something may have been committed. */
  settle(node: RaftNode): void {
    if (this.#waiting === null || node.role !== 'leader' || !node.isMembershipSettled) return;
    this.#waiting.resolve();
    this.#waiting = null;
  }

  reject(error: StoreError): void {
    this.#waiting?.reject(error);
    this.#waiting = null;
  }
}
