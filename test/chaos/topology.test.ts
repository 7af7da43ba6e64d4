/**
 * Changes of what holds data, and what zone+1 promises, on real processes under load: a node is
 * drained until it may go, a zone is taken out for maintenance without an error, and on nine nodes
 * with 5+4 a zone and one more node are killed. Nothing is lost, and everything can be written.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';

import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import type { DevCluster } from '@azimuth/testkit';
import { startDevCluster } from '@azimuth/testkit';

import { eventually, pause } from './stored-objects';
import { makeClient, Workload } from './workload';

const BUCKET = 'topology';
const CLIENTS = 6;
const SEED = Number(process.env['AZIMUTH_SEED'] ?? 1_404);

function withOverrides(...overrides: string[]): readonly string[] {
  return [
    ...['--storage-per-zone', '3'],
    ...overrides.flatMap((override) => ['--config-override', override]),
  ];
}

/** When the launcher last killed a process, by the monotonic clock: commands take their time. */
function lastChangeMs(cluster: DevCluster): number {
  return statSync(join(cluster.directory, 'cluster.json')).mtimeMs - performance.timeOrigin;
}

async function startWith(...overrides: string[]): Promise<[DevCluster, Workload]> {
  const cluster = await startDevCluster({ args: withOverrides(...overrides) });
  const client = makeClient(cluster, 10);
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  client.destroy();
  return [cluster, new Workload(cluster, BUCKET, SEED)];
}

interface Forecast {
  readonly moves: readonly { readonly sizeBytes: number | null }[];
  readonly meanwhile: readonly { readonly text: string }[];
}

describe(`topology changes under load (AZIMUTH_SEED=${SEED})`, () => {
  let cluster: DevCluster;
  let workload: Workload;

  beforeAll(async () => {
    [cluster, workload] = await startWith(
      'metadata.erasureProfile={"k":4,"m":2}',
      'curator.tranquility=0',
      'curator.leavingAgeMinMs=500',
    );
  }, 90_000);

  afterAll(async () => {
    await workload.stop();
    await cluster.stop();
  }, 40_000);

  it('drains a node until it is proven to be empty, and refuses what would break the zone condition', async () => {
    workload.start(CLIENTS);
    await pause(2_000);
    const dryRun = await cluster.azimuth('node', 'drain', 'a-storage-1', '--dry-run', '--json');
    const { moves, meanwhile } = JSON.parse(dryRun) as Forecast;
    expect(moves.length).toBeGreaterThan(0);
    expect(meanwhile.map(({ text }) => text).join()).toMatch(/survives/);
    await expect(cluster.azimuth('node', 'remove', 'a-storage-1')).rejects.toThrow(/in service/);

    await cluster.azimuth('node', 'drain', 'a-storage-1', '--wait');
    await expect(cluster.azimuth('zone', 'retire', 'b')).rejects.toThrow(/too few zones/);
    await expect(cluster.azimuth('node', 'drain', 'a-storage-2')).rejects.toThrow(/no disk can/);
    await cluster.node('kill', 'a-storage-1');
    await eventually('a node that is stopped can be removed', 15_000, () =>
      cluster.azimuth('node', 'remove', 'a-storage-1').then(
        () => true,
        () => false,
      ),
    );
    const { storage } = await cluster.status();
    expect(storage.map(({ nodeId }) => nodeId)).not.toContain('a-storage-1');
    await workload.stop();
    await workload.verify();
    expect(workload.violations).toEqual([]);
    expect(workload.failures).toEqual([]);
  }, 120_000);

  it('a zone in maintenance can be switched off without one failed request; strict buckets wait', async () => {
    const client = makeClient(cluster, 1);
    await client.send(new CreateBucketCommand({ Bucket: 'strict' }));
    await cluster.azimuth('bucket', 'outage-policy', 'strict', 'strict');
    const put = (size: number): Promise<unknown> =>
      client.send(new PutObjectCommand({ Bucket: 'strict', Key: 'k', Body: Buffer.alloc(size) }));
    await put(300_000);

    await cluster.azimuth('zone', 'maintenance', 'start', 'c', '--wait');
    for (const size of [1, 300_000]) {
      await eventually('strict writes are refused', 5_000, () =>
        put(size).then(
          () => false,
          (error: unknown) => (error as Error).name === 'SlowDown',
        ),
      );
    }
    const storage = ['c-storage-1', 'c-storage-2', 'c-storage-3'];
    workload.start(CLIENTS);
    await cluster.node('kill', ...storage);
    await pause(6_000);
    await workload.stop();
    expect(workload.failures.filter(({ kind }) => kind === 'write')).toEqual([]);

    await cluster.node('start', ...storage);
    await cluster.azimuth('zone', 'maintenance', 'end', 'c', '--wait');
    await eventually('strict writes go on', 10_000, () =>
      put(300_000).then(
        () => true,
        () => false,
      ),
    );
    await cluster.waitUntilProtected(60_000);
    await workload.verify();
    expect(workload.violations).toEqual([]);
    client.destroy();
  }, 150_000);
});

describe(`zone+1: 5+4 on nine nodes (AZIMUTH_SEED=${SEED})`, () => {
  let cluster: DevCluster;
  let workload: Workload;

  beforeAll(async () => {
    [cluster, workload] = await startWith(
      'metadata.erasureProfile={"k":5,"m":4}',
      'metadata.survive="zone+1"',
    );
  }, 90_000);

  afterAll(async () => {
    await workload.stop();
    await cluster.stop();
  }, 40_000);

  it('a zone and one more node die under load: nothing is lost, everything can be written (P1)', async () => {
    workload.start(CLIENTS);
    await pause(4_000);
    await cluster.node('kill', 'b-storage-2');
    await cluster.zone('kill', 'a');
    const killedAtMs = lastChangeMs(cluster);
    await pause(14_000);
    expect(workload.errorWindowMs('read', killedAtMs)).toBeLessThanOrEqual(5_000);
    expect(workload.errorWindowMs('write', killedAtMs)).toBeLessThanOrEqual(10_000);
    const { read, write } = workload.counts;
    await pause(2_000);
    expect(workload.counts.read).toBeGreaterThan(read);
    expect(workload.counts.write).toBeGreaterThan(write);

    const client = makeClient(cluster, 5);
    const Body = Buffer.alloc(3 * 1024 * 1024, 'reduced');
    await client.send(new PutObjectCommand({ Bucket: BUCKET, Key: 'during', Body }));
    const [during] = (await cluster.explain(BUCKET, 'during')).blobs;
    expect(during).toMatchObject({ profile: '2+3', isReduced: true });
    client.destroy();
    await workload.stop();
    await workload.verify();
    expect(workload.violations).toEqual([]);

    await cluster.zone('start', 'a');
    await cluster.node('start', 'b-storage-2');
    await cluster.waitUntilProtected(90_000);
    const [after] = (await cluster.explain(BUCKET, 'during')).blobs;
    expect(after).toMatchObject({ profile: '5+4', isReduced: false });
    expect(await workload.verify()).toBeGreaterThan(20);
    expect(workload.violations).toEqual([]);
  }, 200_000);
});
