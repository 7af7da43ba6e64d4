import { assert } from '@azimuth/common';

import type { NodeId } from './message';
import type { Configuration } from './quorum';
import { votersOf } from './quorum';

/** A configuration that is not in transition. */
export function staticConfiguration(
  voters: readonly NodeId[],
  learners: readonly NodeId[] = [],
): Configuration {
  assert(voters.length > 0, 'a group needs a voter');
  assert(new Set([...voters, ...learners]).size === voters.length + learners.length);
  return { voters: new Set(voters), outgoing: null, learners: new Set(learners) };
}

/** The joint phase of a change from `current` to `voters`: both sets decide (thesis, 4.3). */
export function enterJoint(current: Configuration, voters: readonly NodeId[]): Configuration {
  assert(current.outgoing === null, 'one change of membership at a time');
  assert(voters.length > 0, 'a group needs a voter');
  const incoming = new Set(voters);
  const learners = [...current.learners].filter((id) => !incoming.has(id));
  return { voters: incoming, outgoing: current.voters, learners: new Set(learners) };
}

/** Ends the joint phase: from now on only the incoming set decides. */
export function leaveJoint(current: Configuration): Configuration {
  assert(current.outgoing !== null, 'not in a joint configuration');
  return { voters: current.voters, outgoing: null, learners: current.learners };
}

export function isVoter(configuration: Configuration, id: NodeId): boolean {
  return configuration.voters.has(id) || configuration.outgoing?.has(id) === true;
}

/** Everyone who receives the log. */
export function membersOf(configuration: Configuration): ReadonlySet<NodeId> {
  return new Set([...votersOf(configuration), ...configuration.learners]);
}
