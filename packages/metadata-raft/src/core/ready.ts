import type { ConfigurationRecord, Entry, LogIndex, Message, NodeId, Term } from './message';

/** What must survive a crash beside the log (paper, figure 2). */
export interface HardState {
  readonly currentTerm: Term;
  readonly votedFor: NodeId | null;
  /**
   * Not 0: the log lost acknowledged entries, the last of which was at most this index. Until the
   * log agrees with a leader up to here the node neither votes nor campaigns.
   */
  readonly repairIndex: LogIndex;
  /** Term and vote were lost too, with the disk: until a leader readmits it the node is not counted. */
  readonly isRejoining: boolean;
}

export const INITIAL_HARD_STATE: HardState = {
  currentTerm: 0,
  votedFor: null,
  repairIndex: 0,
  isRejoining: false,
};

export interface SnapshotMark {
  readonly index: LogIndex;
  readonly term: Term;
  /** In force once the entry at `index` was in the log. */
  readonly configuration: ConfigurationRecord;
}

/**
 * What the driver has to do. First write `snapshot`, `entries` and `hardState` and make them
 * durable in one step, then send `messagesAfterSync`, then call `advance`. `messages` may leave at
 * once.
 */
export interface Ready {
  readonly hardState: HardState | null;
  /** They replace whatever the log has from the index of the first on. */
  readonly entries: readonly Entry[];
  /** The log now starts behind this snapshot, whose bytes are durable; older entries are void. */
  readonly snapshot: SnapshotMark | null;
  readonly messages: readonly Message[];
  readonly messagesAfterSync: readonly Message[];
}

/** A read that a quorum confirmed: answer it once `lastApplied` has reached `index`. */
export interface ReadState {
  readonly context: number;
  readonly index: LogIndex;
}

/** The queues that the core fills and {@link Ready} empties. */
export class ReadyQueue {
  messages: Message[] = [];
  messagesAfterSync: Message[] = [];
  readStates: ReadState[] = [];

  takeMessages(): readonly Message[] {
    const taken = this.messages;
    this.messages = [];
    return taken;
  }

  takeMessagesAfterSync(): readonly Message[] {
    const taken = this.messagesAfterSync;
    this.messagesAfterSync = [];
    return taken;
  }

  takeReadStates(): readonly ReadState[] {
    const taken = this.readStates;
    this.readStates = [];
    return taken;
  }
}
