import {
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  DeleteObjectTaggingCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  S3Client,
} from '@aws-sdk/client-s3';

import { deriveSigningKey, formatTimestamp, sign } from '../../src/auth/sigv4';
import type { Operation } from '../../src/s3/operation';
import { isRefused, OPERATIONS } from '../../src/s3/operations';
import type { TestGateway } from '../support/test-gateway';
import { ACCESS_KEY, REGION, SECRET_KEY, startTestGateway } from '../support/test-gateway';
import { Harness } from './harness';

const Bucket = 'sdk-objects';
const Key = 'a key/é';

/** The AWS SDK and a browser's form, over HTTP, against the real operations. */
describe('clients over HTTP', () => {
  let gateway: TestGateway;
  let client: S3Client;
  let harness: Harness;

  beforeAll(async () => {
    harness = await Harness.create(3, REGION);
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
    const VersioningConfiguration = { Status: 'Enabled' } as const;
    await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
  });

  afterAll(async () => {
    client.destroy();
    await gateway.close();
  });

  it('V-4 to V-14: the SDK lists, reads and deletes versions', async () => {
    const first = await client.send(new PutObjectCommand({ Bucket, Key, Body: 'one' }));
    const second = await client.send(new PutObjectCommand({ Bucket, Key, Body: 'two' }));
    const marker = await client.send(new DeleteObjectCommand({ Bucket, Key }));
    expect(marker.DeleteMarker).toBe(true);
    const listed = await client.send(new ListObjectVersionsCommand({ Bucket }));
    expect(listed.Versions?.map((one) => [one.Key, one.VersionId, one.IsLatest])).toEqual([
      [Key, second.VersionId, false],
      [Key, first.VersionId, false],
    ]);
    expect(listed.DeleteMarkers?.map((one) => [one.Key, one.VersionId, one.IsLatest])).toEqual([
      [Key, marker.VersionId, true],
    ]);
    await expect(client.send(new GetObjectCommand({ Bucket, Key }))).rejects.toMatchObject({
      name: 'NoSuchKey',
    });
    const VersionId = first.VersionId;
    const old = await client.send(new GetObjectCommand({ Bucket, Key, VersionId }));
    expect(await old.Body!.transformToString()).toBe('one');
    const Objects = [
      { Key, VersionId: marker.VersionId },
      { Key, VersionId: first.VersionId },
    ];
    const deleted = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
    expect(deleted.Errors).toBeUndefined();
    expect(deleted.Deleted).toHaveLength(2);
    const current = await client.send(new GetObjectCommand({ Bucket, Key }));
    expect(await current.Body!.transformToString()).toBe('two');
  });

  it('Q-4, KC-8: the SDK reads tags and attributes', async () => {
    const object = { Bucket, Key: 'tagged' };
    const Tagging = 'colour=blue&size=a%20b';
    await client.send(new PutObjectCommand({ ...object, Body: 'x', Tagging }));
    const first = await client.send(new GetObjectTaggingCommand(object));
    expect(first.TagSet).toEqual([
      { Key: 'colour', Value: 'blue' },
      { Key: 'size', Value: 'a b' },
    ]);
    const TagSet = [{ Key: 'only', Value: '' }];
    await client.send(new PutObjectTaggingCommand({ ...object, Tagging: { TagSet } }));
    const get = await client.send(new GetObjectCommand(object));
    expect(get.TagCount).toBe(1);
    await get.Body!.transformToString();
    await client.send(new DeleteObjectTaggingCommand(object));
    const last = await client.send(new GetObjectTaggingCommand(object));
    expect(last.TagSet).toEqual([]);
    const attributes = await client.send(
      new GetObjectAttributesCommand({
        ...object,
        ObjectAttributes: ['ETag', 'Checksum', 'ObjectSize', 'StorageClass', 'ObjectParts'],
      }),
    );
    expect(attributes).toMatchObject({
      ETag: '9dd4e461268c8034f5c8564e155c67a6',
      Checksum: { ChecksumCRC32: 'jNwWgw==', ChecksumType: 'FULL_OBJECT' },
      ObjectSize: 1,
      StorageClass: 'STANDARD',
    });
    expect(attributes.LastModified).toBeInstanceOf(Date);
  });

  it('G-10: a file name beyond ASCII is an answer, not an internal error', async () => {
    await client.send(new PutObjectCommand({ Bucket, Key: 'named', Body: 'x' }));
    const ResponseContentDisposition = 'attachment; filename="é.txt"';
    const input = { Bucket, Key: 'named', ResponseContentDisposition };
    for (const { ContentDisposition } of [
      await client.send(new GetObjectCommand(input)),
      await client.send(new HeadObjectCommand(input)),
    ]) {
      expect(ContentDisposition).toBe(ResponseContentDisposition);
    }
  });

  it('G-2: metadata that Node sends as one byte a character was signed as UTF-8', async () => {
    const Metadata = { name: 'é ü' };
    // Node joins a text with its headers and sends both as UTF-8; not so bytes.
    const Body = Buffer.from('x');
    await client.send(new PutObjectCommand({ Bucket, Key: 'latin', Body, Metadata }));
    const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'latin' }));
    expect(head.Metadata).toEqual(Metadata);
  });

  it('G-12: a browser posts a signed form', async () => {
    const form = signedForm();
    form.append('file', new Blob([Buffer.alloc(2_000_000, 'x')]), 'picture.png');
    form.append('submit', 'Upload');
    const reply = await fetch(`${gateway.url}/${Bucket}`, { method: 'POST', body: form });
    expect(reply.status).toBe(201);
    expect(await reply.text()).toContain('<Key>up/picture.png</Key>');
    const get = await client.send(new GetObjectCommand({ Bucket, Key: 'up/picture.png' }));
    expect((await get.Body!.transformToByteArray()).byteLength).toBe(2_000_000);
    expect(get.ContentType).toBe('image/png');
  });

  it('advisory 15: an anonymous form is refused where nothing allows it, and the connection lives', async () => {
    const form = new FormData();
    form.append('key', 'anonymous');
    form.append('file', new Blob([Buffer.alloc(300_000, 'x')]), 'a');
    const reply = await fetch(`${gateway.url}/${Bucket}`, { method: 'POST', body: form });
    expect(reply.status).toBe(403);
    expect(await reply.text()).toContain('<Code>AccessDenied</Code>');
    const wrong = signedForm({ 'x-amz-signature': '0'.repeat(64) });
    wrong.append('file', new Blob(['x']), 'a');
    const refused = await fetch(`${gateway.url}/${Bucket}`, { method: 'POST', body: wrong });
    expect(await refused.text()).toContain('<Code>SignatureDoesNotMatch</Code>');
    await expect(
      client.send(new GetObjectCommand({ Bucket, Key: 'anonymous' })),
    ).rejects.toMatchObject({ name: 'NoSuchKey' });
  });
});

