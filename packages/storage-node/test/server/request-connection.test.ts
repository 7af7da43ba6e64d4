import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

import { StoreError } from '@azimuth/common';
import fc from 'fast-check';

import { readInPlace } from '../../src/server/in-place-socket';
import { RequestConnection } from '../../src/server/request-connection';
import type { BodySink, ShardExchange } from '../../src/server/request-connection';

const KIB = 1024;
const BODY = Buffer.from(Array.from({ length: 3 * KIB }, (_, index) => index % 251));

/** A sink of small rooms, so that bodies cross them; it asks to wait where it is told to. */
class SmallRooms implements BodySink {
  readonly rooms: Buffer[] = [];
  readonly received: Buffer[] = [];
  readonly #roomBytes: number;
  onFill: () => Promise<void> | undefined = () => undefined;

  constructor(roomBytes: number) {
    this.#roomBytes = roomBytes;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.received);
  }

  room(): Uint8Array {
    const room = Buffer.alloc(this.#roomBytes);
    this.rooms.push(room);
    return room;
  }

  fill(count: number): Promise<void> | undefined {
    const room = this.rooms.at(-1) ?? Buffer.alloc(0);
    this.received.push(Buffer.from(room.subarray(0, count)));
    return this.onFill();
  }
}

interface Peer {
  readonly server: Server;
  readonly accepted: RequestConnection[];
  readonly client: Socket;
  readonly isInPlace: boolean[];
  /** Everything that came back. */
  answer: string;
  nowMs: number;
}

const peers: Peer[] = [];

afterEach(async () => {
  for (const peer of peers.splice(0)) {
    peer.client.destroy();
    for (const connection of peer.accepted) connection.destroy();
    await new Promise((resolve) => peer.server.close(resolve));
  }
});

async function openPeer(
  canReadInPlace: boolean,
  onExchange: (exchange: ShardExchange) => void,
): Promise<Peer> {
  const accepted: RequestConnection[] = [];
  const isInPlace: boolean[] = [];
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    accepted.push(
      new RequestConnection(
        (reader) => {
          const opened = canReadInPlace
            ? readInPlace(socket, reader)
            : { socket, isInPlace: false };
          isInPlace.push(opened.isInPlace);
          return opened;
        },
        { identity: null, nowMs: () => peer.nowMs, onExchange, onClosed: () => undefined },
      ),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.setNoDelay(true);
  const peer: Peer = { server, accepted, client, isInPlace, answer: '', nowMs: 0 };
  client.on('data', (bytes: Buffer) => (peer.answer += bytes.toString('latin1')));
  client.on('error', () => undefined);
  peers.push(peer);
  await once(client, 'connect');
  return peer;
}

function putHead(contentLength: number, more = ''): string {
  return `PUT /x HTTP/1.1\r\nhost: n\r\ncontent-length: ${contentLength}\r\n${more}\r\n`;
}

/** Resolves once `text` was answered `count` times, or the connection ended. */
async function answered(peer: Peer, text: string, count = 1): Promise<number> {
  const seen = (): number => peer.answer.split(text).length - 1;
  while (seen() < count && !peer.client.closed) {
    await Promise.race([once(peer.client, 'data'), once(peer.client, 'close')]);
  }
  return seen();
}

describe.each([
  ['in place', true],
  ['by events', false],
])('connection of the shard server, read %s', (_name, canReadInPlace) => {
  it('C1 puts any split of requests into the room of their sinks', async () => {
    const split = fc.uniqueArray(fc.nat({ max: BODY.length + 60 }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(split, fc.integer({ min: 1, max: 4 * KIB }), async (cuts, roomBytes) => {
        const sinks: SmallRooms[] = [];
        const peer = await openPeer(canReadInPlace, (exchange) => {
          const sink = new SmallRooms(roomBytes);
          // Every other fill asks for a turn of the event loop.
          sink.onFill = () =>
            sink.received.length % 2 === 0 ? new Promise((r) => setImmediate(r)) : undefined;
          sinks.push(sink);
          void exchange.receive(sink).then(() => exchange.answer(201));
        });
        const wire = Buffer.concat([Buffer.from(putHead(BODY.length)), BODY]);
        for (const round of [1, 2]) {
          let from = 0;
          for (const to of [...cuts.sort((a, b) => a - b), wire.length]) {
            peer.client.write(wire.subarray(from, to));
            await new Promise((resolve) => setImmediate(resolve));
            from = to;
          }
          expect(await answered(peer, 'HTTP/1.1 201', round)).toBe(round);
        }
        expect(sinks.map(({ bytes }) => bytes.equals(BODY))).toEqual([true, true]);
        expect(peer.isInPlace).toEqual([canReadInPlace]);
        peer.client.destroy();
      }),
      { numRuns: 15 },
    );
  });

  it('C2 writes nothing into the room of a sink that failed while the sender waited', async () => {
    const sink = new SmallRooms(4 * KIB);
    const waiting: (() => void)[] = [];
    sink.onFill = () => {
      if (waiting.length > 0) throw new StoreError('DISK_FULL');
      return new Promise((resolve) => waiting.push(resolve));
    };
    const peer = await openPeer(canReadInPlace, (exchange) => {
      if (exchange.head.contentLength === 0) exchange.answer(200);
      else exchange.receive(sink).catch(() => exchange.answer(507));
    });
    peer.client.write(putHead(100 * KIB));
    peer.client.write(Buffer.alloc(8 * KIB, 1));
    while (waiting.length === 0) await new Promise((resolve) => setImmediate(resolve));
    waiting[0]?.();
    expect(await answered(peer, 'HTTP/1.1 507')).toBe(1);
    const before = Buffer.concat(sink.rooms);
    // The rest of the short body is skipped, and the connection serves on.
    peer.client.write(Buffer.alloc(92 * KIB, 2));
    peer.client.write(putHead(0));
    expect(await answered(peer, 'HTTP/1.1 200')).toBe(1);
    expect(Buffer.concat(sink.rooms).equals(before)).toBe(true);
  });

  it('skips a short body that was refused, and serves on', async () => {
    const peer = await openPeer(canReadInPlace, (exchange) => exchange.answer(409));
    const body = Buffer.alloc(300 * KIB);
    for (const round of [1, 2, 3]) {
      peer.client.write(Buffer.concat([Buffer.from(putHead(body.length)), body]));
      expect(await answered(peer, 'HTTP/1.1 409', round)).toBe(round);
    }
    expect(peer.answer).not.toContain('connection: close');
  });

  it('answers before the end of a long body, and closes', async () => {
    const peer = await openPeer(canReadInPlace, (exchange) => exchange.answer(409));
    peer.client.write(putHead(100 * KIB * KIB));
    peer.client.write(Buffer.alloc(600 * KIB));
    expect(await answered(peer, 'connection: close')).toBe(1);
    const [connection] = peer.accepted;
    expect(connection?.deadlineMs).toBe(1000);
    connection?.expire(1001);
    peer.client.resume();
    await once(peer.client, 'close');
  });

  it('ends with a request that nobody understands', async () => {
    let count = 0;
    const peer = await openPeer(canReadInPlace, () => (count += 1));
    peer.client.write('GET / HTTP/1.1\r\nhost: n\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n');
    expect(await answered(peer, 'HTTP/1.1 400')).toBe(1);
    expect(peer.answer).toContain('connection: close');
    peer.accepted[0]?.expire(2000);
    await once(peer.client, 'close');
    expect(count).toBe(0);
  });

  it('refuses a head above 16 KiB', async () => {
    const peer = await openPeer(canReadInPlace, () => undefined);
    peer.client.write(`GET / HTTP/1.1\r\nx-a: ${'a'.repeat(17 * KIB)}`);
    expect(await answered(peer, 'HTTP/1.1 400')).toBe(1);
  });

  it('cuts the connection for bytes behind a request that is not answered yet', async () => {
    const peer = await openPeer(canReadInPlace, () => undefined);
    peer.client.write(`${putHead(0)}GET`);
    await once(peer.client, 'close');
    expect(peer.answer).toBe('');
  });

  it('closes behind the answer when the peer asked for it', async () => {
    const peer = await openPeer(canReadInPlace, (exchange) => exchange.answer(200));
    peer.client.write(putHead(0, 'connection: close\r\n'));
    expect(await answered(peer, 'connection: close')).toBe(1);
    if (!peer.client.closed) await once(peer.client, 'close');
  });

  it('says that a body was cut off, and that nobody reads the answer', async () => {
    const seen: string[] = [];
    const isDone = new Promise<ShardExchange>((resolve) => {
      void openPeer(canReadInPlace, (exchange) => {
        exchange.receive(new SmallRooms(KIB)).catch((error: unknown) => {
          seen.push(error instanceof StoreError ? error.code : '');
          resolve(exchange);
        });
      }).then((peer) => {
        peer.client.write(putHead(2 * KIB));
        peer.client.write(Buffer.alloc(KIB), () => peer.client.destroy());
      });
    });
    const exchange = await isDone;
    expect([seen, exchange.isCut]).toEqual([['CANCELLED'], true]);
    // Neither throws: whoever served the request need not know.
    await exchange.begin(200, {}, [Buffer.from('x')], true);
  });

  it('has a deadline for the peer, and none while it is our turn', async () => {
    let isRoomAgain: () => void = () => undefined;
    const sink = new SmallRooms(64 * KIB);
    sink.onFill = () => new Promise((resolve) => (isRoomAgain = resolve));
    const exchanges: ShardExchange[] = [];
    const peer = await openPeer(canReadInPlace, (exchange) => exchanges.push(exchange));
    const deadline = (): number | undefined => peer.accepted[0]?.deadlineMs;
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    while (peer.accepted.length === 0) await turn();
    expect(deadline()).toBe(65_000);
    peer.nowMs = 10;
    peer.client.write('PUT /x HTTP/1.1\r\n');
    while (deadline() !== 30_010) await turn();
    // A head that trickles in gains no time.
    peer.nowMs = 20;
    peer.client.write(putHead(2 * KIB).slice('PUT /x HTTP/1.1\r\n'.length));
    while (exchanges.length === 0) await turn();
    expect(deadline()).toBe(Number.POSITIVE_INFINITY);
    peer.nowMs = 30;
    const received = exchanges[0]?.receive(sink);
    expect(deadline()).toBe(30_030);
    peer.client.write(Buffer.alloc(KIB));
    while (sink.received.length === 0) await turn();
    expect(deadline()).toBe(Number.POSITIVE_INFINITY);
    peer.nowMs = 40;
    isRoomAgain();
    while (deadline() !== 30_040) await turn();
    peer.client.write(Buffer.alloc(KIB));
    await received;
    expect(deadline()).toBe(Number.POSITIVE_INFINITY);
    exchanges[0]?.answer(201);
    expect(deadline()).toBe(65_040);
  });
});
