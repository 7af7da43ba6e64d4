import { connect } from 'node:net';

import { StoreError, systemClock } from '@azimuth/common';
import type { Clock } from '@azimuth/common';

import { SlowReaders } from '../../src/http/slow-readers';
import { requireUploadSize } from '../../src/s3/object/write-size';
import type { Operation } from '../../src/s3/operation';
import { S3Error } from '../../src/s3/s3-error';

import { ManualClock } from '../support/manual-clock';
import type { ChunkedParts, SignerOptions } from '../support/sigv4-signer';
import { chunkedParts, joinChunked, presign, sha256, signHeaders } from '../support/sigv4-signer';
import type { Answer, TestGateway } from '../support/test-gateway';
import {
  ACCESS_KEY,
  codeOf,
  operation,
  REGION,
  SECRET_KEY,
  send,
  sendRaw,
  startTestGateway,
} from '../support/test-gateway';

const CRC32 = 'x-amz-checksum-crc32';

function signer(change: Partial<SignerOptions> = {}): SignerOptions {
  const timestamp = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
  return { accessKeyId: ACCESS_KEY, secretKey: SECRET_KEY, region: REGION, timestamp, ...change };
}

let gateway: TestGateway;

beforeEach(async () => {
  gateway = await startTestGateway({
    operations: [
      operation('CopyObject', 'none', () => {
        throw new StoreError('QUORUM_NOT_REACHED');
      }),
      operation('GetBucketLocation', 'none', () => {
        throw new TypeError('a bug, with secret details');
      }),
      operation('GetBucketVersioning', 'none', () => {
        throw new S3Error('NoSuchBucket', { BucketName: 'a<b>&"\u0001' });
      }),
      operation('HeadBucket', 'none', () => ({
        status: 200,
        headers: { 'x-test': 'a\r\nset-cookie: b' },
      })),
    ],
  });
});

afterEach(async () => {
  await gateway.close();
});

function call(
  method: string,
  target: string,
  options: {
    readonly body?: Buffer;
    readonly headers?: Readonly<Record<string, string>>;
    readonly signer?: Partial<SignerOptions>;
    readonly payloadHash?: string;
  } = {},
): Promise<Answer> {
  const { body, headers = {} } = options;
  const signed = signHeaders(
    {
      method,
      target,
      headers: { host: gateway.host, ...headers },
      payloadHash: options.payloadHash ?? sha256(body ?? ''),
    },
    signer(options.signer),
  );
  return send(gateway, {
    method,
    target,
    headers: signed,
    ...(body === undefined ? {} : { body }),
  });
}

describe('a request', () => {
  it('puts and gets back bytes of every size, with ids on every answer', async () => {
    for (const size of [0, 1, 65_536, 65_537, 3_000_000]) {
      const body = Buffer.alloc(size, 'azimuth');
      const put = await call('PUT', '/bucket/key', { body });
      const get = await call('GET', '/bucket/key');
      const head = await call('HEAD', '/bucket/key');

      expect([put.status, get.status, head.status]).toEqual([200, 200, 200]);
      expect(get.body.equals(body)).toBe(true);
      expect(head.headers['content-length']).toBe(String(size));
      expect(head.body).toHaveLength(0);
      for (const { headers } of [put, get, head]) {
        expect(headers['x-amz-request-id']).toMatch(/^[0-9A-F]{16}$/);
        expect(headers['x-amz-id-2']).toBe('test-host');
      }
    }
  });

  it('answers errors as a document with every element', async () => {
    const answer = await call('GET', '/bucket/a%26b');

    expect(answer.status).toBe(404);
    expect(answer.headers['content-type']).toBe('application/xml');
    expect(answer.body.toString()).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code><Message>The specified ' +
        'key does not exist.</Message><Key>a&amp;b</Key><Resource>/bucket/a&amp;b</Resource>' +
        `<RequestId>${answer.headers['x-amz-request-id'] as string}</RequestId>` +
        '<HostId>test-host</HostId></Error>',
    );
  });

  it('answers HEAD errors and 204 without body, with ids', async () => {
    const missing = await call('HEAD', '/bucket/missing');
    const deleted = await call('DELETE', '/bucket/missing');

    expect([missing.status, deleted.status]).toEqual([404, 204]);
    expect([missing.body.length, deleted.body.length]).toEqual([0, 0]);
    expect(deleted.headers['x-amz-request-id']).toMatch(/^[0-9A-F]{16}$/);
  });

  it('names the region in a refused HEAD, where clients look for it (G-2)', async () => {
    const anonymous = await sendRaw(
      gateway,
      `HEAD /bucket HTTP/1.1\r\nhost: ${gateway.host}\r\nconnection: close\r\n\r\n`,
    );
    expect(anonymous).toMatch(/^HTTP\/1.1 403 /);
    expect(anonymous).toContain('x-amz-bucket-region: eu-test-1');
    const missing = await call('HEAD', '/bucket/missing');
    expect(missing.headers).not.toHaveProperty('x-amz-bucket-region');
  });

  it('says 503 with Retry-After for what passes by itself, never 500', async () => {
    const answer = await call('PUT', '/bucket/k', { headers: { 'x-amz-copy-source': '/b/k' } });

    expect([answer.status, answer.code]).toEqual([503, 'SlowDown']);
    expect(answer.headers['retry-after']).toMatch(/^\d+$/);
  });

  it('says 500 for a bug, and nothing about it', async () => {
    const answer = await call('GET', '/bucket?location');

    expect([answer.status, answer.code]).toEqual([500, 'InternalError']);
    expect(answer.body.toString()).not.toContain('secret');
  });

  it('says 501 for operations of the API that are not here', async () => {
    const answer = await call('GET', '/bucket?tagging');

    expect([answer.status, answer.code]).toEqual([501, 'NotImplemented']);
    expect(answer.body.toString()).toContain('GetBucketTagging');
  });

  it('refuses header injection (table row 44)', async () => {
    const answer = await call('HEAD', '/bucket');

    expect(answer.status).toBe(400);
    expect(answer.headers['set-cookie']).toBeUndefined();
  });

  it('counts by operation and status', async () => {
    await call('PUT', '/bucket/key', { body: Buffer.alloc(10) });
    await call('GET', '/bucket/key');
    await call('GET', '/bucket/missing');
    const metrics = await gateway.registry.metrics();

    expect(metrics).toContain('azimuth_s3_requests_total{operation="GetObject",status="404"} 1');
    expect(metrics).toContain('azimuth_s3_received_bytes_total{operation="PutObject"} 10');
    expect(metrics).toContain('azimuth_s3_sent_bytes_total{operation="GetObject"}');
    expect(metrics).toMatch(/azimuth_s3_request_duration_seconds_count{operation="GetObject"} 2/);
  });

  it('is refused at once when too many are in flight', async () => {
    const busy = await startTestGateway({ requestsInFlightMax: 0 });
    const answer = await send(busy, { method: 'GET', target: '/', headers: {} });
    await busy.close();

    expect([answer.status, answer.code]).toEqual([503, 'SlowDown']);
  });
});

