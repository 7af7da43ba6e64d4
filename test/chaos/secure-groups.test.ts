/**
 * Three index groups and shard bytes over mutual TLS: the same promises. A zone goes and returns;
 * then two zones go: nothing is acknowledged that is not safe, and nothing is lost when they
 * return.
 */
import {
  CreateBucketCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import type { DevCluster } from '@azimuth/testkit';
import { startDevCluster } from '@azimuth/testkit';

import { soon } from './eventually';
import { StoredObjects } from './stored-objects';
import { makeClient } from './workload';

const BUCKET = 'secure-groups';
const KIB = 1024;
const PROTECTION_TIMEOUT_MS = 120_000;

describe('three index groups, bulk mode secure', () => {
  const objects = new StoredObjects(BUCKET);
  let cluster: DevCluster;
  let client: S3Client;

  beforeAll(async () => {
    cluster = await startDevCluster({ args: ['--index-groups', '3', '--bulk-mode', 'secure'] });
    client = makeClient(cluster, 5);
    await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  }, 180_000);

  afterAll(async () => {
    client.destroy();
    await cluster.stop();
  }, 120_000);

  async function listKeys(prefix: string, pageKeys: number): Promise<(string | undefined)[]> {
    const found: (string | undefined)[] = [];
    let token: string | undefined;
    do {
      const page = await client.send(
        new ListObjectsV2Command({
          Bucket: BUCKET,
          Prefix: prefix,
          MaxKeys: pageKeys,
          ...(token !== undefined && { ContinuationToken: token }),
        }),
      );
      found.push(...(page.Contents ?? []).map(({ Key }) => Key));
      token = page.NextContinuationToken;
    } while (token !== undefined);
    return found;
  }

  it('puts, lists in one order over all groups, deletes', async () => {
    const names = Array.from({ length: 60 }, (_, index) => `list/${(index * 37) % 60}-ü😀`);
    for (const Key of names) await objects.put(client, Key, 64);
    for (const sizeBytes of [1, 9 * KIB, 100 * KIB, 700 * KIB, 5_000 * KIB]) {
      await objects.put(client, `size/${sizeBytes}`, sizeBytes);
    }
    const { raftGroups } = await cluster.status();
    expect(raftGroups.map(({ group }) => group)).toEqual(['root', 'index-0', 'index-1', 'index-2']);
    const inOrder = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect(await listKeys('list/', 7)).toEqual(inOrder);

    const gone = inOrder.filter((_, index) => index % 3 === 0);
    const Objects = gone.map((Key) => ({ Key }));
    await client.send(new DeleteObjectsCommand({ Bucket: BUCKET, Delete: { Objects } }));
    for (const key of gone) objects.forget(key);
    expect(await listKeys('list/', 11)).toEqual(inOrder.filter((key) => !gone.includes(key)));
    expect(await objects.mismatches(cluster)).toEqual([]);
  }, 120_000);

  it('survives the loss of a zone, and is whole when it is back (P1, P3)', async () => {
    await cluster.zone('kill', 'a');
    const patient = makeClient(cluster, 12);
    await objects.put(patient, 'without-a', 900 * KIB);
    await objects.put(patient, 'without-a-too', 50 * KIB);
    expect(await objects.mismatches(cluster)).toEqual([]);
    await cluster.zone('start', 'a');
    await cluster.waitUntilProtected(PROTECTION_TIMEOUT_MS);
    patient.destroy();
  }, 200_000);

  it('without the storage of two zones refuses what it cannot place, and keeps the rest (P1)', async () => {
    const nodes = ['a-storage-1', 'a-storage-2', 'b-storage-1', 'b-storage-2'];
    await cluster.node('kill', ...nodes);
    const impatient = makeClient(cluster, 1);
    for (const sizeBytes of [20 * KIB, 900 * KIB]) {
      const put = new PutObjectCommand({
        Bucket: BUCKET,
        Key: `refused/${sizeBytes}`,
        Body: Buffer.alloc(sizeBytes, 1),
      });
      const refused = { name: 'SlowDown', $metadata: { httpStatusCode: 503 } };
      await soon(20_000, () => expect(impatient.send(put)).rejects.toMatchObject(refused));
    }
    // Bodies inside the metadata, and copies in the zone that is left, are as safe as ever.
    await objects.put(client, 'inline-meanwhile', 100);
    const readable = ['inline-meanwhile', `size/${9 * KIB}`, `size/${100 * KIB}`];
    expect(await objects.mismatches(cluster, readable)).toEqual([]);
    const unreadable = new GetObjectCommand({ Bucket: BUCKET, Key: `size/${5_000 * KIB}` });
    const answer = { $metadata: { httpStatusCode: 503 } };
    await soon(20_000, () => expect(impatient.send(unreadable)).rejects.toMatchObject(answer));
    impatient.destroy();
    await cluster.node('start', ...nodes);
  }, 120_000);

  it('without two zones refuses every write, and loses nothing when they return (P1)', async () => {
    await cluster.zone('kill', 'a', 'b');
    const impatient = makeClient(cluster, 1);
    const attempts = await Promise.allSettled(
      [10, 20 * KIB, 900 * KIB].map((sizeBytes) =>
        impatient.send(
          new PutObjectCommand({
            Bucket: BUCKET,
            Key: `no-quorum/${sizeBytes}`,
            Body: Buffer.alloc(sizeBytes, 2),
          }),
        ),
      ),
    );
    for (const attempt of attempts) {
      expect(attempt).toMatchObject({
        status: 'rejected',
        reason: { $metadata: { httpStatusCode: 503 } },
      });
    }
    impatient.destroy();
    await cluster.zone('start', 'a', 'b');
    await cluster.waitUntilProtected(PROTECTION_TIMEOUT_MS);
    expect(await objects.mismatches(cluster)).toEqual([]);
    expect(await listKeys('refused/', 10)).toEqual([]);
  }, 240_000);
});
