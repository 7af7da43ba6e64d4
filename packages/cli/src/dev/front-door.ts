import { Agent } from 'node:http';
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';

import { StoreError } from '@azimuth/common';
import type { Clock } from '@azimuth/common';

import { probeStatus } from './dev-process';

const CONNECT_TIMEOUT_MS = 1_000;
const HEALTH_INTERVAL_MS = 500;
/** So many probes in a row without any answer, and connections to the gateway are cut. */
const SILENT_PROBES_MAX = 2;
const CONNECTIONS_MAX = 4_096;
const REFUSAL_BODY =
  '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>ServiceUnavailable</Code>' +
  '<Message>No gateway is reachable.</Message></Error>';
const REFUSAL =
  'HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/xml\r\nconnection: close\r\n' +
  `content-length: ${REFUSAL_BODY.length}\r\n\r\n${REFUSAL_BODY}`;

export interface FrontDoorGateway {
  readonly host: string;
  readonly port: number;
  readonly readyUrl: string;
}

interface Target extends FrontDoorGateway {
  /** Answered its last probe with 200. */
  isReady: boolean;
  silentProbes: number;
  readonly connections: Set<Socket>;
}

/**
 * The TCP front door of a region: each connection goes to the next gateway that is well, and on to
 * another one when that refuses or stays silent. When a gateway stops answering its probes, the
 * connections through it are cut, so that clients try again elsewhere instead of waiting. One that
 * answers that it is not ready keeps them: it says 503 itself, in the words of S3.
 */
export class FrontDoor {
  readonly #targets: readonly Target[];
  readonly #clock: Clock;
  /** One connection to each gateway: a new one twice a second costs it as much as a small GET. */
  readonly #probes = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #clients = new Set<Socket>();
  readonly #server: Server;
  #next = 0;
  #cancelProbe: () => void = () => undefined;
  #isClosed = false;

  private constructor(gateways: readonly FrontDoorGateway[], clock: Clock) {
    this.#targets = gateways.map((gateway) => ({
      ...gateway,
      isReady: true,
      silentProbes: 0,
      connections: new Set<Socket>(),
    }));
    this.#clock = clock;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
      this.#accept(client);
    });
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** @throws StoreError UNAVAILABLE when the port is taken. */
  static async open(
    listen: { readonly host: string; readonly port: number },
    gateways: readonly FrontDoorGateway[],
    clock: Clock,
  ): Promise<FrontDoor> {
    const door = new FrontDoor(gateways, clock);
    await new Promise<void>((resolve, reject) => {
      door.#server.once('error', (error) =>
        reject(new StoreError('UNAVAILABLE', { ...listen }, error)),
      );
      door.#server.listen(listen.port, listen.host, resolve);
    });
    door.#scheduleProbe();
    return door;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelProbe();
    this.#probes.destroy();
    this.#server.close();
    for (const client of this.#clients) client.destroy();
  }

  #accept(client: Socket): void {
    this.#clients.add(client);
    client.on('error', () => client.destroy());
    client.on('close', () => this.#clients.delete(client));
    void this.#serve(client);
  }

  async #serve(client: Socket): Promise<void> {
    client.pause();
    for (const target of this.#candidates()) {
      const upstream = await connectWithin(target, CONNECT_TIMEOUT_MS);
      if (client.destroyed) {
        upstream?.destroy();
        return;
      }
      if (upstream !== null) {
        join(client, upstream, target);
        return;
      }
      target.isReady = false;
    }
    client.end(REFUSAL);
    client.resume();
  }

  /**
   * Each gateway once: the ones that are well first, from where the last connection left off. While
   * none is, as when all of them wait for a new root leader, one that answers nothing comes last:
   * its kernel goes on accepting connections.
   */
  #candidates(): Target[] {
    const start = this.#next;
    this.#next = (start + 1) % Math.max(1, this.#targets.length);
    const turned = [...this.#targets.slice(start), ...this.#targets.slice(0, start)];
    const rank = ({ isReady, silentProbes }: Target): number =>
      isReady ? 0 : Math.min(1, silentProbes) + 1;
    return turned.sort((a, b) => rank(a) - rank(b));
  }

  #scheduleProbe(): void {
    this.#cancelProbe = this.#clock.schedule(HEALTH_INTERVAL_MS, () => {
      void Promise.all(this.#targets.map((target) => this.#probe(target))).then(() => {
        if (!this.#isClosed) this.#scheduleProbe();
      });
    });
  }

  async #probe(target: Target): Promise<void> {
    const status = await probeStatus(target.readyUrl, this.#probes);
    target.isReady = status === 200;
    target.silentProbes = status === null ? target.silentProbes + 1 : 0;
    if (target.silentProbes < SILENT_PROBES_MAX) return;
    for (const connection of target.connections) connection.destroy();
  }
}

function connectWithin(target: FrontDoorGateway, timeoutMs: number): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect({
      host: target.host,
      port: target.port,
      allowHalfOpen: true,
      noDelay: true,
      timeout: timeoutMs,
    });
    const giveUp = (): void => {
      socket.destroy();
      resolve(null);
    };
    socket.once('timeout', giveUp);
    socket.once('error', giveUp);
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.removeListener('timeout', giveUp);
      resolve(socket);
    });
  });
}

function join(client: Socket, upstream: Socket, target: Target): void {
  target.connections.add(upstream);
  upstream.on('error', () => upstream.destroy());
  upstream.on('close', () => {
    target.connections.delete(upstream);
    client.destroy();
  });
  client.on('close', () => upstream.destroy());
  client.pipe(upstream);
  upstream.pipe(client);
}
