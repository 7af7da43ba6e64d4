import type { Random } from '@azimuth/common';

/** What a seed exposes the cluster to; every seed turns other knobs. */
export interface Swarm {
  readonly nodeCount: number;
  readonly groups: readonly string[];
  readonly clients: number;
  readonly keys: number;
  readonly lossRate: number;
  readonly duplicationRate: number;
  readonly latencyMsMax: number;
  readonly syncMsMax: number;
  readonly skewMsMax: number;
  readonly crashesPerSecond: number;
  /** How often a node that has just voted dies at once, and soon comes back. */
  readonly crashesAfterVote: number;
  readonly powerShare: number;
  readonly partitionsPerSecond: number;
  readonly pausesPerSecond: number;
  readonly transfersPerSecond: number;
  readonly flips: boolean;
  /** A crash of that one node with a rotting disk may lose the disk. */
  readonly diskLosses: boolean;
  readonly syncFailures: boolean;
  readonly compactionBytesMin: number;
  readonly trailingEntries: number;
  readonly segmentBytesMax: number;
  /** Nodes beyond the first voters, which changes of membership may take in. */
  readonly spareCount: number;
  readonly membershipChangesPerSecond: number;
}

export function swarmOf(random: Random): Swarm {
  const oneOf = <T>(...choices: T[]): T => choices[random.below(choices.length)] as T;
  const nodeCount = oneOf(3, 3, 3, 3, 3, 5, 1);
  return {
    nodeCount,
    groups: oneOf(['index-0'], ['index-0'], ['root', 'index-0'], ['index-0', 'index-1'], ['root']),
    clients: 1 + random.below(6),
    keys: oneOf(1, 3, 8),
    lossRate: oneOf(0, 0, 0.02, 0.1, 0.25),
    duplicationRate: oneOf(0, 0.05, 0.3),
    latencyMsMax: oneOf(2, 2, 10, 60, 250),
    syncMsMax: oneOf(1, 4, 4, 40),
    skewMsMax: oneOf(0, 0, 20_000),
    crashesPerSecond: oneOf(0, 0.1, 0.4, 0.8),
    crashesAfterVote: oneOf(0, 0, 0.5),
    powerShare: oneOf(0, 0.5, 1),
    partitionsPerSecond: oneOf(0, 0.2, 0.5),
    pausesPerSecond: oneOf(0, 0, 0.3),
    transfersPerSecond: oneOf(0, 0, 0.3),
    flips: oneOf(true, false, false),
    diskLosses: oneOf(true, false, false),
    syncFailures: oneOf(true, false, false),
    compactionBytesMin: oneOf(2_000, 10_000, 1_000_000),
    trailingEntries: oneOf(0, 5, 50),
    segmentBytesMax: oneOf(2_000, 8_000, 64_000),
    spareCount: nodeCount === 1 ? 0 : oneOf(0, 1, 2),
    membershipChangesPerSecond: oneOf(0, 0.3, 1.5),
  };
}
