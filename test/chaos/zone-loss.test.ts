/**
 * P1 and P3: every process of a zone is killed under load. Reads fail for at most 5 s, writes for
 * at most 10 s, then both go on; the zone returns and protection is restored without an operator.
 */
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import type { DevCluster } from '@azimuth/testkit';
import { startDevCluster } from '@azimuth/testkit';

import { pause } from './stored-objects';
import { makeClient, Workload } from './workload';

const CLIENTS = 10;
const READ_WINDOW_MS_MAX = 5_000;
const WRITE_WINDOW_MS_MAX = 10_000;
const SEED = Number(process.env['AZIMUTH_SEED'] ?? 20_261_122);

describe(`zone loss under load (AZIMUTH_SEED=${SEED})`, () => {
  let cluster: DevCluster;

  beforeAll(async () => {
    cluster = await startDevCluster();
  }, 90_000);

  afterAll(async () => {
    await cluster.stop();
  }, 30_000);

  it('keeps every byte, reads within 5 s and writes within 10 s, and heals by itself (P1, P3)', async () => {
    const client = makeClient(cluster, 5);
    await client.send(new CreateBucketCommand({ Bucket: 'zone-loss' }));
    const workload = new Workload(cluster, 'zone-loss', SEED);
    workload.start(CLIENTS);
    await pause(6_000);

    const killedAtMs = performance.now();
    await cluster.zone('kill', 'a');
    await pause(15_000);
    const readsDuringOutage = workload.counts.read;
    const writesDuringOutage = workload.counts.write;
    expect(workload.errorWindowMs('read', killedAtMs)).toBeLessThanOrEqual(READ_WINDOW_MS_MAX);
    expect(workload.errorWindowMs('write', killedAtMs)).toBeLessThanOrEqual(WRITE_WINDOW_MS_MAX);

    await cluster.zone('start', 'a');
    await pause(5_000);
    expect(workload.counts.read).toBeGreaterThan(readsDuringOutage);
    expect(workload.counts.write).toBeGreaterThan(writesDuringOutage);
    await workload.stop();

    await cluster.waitUntilProtected(120_000);
    const checked = await workload.verify();
    expect(workload.violations).toEqual([]);
    expect(checked).toBeGreaterThan(50);

    // What was restored must be real: another zone goes, and everything is still there.
    await cluster.zone('kill', 'b');
    await workload.verify();
    expect(workload.violations).toEqual([]);
    client.destroy();
  }, 300_000);
});
