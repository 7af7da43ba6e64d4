import fc from 'fast-check';

import { enterJoint, staticConfiguration } from '../../src/core/membership';
import { quorumIndex, voteOutcome } from '../../src/core/quorum';

const IDS = ['a', 'b', 'c', 'd', 'e', 'f'];
const sets = fc.subarray(IDS, { minLength: 1 });

function hasMajority(voters: readonly string[], holds: (id: string) => boolean): boolean {
  return 2 * voters.filter(holds).length > voters.length;
}

describe('a joint quorum (thesis, section 4.3; pitfall 14)', () => {
  it('decides a vote as soon as no absent vote can change it, and never before', () => {
    const ballots = fc.array(fc.constantFrom(true, false, undefined), {
      minLength: IDS.length,
      maxLength: IDS.length,
    });
    fc.assert(
      fc.property(sets, sets, ballots, (before, after, ballot) => {
        const joint = enterJoint(staticConfiguration(before), { voters: after, learners: [] });
        const votes = new Map<string, boolean>();
        for (const [at, id] of IDS.entries()) {
          const vote = ballot[at];
          if (vote !== undefined) votes.set(id, vote);
        }
        const granted = (id: string): boolean => votes.get(id) === true;
        const grantable = (id: string): boolean => votes.get(id) !== false;
        const isWon = hasMajority(before, granted) && hasMajority(after, granted);
        const isOpen = hasMajority(before, grantable) && hasMajority(after, grantable);
        const expected = isWon ? 'won' : isOpen ? 'pending' : 'lost';
        expect(voteOutcome(joint, votes)).toBe(expected);
      }),
      { numRuns: 1_000 },
    );
  });

  it('commits the largest index that a majority of both sets holds', () => {
    const indexes = fc.array(fc.integer({ min: 0, max: 9 }), {
      minLength: IDS.length,
      maxLength: IDS.length,
    });
    fc.assert(
      fc.property(sets, sets, indexes, (before, after, matches) => {
        const joint = enterJoint(staticConfiguration(before), { voters: after, learners: [] });
        const matchOf = (id: string): number => matches[IDS.indexOf(id)] ?? 0;
        const isHeld = (index: number): boolean =>
          [before, after].every((voters) => hasMajority(voters, (id) => matchOf(id) >= index));
        const found = quorumIndex(joint, matchOf);
        expect(isHeld(found)).toBe(true);
        expect(isHeld(found + 1)).toBe(false);
      }),
      { numRuns: 1_000 },
    );
  });
});
