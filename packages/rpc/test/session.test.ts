import { once } from 'node:events';
import { connect as connectSocket, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

import { silentLogger, systemClock } from '@azimuth/common';
import type { Clock } from '@azimuth/common';
import { metadataService } from '@azimuth/proto';
import type { Frames, MetadataHandlers } from '@azimuth/proto';

import { FRAMES_BYTES_MAX, serveSession, SessionClient, startRpcServer } from '../src';
import type { AuthorityMaterial, RpcServer, SessionHandler } from '../src';
import { CLUSTER_ID, makeAuthority, makeTls } from './fixtures';

const TIMEOUT_MS = 5_000;

describe('SessionClient and serveSession', () => {
  let authority: AuthorityMaterial;
  const servers: RpcServer[] = [];
  const clients: SessionClient[] = [];
  const messages: number[] = [];

  beforeAll(async () => {
    authority = await makeAuthority();
  });

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await Promise.all(servers.splice(0).map((server) => server.close()));
    messages.length = 0;
  });

  const serve = async (handler: SessionHandler, port = 0): Promise<RpcServer> => {
    const Session: MetadataHandlers['Session'] = (call) => {
      call.on('data', (frames: Frames) => messages.push(frames.frames.length));
      serveSession(call, handler, { logger: silentLogger });
    };
    const server = await startRpcServer(
      {
        tls: await makeTls(authority, 'metadata'),
        clusterId: CLUSTER_ID,
        host: '127.0.0.1',
        port,
        logger: silentLogger,
      },
      [{ service: metadataService, implementation: { Session }, allow: { Session: ['gateway'] } }],
    );
    servers.push(server);
    return server;
  };

  const connect = async (
    port: number,
    options: ConstructorParameters<typeof SessionClient>[1] = {},
    role: 'gateway' | 'storage' = 'gateway',
  ): Promise<SessionClient> => {
    const peer = {
      host: '127.0.0.1',
      port,
      tls: await makeTls(authority, role),
      clusterId: CLUSTER_ID,
      expectedRole: 'metadata' as const,
    };
    const client = new SessionClient(peer, options);
    clients.push(client);
    return client;
  };

  const retry = async (client: SessionClient, body: Buffer): Promise<Buffer> => {
    for (;;) {
      try {
        return await client.call(body, TIMEOUT_MS);
      } catch {
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  };

  it('answers each call with its own answer, whatever the order they come in', async () => {
    const waiting: (() => void)[] = [];
    const server = await serve(async (body) => {
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
        if (waiting.length === 100) for (const next of waiting.reverse()) next();
      });
      return Buffer.concat([Buffer.from('answer to '), body]);
    });
    const client = await connect(server.port);
    const calls = Array.from({ length: 100 }, (_, i) =>
      client.call(Buffer.from(`${i}`), TIMEOUT_MS),
    );
    const answers = await Promise.all(calls);
    expect(answers.map(String)).toEqual(calls.map((_, i) => `answer to ${i}`));
  });

  it('sends what one event-loop turn has to say in one message', async () => {
    const server = await serve((body) => Promise.resolve(body));
    const client = await connect(server.port);
    await client.call(Buffer.from('connect'), TIMEOUT_MS);
    messages.length = 0;
    await Promise.all(Array.from({ length: 50 }, () => client.call(Buffer.from('x'), TIMEOUT_MS)));
    expect(messages).toEqual([50]);
  });

  it('tells the handler who calls, and refuses a role that may not', async () => {
    const server = await serve((_body, peer) => Promise.resolve(Buffer.from(peer.nodeId)));
    const gateway = await connect(server.port);
    expect(String(await gateway.call(Buffer.alloc(0), TIMEOUT_MS))).toBe('a-gateway-1');
    const storage = await connect(server.port, {}, 'storage');
    await expect(storage.call(Buffer.alloc(0), TIMEOUT_MS)).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
    });
  });

  it('C3: refuses more than its bounds with OVERLOADED, and takes calls again later', async () => {
    const held: (() => void)[] = [];
    const server = await serve((body) => new Promise((resolve) => held.push(() => resolve(body))));
    const client = await connect(server.port, { inFlightCallsMax: 2 });
    const first = [
      client.call(Buffer.from('1'), TIMEOUT_MS),
      client.call(Buffer.from('2'), TIMEOUT_MS),
    ];
    await expect(client.call(Buffer.from('3'), TIMEOUT_MS)).rejects.toMatchObject({
      code: 'OVERLOADED',
    });
    while (held.length < 2) await new Promise((resolve) => setImmediate(resolve));
    for (const release of held.splice(0)) release();
    await Promise.all(first);
    const next = client.call(Buffer.from('3'), TIMEOUT_MS);
    while (held.length < 1) await new Promise((resolve) => setImmediate(resolve));
    held.pop()?.();
    expect(String(await next)).toBe('3');
  });

  it('carries more than one message holds, under back-pressure, unharmed', async () => {
    const server = await serve((body) => Promise.resolve(body));
    const client = await connect(server.port);
    const bodies = Array.from({ length: 24 }, (_, i) => Buffer.alloc(FRAMES_BYTES_MAX / 2, i));
    const answers = await Promise.all(bodies.map((body) => client.call(body, 20_000)));
    expect(answers.every((answer, i) => answer.equals(bodies[i]!))).toBe(true);
    await expect(client.call(Buffer.alloc(FRAMES_BYTES_MAX + 1), 1)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });

  it('C1: a call without an answer ends with TIMEOUT', async () => {
    const server = await serve(() => new Promise(() => undefined));
    const client = await connect(server.port);
    await expect(client.call(Buffer.from('x'), 50)).rejects.toMatchObject({ code: 'TIMEOUT' });
  });

  it('C2: a lost stream fails what was sent with UNAVAILABLE, and it comes back by itself', async () => {
    let arrived: () => void = () => undefined;
    const arrival = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const server = await serve(() => {
      arrived();
      return new Promise(() => undefined);
    });
    const client = await connect(server.port);
    const call = client.call(Buffer.from('x'), TIMEOUT_MS);
    const outcome = expect(call).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      detail: { sent: true },
    });
    await arrival;
    await server.close();
    await outcome;
    await serve((body) => Promise.resolve(body), server.port);
    expect(String(await retry(client, Buffer.from('again')))).toBe('again');
  });

  it('C2, C4: nobody there: UNAVAILABLE, not sent, at once while it waits to reconnect', async () => {
    const server = await serve((body) => Promise.resolve(body));
    await server.close();
    const client = await connect(server.port, {
      random: { next: () => 1, below: () => 0, bytes: (size) => Buffer.alloc(size) },
    });
    const expected = { code: 'UNAVAILABLE', detail: { sent: false } };
    await expect(client.call(Buffer.from('x'), TIMEOUT_MS)).rejects.toMatchObject(expected);
    const startedMs = performance.now();
    await expect(client.call(Buffer.from('x'), TIMEOUT_MS)).rejects.toMatchObject(expected);
    expect(performance.now() - startedMs).toBeLessThan(50);
  });

  it('gives up on a peer that accepts and stays silent, as a frozen process does', async () => {
    const sockets: Socket[] = [];
    const frozen = createServer((socket) => sockets.push(socket.resume()));
    frozen.listen(0, '127.0.0.1');
    await once(frozen, 'listening');
    const client = await connect((frozen.address() as AddressInfo).port);
    await expect(client.call(Buffer.from('x'), 10_000)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      detail: { sent: false },
    });
    await once(sockets[0]!, 'close');
    client.close();
    for (const socket of sockets) socket.destroy();
    frozen.close();
  });

  it('pitfall 29: notices within seconds that a connected peer no longer answers', async () => {
    const server = await serve((body) => Promise.resolve(body));
    const pairs: [Socket, Socket][] = [];
    const proxy = createServer((inside) => {
      const outside = connectSocket(server.port);
      inside.pipe(outside).pipe(inside);
      inside.on('error', () => outside.destroy());
      outside.on('error', () => inside.destroy());
      pairs.push([inside, outside]);
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const client = await connect((proxy.address() as AddressInfo).port);
    await client.call(Buffer.from('x'), TIMEOUT_MS);
    for (const [inside, outside] of pairs) {
      inside.unpipe().pause();
      outside.unpipe().pause();
    }
    const startedMs = performance.now();
    await expect(client.call(Buffer.from('x'), 20_000)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    expect(performance.now() - startedMs).toBeLessThan(4_000);
    client.close();
    for (const pair of pairs) for (const socket of pair) socket.destroy();
    proxy.close();
  });

  it('disconnects when nobody has called for a while, and connects at the next call', async () => {
    const server = await serve((body) => Promise.resolve(body));
    const checks: (() => void)[] = [];
    const schedule: Clock['schedule'] = (delayMs, callback) => {
      if (delayMs !== 30_000) return systemClock.schedule(delayMs, callback);
      checks.push(callback);
      return () => undefined;
    };
    const client = await connect(server.port, { clock: { ...systemClock, schedule } });
    await client.call(Buffer.from('1'), TIMEOUT_MS);
    await client.call(Buffer.from('2'), TIMEOUT_MS);
    checks.shift()?.();
    expect(client.isConnected).toBe(true);
    await client.call(Buffer.from('3'), TIMEOUT_MS);
    checks.shift()?.();
    expect(client.isConnected).toBe(true);
    checks.shift()?.();
    expect(client.isConnected).toBe(false);
    expect(String(await client.call(Buffer.from('4'), TIMEOUT_MS))).toBe('4');
  });

  it('ends calls with CANCELLED when it is closed', async () => {
    const server = await serve(() => new Promise(() => undefined));
    const client = await connect(server.port);
    const call = client.call(Buffer.from('x'), TIMEOUT_MS);
    client.close();
    await expect(call).rejects.toMatchObject({ code: 'CANCELLED' });
    await expect(client.call(Buffer.from('x'), 1)).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});
