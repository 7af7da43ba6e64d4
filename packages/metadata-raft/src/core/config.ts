import { assert } from '@azimuth/common';

/** The tunables of one node. Times are ticks: the driver decides how long a tick is. */
export interface RaftConfig {
  /** A follower campaigns after a random time in [min, max) without a leader. */
  readonly electionTimeoutTicksMin: number;
  readonly electionTimeoutTicksMax: number;
  readonly heartbeatTicks: number;
  /** Entry bytes in one AppendEntries; one entry always fits. */
  readonly appendBytesMax: number;
  readonly appendEntriesMax: number;
  /**
   * AppendEntries on the way to one follower. Two keep the disk of a follower busy; what is
   * proposed meanwhile gathers, so that batches grow with the load and each costs one sync.
   */
  readonly inflightMessagesMax: number;
  readonly inflightBytesMax: number;
  /** Bytes that a leader takes on before they commit; more is OVERLOADED. */
  readonly uncommittedBytesMax: number;
  /** ReadIndex rounds that wait for a quorum. */
  readonly pendingReadsMax: number;
}

export const DEFAULT_RAFT_CONFIG: RaftConfig = {
  electionTimeoutTicksMin: 12,
  electionTimeoutTicksMax: 20,
  heartbeatTicks: 2,
  appendBytesMax: 1024 * 1024,
  appendEntriesMax: 1024,
  inflightMessagesMax: 2,
  inflightBytesMax: 16 * 1024 * 1024,
  uncommittedBytesMax: 64 * 1024 * 1024,
  pendingReadsMax: 256,
};

export function assertRaftConfig(config: RaftConfig): void {
  assert(config.heartbeatTicks > 0);
  assert(config.electionTimeoutTicksMin > config.heartbeatTicks);
  assert(config.electionTimeoutTicksMax > config.electionTimeoutTicksMin);
  assert(config.appendBytesMax > 0 && config.appendEntriesMax > 0);
  assert(config.inflightMessagesMax > 0 && config.inflightBytesMax >= config.appendBytesMax);
  assert(config.uncommittedBytesMax > 0 && config.pendingReadsMax > 0);
}
