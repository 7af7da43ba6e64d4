/**
 * Full disks and garbage. What does not fit is refused with 503 and corrupts nothing; reads and
 * deletes go on; what was overwritten, deleted or aborted leaves the disks after its grace, and
 * makes room again. What is referenced never goes.
 */
import {
  AbortMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import type { DevCluster } from '@azimuth/testkit';
import { startDevCluster } from '@azimuth/testkit';

import { eventually, soon } from './eventually';
import { StoredObjects } from './stored-objects';
import { makeClient } from './workload';

const BUCKET = 'full-disk';
const KIB = 1024;
const MIB = 1024 * KIB;
const OVERRIDES = [
  `storage.diskCapacityBytes=${40 * MIB}`,
  `storage.lowSpaceBytes=${8 * MIB}`,
  `storage.segmentBytesMax=${4 * MIB}`,
  'curator.garbageGraceMs=2000',
];

describe('full disks and garbage', () => {
  const objects = new StoredObjects(BUCKET);
  let cluster: DevCluster;
  let client: S3Client;

  beforeAll(async () => {
    cluster = await startDevCluster({
      args: OVERRIDES.flatMap((override) => ['--config-override', override]),
    });
    client = makeClient(cluster, 3);
    await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  }, 180_000);

  afterAll(async () => {
    client.destroy();
    await cluster.stop();
  }, 120_000);

  async function shardsOnDisks(): Promise<number> {
    const { storage } = await cluster.status();
    return storage
      .flatMap(({ disks }) => disks)
      .reduce((sum, { shardCount }) => sum + (shardCount ?? Number.NaN), 0);
  }

  const remove = async (Key: string): Promise<void> => {
    await client.send(new DeleteObjectCommand({ Bucket: BUCKET, Key }));
    objects.forget(Key);
  };

  it('overwritten, deleted and aborted bytes leave the disks, live ones never', async () => {
    for (let index = 0; index < 6; index += 1) {
      await objects.put(client, `large/${index}`, MIB + index);
      await objects.put(client, `small/${index}`, 20 * KIB + index);
    }
    // Six shards of each large object, three copies of each small one.
    await eventually('all shards are counted', 60_000, async () => (await shardsOnDisks()) === 54);

    await objects.put(client, 'large/0', 700 * KIB);
    await objects.put(client, 'small/0', 30 * KIB);
    // Leaves a blob behind and has none itself.
    await objects.put(client, 'large/1', 10);
    await remove('large/2');
    await remove('small/2');
    const target = { Bucket: BUCKET, Key: 'aborted' };
    const { UploadId } = await client.send(new CreateMultipartUploadCommand(target));
    for (const PartNumber of [1, 2]) {
      const Body = Buffer.alloc(300 * KIB, PartNumber);
      await client.send(new UploadPartCommand({ ...target, UploadId, PartNumber, Body }));
    }
    await client.send(new AbortMultipartUploadCommand({ ...target, UploadId }));

    // Four large and five small ones are left.
    await eventually('garbage is collected', 90_000, async () => (await shardsOnDisks()) === 39);
    await soon(20_000, async () => {
      expect((await cluster.status()).backlog.garbageEntries).toBe(0);
    });
    expect(await objects.mismatches(cluster)).toEqual([]);
  }, 150_000);

  it('refuses with 503 when full, reads and deletes on, and has room again after deletes', async () => {
    const filled: string[] = [];
    let refusal: unknown = null;
    for (let index = 0; index < 80 && refusal === null; index += 1) {
      const key = `fill/${index}`;
      await objects.put(client, key, (index % 2 === 0 ? 5 : 3) * MIB).then(
        () => filled.push(key),
        (error: unknown) => (refusal = error),
      );
    }
    expect(refusal).toMatchObject({ name: 'SlowDown', $metadata: { httpStatusCode: 503 } });
    // 32 MiB of each of six disks, two thirds of it data.
    expect(filled.length).toBeGreaterThan(16);
    expect(await objects.mismatches(cluster)).toEqual([]);

    for (const key of filled.slice(0, -2)) await remove(key);
    await eventually('there is room again', 90_000, async () => {
      return objects.put(client, 'after', 5 * MIB).then(
        () => true,
        () => false,
      );
    });
    expect(await objects.mismatches(cluster)).toEqual([]);
    await cluster.waitUntilProtected(120_000);
  }, 240_000);
});
