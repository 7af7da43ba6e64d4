import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';

import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetBucketLocationCommand,
  GetBucketReplicationCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  paginateListObjectsV2,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';

import type { Operation } from '../../src/s3/operation';
import { isRefused, OPERATIONS } from '../../src/s3/operations';
import type { TestGateway } from '../support/test-gateway';
import { ACCESS_KEY, REGION, SECRET_KEY, startTestGateway } from '../support/test-gateway';
import { Harness } from './harness';

const Bucket = 'sdk-bucket';

/** The current AWS SDK with its defaults, over HTTP, against the real operations. */
describe('the AWS SDK', () => {
  let gateway: TestGateway;
  let client: S3Client;

  beforeAll(async () => {
    const harness = await Harness.create(3, REGION);
    const operations = [...OPERATIONS.values()]
      .filter((operation): operation is Operation => !isRefused(operation))
      .map((operation) => ({
        ...operation,
        handle: (...[request]: Parameters<Operation['handle']>) =>
          operation.handle(request, harness.context),
      }));
    gateway = await startTestGateway({ operations });
    client = new S3Client({
      endpoint: gateway.url,
      region: REGION,
      credentials: { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY },
      forcePathStyle: true,
      maxAttempts: 1,
    });
    await client.send(new CreateBucketCommand({ Bucket }));
  });

  afterAll(async () => {
    client.destroy();
    await gateway.close();
  });

  it('finds its bucket', async () => {
    const { Buckets } = await client.send(new ListBucketsCommand({}));
    expect(Buckets?.map(({ Name }) => Name)).toEqual([Bucket]);
    const head = await client.send(new HeadBucketCommand({ Bucket }));
    expect(head.BucketRegion).toBe(REGION);
    const location = await client.send(new GetBucketLocationCommand({ Bucket }));
    expect(location.LocationConstraint).toBe(REGION);
  });

  it('puts and gets with the checksums it adds by default', async () => {
    const Body = randomBytes(100_000);
    const Metadata = { colour: 'blue' };
    const put = await client.send(
      new PutObjectCommand({ Bucket, Key: 'plain', Body, Metadata, ContentType: 'image/png' }),
    );
    expect(put.ChecksumCRC32).toBeDefined();
    const get = await client.send(
      new GetObjectCommand({ Bucket, Key: 'plain', ChecksumMode: 'ENABLED' }),
    );
    expect(get).toMatchObject({ Metadata, ContentType: 'image/png', ETag: put.ETag });
    expect(get.ChecksumCRC32).toBe(put.ChecksumCRC32);
    expect(Buffer.from(await get.Body!.transformToByteArray()).equals(Body)).toBe(true);
    const range = await client.send(
      new GetObjectCommand({ Bucket, Key: 'plain', Range: 'bytes=-10' }),
    );
    expect(Buffer.from(await range.Body!.transformToByteArray()).equals(Body.subarray(-10))).toBe(
      true,
    );
  });

  it.each(['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const)(
    'computes the same %s',
    async (ChecksumAlgorithm) => {
      const Body = randomBytes(70_001);
      const Key = `sum-${ChecksumAlgorithm}`;
      await client.send(new PutObjectCommand({ Bucket, Key, Body, ChecksumAlgorithm }));
      const get = await client.send(new GetObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }));
      // The SDK verifies while it reads.
      expect(Buffer.from(await get.Body!.transformToByteArray()).equals(Body)).toBe(true);
      expect(get[`Checksum${ChecksumAlgorithm}`]).toBeDefined();
    },
  );

  // The SDK sends and returns them, and leaves computing to others.
  it('knows the XXHASH family', async () => {
    const sums = {
      ChecksumXXHASH64: 'RatnNLIeaWg=',
      ChecksumXXHASH3: '1Eex6kDmmIs=',
      ChecksumXXHASH128: '340J6T+HSQCpm4d1zBW2xw==',
    };
    for (const [name, value] of Object.entries(sums)) {
      const put = { Bucket, Key: name, Body: 'hello world', [name]: value };
      expect(await client.send(new PutObjectCommand(put))).toMatchObject({ [name]: value });
      const head = new HeadObjectCommand({ Bucket, Key: name, ChecksumMode: 'ENABLED' });
      expect(await client.send(head)).toMatchObject({ [name]: value });
    }
  });

  it('uploads a stream in parts, and reads it back', async () => {
    const bytes = randomBytes(11 * 1024 ** 2);
    const Body = Readable.from(
      (function* () {
        for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
      })(),
    );
    const upload = new Upload({ client, params: { Bucket, Key: 'stream', Body }, queueSize: 3 });
    const { ETag } = await upload.done();
    expect(ETag).toMatch(/-3"$/);
    const get = await client.send(
      new GetObjectCommand({ Bucket, Key: 'stream', ChecksumMode: 'ENABLED' }),
    );
    expect(Buffer.from(await get.Body!.transformToByteArray()).equals(bytes)).toBe(true);
    const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'stream', PartNumber: 2 }));
    expect(head).toMatchObject({ PartsCount: 3, ContentLength: 5 * 1024 ** 2 });
  });

  it('completes an upload whose parts carry only default checksums', async () => {
    const at = { Bucket, Key: 'by/hand' };
    const { UploadId } = await client.send(new CreateMultipartUploadCommand(at));
    const Body = randomBytes(1000);
    const part = { ...at, UploadId, PartNumber: 1, Body };
    const { ETag } = await client.send(new UploadPartCommand(part));
    const listed = await client.send(new ListPartsCommand({ ...at, UploadId }));
    expect(listed.Parts).toMatchObject([{ PartNumber: 1, ETag, Size: 1000 }]);
    const uploads = await client.send(new ListMultipartUploadsCommand({ Bucket }));
    expect(uploads.Uploads).toMatchObject([{ Key: at.Key, UploadId }]);
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
    await client.send(new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload }));
    const aborted = client.send(new AbortMultipartUploadCommand({ ...at, UploadId }));
    await expect(aborted).rejects.toMatchObject({ name: 'NoSuchUpload' });
  });

  it('lists, copies and deletes keys of every kind', async () => {
    const Prefix = 'odd/';
    const keys = ['a b+c', 'a/../b', 'é\u0301', '\u{1f600}', '<&>"', 'x\ry', '%2F'].map(
      (name) => Prefix + name,
    );
    for (const Key of keys) {
      await client.send(new PutObjectCommand({ Bucket, Key, Body: Key }));
      const CopySource = encodeURI(`${Bucket}/${Key}`).replaceAll('+', '%2B');
      await client.send(new CopyObjectCommand({ Bucket, Key: `copy-of-${Key}`, CopySource }));
      const copy = await client.send(new GetObjectCommand({ Bucket, Key: `copy-of-${Key}` }));
      expect(await copy.Body!.transformToString()).toBe(Key);
    }
    const listed: string[] = [];
    for await (const page of paginateListObjectsV2({ client, pageSize: 2 }, { Bucket, Prefix })) {
      listed.push(...(page.Contents ?? []).map(({ Key }) => Key!));
    }
    expect(new Set(listed)).toEqual(new Set(keys));
    const Objects = keys.map((Key) => ({ Key }));
    const deleted = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
    expect(deleted.Errors).toBeUndefined();
    expect(deleted.Deleted?.map(({ Key }) => Key)).toEqual(keys);
    const rest = await client.send(new ListObjectsV2Command({ Bucket, Prefix }));
    expect(rest.KeyCount).toBe(0);
  });

  it('understands the errors', async () => {
    const missing = client.send(new GetObjectCommand({ Bucket, Key: 'nothing' }));
    await expect(missing).rejects.toMatchObject({ name: 'NoSuchKey' });
    const again = { Bucket, Key: 'once', Body: 'x', IfNoneMatch: '*' };
    await client.send(new PutObjectCommand(again));
    await expect(client.send(new PutObjectCommand(again))).rejects.toMatchObject({
      name: 'PreconditionFailed',
      $metadata: { httpStatusCode: 412 },
    });
    const { ETag } = await client.send(new HeadObjectCommand({ Bucket, Key: 'once' }));
    const unchanged = client.send(new GetObjectCommand({ Bucket, Key: 'once', IfNoneMatch: ETag }));
    await expect(unchanged).rejects.toMatchObject({ $metadata: { httpStatusCode: 304 } });
    await expect(client.send(new GetBucketReplicationCommand({ Bucket }))).rejects.toMatchObject({
      name: 'NotImplemented',
      $metadata: { httpStatusCode: 501 },
    });
  });
});
