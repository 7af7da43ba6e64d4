/**
 * Many clients, one key, several gateways: conditional writes have exactly one winner (C-5 to C-8).
 */
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import type { DevCluster } from '@azimuth/testkit';
import { startDevCluster } from '@azimuth/testkit';

import { makeClient } from '../chaos/workload';

const Bucket = 'races';
const CLIENTS = 16;
const INCREMENTS_EACH = 4;

describe('conditional writes raced by 16 clients', () => {
  let cluster: DevCluster;
  let clients: readonly S3Client[];

  beforeAll(async () => {
    cluster = await startDevCluster();
    clients = Array.from({ length: CLIENTS }, () => makeClient(cluster, 2));
    await first().send(new CreateBucketCommand({ Bucket }));
  }, 90_000);

  afterAll(async () => {
    for (const client of clients) client.destroy();
    await cluster.stop();
  }, 30_000);

  function first(): S3Client {
    const [client] = clients;
    if (client === undefined) throw new Error('no client');
    return client;
  }

  it('C-5: of 16 puts with If-None-Match: * one wins, and its bytes are served', async () => {
    for (let round = 0; round < 5; round += 1) {
      const Key = `only-once-${round}`;
      const outcomes = await Promise.all(
        clients.map((client, index) => putIf(client, Key, `client ${index}`, { IfNoneMatch: '*' })),
      );
      expect(outcomes.filter((status) => status === 200)).toHaveLength(1);
      expect(outcomes.filter((status) => status === 412 || status === 409)).toHaveLength(
        CLIENTS - 1,
      );
      const { text } = await read(first(), Key);
      expect(text).toBe(`client ${outcomes.indexOf(200)}`);
    }
  }, 60_000);

  it('C-6: a counter incremented by compare-and-swap ends exact', async () => {
    const Key = 'counter';
    await putIf(first(), Key, '0', {});
    await Promise.all(
      clients.map(async (client) => {
        for (let done = 0; done < INCREMENTS_EACH;) {
          const { text, etag } = await read(client, Key);
          const status = await putIf(client, Key, String(Number(text) + 1), { IfMatch: etag });
          if (status === 200) done += 1;
        }
      }),
    );
    expect((await read(first(), Key)).text).toBe(String(CLIENTS * INCREMENTS_EACH));
  }, 60_000);
});

async function putIf(
  client: S3Client,
  Key: string,
  Body: string,
  condition: { readonly IfMatch?: string; readonly IfNoneMatch?: string },
): Promise<number> {
  try {
    await client.send(new PutObjectCommand({ Bucket, Key, Body, ...condition }));
    return 200;
  } catch (error) {
    const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
    if (status === 412 || status === 409) return status;
    throw error;
  }
}

async function read(client: S3Client, Key: string): Promise<{ text: string; etag: string }> {
  const { Body, ETag = '' } = await client.send(new GetObjectCommand({ Bucket, Key }));
  return { text: (await Body?.transformToString()) ?? '', etag: ETag };
}
