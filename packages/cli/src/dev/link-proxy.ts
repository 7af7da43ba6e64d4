import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

import { StoreError } from '@azimuth/common';
import type { Clock, Random } from '@azimuth/common';

import { LinkPipe } from './link-pipe';
import type { LinkEnd, LinkRules } from './link-rule';

const CONNECTIONS_MAX = 1_024;
const HOST = '127.0.0.1';

export interface LinkProxyOptions {
  readonly from: LinkEnd;
  readonly to: LinkEnd;
  /** Of the process at the far end. */
  readonly port: number;
  readonly rules: LinkRules;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * The link from one process to a port of another one. A connection is taken at once and made to the
 * far end as soon as bytes pass both ways: while the link is cut, whoever dials waits for the first
 * byte. Each direction follows its own rule.
 */
export class LinkProxy {
  readonly #options: LinkProxyOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(options: LinkProxyOptions) {
    this.#options = options;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
      this.#accept(client);
    });
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** @throws StoreError UNAVAILABLE when there is no port to listen on. */
  static async open(options: LinkProxyOptions): Promise<LinkProxy> {
    const proxy = new LinkProxy(options);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once('error', (error) => reject(new StoreError('UNAVAILABLE', {}, error)));
      proxy.#server.listen(0, HOST, resolve);
    });
    return proxy;
  }

  /** The address that the near end dials. */
  get address(): string {
    return `${HOST}:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(client: Socket): void {
    const { rules, from, to, clock } = this.#options;
    this.#keep(client);
    const isOpen = (): boolean =>
      !rules.ruleOf(from, to).isCut && !rules.ruleOf(to, from).isCut && !client.destroyed;
    let stopWaiting: () => void = () => undefined;
    client.on('close', () => stopWaiting());
    const tryJoin = (): void => {
      if (!isOpen()) return;
      stopWaiting();
      // A handshake takes a round trip.
      const delayMs = rules.ruleOf(from, to).delayMs + rules.ruleOf(to, from).delayMs;
      if (delayMs === 0) this.#join(client);
      else clock.schedule(delayMs, () => this.#join(client));
    };
    // Nobody reads until the far end is there, so that nothing is lost.
    client.pause();
    stopWaiting = rules.onChange(tryJoin);
    tryJoin();
  }

  #join(client: Socket): void {
    if (client.destroyed) return;
    const { port, rules, from, to, clock, random } = this.#options;
    const upstream = connect({ host: HOST, port, allowHalfOpen: true, noDelay: true });
    this.#keep(upstream);
    const onRefused = (): void => {
      client.resetAndDestroy();
    };
    upstream.once('error', onRefused);
    client.once('close', () => {
      if (upstream.connecting) upstream.destroy();
    });
    upstream.once('connect', () => {
      upstream.removeListener('error', onRefused);
      const shared = { clock, random };
      const pipes = [
        new LinkPipe({
          ...{ from: client, to: upstream, ...shared },
          rule: () => rules.ruleOf(from, to),
        }),
        new LinkPipe({
          ...{ from: upstream, to: client, ...shared },
          rule: () => rules.ruleOf(to, from),
        }),
      ];
      const stop = rules.onChange(() => {
        for (const pipe of pipes) pipe.deliver();
      });
      let openSockets = 2;
      for (const socket of [client, upstream]) {
        socket.once('close', () => {
          openSockets -= 1;
          if (openSockets === 0) stop();
        });
      }
      client.resume();
    });
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
  }
}
