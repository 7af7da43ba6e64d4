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
const ROUNDS = 5;
const TRIES_MAX = 20;
/** No answer, or 5xx: nobody knows whether the write took place, so it is not sent again. */
const UNKNOWN = 0;

describe('conditional writes raced by 16 clients', () => {
  let cluster: DevCluster;
  let clients: readonly S3Client[];
  let patient: S3Client;

  beforeAll(async () => {
    cluster = await startDevCluster();
    clients = Array.from({ length: CLIENTS }, () => makeClient(cluster));
    patient = makeClient(cluster, 6);
    await patient.send(new CreateBucketCommand({ Bucket }));
  }, 180_000);

  afterAll(async () => {
    for (const client of [...clients, patient]) client.destroy();
    await cluster.stop();
  }, 120_000);

  it('C-5: of 16 puts with If-None-Match: * one wins, and its bytes are served', async () => {
    for (let round = 0, tries = 0; round < ROUNDS; tries += 1) {
      expect(tries).toBeLessThan(TRIES_MAX);
      const Key = `only-once-${tries}`;
      const outcomes = await Promise.all(
        clients.map((client, index) => putIf(client, Key, `client ${index}`, { IfNoneMatch: '*' })),
      );
      if (outcomes.includes(UNKNOWN)) continue;
      round += 1;
      expect(outcomes.filter((status) => status === 200)).toHaveLength(1);
      expect(outcomes.filter((status) => status === 412 || status === 409)).toHaveLength(
        CLIENTS - 1,
      );
      const { text } = await read(patient, Key);
      expect(text).toBe(`client ${outcomes.indexOf(200)}`);
    }
  }, 120_000);

  it('C-6: a counter incremented by compare-and-swap ends exact', async () => {
    const Key = 'counter';
    await putIf(patient, Key, '0', {});
    let unknown = 0;
    await Promise.all(
      clients.map(async (client) => {
        for (let done = 0; done < INCREMENTS_EACH;) {
          const { text, etag } = await read(patient, Key);
          const status = await putIf(client, Key, String(Number(text) + 1), { IfMatch: etag });
          if (status === 200) done += 1;
          if (status === UNKNOWN) unknown += 1;
        }
      }),
    );
    const counted = Number((await read(patient, Key)).text);
    expect(counted).toBeGreaterThanOrEqual(CLIENTS * INCREMENTS_EACH);
    expect(counted).toBeLessThanOrEqual(CLIENTS * INCREMENTS_EACH + unknown);
  }, 120_000);
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
    if (status === undefined || status >= 500) return UNKNOWN;
    throw error;
  }
}

async function read(client: S3Client, Key: string): Promise<{ text: string; etag: string }> {
  const { Body, ETag = '' } = await client.send(new GetObjectCommand({ Bucket, Key }));
  return { text: (await Body?.transformToString()) ?? '', etag: ETag };
}
