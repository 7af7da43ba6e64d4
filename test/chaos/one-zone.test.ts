/**
 * ONEZONE_IA on real processes: all of an object is in the gateway's zone, leaves it when the zone
 * cannot spare a drained node, is answered with 503 while its zone is dead, when writes go to
 * another one, and is whole again with the zone.
 */
import { randomBytes } from 'node:crypto';

import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import { required } from '@azimuth/common';
import type { DevCluster } from '@azimuth/testkit';
import { startDevCluster } from '@azimuth/testkit';

import { eventually, soon } from './eventually';
import { makeClient } from './workload';

const Bucket = 'one-zone';
const StorageClass = 'ONEZONE_IA';

describe('objects of class ONEZONE_IA', () => {
  let cluster: DevCluster;
  let client: S3Client;
  const bodies = new Map<string, Buffer>();

  function clientOf(zone: string, attempts = 10): S3Client {
    const gateway = cluster.gateways.find((each) => each.zone === zone);
    return makeClient(
      { ...cluster, endpoint: required(gateway, `gateway of ${zone}`).url },
      attempts,
    );
  }

  async function put(key: string, sizeBytes: number, via = client): Promise<void> {
    const Body = randomBytes(sizeBytes);
    await via.send(new PutObjectCommand({ Bucket, Key: key, Body, StorageClass }));
    bodies.set(key, Body);
  }

  async function wrongKeys(keys: Iterable<string> = bodies.keys()): Promise<string[]> {
    const wrong: string[] = [];
    for (const Key of keys) {
      const answer = await client.send(new GetObjectCommand({ Bucket, Key }));
      const bytes = Buffer.from((await answer.Body?.transformToByteArray()) ?? []);
      if (!bodies.get(Key)?.equals(bytes)) wrong.push(Key);
    }
    return wrong;
  }

  /** Where every blob of the object is; it must be all in one zone, and intact. */
  const zoneOf = (key: string): Promise<string> =>
    soon(30_000, async () => {
      const { blobs } = await cluster.explain(Bucket, key);
      const shards = blobs.flatMap((blob) => blob.shards);
      expect(shards.map(({ presence }) => presence)).toEqual(shards.map(() => 'intact'));
      const zones = [...new Set(shards.map(({ zone }) => zone))];
      expect(zones).toHaveLength(1);
      return required(zones[0], 'zone');
    });

  /** `x-azimuth-zone` of a HEAD, which SDKs do not know. */
  async function shownZone(Key: string, via = client): Promise<string | undefined> {
    const command = new HeadObjectCommand({ Bucket, Key });
    let zone: string | undefined;
    command.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args);
        zone = (result.response as { headers: Record<string, string> }).headers['x-azimuth-zone'];
        return result;
      },
      { step: 'deserialize' },
    );
    await via.send(command);
    return zone;
  }

  const zonesOf = async (keys: readonly string[]): Promise<string[]> => [
    ...new Set(await Promise.all(keys.map(zoneOf))),
  ];

  beforeAll(async () => {
    const overrides = [
      'metadata.erasureProfile={"k":2,"m":1}',
      'curator.tranquility=0',
      'curator.leavingAgeMinMs=500',
      'curator.garbageGraceMs=200',
    ];
    const args = overrides.flatMap((override) => ['--config-override', override]);
    cluster = await startDevCluster({ args });
    client = clientOf('b');
    await client.send(new CreateBucketCommand({ Bucket }));
    await eventually('each zone has groups of its own', 60_000, async () =>
      /1\+1 in one zone +12 /.test(await cluster.azimuth('status')),
    );
  }, 180_000);

  afterAll(async () => {
    client.destroy();
    await cluster.stop();
  }, 120_000);

  it('are all in the zone of the gateway, however they are written', async () => {
    const own = clientOf('a');
    await put('small', 20_000, own);
    await put('large', 700_000, own);
    const target = { Bucket, Key: 'parts' };
    const { UploadId } = await own.send(
      new CreateMultipartUploadCommand({ ...target, StorageClass }),
    );
    const Body = randomBytes(300_000);
    const part = { ...target, UploadId, PartNumber: 1 };
    const { ETag } = await own.send(new UploadPartCommand({ ...part, Body }));
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
    await own.send(new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload }));
    bodies.set('parts', Body);
    expect(await zonesOf([...bodies.keys()])).toEqual(['a']);
    const head = await own.send(new HeadObjectCommand({ Bucket, Key: 'large' }));
    expect(head.StorageClass).toBe(StorageClass);
    expect(await shownZone('large', own)).toBe('a');
    const text = await cluster.azimuth('explain', `s3://${Bucket}/large`);
    expect(text).toContain('survives any one node, and not the loss of zone a');
    own.destroy();
  }, 120_000);

  it('move when a copy onto itself changes the class', async () => {
    const Key = 'copied';
    const Body = randomBytes(400_000);
    await client.send(new PutObjectCommand({ Bucket, Key, Body }));
    bodies.set(Key, Body);
    const CopySource = `${Bucket}/${Key}`;
    await client.send(new CopyObjectCommand({ Bucket, Key, CopySource, StorageClass }));
    expect(await zoneOf(Key)).toBe('b');
    await client.send(
      new CopyObjectCommand({ Bucket, Key, CopySource, StorageClass: 'STANDARD_IA' }),
    );
    const { blobs } = await cluster.explain(Bucket, Key);
    expect(new Set(blobs.flatMap(({ shards }) => shards).map(({ zone }) => zone)).size).toBe(3);
    expect(await wrongKeys([Key])).toEqual([]);
  }, 120_000);

  it('leave a zone that cannot spare the node that is drained', async () => {
    const dryRun = await cluster.azimuth('node', 'drain', 'a-storage-1', '--dry-run');
    expect(dryRun).toMatch(/the blobs of 4 groups inside one zone are copied to other groups/);
    await soon(60_000, () => cluster.azimuth('node', 'drain', 'a-storage-1', '--wait'));
    expect(await zonesOf(['small', 'large', 'parts'])).not.toContain('a');
    expect(await wrongKeys()).toEqual([]);
  }, 180_000);

  it('answer 503 while their zone is dead; writes go to another, and all is there again', async () => {
    await put('lost-for-now', 500_000);
    expect(await zoneOf('lost-for-now')).toBe('b');
    await cluster.zone('kill', 'b');
    client.destroy();
    client = clientOf('c');
    await put('elsewhere', 500_000);
    expect(await zoneOf('elsewhere')).toBe('c');
    const once = clientOf('c', 1);
    const lost = { Bucket, Key: 'lost-for-now' };
    await soon(20_000, () =>
      expect(once.send(new GetObjectCommand(lost))).rejects.toMatchObject({
        name: 'ServiceUnavailable',
        $metadata: { httpStatusCode: 503 },
      }),
    );
    const CopySource = `${Bucket}/lost-for-now`;
    await expect(
      once.send(new CopyObjectCommand({ Bucket, Key: 'copy', CopySource })),
    ).rejects.toMatchObject({ name: 'ServiceUnavailable' });
    const head = await soon(20_000, () => once.send(new HeadObjectCommand(lost)));
    expect(head.StorageClass).toBe(StorageClass);
    expect(await shownZone('lost-for-now', once)).toBe('b');
    once.destroy();

    await cluster.zone('start', 'b');
    await eventually('the zone is back', 60_000, () =>
      wrongKeys().then(
        (wrong) => wrong.length === 0,
        () => false,
      ),
    );
    expect(await zoneOf('lost-for-now')).toBe('b');
  }, 180_000);
});
