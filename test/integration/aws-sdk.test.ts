/**
 * The current AWS SDK v3 with its defaults (checksums included) against real processes: what it
 * stores it reads back identical, at every size where the data path changes its way.
 */
import { randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';

import {
  AbortMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
  CompleteMultipartUploadCommand,
} from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { DevCluster } from '@azimuth/testkit';
import { startDevCluster } from '@azimuth/testkit';

import { makeClient, sha256 } from '../chaos/workload';

const MIB = 1024 * 1024;
const BUCKET = 'sdk-test';

describe('AWS SDK v3', () => {
  let cluster: DevCluster;
  let client: S3Client;

  beforeAll(async () => {
    cluster = await startDevCluster();
    client = makeClient(cluster, 4);
    await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  }, 180_000);

  afterAll(async () => {
    client.destroy();
    await cluster.stop();
  }, 120_000);

  async function get(Key: string, Range?: string): Promise<Buffer> {
    const command = new GetObjectCommand({ Bucket: BUCKET, Key, ...(Range && { Range }) });
    const answer = await client.send(command);
    return Buffer.from((await answer.Body?.transformToByteArray()) ?? []);
  }

  it.each([0, 1, 8_192, 8_193, 131_072, 131_073, MIB - 1, MIB, MIB + 1, 4 * MIB + 3, 20 * MIB + 7])(
    'stores and returns %i bytes identical',
    async (sizeBytes) => {
      const body = randomBytes(sizeBytes);
      const Key = `size/${sizeBytes}`;
      const put = await client.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: body }));
      expect(put.ETag).toMatch(/^"[0-9a-f]{32}"$/);
      const head = await client.send(
        new HeadObjectCommand({ Bucket: BUCKET, Key, ChecksumMode: 'ENABLED' }),
      );
      expect(head.ContentLength).toBe(sizeBytes);
      expect(head.ChecksumCRC32).toBe(put.ChecksumCRC32);
      expect(sha256(await get(Key))).toBe(sha256(body));
    },
  );

  it('serves ranges across block and stripe boundaries', async () => {
    const body = randomBytes(3 * MIB + 1000);
    await client.send(new PutObjectCommand({ Bucket: BUCKET, Key: 'ranges', Body: body }));
    const ranges: [number, number][] = [
      [0, 0],
      [262_143, 262_144],
      [MIB - 1, MIB],
      [100, 2 * MIB + 17],
      [3 * MIB, 3 * MIB + 999],
    ];
    for (const [first, last] of ranges) {
      expect(await get('ranges', `bytes=${first}-${last}`)).toEqual(body.subarray(first, last + 1));
    }
    expect(await get('ranges', 'bytes=-17')).toEqual(body.subarray(-17));
    await expect(get('ranges', 'bytes=9999999-')).rejects.toMatchObject({ name: 'InvalidRange' });
  });

  it('uploads in parts with lib-storage and serves a part (M-4, M-12)', async () => {
    const body = randomBytes(13 * MIB);
    const upload = new Upload({
      client,
      params: { Bucket: BUCKET, Key: 'multipart', Body: body },
      partSize: 5 * MIB,
    });
    const done = await upload.done();
    expect(done.ETag).toMatch(/-3"$/);
    expect(sha256(await get('multipart'))).toBe(sha256(body));
    const part = await client.send(
      new GetObjectCommand({ Bucket: BUCKET, Key: 'multipart', PartNumber: 2 }),
    );
    expect(part.PartsCount).toBe(3);
    const bytes = (await part.Body?.transformToByteArray()) ?? new Uint8Array();
    expect(sha256(bytes)).toBe(sha256(body.subarray(5 * MIB, 10 * MIB)));
  });

  it('copies an object, also as a part with a range (M-10)', async () => {
    const body = randomBytes(6 * MIB);
    await client.send(new PutObjectCommand({ Bucket: BUCKET, Key: 'copy/source', Body: body }));
    const source = `${BUCKET}/copy/source`;
    await client.send(
      new CopyObjectCommand({ Bucket: BUCKET, Key: 'copy/target', CopySource: source }),
    );
    expect(sha256(await get('copy/target'))).toBe(sha256(body));

    const target = { Bucket: BUCKET, Key: 'copy/parts' };
    const { UploadId } = await client.send(new CreateMultipartUploadCommand(target));
    const copied = await client.send(
      new UploadPartCopyCommand({
        ...target,
        UploadId,
        PartNumber: 1,
        CopySource: source,
        CopySourceRange: `bytes=0-${5 * MIB - 1}`,
      }),
    );
    const tail = await client.send(
      new UploadPartCommand({ ...target, UploadId, PartNumber: 2, Body: Buffer.from('tail') }),
    );
    const listed = await client.send(new ListPartsCommand({ ...target, UploadId }));
    expect(listed.Parts?.map((part) => part.Size)).toEqual([5 * MIB, 4]);
    await client.send(
      new CompleteMultipartUploadCommand({
        ...target,
        UploadId,
        MultipartUpload: {
          Parts: [
            { PartNumber: 1, ETag: copied.CopyPartResult?.ETag },
            { PartNumber: 2, ETag: tail.ETag, ChecksumCRC32: tail.ChecksumCRC32 },
          ],
        },
      }),
    );
    const expected = Buffer.concat([body.subarray(0, 5 * MIB), Buffer.from('tail')]);
    expect(sha256(await get('copy/parts'))).toBe(sha256(expected));
  });

  it('lists with prefix, delimiter and pages', async () => {
    const keys = ['a/1', 'a/2', 'b/1', 'c', 'd e+f', 'ü/😀'].map((key) => `list/${key}`);
    for (const Key of keys) {
      await client.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: 'x' }));
    }
    const found: (string | undefined)[] = [];
    let ContinuationToken: string | undefined;
    do {
      const page = await client.send(
        new ListObjectsV2Command({
          Bucket: BUCKET,
          Prefix: 'list/',
          MaxKeys: 2,
          ...(ContinuationToken && { ContinuationToken }),
        }),
      );
      found.push(...(page.Contents ?? []).map((entry) => entry.Key));
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken !== undefined);
    expect(found).toEqual(keys);
    const rolled = await client.send(
      new ListObjectsV2Command({ Bucket: BUCKET, Prefix: 'list/', Delimiter: '/' }),
    );
    expect(rolled.CommonPrefixes?.map((entry) => entry.Prefix)).toEqual([
      'list/a/',
      'list/b/',
      'list/ü/',
    ]);
  });

  it('signs a URL that a plain HTTP client can use (G-9)', async () => {
    const put = new PutObjectCommand({ Bucket: BUCKET, Key: 'presigned' });
    const url = await getSignedUrl(client, put, { expiresIn: 60 });
    expect((await fetch(url, { method: 'PUT', body: 'by url' })).status).toBe(200);
    const read = new GetObjectCommand({ Bucket: BUCKET, Key: 'presigned' });
    const text = await (await fetch(await getSignedUrl(client, read, { expiresIn: 60 }))).text();
    expect(text).toBe('by url');
    const forged = url.replace(/X-Amz-Signature=.{8}/, 'X-Amz-Signature=00000000');
    expect((await fetch(forged, { method: 'PUT', body: 'no' })).status).toBe(403);
  });

  it('aborts an upload and leaves nothing to list', async () => {
    const target = { Bucket: BUCKET, Key: 'aborted' };
    const { UploadId } = await client.send(new CreateMultipartUploadCommand(target));
    await client.send(new UploadPartCommand({ ...target, UploadId, PartNumber: 1, Body: 'x' }));
    await client.send(new AbortMultipartUploadCommand({ ...target, UploadId }));
    const left = await client.send(new ListMultipartUploadsCommand({ Bucket: BUCKET }));
    expect(left.Uploads ?? []).toEqual([]);
    await expect(get('aborted')).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  it('lets one of sixteen conditional writes win (C-5)', async () => {
    const attempts = Array.from({ length: 16 }, (_, index) =>
      client
        .send(
          new PutObjectCommand({
            Bucket: BUCKET,
            Key: 'race',
            Body: `writer ${index}`,
            IfNoneMatch: '*',
          }),
        )
        .then(
          () => 'won',
          (error: unknown) => (error as Error).name,
        ),
    );
    const outcomes = await Promise.all(attempts);
    expect(outcomes.filter((outcome) => outcome === 'won')).toHaveLength(1);
    expect(new Set(outcomes)).toEqual(new Set(['won', 'PreconditionFailed']));
  });

  it('reads its own writes through every gateway (K-8)', async () => {
    const gateways = cluster.gateways.map((gateway) =>
      makeClient({ ...cluster, endpoint: gateway.url }, 1),
    );
    for (let turn = 0; turn < 30; turn += 1) {
      const writer = gateways[turn % gateways.length]!;
      const reader = gateways[(turn + 1) % gateways.length]!;
      const Key = `across/${turn}`;
      await writer.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: Key }));
      const answer = await reader.send(new GetObjectCommand({ Bucket: BUCKET, Key }));
      expect(await answer.Body?.transformToString()).toBe(Key);
      const page = await reader.send(
        new ListObjectsV2Command({ Bucket: BUCKET, Prefix: 'across/' }),
      );
      expect(page.KeyCount).toBe(turn + 1);
    }
    for (const gateway of gateways) gateway.destroy();
  });

  it('answers what it does not do with 501 NotImplemented', async () => {
    await expect(
      client.send(new GetBucketLifecycleConfigurationCommand({ Bucket: BUCKET })),
    ).rejects.toMatchObject({ name: 'NotImplemented', $metadata: { httpStatusCode: 501 } });
  });

  it('keeps a key like a/../b exactly as it is (G-7)', async () => {
    for (const Key of ['a/../b', 'a//b', 'a/./b', '%2e%2e/x', '../../etc/passwd', 'b\\..\\c']) {
      const body = `at ${Key}`;
      await client.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: body }));
      expect((await get(Key)).toString()).toBe(body);
    }
    await expect(get('b')).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  it('refuses a truncated body and stores nothing', async () => {
    const url = await getSignedUrl(
      client,
      new PutObjectCommand({ Bucket: BUCKET, Key: 'truncated' }),
    );
    await new Promise<void>((resolve) => {
      const request = httpRequest(url, { method: 'PUT', headers: { 'content-length': '1000000' } });
      request.on('error', () => resolve());
      request.on('response', () => resolve());
      request.write(Buffer.alloc(500_000), () => request.destroy());
    });
    await expect(get('truncated')).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  it('makes, finds and removes buckets', async () => {
    await client.send(new CreateBucketCommand({ Bucket: 'short-lived' }));
    await client.send(new HeadBucketCommand({ Bucket: 'short-lived' }));
    const location = await client.send(new GetBucketLocationCommand({ Bucket: 'short-lived' }));
    expect(location.LocationConstraint ?? 'us-east-1').toBe('us-east-1');
    await client.send(
      new PutObjectCommand({ Bucket: 'short-lived', Key: 'in the way', Body: 'x' }),
    );
    await expect(
      client.send(new DeleteBucketCommand({ Bucket: 'short-lived' })),
    ).rejects.toMatchObject({ name: 'BucketNotEmpty' });
    const deleted = await client.send(
      new DeleteObjectsCommand({
        Bucket: 'short-lived',
        Delete: { Objects: [{ Key: 'in the way' }, { Key: 'never there' }] },
      }),
    );
    expect(deleted.Deleted).toHaveLength(2);
    await client.send(new DeleteBucketCommand({ Bucket: 'short-lived' }));
    const { Buckets } = await client.send(new ListBucketsCommand({}));
    expect(Buckets?.map((bucket) => bucket.Name)).toEqual([BUCKET]);
  });
});
