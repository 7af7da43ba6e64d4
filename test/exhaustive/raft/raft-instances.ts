import { NOTHING_HAPPENS } from './raft-world';
import type { RaftBounds, RaftBudget } from './raft-world';

const NODES = ['n1', 'n2', 'n3'];
const FOUNDING = { voters: NODES, learners: [] };
const FIVE = ['n1', 'n2', 'n3', 'n4', 'n5'];
const ALONE = { voters: ['n1'], learners: [] };
const OTHERS = { voters: ['n2', 'n3'], learners: [] };

/** Bounds that are explored to the end. */
export interface RaftInstance {
  readonly name: string;
  readonly bounds: RaftBounds;
}

function instance(
  name: string,
  budget: Partial<RaftBudget>,
  other: Partial<RaftBounds> = {},
): RaftInstance {
  const bounds = { nodes: NODES, founders: FOUNDING, isPreVoting: false, ...other };
  const fixed = { firstLeader: null, targets: [], fragile: null, ...bounds };
  return { name, bounds: { ...fixed, budget: { ...NOTHING_HAPPENS, ...budget } } };
}

/** Two of three leave at once, which in a single step would let both sides decide alone. */
const SHRINKING = { firstLeader: 'n1', targets: [ALONE] };
/** Two learners replace the only voter: no node is in both sets. */
const REPLACING = {
  ...{ founders: { voters: ['n1'], learners: ['n2', 'n3'] }, firstLeader: 'n1' },
  targets: [OTHERS],
};

/** The old leader may not have heard of the term in which n3 voted before its disk was lost. */
const LOSING = { firstLeader: 'n1', fragile: 'n3' };

/** Seconds. */
export const QUICK_INSTANCES: readonly RaftInstance[] = [
  instance('three terms', { timeouts: 3 }),
  instance('a command in two terms', { timeouts: 2, proposals: 1 }),
  instance('a crash in two terms', { timeouts: 2, crashes: 1 }),
  instance('a write that takes long, in two terms', { timeouts: 2, slowWrites: 1 }),
  instance('a read in two terms', { timeouts: 2, reads: 1 }),
  instance('two elections with pre-votes', { timeouts: 2 }, { isPreVoting: true }),
  instance('a lost disk in two terms', { timeouts: 1, diskLosses: 1 }, LOSING),
  instance('two of three leave', { timeouts: 1, changes: 1 }, SHRINKING),
  instance('two learners replace the only voter', { timeouts: 2, changes: 1 }, REPLACING),
];

/** Minutes. */
export const LONG_INSTANCES: readonly RaftInstance[] = [
  ...QUICK_INSTANCES,
  instance('four terms (figure 8)', { timeouts: 4 }),
  instance('two commands in two terms', { timeouts: 2, proposals: 2 }),
  instance('a command in three terms', { timeouts: 3, proposals: 1 }),
  instance('a crash in three terms', { timeouts: 3, crashes: 1 }),
  instance('two crashes in two terms', { timeouts: 2, crashes: 2 }),
  instance('two commands and a crash', { timeouts: 1, proposals: 2, crashes: 1 }),
  instance('a slow write and a crash', { timeouts: 2, slowWrites: 1, crashes: 1 }),
  instance('a read and a command', { timeouts: 2, reads: 1, proposals: 1 }),
  instance('two reads in two terms', { timeouts: 2, reads: 2 }),
  instance('pre-votes and a crash', { timeouts: 2, crashes: 1 }, { isPreVoting: true }),
  instance('a lost disk and a heartbeat', { timeouts: 1, diskLosses: 1, heartbeats: 1 }, LOSING),
  instance('two of three leave, in three terms', { timeouts: 2, changes: 1 }, SHRINKING),
  instance(
    'two learners replace the only voter, with a crash',
    { timeouts: 2, changes: 1, crashes: 1 },
    REPLACING,
  ),
  instance(
    'two elections among five',
    { timeouts: 2 },
    { nodes: FIVE, founders: { voters: FIVE, learners: [] } },
  ),
];
