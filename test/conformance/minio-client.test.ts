/** MinIO's JavaScript client as its users use it. */
import { createHash, randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';

import type { DevCluster } from '@azimuth/testkit';
import { startDevCluster } from '@azimuth/testkit';
import { Client, CopyConditions } from 'minio';

const BUCKET = 'minio-js';
const MIB = 1024 * 1024;

describe('the MinIO client', () => {
  let cluster: DevCluster;
  let client: Client;

  beforeAll(async () => {
    cluster = await startDevCluster();
    const { hostname, port } = new URL(cluster.endpoint);
    client = new Client({
      endPoint: hostname,
      port: Number(port),
      useSSL: false,
      accessKey: cluster.accessKey,
      secretKey: cluster.secretKey,
      region: 'us-east-1',
      partSize: 5 * MIB,
    });
    await client.makeBucket(BUCKET, 'us-east-1');
  }, 180_000);

  afterAll(async () => {
    await cluster.stop();
  }, 120_000);

  it.each([0, 1, 100_000, 12 * MIB + 5])('puts, stats and gets %i bytes', async (sizeBytes) => {
    const body = randomBytes(sizeBytes);
    const key = `dir/ü ${sizeBytes}`;
    await client.putObject(BUCKET, key, body, sizeBytes, { 'X-Amz-Meta-Colour': 'blue' });
    const stat = await client.statObject(BUCKET, key);
    expect(stat.size).toBe(sizeBytes);
    expect(stat.metaData).toMatchObject({ colour: 'blue' });
    const back = await buffer(await client.getObject(BUCKET, key));
    expect(sha256(back)).toBe(sha256(body));
  });

  it('lists with and without recursion, copies, presigns and removes', async () => {
    await client.copyObject(BUCKET, 'copy', `/${BUCKET}/dir/ü 1`, new CopyConditions());
    expect(await names(client.listObjectsV2(BUCKET, '', false))).toEqual(['copy', 'dir/']);
    const all = await names(client.listObjectsV2(BUCKET, '', true));
    expect(all).toHaveLength(5);

    const url = await client.presignedGetObject(BUCKET, 'copy', 60);
    expect((await fetch(url)).status).toBe(200);
    const upload = await client.presignedPutObject(BUCKET, 'presigned', 60);
    expect((await fetch(upload, { method: 'PUT', body: 'text' })).status).toBe(200);

    await client.removeObjects(BUCKET, [...all, 'presigned']);
    expect(await names(client.listObjectsV2(BUCKET, '', true))).toEqual([]);
  });
});

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function names(stream: AsyncIterable<{ name?: string; prefix?: string }>): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, prefix } of stream) found.push(name ?? prefix ?? '');
  return found;
}
