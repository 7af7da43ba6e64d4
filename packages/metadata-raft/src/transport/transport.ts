import type { ConfigurationRecord, LogIndex, Message, NodeId, Term } from '../core/message';

export interface GroupMessage {
  readonly group: string;
  readonly message: Message;
}

/** A snapshot on its way. `chunks` can be read once. */
export interface SnapshotTransfer {
  readonly group: string;
  readonly from: NodeId;
  readonly term: Term;
  readonly lastIncludedIndex: LogIndex;
  readonly lastIncludedTerm: Term;
  /** In force at the last index included. */
  readonly configuration: ConfigurationRecord;
  readonly chunks: AsyncIterable<Buffer>;
}

export interface SnapshotAnswer {
  readonly isAccepted: boolean;
  readonly term: Term;
}

/** The side of the driver that messages arrive at. Senders are authenticated by the transport. */
export interface TransportReceiver {
  receive(messages: readonly GroupMessage[]): void;
  /** Resolves when the snapshot is durable here, or refused. */
  receiveSnapshot(transfer: SnapshotTransfer): Promise<SnapshotAnswer>;
}

/** Carries messages to the other nodes. It may lose, repeat and reorder them: Raft expects that. */
export interface RaftTransport {
  start(receiver: TransportReceiver): void;
  /** Never blocks and never throws; what does not fit in the queue is dropped. */
  send(to: NodeId, messages: readonly GroupMessage[]): void;
  /** @throws StoreError UNAVAILABLE when the stream breaks. */
  sendSnapshot(to: NodeId, transfer: SnapshotTransfer): Promise<SnapshotAnswer>;
  close(): Promise<void>;
}
