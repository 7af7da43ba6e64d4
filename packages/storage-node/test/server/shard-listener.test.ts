import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';

import { VirtualClock } from '@azimuth/testkit';

import type { ShardExchange } from '../../src/server/request-connection';
import { ShardListener } from '../../src/server/shard-listener';

const tls = { caPem: Buffer.alloc(0), certPem: Buffer.alloc(0), keyPem: Buffer.alloc(0) };
const clients: Socket[] = [];
let clock: VirtualClock;
let listener: ShardListener;
let exchanges: ShardExchange[];
let onExchange: () => void;

function startListener(): Promise<ShardListener> {
  return ShardListener.start({
    mode: 'crc',
    tls,
    host: '127.0.0.1',
    port: 0,
    clock,
    onExchange: (exchange) => {
      exchanges.push(exchange);
      onExchange();
    },
  });
}

beforeEach(async () => {
  clock = new VirtualClock();
  exchanges = [];
  onExchange = () => undefined;
  listener = await startListener();
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await listener.close();
});

/** A client whose request has reached the server. */
async function ask(head: string): Promise<Socket> {
  const client = connect(listener.port, '127.0.0.1');
  clients.push(client);
  client.on('error', () => undefined);
  const isThere = new Promise<void>((resolve) => (onExchange = resolve));
  client.write(head);
  await isThere;
  return client;
}

const GET = 'GET /x HTTP/1.1\r\nhost: n\r\n\r\n';

describe('shard listener', () => {
  it('ends a connection that was idle for too long, and no other', async () => {
    const idle = await ask(GET);
    exchanges[0]?.answer(200);
    const busy = await ask(GET);
    const isIdleClosed = once(idle, 'close');
    await clock.runUntil(65_000);
    expect(idle.closed).toBe(false);
    await clock.runUntil(67_000);
    idle.resume();
    await isIdleClosed;
    exchanges[1]?.answer(200);
    const [answer] = (await once(busy, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });

  it('cuts a body that stands still for 30 s', async () => {
    await ask('PUT /x HTTP/1.1\r\nhost: n\r\ncontent-length: 9\r\n\r\n1234');
    const room = Buffer.alloc(9);
    const cut = exchanges[0]?.receive({ room: () => room, fill: () => undefined });
    const isCut = expect(cut).rejects.toMatchObject({ code: 'CANCELLED' });
    await clock.runUntil(32_000);
    await isCut;
  });

  it('cuts everything when it closes', async () => {
    const client = await ask(GET);
    const { port } = listener;
    const isClosed = once(client, 'close');
    client.resume();
    await listener.close();
    await isClosed;
    expect(exchanges[0]?.isCut).toBe(true);
    const late = connect(port, '127.0.0.1');
    await expect(once(late, 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    listener = await startListener();
  });
});
