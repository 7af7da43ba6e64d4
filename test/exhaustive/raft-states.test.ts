import { exploreRaft } from './raft/explore-raft';
import { QUICK_INSTANCES } from './raft/raft-instances';

const STATES_MAX = 100_000;
/** What there was when this was written; far less would mean that something is left out. */
const STATES_MIN = 60_000;

describe('the core of raft keeps figure 3 of the paper, and reads are linearizable', () => {
  let states = 0;

  it.each(QUICK_INSTANCES)(
    'in every state of: $name',
    ({ name, bounds }) => {
      const found = exploreRaft(bounds, STATES_MAX);
      process.stdout.write(`states of raft, ${name}: ${JSON.stringify(found)}\n`);
      states += found.states;
      expect(found).toMatchObject({ isComplete: true });
      expect(found.committedMax).toBeGreaterThan(1);
    },
    120_000,
  );

  it('of which there are no fewer than there were', () => {
    expect(states).toBeGreaterThan(STATES_MIN);
  });
});
