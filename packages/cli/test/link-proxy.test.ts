import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { once } from 'node:events';

import { seededRandom, systemClock } from '@azimuth/common';

import { LinkProxy } from '../src/dev/link-proxy';
import { HEALTHY_LINK, LinkRules } from '../src/dev/link-rule';
import type { LinkRule } from '../src/dev/link-rule';

const A = { nodeId: 'a-gateway-1', zone: 'a' };
const B = { nodeId: 'b-storage-1', zone: 'b' };

/** Answers every byte with the same one. */
function startEcho(seen: Socket[]): Promise<Server> {
  const server = createServer((socket) => {
    seen.push(socket);
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

/** Reads until `count` bytes are there. */
async function read(socket: Socket, count: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  while (bytes < count) {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    chunks.push(chunk);
    bytes += chunk.length;
  }
  return Buffer.concat(chunks);
}

describe('a link', () => {
  let echo: Server;
  let proxy: LinkProxy;
  let rules: LinkRules;
  let upstreams: Socket[];
  const clients: Socket[] = [];

  beforeEach(async () => {
    upstreams = [];
    echo = await startEcho(upstreams);
    rules = new LinkRules();
    proxy = await LinkProxy.open({
      from: A,
      to: B,
      port: (echo.address() as AddressInfo).port,
      rules,
      clock: systemClock,
      random: seededRandom(1),
    });
  });

  afterEach(() => {
    for (const client of clients.splice(0)) client.destroy();
    proxy.close();
    echo.close();
  });

  function dial(): Socket {
    const [host = '', port] = proxy.address.split(':');
    const socket = connect({ host, port: Number(port) });
    socket.on('error', () => undefined);
    clients.push(socket);
    return socket;
  }

  const set = (from: string, to: string, rule: Partial<LinkRule>): void =>
    rules.set({ from, to, rule: { ...HEALTHY_LINK, ...rule } });

  it('hands on megabytes in their order', async () => {
    const socket = dial();
    const sent = Buffer.alloc(8_000_000, 'azimuth ');
    socket.write(sent);
    expect((await read(socket, sent.length)).equals(sent)).toBe(true);
  });

  it('holds what is sent while it is cut, and hands it on once it is healed', async () => {
    const socket = dial();
    socket.write('one');
    expect(String(await read(socket, 3))).toBe('one');
    set('a', 'b', { isCut: true });
    socket.write('two');
    const answer = read(socket, 3);
    await systemClock.sleep(60);
    expect(upstreams[0]?.bytesRead).toBe(3);
    rules.clear();
    expect(String(await answer)).toBe('two');
  });

  it('cut one way, lets through what goes the other way', async () => {
    const socket = dial();
    socket.write('one');
    await read(socket, 3);
    set('b', 'a', { isCut: true });
    socket.write('two');
    const [chunk] = (await once(upstreams[0] as Socket, 'data')) as [Buffer];
    expect(String(chunk)).toBe('two');
    await systemClock.sleep(30);
    expect(socket.bytesRead).toBe(3);
  });

  it('tells neither end of a cut link that the other is gone', async () => {
    const socket = dial();
    socket.write('one');
    await read(socket, 3);
    set('a', 'b', { isCut: true });
    socket.destroy();
    await systemClock.sleep(30);
    expect(upstreams[0]?.readyState).toBe('open');
    const closed = once(upstreams[0] as Socket, 'close');
    rules.clear();
    await closed;
  });

  it('makes no connection to the far end before it is healed', async () => {
    set('b', 'a', { isCut: true });
    const socket = dial();
    socket.write('one');
    await once(socket, 'connect');
    await systemClock.sleep(30);
    expect(upstreams).toHaveLength(0);
    rules.clear();
    expect(String(await read(socket, 3))).toBe('one');
  });

  it('delays each way by as much as it was told', async () => {
    set('a', 'b', { delayMs: 40 });
    set('b', 'a', { delayMs: 20 });
    const socket = dial();
    const startedMs = systemClock.monotonicMs();
    socket.write('one');
    await read(socket, 3);
    // A round trip to connect and one for the bytes.
    expect(systemClock.monotonicMs() - startedMs).toBeGreaterThanOrEqual(118);
  });

  it('a delay costs no throughput: bytes are under way together', async () => {
    set('a', 'b', { delayMs: 30 });
    const socket = dial();
    const sent = Buffer.alloc(4_000_000, 1);
    const startedMs = systemClock.monotonicMs();
    socket.write(sent);
    await read(socket, sent.length);
    expect(systemClock.monotonicMs() - startedMs).toBeLessThan(2_000);
  });

  it('resets the connection of a dialer whom the far end refuses', async () => {
    await new Promise((resolve) => echo.close(resolve));
    const socket = dial();
    await new Promise((resolve) => socket.on('close', resolve));
    expect(upstreams).toHaveLength(0);
  });
});

describe('the rules of links', () => {
  it('the last rule that matches counts, by zone or by node', () => {
    const rules = new LinkRules();
    const cut = { ...HEALTHY_LINK, isCut: true };
    const slow = { ...HEALTHY_LINK, delayMs: 50 };
    rules.set({ from: 'a', to: 'b', rule: cut });
    rules.set({ from: 'a', to: 'b-storage-1', rule: slow });
    expect(rules.ruleOf(A, B)).toEqual(slow);
    expect(rules.ruleOf(A, { nodeId: 'b-storage-2', zone: 'b' })).toEqual(cut);
    expect(rules.ruleOf(B, A)).toEqual(HEALTHY_LINK);
  });

  it('a healthy rule takes back the one between the same places', () => {
    const rules = new LinkRules();
    rules.set({ from: 'a', to: 'b', rule: { ...HEALTHY_LINK, isCut: true } });
    rules.set({ from: 'a', to: 'b', rule: HEALTHY_LINK });
    expect(rules.ruleOf(A, B)).toEqual(HEALTHY_LINK);
  });
});
