import { createServer as createHttpServer, get } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import type { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

import { systemClock, systemRandom } from '@azimuth/common';

import { findFreePorts } from '../src/dev/free-ports';
import { FrontDoor } from '../src/dev/front-door';

const HOST = '127.0.0.1';

async function listen(server: Server | ReturnType<typeof createServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, HOST, () => resolve()));
  return (server.address() as AddressInfo).port;
}

function request(port: number): Promise<number | 'cut'> {
  return new Promise((resolve) => {
    const sent = get({ host: HOST, port, path: '/', agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on('error', () => resolve('cut'));
  });
}

describe('the front door', () => {
  const closers: (() => void)[] = [];

  afterEach(() => {
    for (const close of closers.splice(0)) close();
  });

  type Gateway = readonly [serve: RequestListener, ready: RequestListener];

  async function openDoor(...gateways: readonly Gateway[]): Promise<number> {
    const servers = gateways.flat().map((listener) => createHttpServer(listener));
    const ports = await Promise.all(servers.map(listen));
    const [doorPort = 0] = await findFreePorts(1, {
      host: HOST,
      reserved: new Set(),
      random: systemRandom,
    });
    const targets = gateways.map((_, index) => ({
      host: HOST,
      port: ports[2 * index] ?? 0,
      readyUrl: `http://${HOST}:${ports[2 * index + 1] ?? 0}/readyz`,
    }));
    const door = await FrontDoor.open({ host: HOST, port: doorPort }, targets, systemClock);
    closers.push(() => {
      door.close();
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
    });
    return doorPort;
  }

  it('leaves a request with a gateway that is alive and not ready: it answers 503 itself', async () => {
    const port = await openDoor([
      (_request, response) => void setTimeout(() => response.writeHead(503).end(), 2_500),
      (_request, response) => response.writeHead(503).end(),
    ]);
    expect(await request(port)).toBe(503);
  });

  it('cuts a request from a gateway that answers nothing at all', async () => {
    const port = await openDoor([() => undefined, () => undefined]);
    expect(await request(port)).toBe('cut');
  });

  it('asks one that answers before one that is silent, when none is ready', async () => {
    const port = await openDoor(
      [() => undefined, () => undefined],
      [
        (_request, response) => response.writeHead(200).end(),
        (_request, response) => response.writeHead(503).end(),
      ],
    );
    // Cut once the door knows who is silent.
    expect(await request(port)).toBe('cut');
    expect(await Promise.all([1, 2, 3].map(() => request(port)))).toEqual([200, 200, 200]);
  });
});
