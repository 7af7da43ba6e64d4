/**
 * P1: `kill -9` of every process at once under load, then a restart. Every acknowledged object
 * reads back identical and no store refuses to open.
 */
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import type { DevCluster } from '@azimuth/testkit';
import { startDevCluster } from '@azimuth/testkit';

import { makeClient, Workload } from './workload';

const ROUNDS = 3;
const SEED = Number(process.env['AZIMUTH_SEED'] ?? 7_001);

describe(`kill -9 of everything under load (AZIMUTH_SEED=${SEED})`, () => {
  let cluster: DevCluster;

  beforeAll(async () => {
    cluster = await startDevCluster();
  }, 180_000);

  afterAll(async () => {
    await cluster.stop();
  }, 120_000);

  it('opens again with every acknowledged object (P1)', async () => {
    const client = makeClient(cluster, 5);
    await client.send(new CreateBucketCommand({ Bucket: 'kill-all' }));
    client.destroy();
    for (let round = 0; round < ROUNDS; round += 1) {
      const workload = new Workload(cluster, 'kill-all', SEED + round * 100);
      workload.start(4);
      await workload.advance(40);
      const killed = cluster.killEverything();
      await Promise.all([killed, workload.stop()]);

      cluster = await startDevCluster({ directory: cluster.directory });
      const checked = await workload.verify(cluster);
      expect(workload.violations).toEqual([]);
      expect(checked).toBeGreaterThan(10);
    }
    await cluster.waitUntilProtected(120_000);
  }, 300_000);
});
