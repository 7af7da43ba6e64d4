import { StoreError } from '@azimuth/common';

import type { Entry } from '../../src/core/message';
import { PendingProposals } from '../../src/driver/pending-proposals';

import { data, loneNode } from '../core/core-cluster';

const notLeader = (): StoreError => new StoreError('NOT_LEADER');

interface Proposed {
  readonly entry: Entry;
  readonly settle: (applied: Entry) => Promise<unknown>;
}

/** A leader on its own, and a proposal that it has put into its log but not applied. */
function proposed(): Proposed {
  const alone = loneNode([], {}, ['n1']);
  alone.node.campaign();
  alone.persist();
  const proposals = new PendingProposals();
  const answer = proposals.enqueue(Buffer.from('mine'));
  proposals.submit(alone.node, notLeader);
  alone.persist();
  const entry = alone.applied.at(-1) as Entry;
  return {
    entry,
    settle: (applied) => {
      proposals.settle(applied, 'result');
      return answer;
    },
  };
}

describe('pending proposals', () => {
  it('are answered by their entry', async () => {
    const { entry, settle } = proposed();
    expect(Buffer.from(entry.data).toString()).toBe('mine');
    expect(await settle(entry)).toBe('result');
  });

  it('have an unknown outcome when another leader put its entry there, and no other answer', async () => {
    const { entry, settle } = proposed();
    const other = { ...entry, term: entry.term + 1, data: data('theirs') };
    await expect(settle(other)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
  });
});