describe('a gateway that is cut off from the metadata', () => {
  it.each([
    ['its view is old', { viewAgeMs: 3_500, leaderSilentMs: 0 }],
    // A bridge: it reaches the leader of `root`, and not the one that its clients need.
    ['a leader that others reach is silent (P3)', { viewAgeMs: 0, leaderSilentMs: 3_500 }],
  ])('ends reads that wait in vain when %s: clients go elsewhere', async (_why, cut) => {
    let ages = { viewAgeMs: 0, leaderSilentMs: 0 };
    const waiting = operation(
      'GetObject',
      'none',
      ({ signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new StoreError('CANCELLED')));
        }),
    );
    let nowMs = 1_000;
    const clock: Clock = { ...systemClock, monotonicMs: () => nowMs };
    const cutOff = await startTestGateway({
      ...{ clock, operations: [waiting], viewAgeMs: () => ages.viewAgeMs },
      leaderSilentMs: () => ages.leaderSilentMs,
    });
    try {
      const head = { method: 'GET', target: '/bucket/key' };
      const request = { ...head, headers: { host: cutOff.host }, payloadHash: sha256('') };
      const headers = { ...signHeaders(request, signer()), connection: 'keep-alive' };
      const answer = send(cutOff, { ...head, headers });
      while (cutOff.pipeline.requestsInFlight === 0) await systemClock.sleep(5);
      nowMs += 10_000;
      cutOff.pipeline.endStuckRequests();
      // As long as its view is current somebody may answer yet.
      expect(cutOff.pipeline.requestsInFlight).toBe(1);
      ages = cut;
      cutOff.pipeline.endStuckRequests();
      const { status, headers: answered } = await answer;
      expect([status, answered['connection']]).toEqual([503, 'close']);
    } finally {
      await cutOff.close();
    }
  });

  it.each([
    // Bodies that need no leader are served on kept connections while the view is stale.
    { viewAgeMs: 3_500, leaderSilentMs: 500, connections: ['keep-alive', 'keep-alive'] },
    { viewAgeMs: 500, leaderSilentMs: 2_500, connections: ['keep-alive', 'keep-alive'] },
    // The next request of the same client may be one that waits for the leader in vain.
    { viewAgeMs: 500, leaderSilentMs: 3_500, connections: ['close', 'close'] },
  ])(
    'keeps no connection that would make requests wait: %j',
    async ({ viewAgeMs, leaderSilentMs, connections }) => {
      const cutOff = await startTestGateway({
        ...{ viewAgeMs: () => viewAgeMs, leaderSilentMs: () => leaderSilentMs },
      });
      try {
        cutOff.store.objects.set('bucket/key', Buffer.from('x'));
        const answers = [];
        for (const [key, expected] of [
          ['key', 200],
          ['missing', 404],
        ] as const) {
          const head = { method: 'GET', target: `/bucket/${key}`, payloadHash: sha256('') };
          const signed = signHeaders({ ...head, headers: { host: cutOff.host } }, signer());
          const headers = { ...signed, connection: 'keep-alive' };
          const answer = await send(cutOff, { ...head, headers });
          expect(answer.status).toBe(expected);
          answers.push(answer.headers['connection']);
        }
        expect(answers).toEqual(connections);
      } finally {
        await cutOff.close();
      }
    },
  );

  it('lets an upload go on whose bytes come', async () => {
    const counts = { received: 0 };
    const taking = operation('PutObject', 'stream', async ({ body, signal }) => {
      await body.source.readInto((chunk) => {
        counts.received += chunk.length;
        return undefined;
      });
      signal.throwIfAborted();
      return { status: 200 };
    });
    let nowMs = 1_000;
    const clock: Clock = { ...systemClock, monotonicMs: () => nowMs };
    const cutOff = await startTestGateway({
      ...{ clock, operations: [taking], viewAgeMs: () => 3_500 },
    });
    try {
      const head = { method: 'PUT', target: '/bucket/key', payloadHash: 'UNSIGNED-PAYLOAD' };
      const headers = { host: cutOff.host, 'content-length': '3', connection: 'close' };
      const signed = Object.entries(signHeaders({ ...head, headers }, signer()));
      const lines = signed.map(([name, value]) => `${name}: ${value}\r\n`).join('');
      const socket = connect(cutOff.port, '127.0.0.1');
      let text = '';
      socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
      const closed = new Promise((resolve) => socket.on('close', resolve));
      socket.write(`PUT /bucket/key HTTP/1.1\r\n${lines}\r\n`);
      for (let bytes = 1; bytes <= 2; bytes += 1) {
        socket.write('x');
        while (counts.received < bytes) await systemClock.sleep(2);
        nowMs += 5_000;
        cutOff.pipeline.endStuckRequests();
      }
      socket.write('x');
      await closed;
      expect(text).toMatch(/^HTTP\/1.1 200 /);
    } finally {
      await cutOff.close();
    }
  });
});

