import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

import { seededRandom, systemClock } from '@azimuth/common';
import fc from 'fast-check';

import { bodyStreamOf, readIntoOwnBuffers } from '../../src/http/http-connection';
import { DEFAULT_MINIMUM_PROGRESS, IncomingBody } from '../../src/http/incoming-body';
import { WireBody } from '../../src/http/wire-body';
import { S3Error } from '../../src/s3/s3-error';

const KIB = 1024;
const NOISE = Buffer.from(seededRandom(1).bytes(410_000));

interface Subject {
  readonly server: Server;
  /** Targets of the requests that Node's parser saw. */
  readonly seen: string[];
  /** Those that may go past the parser. */
  readonly wireBodies: WireBody[];
  /** Codes of the bodies that were not whole. */
  readonly failures: string[];
  readonly closeIdle: () => void;
}

const opened: Subject[] = [];

/** Answers every request with its target and the digest of its body. */
async function open(pauseEvery = 0): Promise<Subject> {
  const server = createServer({ highWaterMark: 64 * KIB, headersTimeout: 300 });
  const subject: Subject = {
    server,
    seen: [],
    wireBodies: [],
    failures: [],
    closeIdle: () => {
      for (const connection of connections) connection.closeIfIdle();
    },
  };
  const connections = readIntoOwnBuffers(server, systemClock);
  server.on('request', (request, response) => {
    void answer(subject, { request, response, pauseEvery });
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    socket.end(`HTTP/1.1 400 ${error.code ?? ''}\r\ncontent-length: 0\r\n\r\n`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  opened.push(subject);
  return subject;
}

async function answer(
  { seen, wireBodies, failures }: Subject,
  {
    request,
    response,
    pauseEvery,
  }: { request: IncomingMessage; response: ServerResponse; pauseEvery: number },
): Promise<void> {
  seen.push(request.url ?? '');
  request.on('error', () => undefined);
  const stream = bodyStreamOf(request, response);
  if (stream instanceof WireBody) wireBodies.push(stream);
  const body = new IncomingBody(stream, systemClock, DEFAULT_MINIMUM_PROGRESS, () => undefined);
  const hash = createHash('sha256');
  let chunks = 0;
  try {
    await body.readInto((chunk) => {
      chunks += 1;
      if (pauseEvery === 0 || chunks % pauseEvery !== 0) {
        hash.update(chunk);
        return undefined;
      }
      // A chunk must stay as it is until the promise has settled.
      return new Promise((resolve) => {
        setImmediate(() => {
          hash.update(chunk);
          resolve();
        });
      });
    });
    response.end(`${request.url ?? ''} ${hash.digest('hex')}\n`);
  } catch (error) {
    failures.push(error instanceof S3Error ? error.code : String(error));
    response.destroy();
  }
}

function dial({ server }: Subject): { socket: Socket; text: () => string } {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  let received = '';
  socket.on('data', (bytes: Buffer) => (received += bytes.toString('latin1')));
  socket.on('error', () => undefined);
  return { socket, text: () => received };
}

function head(target: string, headers: Readonly<Record<string, string | number>>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `PUT ${target} HTTP/1.1\r\nhost: a\r\n${lines.join('')}\r\n`;
}

function answerOf(target: string, body: Buffer): string {
  return `${target} ${createHash('sha256').update(body).digest('hex')}`;
}

/** Resolves with the lines that answer, once there are `count` of them. */
async function answers(
  connection: { socket: Socket; text: () => string },
  count: number,
): Promise<string[]> {
  for (;;) {
    const found = connection.text().match(/^\/\S+ [0-9a-f]{64}$/gm) ?? [];
    if (found.length >= count) return found;
    await once(connection.socket, 'data');
  }
}

afterEach(() => {
  for (const { server, closeIdle } of opened.splice(0)) {
    closeIdle();
    server.close();
    server.closeAllConnections();
  }
});

describe('a connection read into our own buffers', () => {
  it('keeps bodies and heads apart, however they are cut and pipelined (H1, H2, H3)', async () => {
    const sizes = fc.array(
      fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 400_000 }), fc.constant(128 * KIB)),
      { minLength: 1, maxLength: 5 },
    );
    await fc.assert(
      fc.asyncProperty(
        sizes,
        fc.integer({ min: 3_000, max: 150_000 }),
        fc.integer({ min: 0, max: 3 }),
        async (bodySizes, cutBytes, pauseEvery) => {
          const subject = await open(pauseEvery);
          const bodies = bodySizes.map((size, index) => NOISE.subarray(index, index + size));
          const wire = Buffer.concat(
            bodies.flatMap((body, index) => [
              Buffer.from(head(`/${index}`, { 'content-length': body.length })),
              body,
            ]),
          );
          const connection = dial(subject);
          for (let from = 0; from < wire.length; from += cutBytes) {
            if (!connection.socket.write(wire.subarray(from, from + cutBytes))) {
              await once(connection.socket, 'drain');
            }
          }
          expect(await answers(connection, bodies.length)).toEqual(
            bodies.map((body, index) => answerOf(`/${index}`, body)),
          );
          connection.socket.destroy();
        },
      ),
      { numRuns: 15 },
    );
  });

  it('takes large bodies past the parser, and what is in them is no request (H1)', async () => {
    const subject = await open();
    const body = Buffer.from(head('/smuggled', { 'content-length': 0 }).repeat(8_000));
    const connection = dial(subject);
    connection.socket.write(head('/large', { 'content-length': body.length }));
    connection.socket.write(body);
    expect(await answers(connection, 1)).toEqual([answerOf('/large', body)]);
    connection.socket.write(head('/next', { 'content-length': 0 }));
    expect(await answers(connection, 2)).toHaveLength(2);
    expect(subject.seen).toEqual(['/large', '/next']);
    expect(subject.wireBodies).toHaveLength(1);
  });

  it.each([
    ['two lengths', { 'content-length': 200_000, 'Content-Length': 1 }],
    ['a length and a coding', { 'content-length': 200_000, 'transfer-encoding': 'chunked' }],
    ['a signed length', { 'content-length': '+200000' }],
    ['a list of lengths', { 'content-length': '200000, 200000' }],
  ])('leaves %s to the parser, which refuses it', async (_name, headers) => {
    const subject = await open();
    const connection = dial(subject);
    connection.socket.write(head('/odd', headers));
    connection.socket.write(Buffer.alloc(200_000));
    await once(connection.socket, 'close');
    expect(connection.text()).toMatch(/^HTTP\/1\.1 400 HPE_/);
    expect(subject.wireBodies).toHaveLength(0);
  });

  it('leaves a coded body to the parser', async () => {
    const subject = await open();
    const body = Buffer.alloc(200_000, 'x');
    const connection = dial(subject);
    connection.socket.write(head('/coded', { 'transfer-encoding': 'chunked' }));
    connection.socket.write(`${body.length.toString(16)}\r\n`);
    connection.socket.write(body);
    connection.socket.write('\r\n0\r\n\r\n');
    expect(await answers(connection, 1)).toEqual([answerOf('/coded', body)]);
    expect(subject.wireBodies).toHaveLength(0);
  });

  it('answers a body that ends too early as the parser would', async () => {
    const subject = await open();
    const connection = dial(subject);
    connection.socket.write(head('/short', { 'content-length': 1_000_000 }));
    connection.socket.end(Buffer.alloc(500_000));
    await once(connection.socket, 'close');
    expect(connection.text()).toMatch(/^HTTP\/1\.1 400 HPE_INVALID_EOF_STATE/);
    expect(subject.wireBodies).toHaveLength(1);
  });

  it('loses nothing when a reader stops between two reads, and goes on later', async () => {
    const subject = await open();
    subject.server.removeAllListeners('request');
    const body = NOISE.subarray(0, 400_000);
    subject.server.on('request', (request, response) => {
      const stream = bodyStreamOf(request, response);
      const hash = createHash('sha256');
      stream.on('data', (chunk: Buffer) => {
        hash.update(chunk);
        setImmediate(() => {
          stream.pause();
          setImmediate(() => setImmediate(() => stream.resume()));
        });
      });
      stream.on('end', () => response.end(`/late ${hash.digest('hex')}\n`));
      stream.resume();
    });
    const connection = dial(subject);
    connection.socket.write(head('/late', { 'content-length': body.length }));
    for (let from = 0; from < body.length; from += 20_000) {
      connection.socket.write(body.subarray(from, from + 20_000));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await answers(connection, 1)).toEqual([answerOf('/late', body)]);
  });

  it('tells the reader when the client goes away in the middle', async () => {
    const subject = await open();
    const connection = dial(subject);
    connection.socket.write(head('/gone', { 'content-length': 1_000_000 }));
    connection.socket.write(Buffer.alloc(500_000));
    await once(subject.server, 'request');
    connection.socket.resetAndDestroy();
    while (subject.failures.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(subject.failures).toEqual(['IncompleteBody']);
  });

  it('lets a client rest after a large body, and a stopping server end it then', async () => {
    const subject = await open();
    const connection = dial(subject);
    connection.socket.write(head('/rest', { 'content-length': 200_000 }));
    connection.socket.write(Buffer.alloc(200_000));
    await answers(connection, 1);
    const closed = once(subject.server, 'close');
    subject.closeIdle();
    subject.server.close();
    await closed;
    expect(connection.text()).not.toMatch(/ 400 /);
  });
});
