import { StoreError } from '@azimuth/common';
import type { SimNetwork, VirtualClock } from '@azimuth/testkit';

import type { Message } from '../../../packages/metadata-raft/src/core/message';
import type {
  GroupMessage,
  RaftTransport,
  SnapshotAnswer,
  SnapshotTransfer,
  TransportReceiver,
} from '../../../packages/metadata-raft/src/transport/transport';

const SNAPSHOT_TIMEOUT_MS = 3_000;

export interface SimTransportOptions {
  readonly id: string;
  readonly clock: VirtualClock;
  readonly network: SimNetwork;
  readonly isAlive: () => boolean;
  readonly receiverOf: (id: string) => TransportReceiver | null;
  /** A vote has left, so it must not be forgotten. */
  readonly onVote: () => void;
  readonly onTrace: (event: string) => void;
  readonly tamper: ((message: Message) => Message | null) | undefined;
}

/** What one life of a process sends over the simulated network. */
export class SimTransport implements RaftTransport {
  readonly #options: SimTransportOptions;

  constructor(options: SimTransportOptions) {
    this.#options = options;
  }

  start(): void {
    // What arrives is handed to the driver by the node.
  }

  send(to: string, messages: readonly GroupMessage[]): void {
    const { id, network, isAlive, receiverOf, onTrace, onVote } = this.#options;
    const sent = this.#tampered(messages);
    if (!isAlive() || sent.length === 0) return;
    if (sent.some(({ message }) => isVote(message))) onVote();
    network.send(id, to, () => {
      onTrace(`${id}>${to} ${sent.map(({ message }) => describe(message)).join()}`);
      receiverOf(to)?.receive(sent);
    });
  }

  async sendSnapshot(to: string, transfer: SnapshotTransfer): Promise<SnapshotAnswer> {
    const { id, network, clock, receiverOf } = this.#options;
    const chunks: Buffer[] = [];
    for await (const chunk of transfer.chunks) chunks.push(chunk);
    return new Promise((resolve, reject) => {
      clock.schedule(SNAPSHOT_TIMEOUT_MS, () => reject(new StoreError('TIMEOUT')));
      network.send(id, to, () => {
        const receiver = receiverOf(to);
        if (receiver === null) return;
        receiver.receiveSnapshot({ ...transfer, chunks: replay(chunks) }).then(
          (answer) => network.send(to, id, () => resolve(answer)),
          (error: unknown) => {
            const failure = error instanceof Error ? error : new StoreError('INTERNAL', {}, error);
            network.send(to, id, () => reject(failure));
          },
        );
      });
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #tampered(messages: readonly GroupMessage[]): readonly GroupMessage[] {
    const { tamper } = this.#options;
    if (tamper === undefined) return messages;
    const sent: GroupMessage[] = [];
    for (const { group, message } of messages) {
      const bent = tamper(message);
      if (bent !== null) sent.push({ group, message: bent });
    }
    return sent;
  }
}

function isVote(message: Message): boolean {
  return message.type === 'RequestVoteResponse' && message.voteGranted;
}

async function* replay(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  for (const chunk of chunks) {
    await Promise.resolve();
    yield chunk;
  }
}

function describe(message: Message): string {
  const { type, term } = message;
  switch (message.type) {
    case 'AppendEntries': {
      const { prevLogIndex, entries, leaderCommit } = message;
      return `${type}(${term} ${prevLogIndex}+${entries.length} commit ${leaderCommit})`;
    }
    case 'AppendEntriesResponse': {
      const { success, matchIndex, prevLogIndex, conflictIndex } = message;
      const outcome = success ? `match ${matchIndex}` : `no ${prevLogIndex} at ${conflictIndex}`;
      return `${type}(${term} ${outcome})`;
    }
    default:
      return `${type}(${term})`;
  }
}
