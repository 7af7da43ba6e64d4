import { StoreError } from '@azimuth/common';

import type { NodeId } from '../core/message';

import type { RaftTransport, TransportReceiver } from './transport';

/** Connects drivers of one process, one turn of the event loop a message. */
export class MemoryTransportHub {
  readonly #receivers = new Map<NodeId, TransportReceiver>();
  readonly #isolated = new Set<NodeId>();

  /** Cuts `node` off from everybody, or ends that. */
  setIsolated(node: NodeId, isIsolated: boolean): void {
    if (isIsolated) this.#isolated.add(node);
    else this.#isolated.delete(node);
  }

  transport(node: NodeId): RaftTransport {
    const receiverOf = (to: NodeId): TransportReceiver | undefined =>
      this.#isolated.has(node) || this.#isolated.has(to) ? undefined : this.#receivers.get(to);
    return {
      start: (receiver) => {
        this.#receivers.set(node, receiver);
      },
      send: (to, messages) => {
        setImmediate(() => receiverOf(to)?.receive(messages));
      },
      sendSnapshot: (to, transfer) => {
        const receiver = receiverOf(to);
        if (receiver === undefined) return Promise.reject(new StoreError('UNAVAILABLE', { to }));
        return receiver.receiveSnapshot(transfer);
      },
      close: () => {
        this.#receivers.delete(node);
        return Promise.resolve();
      },
    };
  }
}
