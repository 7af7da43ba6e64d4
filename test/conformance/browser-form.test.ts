/**
 * An upload by an HTML form as a browser sends it, to a real cluster (G-12): files of every way in
 * which a body is stored, with their exact length known at their end only.
 */
import { createHmac, randomBytes } from 'node:crypto';

import { CreateBucketCommand, GetObjectCommand } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import type { DevCluster } from '@azimuth/testkit';
import { startDevCluster } from '@azimuth/testkit';

import { makeClient, sha256 } from '../chaos/workload';

const Bucket = 'forms';
const MIB = 1024 * 1024;

describe('forms of browsers', () => {
  let cluster: DevCluster;
  let client: S3Client;

  beforeAll(async () => {
    cluster = await startDevCluster();
    client = makeClient(cluster, 2);
    await client.send(new CreateBucketCommand({ Bucket }));
  }, 180_000);

  afterAll(async () => {
    client.destroy();
    await cluster.stop();
  }, 120_000);

  const SIZES = [
    0,
    1,
    8192,
    8193,
    131_073,
    MIB,
    MIB + 8193,
    MIB + 20_000,
    3 * MIB + 1,
    40 * MIB + 7,
  ];
  it.each(SIZES)(
    'G-12: a file of %d bytes comes back as it was',
    async (sizeBytes) => {
      const bytes = randomBytes(sizeBytes);
      const form = signedForm(cluster, `up/\${filename}`);
      form.append('file', new Blob([bytes]), `file of ${sizeBytes}`);
      form.append('submit', 'Upload');
      const reply = await fetch(`${cluster.endpoint}/${Bucket}`, { method: 'POST', body: form });
      expect([reply.status, await reply.text()]).toEqual([204, '']);
      const Key = `up/file of ${sizeBytes}`;
      const { Body, ContentType } = await client.send(new GetObjectCommand({ Bucket, Key }));
      expect(ContentType).toBe('image/png');
      expect(sha256(await Body!.transformToByteArray())).toBe(sha256(bytes));
      if (sizeBytes < 100) return;
      const Range = `bytes=${Math.max(sizeBytes - 2 * MIB, 1)}-${sizeBytes - 2}`;
      const part = await client.send(new GetObjectCommand({ Bucket, Key, Range }));
      const expected = bytes.subarray(Math.max(sizeBytes - 2 * MIB, 1), sizeBytes - 1);
      expect(sha256(await part.Body!.transformToByteArray())).toBe(sha256(expected));
    },
    60_000,
  );
});

function signedForm({ accessKey, secretKey, region }: DevCluster, key: string): FormData {
  const timestamp = `${new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
  const date = timestamp.slice(0, 8);
  const fields = {
    key,
    'Content-Type': 'image/png',
    'x-amz-algorithm': 'AWS4-HMAC-SHA256',
    'x-amz-credential': `${accessKey}/${date}/${region}/s3/aws4_request`,
    'x-amz-date': timestamp,
  };
  const document = {
    expiration: new Date(Date.now() + 60_000).toISOString(),
    conditions: [
      { bucket: Bucket },
      ['content-length-range', 0, 64 * MIB],
      ...Object.keys(fields).map((name) => ['starts-with', `$${name}`, '']),
    ],
  };
  const policy = Buffer.from(JSON.stringify(document)).toString('base64');
  const signingKey = [date, region, 's3', 'aws4_request'].reduce<string | Buffer>(
    (secret, text) => createHmac('sha256', secret).update(text).digest(),
    `AWS4${secretKey}`,
  );
  const signature = createHmac('sha256', signingKey).update(policy).digest('hex');
  const form = new FormData();
  const all = { ...fields, policy, 'x-amz-signature': signature };
  for (const [name, value] of Object.entries(all)) form.append(name, value);
  return form;
}
