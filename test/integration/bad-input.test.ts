/**
 * Bad input on the wire, against real gateways: the exact S3 error, nothing stored, nothing listed,
 * no shard left behind, and the gateway lives on within its memory.
 */
import { createHash, randomBytes } from 'node:crypto';

import { CreateBucketCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import type { DevCluster } from '@azimuth/testkit';
import { startDevCluster } from '@azimuth/testkit';

import { eventually } from '../chaos/eventually';
import { makeClient } from '../chaos/workload';
import type { RawAnswer, Target } from './raw-request';
import { exchange, exchangeAndEnd, send, signedChunks, signHead } from './raw-request';

const BUCKET = 'bad-input';
const OTHER_BUCKET = 'bad-input-canary';
const KIB = 1024;
const MEMORY_BYTES_MAX = 512 * KIB * KIB;
const ORPHANS_MAX = 12;
/** Large enough to be on disks before the fault is seen. */
const BODY = randomBytes(3_000 * KIB);

const md5 = (data: Buffer | string): string => createHash('md5').update(data).digest('base64');

interface BadRequest {
  readonly name: string;
  readonly status: number;
  readonly code: string;
  readonly send: (target: Target) => Promise<RawAnswer>;
}

const put = (key: string, headers: Record<string, string> = {}, body: Buffer = BODY) =>
  ({ method: 'PUT', path: `/${BUCKET}/bad/${key}`, headers, body }) as const;

/** A body in signed chunks, spoiled on the way. */
async function sendChunks(
  target: Target,
  key: string,
  spoil: (body: Buffer) => Buffer,
): Promise<RawAnswer> {
  const chunks = [BODY.subarray(0, 64 * KIB), BODY.subarray(64 * KIB, 300 * KIB)];
  // Signatures have a fixed length, so the length of the body does not depend on the head.
  const template = signedChunks(signHead(target, put(key)), chunks);
  const signed = signHead(target, {
    ...put(key),
    payloadHash: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
    headers: {
      'content-encoding': 'aws-chunked',
      'content-length': `${spoil(template).length}`,
      'x-amz-decoded-content-length': `${300 * KIB}`,
    },
  });
  return exchange(target, signed.head, spoil(signedChunks(signed, chunks)));
}

function flipAt(body: Buffer, at: number): Buffer {
  const copy = Buffer.from(body);
  copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
  return copy;
}

const CASES: readonly BadRequest[] = [
  {
    name: 'a wrong signature',
    status: 403,
    code: 'SignatureDoesNotMatch',
    send: (target) => send({ ...target, secretKey: `${target.secretKey}x` }, put('signature')),
  },
  {
    name: 'an unknown key',
    status: 403,
    code: 'InvalidAccessKeyId',
    send: (target) => send({ ...target, accessKey: 'AZNOBODYKNOWSTHISKEY' }, put('unknown')),
  },
  {
    name: 'no signature',
    status: 403,
    code: 'AccessDenied',
    send: (target) =>
      exchange(
        target,
        `PUT /${BUCKET}/bad/anonymous HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n` +
          'connection: close\r\n\r\nx',
      ),
  },
  {
    name: 'a truncated body',
    status: 400,
    code: 'IncompleteBody',
    send: (target) =>
      exchangeAndEnd(
        target,
        signHead(target, put('truncated')).head,
        BODY.subarray(0, 2_000 * KIB),
      ),
  },
  {
    name: 'a body that is not the signed one',
    status: 400,
    code: 'XAmzContentSHA256Mismatch',
    send: (target) => exchange(target, signHead(target, put('hash')).head, flipAt(BODY, 70_000)),
  },
  {
    name: 'a wrong Content-MD5',
    status: 400,
    code: 'BadDigest',
    send: (target) => send(target, put('md5', { 'content-md5': md5('something else') })),
  },
  {
    name: 'a wrong checksum in a header',
    status: 400,
    code: 'BadDigest',
    send: (target) => send(target, put('crc-header', { 'x-amz-checksum-crc32': 'AAAAAA==' })),
  },
  {
    name: 'a wrong checksum in a trailer',
    status: 400,
    code: 'BadDigest',
    send: (target) => {
      const trailer = 'x-amz-checksum-crc32:AAAAAA==\r\n\r\n';
      const size = BODY.length.toString(16);
      const body = Buffer.concat([
        Buffer.from(`${size}\r\n`),
        BODY,
        Buffer.from(`\r\n0\r\n${trailer}`),
      ]);
      const headers = {
        'content-encoding': 'aws-chunked',
        'x-amz-decoded-content-length': `${BODY.length}`,
        'x-amz-trailer': 'x-amz-checksum-crc32',
      };
      const payloadHash = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';
      return send(target, { ...put('crc-trailer', headers, body), payloadHash });
    },
  },
  {
    name: 'a chunk that was changed after it was signed',
    status: 403,
    code: 'SignatureDoesNotMatch',
    send: (target) => sendChunks(target, 'chunk', (body) => flipAt(body, 100 * KIB)),
  },
  {
    name: 'a last chunk with another signature',
    status: 403,
    code: 'SignatureDoesNotMatch',
    send: (target) => {
      // The last characters are the signature (`\r\n\r\n` behind it); another hex digit for one.
      return sendChunks(target, 'last-chunk', (body) => {
        const copy = Buffer.from(body);
        const at = copy.length - 5;
        copy.write(copy.toString('latin1', at, at + 1) === '0' ? '1' : '0', at, 'latin1');
        return copy;
      });
    },
  },
  {
    name: 'a last chunk that never comes',
    status: 400,
    code: 'IncompleteBody',
    send: (target) => {
      const lastChunkBytes = `0;chunk-signature=${'0'.repeat(64)}\r\n\r\n`.length;
      return sendChunks(target, 'no-last', (body) => body.subarray(0, -lastChunkBytes));
    },
  },
  ...[10, 40].map((sizeKib) => ({
    name: `${sizeKib} KiB of headers`,
    status: 400,
    code: 'RequestHeaderSectionTooLarge',
    send: (target: Target) => {
      const headers = { 'x-amz-meta-big': 'x'.repeat(sizeKib * KIB) };
      return send(target, put('headers', headers, Buffer.alloc(10)));
    },
  })),
  {
    name: 'a header that only nodes may set',
    status: 400,
    code: 'InvalidArgument',
    send: (target) => send(target, put('internal', { 'x-azimuth-zone': 'a' })),
  },
  {
    name: 'an XML bomb',
    status: 400,
    code: 'MalformedXML',
    send: (target) => {
      const entities = Array.from(
        { length: 20 },
        (_, index) => `<!ENTITY e${index + 1} "${`&e${index};`.repeat(10)}">`,
      );
      return sendDelete(
        target,
        `<?xml version="1.0"?><!DOCTYPE Delete [<!ENTITY e0 "boom">${entities.join('')}]>` +
          '<Delete><Object><Key>&e20;</Key></Object></Delete>',
      );
    },
  },
  {
    name: 'XML nested without an end',
    status: 400,
    code: 'MalformedXML',
    send: (target) => sendDelete(target, '<Delete>'.repeat(50_000)),
  },
  {
    name: 'a document of 5 MiB',
    status: 400,
    code: 'MaxMessageLengthExceeded',
    send: (target) => sendDelete(target, `<Delete>${' '.repeat(5 * KIB * KIB)}</Delete>`),
  },
  {
    name: 'an invalid bucket name',
    status: 400,
    code: 'InvalidBucketName',
    send: (target) => send(target, { method: 'PUT', path: '/Bad_Bucket' }),
  },
  {
    name: 'a bucket named ..',
    status: 400,
    code: 'InvalidBucketName',
    send: (target) => send(target, { method: 'PUT', path: '/../etc' }),
  },
  {
    name: 'a key of 1025 bytes',
    status: 400,
    code: 'KeyTooLongError',
    send: (target) => send(target, put('k'.repeat(1_021))),
  },
  {
    name: 'two lengths',
    status: 400,
    code: 'BadRequest',
    send: (target) =>
      exchange(
        target,
        `PUT /${BUCKET}/bad/smuggled HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n` +
          'transfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      ),
  },
  {
    name: 'what is not HTTP',
    status: 400,
    code: 'BadRequest',
    send: (target) => exchange(target, Buffer.from('\u0016\u0003\u0001 hello\r\n\r\n')),
  },
];

function sendDelete(target: Target, document: string): Promise<RawAnswer> {
  const body = Buffer.from(document);
  return send(target, {
    method: 'POST',
    path: `/${BUCKET}`,
    query: 'delete=',
    headers: { 'content-md5': md5(body) },
    body,
  });
}

describe('bad input', () => {
  let cluster: DevCluster;
  let client: S3Client;
  let gateway: Target;

  beforeAll(async () => {
    cluster = await startDevCluster();
    client = makeClient(cluster, 4);
    // One gateway gets all of it.
    gateway = { ...cluster, endpoint: cluster.gateways[0]?.url ?? '' };
    for (const Bucket of [BUCKET, OTHER_BUCKET]) {
      await client.send(new CreateBucketCommand({ Bucket }));
    }
    const canary = { Bucket: OTHER_BUCKET, Key: 'canary', Body: 'untouched' };
    await client.send(new PutObjectCommand(canary));
  }, 180_000);

  afterAll(async () => {
    client.destroy();
    await cluster.stop();
  }, 120_000);

  async function listKeys(Bucket: string): Promise<(string | undefined)[]> {
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket }));
    return Contents.map(({ Key }) => Key);
  }

  it.each(CASES)('refuses $name as $code', async ({ status, code, send: sendBad }) => {
    expect(await sendBad(gateway)).toEqual({ status, code });
  });

  it('has stored nothing of it', async () => {
    expect(await listKeys(BUCKET)).toEqual([]);
    await eventually('refused bodies are discarded', 30_000, async () => {
      const { storage } = await cluster.status();
      const counts = storage.flatMap(({ disks }) => disks.map(({ shardCount }) => shardCount));
      const shards = counts.reduce<number>((sum, count) => sum + (count ?? Number.NaN), 0);
      // Six bodies were on disks. A shard that was sent whole can become durable after its deletion;
      // such orphans are for the collector.
      return shards <= ORPHANS_MAX;
    });
  }, 120_000);

  it('takes a path like a/../b as a key, and leaves its bucket by none (G-7)', async () => {
    const body = Buffer.from('inside');
    for (const key of ['a/../b', `../${OTHER_BUCKET}/canary`]) {
      const path = `/${BUCKET}/${key}`;
      expect((await send(gateway, { method: 'PUT', path, body })).status).toBe(200);
    }
    expect(await listKeys(BUCKET)).toEqual([`../${OTHER_BUCKET}/canary`, 'a/../b']);
    expect(await listKeys(OTHER_BUCKET)).toEqual(['canary']);
    const outside = { method: 'GET', path: `/${BUCKET}/b` };
    expect(await send(gateway, outside)).toEqual({ status: 404, code: 'NoSuchKey' });
  });

  it('is alive after all of it, in the same process, within its memory', async () => {
    const running = cluster.processes().find(({ node }) => node === 'a-gateway-1');
    const metrics = await (await fetch(`${running?.admin ?? ''}/metrics`)).text();
    const residentBytes = Number(/^process_resident_memory_bytes (\S+)/m.exec(metrics)?.[1]);
    expect(residentBytes).toBeLessThan(MEMORY_BYTES_MAX);
    expect((await fetch(`${running?.admin ?? ''}/livez`)).status).toBe(200);
    const good = { method: 'GET', path: `/${OTHER_BUCKET}/canary` };
    expect((await send(gateway, good)).status).toBe(200);
  });
});
