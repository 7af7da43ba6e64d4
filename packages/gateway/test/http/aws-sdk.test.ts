import { request } from 'node:http';
import { Readable } from 'node:stream';

import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import type { S3ClientConfig } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import * as fc from 'fast-check';

import type { TestGateway } from '../support/test-gateway';
import { ACCESS_KEY, REGION, SECRET_KEY, startTestGateway } from '../support/test-gateway';

let gateway: TestGateway;
const clients: S3Client[] = [];

beforeEach(async () => {
  gateway = await startTestGateway();
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await gateway.close();
});

function clientOf(config: S3ClientConfig = {}): S3Client {
  const client = new S3Client({
    region: REGION,
    endpoint: gateway.url,
    forcePathStyle: true,
    credentials: { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY },
    maxAttempts: 1,
    ...config,
  });
  clients.push(client);
  return client;
}

/** Keys in which a normalising parser, a second decoding or another alphabet would show. */
const KEYS = [
  'a/../b',
  '../../etc/passwd',
  './.',
  'a//b',
  '/leading',
  '//',
  'trailing/',
  '%2e%2e',
  '%',
  'a b+c',
  'back\\slash\\..\\x',
  'nul\0byte',
  'tab\tline\nend',
  '"quotes" & <angles>',
  "(it's)!*",
  'é ü ñ',
  'e\u0301',
  '日本語/キー',
  '🚀/🪐',
  '?query=x&y#z',
  '__proto__',
  'k'.repeat(1024),
];

describe('the AWS SDK', () => {
  it.each(KEYS)('puts, heads, gets and deletes %j', async (Key) => {
    const client = clientOf();
    const Body = `bytes of ${Key}`;
    await client.send(new PutObjectCommand({ Bucket: 'bucket', Key, Body }));
    expect([...gateway.store.objects.keys()]).toEqual([`bucket/${Key}`]);

    const head = await client.send(new HeadObjectCommand({ Bucket: 'bucket', Key }));
    const get = await client.send(new GetObjectCommand({ Bucket: 'bucket', Key }));
    expect(head.ContentLength).toBe(Buffer.byteLength(Body));
    expect(await get.Body?.transformToString()).toBe(Body);

    await client.send(new DeleteObjectCommand({ Bucket: 'bucket', Key }));
    expect(gateway.store.objects.size).toBe(0);
  });

  it('presigns what any key and header needs', async () => {
    const client = clientOf();
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }),
        fc.string({ maxLength: 20 }),
        async (Key, type) => {
          gateway.store.objects.set(`bucket/${Key}`, Buffer.from('presigned'));
          const url = await getSignedUrl(
            client,
            new GetObjectCommand({
              Bucket: 'bucket',
              Key,
              ResponseContentType: `text/plain ${type}`,
            }),
            { expiresIn: 60 },
          );
          expect(await fetchRaw(url)).toEqual({ status: 200, body: 'presigned' });
          expect((await fetchRaw(url.replace(/.$/, 'g'))).status).toBe(403);
        },
      ),
      { numRuns: 100 },
    );
  });

  it.each([
    ['a checksum in a header', {}],
    ['no checksum', { requestChecksumCalculation: 'WHEN_REQUIRED' as const }],
  ])('sends a buffer with %s', async (_name, config) => {
    const Body = Buffer.alloc(200_000, 'b');
    await clientOf(config).send(new PutObjectCommand({ Bucket: 'bucket', Key: 'k', Body }));

    expect(gateway.store.objects.get('bucket/k')?.equals(Body)).toBe(true);
  });

  it.each(['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const)(
    'sends a stream with a %s trailer',
    async (ChecksumAlgorithm) => {
      const bytes = Buffer.alloc(300_000, 's');
      const Body = Readable.from([bytes.subarray(0, 100), bytes.subarray(100)]);
      await clientOf().send(
        new PutObjectCommand({
          Bucket: 'bucket',
          Key: 'k',
          Body,
          ContentLength: bytes.length,
          ChecksumAlgorithm,
        }),
      );

      expect(gateway.store.objects.get('bucket/k')?.equals(bytes)).toBe(true);
    },
  );

  it('addresses buckets as subdomains', async () => {
    const client = clientOf({
      forcePathStyle: false,
      endpoint: gateway.url.replace('127.0.0.1', 'localhost'),
    });
    const url = await getSignedUrl(
      client,
      new PutObjectCommand({ Bucket: 'sub.domain', Key: 'a/b' }),
    );
    expect(new URL(url).hostname).toBe('sub.domain.localhost');

    const answer = await fetchRaw(url, 'PUT');

    expect(answer.status).toBe(200);
    expect([...gateway.store.objects.keys()]).toEqual(['sub.domain/a/b']);
  });

  it('reads our errors', async () => {
    const wrong = clientOf({ credentials: { accessKeyId: ACCESS_KEY, secretAccessKey: 'x' } });
    const missing = clientOf().send(new GetObjectCommand({ Bucket: 'bucket', Key: 'none' }));
    const late = clientOf({ systemClockOffset: -16 * 60_000 });

    await expect(wrong.send(new ListBucketsCommand({}))).rejects.toMatchObject({
      name: 'SignatureDoesNotMatch',
      $metadata: { httpStatusCode: 403 },
    });
    await expect(missing).rejects.toMatchObject({ name: 'NoSuchKey' });
    await expect(late.send(new ListBucketsCommand({}))).rejects.toMatchObject({
      name: 'RequestTimeTooSkewed',
    });
  });
});

/** Sends the URL as it is: `fetch` would normalise the path. */
function fetchRaw(url: string, method = 'GET'): Promise<{ status: number; body: string }> {
  const [, host = '', target = ''] = /^http:\/\/([^/]+)(.*)$/s.exec(url) ?? [];
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port: gateway.port,
        path: target,
        method,
        headers: { host, ...(method === 'PUT' ? { 'content-length': '0' } : {}) },
        agent: false,
      },
      (incoming) => {
        let body = '';
        incoming.on('data', (chunk: Buffer) => (body += chunk.toString()));
        incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, body }));
      },
    );
    outgoing.on('error', reject);
    outgoing.end();
  });
}
