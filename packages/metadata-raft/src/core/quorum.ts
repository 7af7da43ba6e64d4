import type { LogIndex, NodeId } from './message';

/**
 * Who decides. `outgoing` is set while a change of membership is in its joint phase (thesis,
 * section 4.3): then a decision needs a majority of both sets. Learners receive the log and decide
 * nothing.
 */
export interface Configuration {
  readonly voters: ReadonlySet<NodeId>;
  readonly outgoing: ReadonlySet<NodeId> | null;
  readonly learners: ReadonlySet<NodeId>;
}

export type VoteOutcome = 'won' | 'lost' | 'pending';

function majorityIndex(voters: ReadonlySet<NodeId>, matchOf: (id: NodeId) => LogIndex): LogIndex {
  if (voters.size === 0) return Number.MAX_SAFE_INTEGER;
  const matches = Array.from(voters, matchOf).sort((a, b) => b - a);
  return matches[Math.floor(voters.size / 2)] ?? 0;
}

/** The largest index that a quorum holds. */
export function quorumIndex(
  configuration: Configuration,
  matchOf: (id: NodeId) => LogIndex,
): LogIndex {
  const incoming = majorityIndex(configuration.voters, matchOf);
  if (configuration.outgoing === null) return incoming;
  return Math.min(incoming, majorityIndex(configuration.outgoing, matchOf));
}

function majorityVote(
  voters: ReadonlySet<NodeId>,
  votes: ReadonlyMap<NodeId, boolean>,
): VoteOutcome {
  const majority = Math.floor(voters.size / 2) + 1;
  let granted = 0;
  let refused = 0;
  for (const voter of voters) {
    const vote = votes.get(voter);
    if (vote === true) granted += 1;
    else if (vote === false) refused += 1;
  }
  if (voters.size === 0 || granted >= majority) return 'won';
  return voters.size - refused < majority ? 'lost' : 'pending';
}

/** What the votes so far decide. An absent vote may still arrive. */
export function voteOutcome(
  configuration: Configuration,
  votes: ReadonlyMap<NodeId, boolean>,
): VoteOutcome {
  const incoming = majorityVote(configuration.voters, votes);
  if (configuration.outgoing === null) return incoming;
  const outgoing = majorityVote(configuration.outgoing, votes);
  if (incoming === 'lost' || outgoing === 'lost') return 'lost';
  return incoming === 'won' && outgoing === 'won' ? 'won' : 'pending';
}

/** True when the nodes for which `isPresent` holds form a quorum. */
export function isQuorum(
  configuration: Configuration,
  isPresent: (id: NodeId) => boolean,
): boolean {
  const votes = new Map<NodeId, boolean>();
  for (const id of votersOf(configuration)) votes.set(id, isPresent(id));
  return voteOutcome(configuration, votes) === 'won';
}

/** Every voter of both sets, once. */
export function votersOf(configuration: Configuration): ReadonlySet<NodeId> {
  if (configuration.outgoing === null) return configuration.voters;
  return new Set([...configuration.voters, ...configuration.outgoing]);
}
