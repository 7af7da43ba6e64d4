import { assert } from '@azimuth/common';

import type { NodeId } from './message';
import type { Configuration } from './quorum';
import { votersOf } from './quorum';

/** Who is to be a member when a change is done. */
export interface MembershipTarget {
  readonly voters: readonly NodeId[];
  readonly learners: readonly NodeId[];
}

/** A configuration that is not in transition. Without a voter it is that of a node yet to join. */
export function staticConfiguration(
  voters: readonly NodeId[],
  learners: readonly NodeId[] = [],
): Configuration {
  assert(new Set([...voters, ...learners]).size === voters.length + learners.length);
  return { voters: new Set(voters), outgoing: null, learners: new Set(learners) };
}

/**
 * The joint phase of a change from `current` to `target`: both sets of voters decide (thesis, 4.3).
 * Who stops voting leaves for good: there is no way back from voter to learner.
 */
export function enterJoint(current: Configuration, target: MembershipTarget): Configuration {
  assert(current.outgoing === null, 'one change of membership at a time');
  assert(target.voters.length > 0, 'a group needs a voter');
  assert(
    target.learners.every((id) => !current.voters.has(id)),
    'a voter does not become a learner',
  );
  return { ...staticConfiguration(target.voters, target.learners), outgoing: current.voters };
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
