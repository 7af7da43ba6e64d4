/**
 * Changes of what holds data, and what zone+1 promises, on real processes under load: a node is
 * drained until it may go, a zone is taken out for maintenance without an error, and on nine nodes
 * with 5+4 a zone and one more node are killed. Nothing is lost, and everything can be written.
 */
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import type { DevCluster } from '@azimuth/testkit';
import { startDevCluster } from '@azimuth/testkit';

import { eventually, soon } from './eventually';
import { makeClient, Workload } from './workload';

const BUCKET = 'topology';
const CLIENTS = 4;
/**
 * While nobody has noticed a loss, a request fails many times. But where none is, a busy machine
 * may stop the metadata: gateways that hear nothing of it for 3 s answer reads after 1 s each, and
 * writes after 1 s from 5 s on, so that clients go to another one, and here all of them are the
 * same. When the metadata was stopped for 3.5 s, a first and a second read were in vain; of what
 * the stories below sent nothing was, in five runs, two of them with four times the processes that
 * the machine had processors for.
 */
const ATTEMPTS_IN_VAIN_MAX = 2;
const OPERATOR_PATIENCE_MS = 60_000;
const SEED = Number(process.env['AZIMUTH_SEED'] ?? 1_404);

function withOverrides(...overrides: string[]): readonly string[] {
  return [
    ...['--storage-per-zone', '3'],
    ...overrides.flatMap((override) => ['--config-override', override]),
  ];
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
  }, 180_000);

  afterAll(async () => {
    await workload.stop();
    await cluster.stop();
  }, 120_000);

  /** As an operator does, who tries again when a busy cluster did not answer in time. */
  const operate = (...args: string[]): Promise<string> =>
    soon(OPERATOR_PATIENCE_MS, () => cluster.azimuth(...args));

  const expectRefusal = (reason: RegExp, ...args: string[]): Promise<void> =>
    soon(OPERATOR_PATIENCE_MS, () => expect(cluster.azimuth(...args)).rejects.toThrow(reason));

  function expectNoOutage(): void {
    expect(workload.attemptsInVain('read')).toBeLessThanOrEqual(ATTEMPTS_IN_VAIN_MAX);
    expect(workload.attemptsInVain('write')).toBeLessThanOrEqual(ATTEMPTS_IN_VAIN_MAX);
  }

  it('drains a node until it is proven to be empty, and refuses what would break the zone condition', async () => {
    workload.start(CLIENTS);
    await workload.advance(20);
    const dryRun = await operate('node', 'drain', 'a-storage-1', '--dry-run', '--json');
    const { moves, meanwhile } = JSON.parse(dryRun) as Forecast;
    expect(moves.length).toBeGreaterThan(0);
    expect(meanwhile.map(({ text }) => text).join()).toMatch(/survives/);
    await expectRefusal(/in service/, 'node', 'remove', 'a-storage-1');

    await operate('node', 'drain', 'a-storage-1', '--wait');
    await expectRefusal(/too few zones/, 'zone', 'retire', 'b');
    await expectRefusal(/no disk can/, 'node', 'drain', 'a-storage-2');
    await cluster.node('kill', 'a-storage-1');
    await eventually('a node that is stopped can be removed', 60_000, () =>
      cluster.azimuth('node', 'remove', 'a-storage-1').then(
        () => true,
        () => false,
      ),
    );
    const { storage } = await soon(OPERATOR_PATIENCE_MS, () => cluster.status());
    expect(storage.map(({ nodeId }) => nodeId)).not.toContain('a-storage-1');
    await workload.stop();
    await workload.verify();
    expect(workload.violations).toEqual([]);
    expectNoOutage();
  }, 240_000);

  it('a zone in maintenance can be switched off without an outage; strict buckets wait', async () => {
    const client = makeClient(cluster, 1);
    const patient = makeClient(cluster, 10);
    await patient.send(new CreateBucketCommand({ Bucket: 'strict' }));
    patient.destroy();
    await operate('bucket', 'outage-policy', 'strict', 'strict');
    const put = (size: number): Promise<unknown> =>
      client.send(new PutObjectCommand({ Bucket: 'strict', Key: 'k', Body: Buffer.alloc(size) }));
    await soon(20_000, () => put(300_000));

    await operate('zone', 'maintenance', 'start', 'c', '--wait');
    for (const size of [1, 300_000]) {
      await eventually('strict writes are refused', 20_000, () =>
        put(size).then(
          () => false,
          (error: unknown) => (error as Error).name === 'SlowDown',
        ),
      );
    }
    const storage = ['c-storage-1', 'c-storage-2', 'c-storage-3'];
    workload.start(CLIENTS);
    await cluster.node('kill', ...storage);
    await workload.recover(performance.now());
    await workload.stop();
    expectNoOutage();

    await cluster.node('start', ...storage);
    await operate('zone', 'maintenance', 'end', 'c', '--wait');
    await eventually('strict writes go on', 60_000, () =>
      put(300_000).then(
        () => true,
        () => false,
      ),
    );
    await cluster.waitUntilProtected(120_000);
    await workload.verify();
    expect(workload.violations).toEqual([]);
    client.destroy();
  }, 300_000);
});

describe(`zone+1: 5+4 on nine nodes (AZIMUTH_SEED=${SEED})`, () => {
  let cluster: DevCluster;
  let workload: Workload;

  beforeAll(async () => {
    [cluster, workload] = await startWith(
      'metadata.erasureProfile={"k":5,"m":4}',
      'metadata.survive="zone+1"',
    );
  }, 180_000);

  afterAll(async () => {
    await workload.stop();
    await cluster.stop();
  }, 120_000);

  it('a zone and one more node die under load: nothing is lost, everything can be written (P1)', async () => {
    workload.start(CLIENTS);
    await workload.advance(30);
    await Promise.all([cluster.node('kill', 'b-storage-2'), cluster.zone('kill', 'a')]);
    const killedAtMs = performance.now();
    await workload.recover(killedAtMs);
    expect(workload.outagesBeyondPromise(killedAtMs)).toEqual([]);

    const client = makeClient(cluster, 5);
    const Body = Buffer.alloc(3 * 1024 * 1024, 'reduced');
    await soon(30_000, async () => {
      await client.send(new PutObjectCommand({ Bucket: BUCKET, Key: 'during', Body }));
      const [during] = (await cluster.explain(BUCKET, 'during')).blobs;
      expect(during).toMatchObject({ profile: '2+3', isReduced: true });
    });
    client.destroy();
    await workload.stop();
    await workload.verify();
    expect(workload.violations).toEqual([]);

    await Promise.all([cluster.zone('start', 'a'), cluster.node('start', 'b-storage-2')]);
    await cluster.waitUntilProtected(150_000);
    const [after] = (await soon(20_000, () => cluster.explain(BUCKET, 'during'))).blobs;
    expect(after).toMatchObject({ profile: '5+4', isReduced: false });
    expect(await workload.verify()).toBeGreaterThan(20);
    expect(workload.violations).toEqual([]);
  }, 300_000);
});
