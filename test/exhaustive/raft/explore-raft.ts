import { RaftWorlds } from './raft-world';
import type { RaftBounds, World } from './raft-world';

export interface RaftExploration {
  /** That differ in more than the names of the nodes. */
  readonly states: number;
  /** Ways from one to another. */
  readonly transitions: number;
  /** Steps from the beginning to the farthest. */
  readonly depth: number;
  /** States of one node. */
  readonly nodeStates: number;
  /** The most entries that any run committed: that it gets anywhere. */
  readonly committedMax: number;
  /** False when `statesMax` ended it. */
  readonly isComplete: boolean;
}

/**
 * Breadth first through everything that can happen within the bounds, so that what is found is as
 * short as it can be.
 *
 * @throws RaftPropertyError with the steps that lead to where a property does not hold.
 */
export function exploreRaft(bounds: RaftBounds, statesMax: number): RaftExploration {
  const worlds = new RaftWorlds(bounds);
  const start = worlds.start();
  const seen = new Set([worlds.fingerprint(start)]);
  let frontier: World[] = [start];
  let [transitions, depth, committedMax] = [0, 0, 0];
  while (frontier.length > 0 && seen.size < statesMax) {
    const next: World[] = [];
    for (const world of frontier) {
      for (const to of worlds.next(world)) {
        transitions += 1;
        const fingerprint = worlds.fingerprint(to);
        if (seen.has(fingerprint)) continue;
        seen.add(fingerprint);
        next.push(to);
        committedMax = Math.max(committedMax, to.history.committedCount);
      }
      if (seen.size >= statesMax) break;
    }
    frontier = next;
    if (next.length > 0) depth += 1;
  }
  const isComplete = seen.size < statesMax;
  const nodeStates = worlds.states.count;
  return { states: seen.size, transitions, depth, nodeStates, committedMax, isComplete };
}