/** Table rows 1 to 8 and 23: each body mode with each way to break it; nothing may be stored. */
describe('the matrix of body modes and forgeries', () => {
  const DATA = Buffer.alloc(20_000, 'x');
  interface Attempt {
    options: SignerOptions;
    target: string;
    headers: Record<string, string>;
    body: Buffer;
    /** Of a chunked body, so that it can be changed. */
    parts: ChunkedParts | null;
  }
  type Build = (options: SignerOptions, target: string) => Attempt;

  const plain =
    (payloadHash: string): Build =>
    (options, target) => ({
      options,
      target,
      headers: signHeaders(
        { method: 'PUT', target, headers: { host: gateway.host }, payloadHash },
        options,
      ),
      body: DATA,
      parts: null,
    });
  const chunked =
    (payloadHash: string): Build =>
    (options, target) => {
      const hasTrailer = payloadHash.endsWith('TRAILER');
      const headers = signHeaders(
        {
          method: 'PUT',
          target,
          payloadHash,
          headers: {
            host: gateway.host,
            'content-encoding': 'aws-chunked',
            'x-amz-decoded-content-length': String(DATA.length),
            ...(hasTrailer ? { 'x-amz-trailer': CRC32 } : {}),
          },
        },
        options,
      );
      const seed = /Signature=(\w+)/.exec(headers['authorization'] ?? '')?.[1] ?? '';
      const isSigned = payloadHash.includes('HMAC');
      const parts = chunkedParts(
        {
          chunks: [DATA.subarray(0, 10_000), DATA.subarray(10_000)],
          ...(hasTrailer ? { trailers: { [CRC32]: 'AAAAAA==' } } : {}),
        },
        isSigned ? { options, seed } : null,
      );
      return { options, target, headers, body: joinChunked(parts), parts };
    };
  const MODES: Readonly<Record<string, Build>> = {
    'signed hash': plain(sha256(DATA)),
    'UNSIGNED-PAYLOAD': plain('UNSIGNED-PAYLOAD'),
    'STREAMING-AWS4-HMAC-SHA256-PAYLOAD': chunked('STREAMING-AWS4-HMAC-SHA256-PAYLOAD'),
    'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER': chunked(
      'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
    ),
    'STREAMING-UNSIGNED-PAYLOAD-TRAILER': chunked('STREAMING-UNSIGNED-PAYLOAD-TRAILER'),
    presigned: (options, target) => ({
      options,
      target: presign({ method: 'PUT', target, headers: { host: gateway.host } }, 60, options),
      headers: { host: gateway.host },
      body: DATA,
      parts: null,
    }),
  };

  /** Each returns false when it cannot be applied to the mode. */
  const authorization =
    (change: (text: string) => string) =>
    (attempt: Attempt): boolean => {
      const { headers } = attempt;
      if (headers['authorization'] === undefined) attempt.target = change(attempt.target);
      else headers['authorization'] = change(headers['authorization']);
      return true;
    };
  const header =
    (name: string, value: string | null) =>
    ({ headers }: Attempt): boolean => {
      if (value === null) Reflect.deleteProperty(headers, name);
      else headers[name] = value;
      return true;
    };
  const lastHex = (text: string): string =>
    text.replace(/[0-9a-f]$/, (digit) => (digit === '0' ? '1' : '0'));
  const chunk =
    (change: (parts: ChunkedParts, isSigned: boolean) => boolean) =>
    (attempt: Attempt): boolean => {
      if (attempt.parts === null) return false;
      const isSigned = attempt.parts.chunks[0]?.header.includes(';') === true;
      if (!change(attempt.parts, isSigned)) return false;
      attempt.body = joinChunked(attempt.parts);
      return true;
    };
  const mode = (value: string) => (attempt: Attempt) =>
    attempt.headers['x-amz-content-sha256'] !== value &&
    header('x-amz-content-sha256', value)(attempt);

  const FORGERIES: Readonly<Record<string, (attempt: Attempt) => boolean>> = {
    'no authorization': (attempt) => {
      delete attempt.headers['authorization'];
      attempt.target = attempt.target.split('?', 1)[0] ?? '';
      return true;
    },
    'forged signature': authorization(lastHex),
    'cut signature': authorization((text) => text.slice(0, -2)),
    'empty signature': authorization((text) => text.replace(/Signature=\w+$/, 'Signature=')),
    'zero signature': authorization((text) => text.replace(/\w{64}$/, '0'.repeat(64))),
    'key of somebody else': authorization((text) => text.replace(ACCESS_KEY, 'OTHERKEY00000001')),
    'other service': authorization((text) => text.replace(/(\/|%2F)s3(\/|%2F)/, '$1s3tables$2')),
    'other region': authorization((text) => text.replace(REGION, 'eu-test-2')),
    'other terminal': authorization((text) => text.replace('aws4_request', 'aws4_reques')),
    'other algorithm': authorization((text) => text.replace('HMAC-SHA256', 'HMAC-SHA512')),
    'host not signed': authorization((text) => text.replace(/(SignedHeaders=[^,&]*)host/, '$1x')),
    'other key': (attempt) => {
      attempt.target = attempt.target.replace('target', 'other');
      return true;
    },
    'other bucket by dots': (attempt) => {
      attempt.target = attempt.target.replace('/bucket/', '/bucket/../other/');
      return true;
    },
    'added subresource': (attempt) => {
      attempt.target += attempt.target.includes('?') ? '&versionId=x' : '?versionId=x';
      return true;
    },
    'added x-amz header': header('x-amz-acl', 'public-read-write'),
    'changed date': header('x-amz-date', '20200101T000000Z'),
    'other host': header('host', 'elsewhere:80'),
    'added query credentials': (attempt) => {
      if (attempt.headers['authorization'] === undefined) return false;
      attempt.target += '?X-Amz-Signature=00';
      return true;
    },
    'added header credentials': (attempt) => {
      if (attempt.headers['authorization'] !== undefined) return false;
      return header('authorization', 'AWS4-HMAC-SHA256 Credential=a')(attempt);
    },
    'session token': header('x-amz-security-token', 'token'),
    'no body mode': (attempt) =>
      attempt.headers['authorization'] !== undefined &&
      header('x-amz-content-sha256', null)(attempt),
    'mode made unsigned': mode('UNSIGNED-PAYLOAD'),
    'mode made unsigned chunks': mode('STREAMING-UNSIGNED-PAYLOAD-TRAILER'),
    'mode made signed chunks': mode('STREAMING-AWS4-HMAC-SHA256-PAYLOAD'),
    'mode made ECDSA': mode('STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD'),
    'mode unknown': mode('STREAMING-NOTHING'),
    'mode made the hash of nothing': mode(sha256('')),
    'changed body': (attempt) => {
      if (attempt.headers['x-amz-content-sha256'] !== sha256(DATA)) return false;
      attempt.body = Buffer.from(DATA);
      attempt.body[7] = 0;
      return true;
    },
    'longer body': (attempt) => {
      if (attempt.headers['x-amz-content-sha256'] !== sha256(DATA)) return false;
      attempt.body = Buffer.concat([DATA, DATA]);
      return true;
    },
    'not chunked at all': (attempt) => {
      if (attempt.parts === null) return false;
      attempt.body = DATA;
      return true;
    },
    'chunk changed': chunk((parts, isSigned) => {
      if (!isSigned) return false;
      parts.chunks[0]!.data = Buffer.alloc(10_000, 'y');
      return true;
    }),
    'chunk left out': chunk((parts) => {
      parts.chunks.splice(0, 1);
      return true;
    }),
    'chunk twice': chunk((parts) => {
      parts.chunks.splice(1, 0, parts.chunks[0]!);
      return true;
    }),
    'chunk signature forged': chunk((parts, isSigned) => {
      parts.chunks[1]!.header = lastHex(parts.chunks[1]!.header);
      return isSigned;
    }),
    'chunk signature left out': chunk((parts, isSigned) => {
      parts.chunks[1]!.header = parts.chunks[1]!.header.split(';', 1)[0]!;
      return isSigned;
    }),
    'no last chunk': chunk((parts) => {
      parts.chunks.pop();
      parts.trailerLines.length = 0;
      parts.trailerSignature = null;
      return true;
    }),
    'last chunk signature forged': chunk((parts, isSigned) => {
      parts.chunks[2]!.header = lastHex(parts.chunks[2]!.header);
      return isSigned;
    }),
    'trailer changed': chunk((parts) => {
      if (parts.trailerSignature === null) return false;
      parts.trailerLines[0] = `${CRC32}:AAAAAQ==`;
      return true;
    }),
    'trailer left out': chunk((parts) => parts.trailerLines.pop() !== undefined),
    'trailer signature left out': chunk((parts) => {
      if (parts.trailerSignature === null) return false;
      parts.trailerSignature = null;
      return true;
    }),
    'trailer added': chunk((parts) => parts.trailerLines.push('x-amz-meta-a:b') > 0),
    'decoded length left out': (attempt) =>
      attempt.parts !== null && header('x-amz-decoded-content-length', null)(attempt),
    'decoded length changed': (attempt) =>
      attempt.parts !== null && header('x-amz-decoded-content-length', '19999')(attempt),
  };

  const TARGETS = ['/bucket/target', '/bucket/target?x-id=PutObject'];

  it.each(Object.keys(MODES))('%s: whole and signed, it is stored', async (name) => {
    const attempt = MODES[name]!(signer(), '/bucket/target');

    const answer = await send(gateway, { method: 'PUT', ...attempt });

    expect([answer.status, answer.body.toString()]).toEqual([200, '']);
    expect(gateway.store.objects.get('bucket/target')?.equals(DATA)).toBe(true);
  });

  it.each(Object.keys(MODES))(
    '%s: every forgery is refused and nothing is stored',
    async (name) => {
      let attempts = 0;
      for (const target of TARGETS) {
        for (const [forgery, apply] of Object.entries(FORGERIES)) {
          const attempt = MODES[name]!(signer(), target);
          if (!apply(attempt)) continue;
          const answer = await send(gateway, { method: 'PUT', ...attempt });
          attempts += 1;

          expect({ forgery, isRefused: answer.status >= 400 && answer.status < 500 }).toEqual({
            forgery,
            isRefused: true,
          });
          expect(answer.code).not.toBeNull();
          expect(answer.body.toString()).not.toContain(SECRET_KEY);
        }
      }
      expect(gateway.store.objects.size).toBe(0);
      expect(attempts).toBeGreaterThanOrEqual(44);
    },
  );

  it('refuses a wrong secret for every operation, before it does anything', async () => {
    const targets = ['/', '/bucket', '/bucket/key', '/bucket?acl', '/bucket/key?uploadId=u'];
    for (const method of ['GET', 'PUT', 'POST', 'DELETE']) {
      for (const target of targets) {
        const answer = await call(method, target, { signer: { secretKey: 'wrong' } });

        // That would be IAM or STS, and says which action it wants.
        const isQuery = method === 'POST' && target === '/';
        const code = isQuery ? 'InvalidAction' : 'SignatureDoesNotMatch';
        expect([method, target, answer.code]).toEqual([method, target, code]);
      }
    }
  });

  it('says how a body hash differs (G-4)', async () => {
    const answer = await call('PUT', '/bucket/k', { body: DATA, payloadHash: sha256('other') });

    expect(answer.code).toBe('XAmzContentSHA256Mismatch');
    expect(answer.body.toString()).toContain(sha256(DATA));
    expect(answer.body.toString()).toContain(sha256('other'));
  });
});

