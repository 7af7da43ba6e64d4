import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { createServer as createSecureServer } from 'node:tls';

import type { BulkMode, Clock } from '@azimuth/common';
import type { PeerIdentity, TlsMaterial } from '@azimuth/rpc';
import { identityOfCertificate } from '@azimuth/rpc';

import type { InPlaceReader, OpenedSocket } from './in-place-socket';
import { readInPlace } from './in-place-socket';
import type { ShardExchange } from './request-connection';
import { RequestConnection } from './request-connection';

export interface ShardListenerOptions {
  readonly mode: BulkMode;
  /** Used in mode `secure` only. */
  readonly tls: TlsMaterial;
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  readonly clock: Clock;
  readonly onExchange: (exchange: ShardExchange) => void;
}

const SWEEP_INTERVAL_MS = 1000;
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** Each has 16 KiB of its own; further ones are refused. Clients keep to 512 for a node. */
const CONNECTIONS_MAX = 4096;

/** Accepts the connections of the shard protocol and ends those that stand still. */
export class ShardListener {
  readonly #options: ShardListenerOptions;
  readonly #server: Server;
  readonly #connections = new Set<RequestConnection>();
  /** As accepted, handshakes under way included. */
  readonly #accepted = new Set<Socket>();
  #cancelSweep: () => void = () => undefined;
  #sweepDueMs = 0;

  private constructor(options: ShardListenerOptions) {
    this.#options = options;
    this.#server = options.mode === 'secure' ? this.#secureServer() : this.#plainServer();
    this.#server.on('connection', (socket) => {
      // A socket that fails before it belongs to a connection concerns nobody.
      socket.on('error', () => socket.destroy());
      this.#accepted.add(socket);
      socket.once('close', () => this.#accepted.delete(socket));
    });
  }

  static async start(options: ShardListenerOptions): Promise<ShardListener> {
    const listener = new ShardListener(options);
    await new Promise<void>((resolve, reject) => {
      listener.#server.once('error', reject);
      listener.#server.listen(options.port, options.host, resolve);
    });
    listener.#scheduleSweep();
    return listener;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Cuts every connection; nothing is written into a body's memory from here on. */
  close(): Promise<void> {
    this.#cancelSweep();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      for (const connection of [...this.#connections]) connection.destroy();
      for (const socket of [...this.#accepted]) socket.destroy();
    });
  }

  #plainServer(): Server {
    return createServer({ pauseOnConnect: true }, (accepted) => {
      this.#open(accepted, null, (reader) => readInPlace(accepted, reader));
    });
  }

  #secureServer(): Server {
    const { tls } = this.#options;
    const server = createSecureServer(
      {
        ca: tls.caPem,
        cert: tls.certPem,
        key: tls.keyPem,
        requestCert: true,
        rejectUnauthorized: true,
        minVersion: 'TLSv1.3',
        handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      },
      (socket) => {
        // A certificate does not change while its connection lives.
        const identity = identityOfCertificate(socket.getPeerCertificate());
        this.#open(socket, identity, () => ({ socket, isInPlace: false }));
      },
    );
    server.on('tlsClientError', (_error, socket) => socket.destroy());
    return server;
  }

  #open(
    accepted: Socket,
    identity: PeerIdentity | null,
    open: (reader: InPlaceReader) => OpenedSocket,
  ): void {
    if (this.#connections.size >= CONNECTIONS_MAX) {
      accepted.destroy();
      return;
    }
    const connection: RequestConnection = new RequestConnection(open, {
      identity,
      nowMs: () => this.#options.clock.monotonicMs(),
      onExchange: this.#options.onExchange,
      onClosed: () => this.#connections.delete(connection),
    });
    this.#connections.add(connection);
  }

  #scheduleSweep(): void {
    const { clock } = this.#options;
    this.#sweepDueMs = clock.monotonicMs() + SWEEP_INTERVAL_MS;
    this.#cancelSweep = clock.schedule(SWEEP_INTERVAL_MS, () => {
      this.#sweep(clock.monotonicMs());
      this.#scheduleSweep();
    });
  }

  #sweep(nowMs: number): void {
    // This process itself stood still: nobody else may be blamed for that time.
    const lateMs = nowMs - this.#sweepDueMs;
    const graceMs = lateMs > SWEEP_INTERVAL_MS ? lateMs : 0;
    for (const connection of [...this.#connections]) {
      connection.deadlineMs += graceMs;
      if (nowMs > connection.deadlineMs) connection.expire(nowMs);
    }
  }
}