function signedForm(replaced: Readonly<Record<string, string>> = {}): FormData {
  const timestamp = formatTimestamp(Date.now());
  const date = timestamp.slice(0, 8);
  const scope = {
    accessKeyId: ACCESS_KEY,
    date,
    region: REGION,
    service: 's3',
    terminal: 'aws4_request',
  };
  const fields = {
    key: 'up/${filename}',
    'Content-Type': 'image/png',
    success_action_status: '201',
    'x-amz-algorithm': 'AWS4-HMAC-SHA256',
    'x-amz-credential': `${ACCESS_KEY}/${date}/${REGION}/s3/aws4_request`,
    'x-amz-date': timestamp,
  };
  const document = {
    expiration: new Date(Date.now() + 60_000).toISOString(),
    conditions: [
      { bucket: Bucket },
      ['content-length-range', 1, 3_000_000],
      ...Object.keys(fields).map((name) => ['starts-with', `$${name}`, '']),
    ],
  };
  const policy = Buffer.from(JSON.stringify(document)).toString('base64');
  const signature = sign(deriveSigningKey(SECRET_KEY, scope), policy);
  const form = new FormData();
  const all = { ...fields, policy, 'x-amz-signature': signature, ...replaced };
  for (const [name, value] of Object.entries(all)) form.append(name, value);
  return form;
}
