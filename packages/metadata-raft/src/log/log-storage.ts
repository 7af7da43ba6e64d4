import type { LogReader } from '../core/log-view';
import type { ConfigurationRecord, Entry } from '../core/message';
import type { HardState, SnapshotMark } from '../core/ready';

/** What one group wants to be durable: the persistent part of a `Ready`. */
export interface GroupWrite {
  readonly group: string;
  readonly hardState: HardState | null;
  /**
   * The log starts behind this mark from now on. Entries behind it are kept if the entry at the
   * mark has its term, and dropped otherwise. The bytes of the snapshot must be durable already.
   */
  readonly snapshot: SnapshotMark | null;
  /** Contiguous; they replace everything from the index of the first on. */
  readonly entries: readonly Entry[];
}

/** Where a log starts. A log that is older than changes of membership has no configuration. */
export type StartMark = Omit<SnapshotMark, 'configuration'> & {
  readonly configuration: ConfigurationRecord | null;
};

/** A mark of the same place may bring the configuration that `start` lacks; it never changes one. */
export function withConfiguration(start: StartMark, mark: SnapshotMark): StartMark {
  const isFirst = start.configuration === null && start.index === mark.index;
  return isFirst ? { ...start, configuration: mark.configuration } : start;
}

export interface GroupLog extends LogReader {
  /** The configuration in force where the log starts; null when none was ever recorded. */
  snapshotConfiguration(): ConfigurationRecord | null;

  hardState(): HardState;
  /** Bytes of the entries behind the snapshot. */
  sizeBytes(): number;
}

/** The logs and hard states of all groups of one node. */
export interface LogStorage {
  /** Answers the log of `group`; a new one is empty. */
  group(group: string): GroupLog;
  groups(): readonly string[];
  /**
   * Resolves when all of `batch` is durable; one call at a time. A batch that is cut short by a
   * crash may leave a prefix of its entries.
   *
   * @throws StoreError DISK_FENCED after any failure: nothing is accepted ever after.
   */
  write(batch: readonly GroupWrite[]): Promise<void>;
  /**
   * Drops the log of `group`: what it leads to is lost here, and a leader brings all of it again.
   * Term and vote stay, and the group abstains until it has what it had; `configuration`, the last
   * in the log, stays as well. Durable when it resolves; not during a write, nor while somebody
   * uses the log.
   */
  forget(group: string, configuration: ConfigurationRecord): Promise<void>;
  /** Records how far the log has been acknowledged. Cheap when nothing is new. Not during a write. */
  checkpoint(): Promise<void>;
  /**
   * Reads what is durable against its checksums, in use as it is; `pace` is awaited after each
   * piece. False when something is damaged: then the next batch begins a new segment, so that the
   * damaged one goes as soon as every group is compacted.
   */
  verify(pace: (bytes: number) => Promise<void>): Promise<boolean>;
  /**
   * Reads terms and votes against their checksums; false when a copy was damaged, which is whole
   * again then. Not during a write.
   */
  verifyVotes(): Promise<boolean>;
  /** Groups whose old entries keep the most space from being freed. */
  groupsToCompact(): readonly string[];
  close(): Promise<void>;
}
