import { StoreError } from '@azimuth/common';
import type { Clock, Logger, Random } from '@azimuth/common';
import { raftService } from '@azimuth/proto';
import type { MessageBatch, SnapshotChunk, SnapshotResult } from '@azimuth/proto';
import { peerOf, toServiceError } from '@azimuth/rpc';
import type { PeerAddress, Registration, TlsMaterial } from '@azimuth/rpc';
import type { sendUnaryData, ServerReadableStream } from '@grpc/grpc-js';

import type { NodeId } from '../core/message';

import { PeerStream } from './peer-stream';
import { receiveSnapshotStream, sendSnapshotStream } from './snapshot-stream';
import type { RaftTransport, SnapshotTransfer, TransportReceiver } from './transport';
import { decodeMessage } from './wire-message';

type Empty = Record<string, never>;

export interface RaftPeer {
  readonly nodeId: NodeId;
  readonly host: string;
  readonly port: number;
}

export interface RpcTransportOptions {
  readonly nodeId: NodeId;
  readonly clusterId: string;
  readonly tls: TlsMaterial;
  /** All voters; this node itself is skipped. */
  readonly peers: readonly RaftPeer[];
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface RpcTransport extends RaftTransport {
  /** To be served by the node's RPC server. */
  readonly registration: Registration;
  /** The other nodes are these now. What was on its way to one that is gone is dropped. */
  setPeers(peers: readonly RaftPeer[]): void;
}

/** Raft over one stream a peer and direction. Only metadata nodes that are peers may call. */
export function createRpcTransport(options: RpcTransportOptions): RpcTransport {
  const { clock, random, logger, tls, clusterId } = options;
  let receiver: TransportReceiver | null = null;
  const streams = new Map<NodeId, PeerStream>();
  const known = new Map<NodeId, RaftPeer>();
  const setPeers = (peers: readonly RaftPeer[]): void => {
    const others = new Map(peers.map((peer) => [peer.nodeId, peer]));
    others.delete(options.nodeId);
    for (const [nodeId, { host, port }] of known) {
      const peer = others.get(nodeId);
      if (peer?.host === host && peer.port === port) continue;
      streams.get(nodeId)?.close();
      streams.delete(nodeId);
      known.delete(nodeId);
    }
    for (const [nodeId, peer] of others) {
      if (known.has(nodeId)) continue;
      const { host, port } = peer;
      const address: PeerAddress = {
        ...{ host, port, tls, clusterId },
        expectedRole: 'metadata',
        expectedNodeId: nodeId,
      };
      streams.set(nodeId, new PeerStream({ address, clock, random, logger }));
      known.set(nodeId, peer);
    }
  };
  setPeers(options.peers);
  const requireSender = (call: object): { sender: NodeId; to: TransportReceiver } => {
    const sender = peerOf(call).nodeId;
    if (!streams.has(sender)) throw new StoreError('PERMISSION_DENIED', { nodeId: sender });
    if (receiver === null) throw new StoreError('UNAVAILABLE', { reason: 'not started' });
    return { sender, to: receiver };
  };
  return {
    registration: makeRegistration(requireSender, logger),
    setPeers,
    start: (to) => {
      receiver = to;
    },
    send: (to, messages) => streams.get(to)?.send(messages),
    sendSnapshot: (to, transfer) => {
      const stream = streams.get(to);
      if (stream === undefined) return Promise.reject(new StoreError('INVALID_ARGUMENT', { to }));
      return sendSnapshotStream(stream.stub, transfer, clock);
    },
    close: () => {
      receiver = null;
      for (const stream of streams.values()) stream.close();
      return Promise.resolve();
    },
  };
}

function makeRegistration(
  requireSender: (call: object) => { sender: NodeId; to: TransportReceiver },
  logger: Logger,
): Registration {
  return {
    service: raftService,
    allow: { Messages: ['metadata'], InstallSnapshot: ['metadata'] },
    implementation: {
      Messages(call: ServerReadableStream<MessageBatch, Empty>, done: sendUnaryData<Empty>): void {
        call.on('data', (batch: MessageBatch) => {
          try {
            const { sender, to } = requireSender(call);
            const messages = batch.messages.map(decodeMessage);
            if (messages.some(({ message }) => message.from !== sender)) {
              throw new StoreError('PERMISSION_DENIED', { nodeId: sender });
            }
            to.receive(messages);
          } catch (error) {
            logger.warn({ error }, 'raft stream refused');
            done(toServiceError(error));
            call.pause();
          }
        });
        call.on('end', () => done(null, {}));
        // A broken connection; the peer opens another one.
        call.on('error', () => undefined);
      },
      InstallSnapshot(
        call: ServerReadableStream<SnapshotChunk, SnapshotResult>,
        done: sendUnaryData<SnapshotResult>,
      ): void {
        const receive = async (): Promise<SnapshotResult> => {
          const { sender, to } = requireSender(call);
          const transfer: SnapshotTransfer = await receiveSnapshotStream(call);
          if (transfer.from !== sender) {
            throw new StoreError('PERMISSION_DENIED', { nodeId: sender });
          }
          const { isAccepted, term } = await to.receiveSnapshot(transfer);
          return { accepted: isAccepted, term };
        };
        receive().then(
          (result) => done(null, result),
          (error: unknown) => done(toServiceError(error)),
        );
      },
    },
  };
}