describe('a hash of a body whose length is missing', () => {
  it.each([
    ['where one must be is asked for it: 411', 'PUT', 411, 'MissingContentLength'],
    ['where none can be is wrong', 'GET', 400, 'XAmzContentSHA256Mismatch'],
  ] as const)('%s', async (_what, method, status, code) => {
    const sized = await startTestGateway({
      operations: [
        operation('PutObject', 'stream', (request) => {
          requireUploadSize(request);
          return { status: 200 };
        }),
      ],
    });
    try {
      const target = '/bucket/k';
      const headers = { host: sized.host, connection: 'close' };
      const payloadHash = sha256('some data');
      const signed = Object.entries(
        signHeaders({ method, target, headers, payloadHash }, signer()),
      );
      const lines = signed.map(([name, value]) => `${name}: ${value}\r\n`).join('');
      const received = await sendRaw(sized, `${method} ${target} HTTP/1.1\r\n${lines}\r\n`);
      expect(received).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
      expect(codeOf(received)).toBe(code);
    } finally {
      await sized.close();
    }
  });
});

describe('sockets', () => {
  const headersOf = (headers: Readonly<Record<string, string>>): string =>
    Object.entries(headers)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('');
  const signedHead = (
    method: string,
    target: string,
    headers: Readonly<Record<string, string>>,
    payloadHash = 'UNSIGNED-PAYLOAD',
  ): string => {
    const signed = signHeaders(
      { method, target, headers: { host: gateway.host }, payloadHash },
      signer(),
    );
    return `${method} ${target} HTTP/1.1\r\n${headersOf({ ...signed, ...headers })}\r\n`;
  };

  it.each([
    ['garbage', 'nonsense\r\n\r\n', 400, 'BadRequest'],
    [
      'CL and TE',
      'PUT /b/k HTTP/1.1\r\nhost: h\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n',
      400,
      'BadRequest',
    ],
    [
      'two lengths',
      'PUT /b/k HTTP/1.1\r\nhost: h\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n',
      400,
      'BadRequest',
    ],
    [
      'huge headers',
      `GET / HTTP/1.1\r\nhost: h\r\na: ${'x'.repeat(20_000)}\r\n\r\n`,
      400,
      'RequestHeaderSectionTooLarge',
    ],
    [
      '9 KiB of headers',
      `GET / HTTP/1.1\r\nconnection: close\r\nhost: h\r\na: ${'x'.repeat(9_000)}\r\n\r\n`,
      400,
      'RequestHeaderSectionTooLarge',
    ],
    ['no host', 'GET / HTTP/1.1\r\nconnection: close\r\n\r\n', 400, 'InvalidArgument'],
    ['an unknown method', 'FETCH /b/k HTTP/1.1\r\nhost: h\r\n\r\n', 405, 'MethodNotAllowed'],
    ['a method in small letters', 'get / HTTP/1.0\r\n\r\n', 405, 'MethodNotAllowed'],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400, 'BadRequest'],
    [
      'a method of HTTP that S3 has not',
      'PATCH /bucket/k HTTP/1.1\r\nconnection: close\r\nhost: h\r\ncontent-length: 0\r\n\r\n',
      405,
      'MethodNotAllowed',
    ],
    [
      'a POST to an object',
      'POST /bucket/k HTTP/1.1\r\nconnection: close\r\nhost: h\r\ncontent-length: 0\r\n\r\n',
      405,
      'MethodNotAllowed',
    ],
    [
      'two hosts',
      'GET / HTTP/1.1\r\nconnection: close\r\nhost: a\r\nhost: b\r\n\r\n',
      400,
      'InvalidArgument',
    ],
    [
      'a full URL',
      'GET http://h/bucket/k HTTP/1.1\r\nconnection: close\r\nhost: h\r\n\r\n',
      400,
      'InvalidURI',
    ],
    [
      'bare //',
      'GET // HTTP/1.1\r\nconnection: close\r\nhost: h\r\n\r\n',
      400,
      'InvalidBucketName',
    ],
  ])('%s: %s is answered and the gateway lives on', async (_name, bytes, status, code) => {
    const received = await sendRaw(gateway, bytes);

    expect(received).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(codeOf(received)).toBe(code);
    // RFC 9110, section 15.5.6.
    expect(/^allow: \S/m.test(received)).toBe(status === 405);
    expect(received).toContain('x-amz-request-id');
    expect((await call('GET', '/')).status).toBe(200);
  });

  it('sends 100 Continue for a good request, and only then (G-15)', async () => {
    const head = signedHead('PUT', '/bucket/k', {
      'content-length': '5',
      expect: '100-continue',
      connection: 'close',
    });
    const received = await new Promise<string>((resolve, reject) => {
      const socket = connect(gateway.port, '127.0.0.1');
      let text = '';
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        if (text === 'HTTP/1.1 100 Continue\r\n\r\n') socket.write('hello');
      });
      socket.on('error', reject);
      socket.on('close', () => resolve(text));
      socket.write(head);
    });

    expect(received).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK/);
    expect(gateway.store.objects.get('bucket/k')?.toString()).toBe('hello');
  });

  it.each(['200', '', 'the unexpected'])(
    'serves "Expect: %s" as if it were not there',
    async (expect_) => {
      const head = signedHead('PUT', '/bucket/k', {
        'content-length': '5',
        expect: expect_,
        connection: 'close',
      });
      expect(await sendRaw(gateway, `${head}hello`)).toMatch(/^HTTP\/1.1 200 OK/);
    },
  );

  it('says IncompleteBody when the client stops sending in the middle', async () => {
    const head = signedHead('PUT', '/bucket/cut', { 'content-length': '5' });
    const received = await new Promise<string>((resolve, reject) => {
      const socket = connect(gateway.port, '127.0.0.1');
      let text = '';
      socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
      socket.on('error', reject);
      socket.on('close', () => resolve(text));
      socket.end(`${head}hel`);
    });
    expect(received).toMatch(/^HTTP\/1.1 400 /);
    expect(codeOf(received)).toBe('IncompleteBody');
    expect(gateway.store.objects.has('bucket/cut')).toBe(false);
  });

  it.each([
    ['a wrong signature', (head: string) => head.replace('/bucket/k', '/bucket/x'), 403],
    ['a bad bucket', (head: string) => head.replace('/bucket/k', '/B/k'), 400],
    ['no such operation', (head: string) => head.replace('PUT', 'PATCH'), 403],
  ])('refuses %s without 100 Continue, and closes', async (_name, change, status) => {
    const head = signedHead('PUT', '/bucket/k', { 'content-length': '5', expect: '100-continue' });

    const received = await sendRaw(gateway, change(head));

    expect(received).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(received.toLowerCase()).toContain('connection: close');
  });

  it('keeps the connection when what is left of a refused body is small', async () => {
    const refused = signedHead('PUT', '/bucket/k', { 'content-length': '5000' }).replace(
      '/k',
      '/x',
    );
    const good = signedHead('GET', '/', { connection: 'close' });

    const received = await sendRaw(gateway, `${refused}${'x'.repeat(5000)}${good}`);

    expect(received.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 403', 'HTTP/1.1 200']);
  });

  it('lets the client see the refusal of a large body, then closes', async () => {
    const refused = signedHead('PUT', '/bucket/k', { 'content-length': '3000000' }).replace(
      '/k',
      '/x',
    );

    const received = await sendRaw(gateway, refused + 'x'.repeat(3_000_000));

    expect(received).toMatch(/^HTTP\/1.1 403 /);
    expect(received.toLowerCase()).toContain('connection: close');
    expect(codeOf(received)).toBe('SignatureDoesNotMatch');
  });

  it('stores nothing when the client goes away in the middle', async () => {
    const socket = connect(gateway.port, '127.0.0.1');
    socket.write(signedHead('PUT', '/bucket/k', { 'content-length': '10' }) + 'hello');
    await waitFor(() => gateway.pipeline.requestsInFlight === 1);
    socket.destroy();
    await waitFor(() => gateway.pipeline.requestsInFlight === 0);

    expect(gateway.store.objects.size).toBe(0);
  });

  describe('a client that ends its side after the request', () => {
    /** Ends, and says what came back when the server has closed; `hear` is told what has come. */
    function sendAndEnd(bytes: string, hear: (text: string) => void): Promise<string> {
      return new Promise((resolve, reject) => {
        const socket = connect(gateway.port, '127.0.0.1');
        let text = '';
        socket.on('data', (chunk: Buffer) => hear((text += chunk.toString())));
        socket.on('error', reject);
        socket.on('close', () => resolve(text));
        socket.end(bytes);
      });
    }

    it.each([
      ['a GET', signedHeadOf('GET', 0), /^(HTTP\/1.1 100 Continue\r\n\r\n)+HTTP\/1.1 200 OK/],
      ['a PUT', signedHeadOf('PUT', 10_000), /^(HTTP\/1.1 100 .*\r\n\r\n)+HTTP\/1.1 200 OK/],
      ['a large PUT', signedHeadOf('PUT', 200_000), /^(HTTP\/1.1 100 .*\r\n\r\n)+HTTP\/1.1 200/],
    ])('is answered, then closed: %s', async (_what, requestOf, pattern) => {
      const received = await sendAndEnd(requestOf(), (text) => {
        if (text.includes('100 Continue')) release();
      });
      expect(received).toMatch(pattern);
      expect(gateway.pipeline.requestsInFlight).toBe(0);
    });

    it('is answered without an interim answer in HTTP/1.0', async () => {
      const request = signedHeadOf('GET', 0)().replace('HTTP/1.1', 'HTTP/1.0');
      const answer = sendAndEnd(request, () => undefined);
      await waitFor(() => gateway.pipeline.requestsInFlight === 1);
      let turns = 0;
      await waitFor(() => (turns += 1) > 100);
      release();
      expect(await answer).toMatch(/^HTTP\/1.1 200 OK/);
    });

    it('is answered to all that it asked', async () => {
      const requests = signedHead('GET', '/', {}).repeat(3);
      const received = await sendAndEnd(requests, () => undefined);
      expect(received.match(/HTTP\/1.1 200 OK/g)).toHaveLength(3);
    });

    it('is told that its body is cut short', async () => {
      const head = signedHead('PUT', '/bucket/k', { 'content-length': '10' });
      const received = await sendAndEnd(`${head}hello`, () => undefined);
      expect(received).toMatch(/^HTTP\/1.1 400 /);
      expect(codeOf(received)).toBe('IncompleteBody');
    });

    it('is closed when it waits for nothing', async () => {
      const socket = connect({ port: gateway.port, host: '127.0.0.1', allowHalfOpen: true });
      const closed = new Promise((resolve) => socket.on('end', resolve));
      socket.on('data', () => socket.end());
      socket.write(signedHead('GET', '/', {}));
      await closed;
    });

    it.each([
      ['a GET', 'GET', 0],
      ['a PUT', 'PUT', 10_000],
      ['a large PUT', 'PUT', 200_000],
    ] as const)(
      'is told from one that is gone, whose work ends: %s',
      async (_what, method, size) => {
        const socket = connect(gateway.port, '127.0.0.1');
        const request = signedHeadOf(method, size)();
        socket.write(request);
        await waitFor(() => waiting.length === 1);
        socket.destroy();
        await waitFor(() => gateway.pipeline.requestsInFlight === 0);
        expect(waiting[0]?.aborted).toBe(true);
      },
    );

    it('is told from one that is gone when its turn comes behind another answer', async () => {
      const socket = connect(gateway.port, '127.0.0.1');
      // What is not read would end the connection by itself.
      socket.resume();
      socket.end(signedHeadOf('GET', 0)().repeat(2));
      await waitFor(() => waiting.length === 2);
      // Its end has been seen by then.
      let turns = 0;
      await waitFor(() => (turns += 1) > 100);
      releases[0]?.();
      await waitFor(() => gateway.pipeline.requestsInFlight === 1);
      socket.destroy();
      await waitFor(() => gateway.pipeline.requestsInFlight === 0);
      expect(waiting[1]?.aborted).toBe(true);
    });

    /** Signals of the requests that wait for `release`. */
    let waiting: AbortSignal[];
    let releases: (() => void)[];
    const release = (): void => {
      for (const releaseOne of releases) releaseOne();
    };

    /** Made when it is sent: a signature is good for one gateway. */
    function signedHeadOf(method: string, sizeBytes: number): () => string {
      const headers: Record<string, string> =
        sizeBytes === 0 ? {} : { 'content-length': String(sizeBytes) };
      return () => signedHead(method, '/bucket?policy', headers) + 'x'.repeat(sizeBytes);
    }

    beforeEach(async () => {
      await gateway.close();
      waiting = [];
      releases = [];
      const wait: Operation['handle'] = async ({ body, signal }) => {
        await body.source.readInto(() => undefined);
        waiting.push(signal);
        await new Promise<void>((resolve, reject) => {
          releases.push(resolve);
          signal.addEventListener('abort', () => reject(signal.reason as Error));
        });
        return { status: 200 };
      };
      gateway = await startTestGateway({
        operations: [
          operation('GetBucketPolicy', 'none', wait),
          operation('PutBucketPolicy', 'stream', wait),
        ],
      });
    });
  });

  it('cuts off headers that never end (slowloris)', async () => {
    const strict = await startTestGateway({ headersTimeoutMs: 50 });
    const received = await sendRaw(strict, 'GET / HTTP/1.1\r\nhost: h\r\nx: ');
    await strict.close();

    expect(codeOf(received)).toBe('RequestTimeout');
  });

  it('cuts off a body that does not come', async () => {
    const strict = await startTestGateway({ minimumProgress: { windowMs: 50, bytes: 100 } });
    const head = signHeaders(
      {
        method: 'PUT',
        target: '/bucket/k',
        headers: { host: strict.host },
        payloadHash: 'UNSIGNED-PAYLOAD',
      },
      signer(),
    );
    const received = await sendRaw(
      strict,
      `PUT /bucket/k HTTP/1.1\r\n${headersOf({ ...head, 'content-length': '1000' })}\r\nhello`,
    );
    await strict.close();

    expect(codeOf(received)).toBe('RequestTimeout');
    expect(strict.store.objects.size).toBe(0);
  });

  it('cuts off a client that does not read its answer (slow read, table row 43)', async () => {
    const clock = new ManualClock(Date.now());
    const slow = await startTestGateway({ clock });
    slow.store.objects.set('bucket/k', Buffer.alloc(64 * 1024 * 1024));
    const signed = signHeaders(
      { method: 'GET', target: '/bucket/k', headers: { host: slow.host }, payloadHash: sha256('') },
      signer(),
    );
    const socket = connect(slow.port, '127.0.0.1').pause();
    socket.write(`GET /bucket/k HTTP/1.1\r\n${headersOf(signed)}\r\n`);
    const closed = new Promise((resolve) => socket.on('close', resolve).on('error', resolve));
    await waitFor(() => slow.pipeline.requestsInFlight === 1);
    while (slow.pipeline.requestsInFlight === 1) {
      clock.advance(1000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    socket.resume();
    await closed;
    await slow.close();

    expect(await slow.registry.metrics()).toContain(
      'azimuth_s3_requests_total{operation="GetObject",status="0"} 1',
    );
    expect(clock.timerCount).toBe(0);
  });

  it('cuts it off sooner when others wait for the memory that it holds', async () => {
    const clock = new ManualClock(Date.now());
    const slowReaders = new SlowReaders(clock);
    const slow = await startTestGateway({ clock, slowReaders });
    slow.store.objects.set('bucket/k', Buffer.alloc(64 * 1024 * 1024));
    const signed = signHeaders(
      { method: 'GET', target: '/bucket/k', headers: { host: slow.host }, payloadHash: sha256('') },
      signer(),
    );
    const socket = connect(slow.port, '127.0.0.1').pause();
    socket.on('error', () => undefined);
    socket.write(`GET /bucket/k HTTP/1.1\r\n${headersOf(signed)}\r\n`);
    await waitFor(() => slow.pipeline.requestsInFlight === 1);
    const startedMs = clock.monotonicMs();
    while (slow.pipeline.requestsInFlight === 1) {
      clock.advance(100);
      slowReaders.cutSlowest();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(clock.monotonicMs() - startedMs).toBeGreaterThanOrEqual(10_000);
    expect(clock.monotonicMs() - startedMs).toBeLessThan(30_000);
    socket.destroy();
    await slow.close();
  });

  it('drains: a kept connection does not hold it back once its request has ended', async () => {
    let release = (): void => undefined;
    const draining = await startTestGateway({
      drainMs: 3_600_000,
      operations: [
        operation('GetBucketPolicy', 'none', async () => {
          await new Promise<void>((resolve) => (release = resolve));
          return { status: 200 };
        }),
      ],
    });
    const target = '/bucket?policy';
    const signed = signHeaders(
      { method: 'GET', target, headers: { host: draining.host }, payloadHash: sha256('') },
      signer(),
    );
    const received = sendRaw(draining, `GET ${target} HTTP/1.1\r\n${headersOf(signed)}\r\n`);
    await waitFor(() => draining.pipeline.requestsInFlight === 1);
    const closed = draining.close();
    release();
    await closed;

    expect(await received).toMatch(/^HTTP\/1.1 200 /);
  });

  it('drains: what is in flight ends or is told to go elsewhere, new connections are refused', async () => {
    let release = (): void => undefined;
    const slow = await startTestGateway({
      drainMs: 20,
      operations: [
        operation('GetBucketPolicy', 'none', async ({ signal }) => {
          await new Promise<void>((resolve, reject) => {
            release = resolve;
            signal.addEventListener('abort', () => reject(signal.reason as Error));
          });
          return { status: 200 };
        }),
      ],
    });
    const signed = signHeaders(
      {
        method: 'GET',
        target: '/bucket?policy',
        headers: { host: slow.host },
        payloadHash: sha256(''),
      },
      signer(),
    );
    const answer = send(slow, { method: 'GET', target: '/bucket?policy', headers: signed });
    await waitFor(() => slow.pipeline.requestsInFlight === 1);
    await slow.close();

    expect((await answer).status).toBe(503);
    await expect(send(slow, { method: 'GET', target: '/', headers: {} })).rejects.toThrow();
    release();
  });

  it('gives the requests of a connection one signal, and every connection its own', async () => {
    const signals: AbortSignal[] = [];
    const shared = await startTestGateway({
      operations: [
        operation('GetBucketPolicy', 'none', ({ signal }) => {
          signals.push(signal);
          return { status: 200 };
        }),
      ],
    });
    const target = '/bucket?policy';
    const headers = signHeaders(
      { method: 'GET', target, headers: { host: shared.host }, payloadHash: sha256('') },
      signer(),
    );
    const text = `GET ${target} HTTP/1.1\r\n${headersOf(headers)}\r\n`;
    const last = `GET ${target} HTTP/1.1\r\n${headersOf({ ...headers, connection: 'close' })}\r\n`;
    await sendRaw(shared, text + last);
    await sendRaw(shared, last);
    await shared.close();

    expect(signals).toHaveLength(3);
    expect(signals[1]).toBe(signals[0]);
    expect(signals[2]).not.toBe(signals[0]);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false, false]);
  });
});

/** Lets the event loop turn until something is so. */
async function waitFor(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
