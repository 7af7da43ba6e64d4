/**
 * P1 to P3 under load: the zone of the leader freezes and thaws again, a node is lost, every
 * process of a zone is killed. Reads have to be tried for at most 5 s, writes for at most 10 s, no
 * byte is lost, nothing stale is ever read, and protection comes back without an operator.
 */
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import type { DevCluster } from '@azimuth/testkit';
import { startDevCluster } from '@azimuth/testkit';

import { pause, soon } from './eventually';
import { makeClient, Workload } from './workload';

const BUCKET = 'outages';
const CLIENTS = 5;
const PROTECTION_TIMEOUT_MS = 120_000;
const SEED = Number(process.env['AZIMUTH_SEED'] ?? 5_150);
const ZONES = ['a', 'b', 'c'];

describe(`outages under load (AZIMUTH_SEED=${SEED})`, () => {
  let cluster: DevCluster;

  beforeAll(async () => {
    cluster = await startDevCluster();
    const client = makeClient(cluster, 5);
    await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
    client.destroy();
  }, 180_000);

  const workloads: Workload[] = [];

  afterEach(async () => {
    await cluster.zone('thaw', ...ZONES);
  }, 120_000);

  afterAll(async () => {
    await Promise.all(workloads.map((workload) => workload.stop()));
    await cluster.stop();
  }, 120_000);

  function startWorkload(seed: number): Workload {
    const workload = new Workload(cluster, BUCKET, seed);
    workloads.push(workload);
    workload.start(CLIENTS);
    return workload;
  }

  function clientOfZone(zone: string, maxAttempts: number): S3Client {
    const url = cluster.gateways.find((gateway) => gateway.zone === zone)?.url ?? '';
    return makeClient({ ...cluster, endpoint: url }, maxAttempts);
  }

  const put = (client: S3Client, Key: string, Body: string | Buffer) =>
    client.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body }));

  async function get(client: S3Client, Key: string): Promise<string> {
    const answer = await client.send(new GetObjectCommand({ Bucket: BUCKET, Key }));
    return (await answer.Body?.transformToString()) ?? '';
  }

  const zoneOfLeader = (group: string): Promise<string> =>
    soon(20_000, async () => {
      const { raftGroups } = await cluster.status();
      const leader = raftGroups.find((each) => each.group === group)?.leader ?? null;
      if (leader === null) throw new Error(`${group} has no leader`);
      return leader.slice(0, 1);
    });

  it('goes on without a frozen zone, and its leader answers nothing stale when it thaws (pitfall 3)', async () => {
    const workload = startWorkload(SEED);
    await workload.advance(40);

    const frozen = await zoneOfLeader('index-0');
    const [other = ''] = ZONES.filter((zone) => zone !== frozen);
    const insider = clientOfZone(frozen, 1);
    const patientInsider = clientOfZone(frozen, 10);
    const outsider = clientOfZone(other, 10);
    const keys = Array.from({ length: 8 }, (_, index) => `fence/${index}`);
    for (const key of keys) await put(patientInsider, key, 'old');
    for (const key of keys) expect(await get(patientInsider, key)).toBe('old');

    await cluster.zone('freeze', frozen);
    const frozenAtMs = performance.now();
    for (const key of keys) await put(outsider, key, 'new');
    await workload.recover(frozenAtMs);
    expect(workload.outagesBeyondPromise(frozenAtMs)).toEqual([]);

    // These wait in the sockets of the frozen gateway: it serves them in the moment it resumes, when
    // the old leader beside it does not know yet that it was deposed.
    const early = keys.map((key) => get(insider, key).catch(() => 'refused'));
    await pause(500);
    await cluster.zone('thaw', frozen);
    expect(await Promise.all(early)).not.toContain('old');
    for (let turn = 0; turn < 20; turn += 1) {
      const late = keys.map((key) => get(insider, key).catch(() => 'refused'));
      expect(await Promise.all(late)).not.toContain('old');
    }
    for (const key of keys) expect(await get(patientInsider, key)).toBe('new');
    await workload.advance(10);
    await workload.stop();
    for (const client of [insider, patientInsider, outsider]) client.destroy();

    await cluster.waitUntilProtected(PROTECTION_TIMEOUT_MS);
    await workload.verify();
    expect(workload.violations).toEqual([]);
  }, 240_000);

  it('writes 3+2 while one node is out, and 4+2 again once it is back (P3)', async () => {
    const workload = startWorkload(SEED + 1_000);
    await workload.advance(20);
    await cluster.node('kill', 'c-storage-1');
    const killedAtMs = performance.now();
    await workload.recover(killedAtMs);
    expect(workload.outagesBeyondPromise(killedAtMs)).toEqual([]);

    const client = makeClient(cluster, 5);
    const body = Buffer.alloc(3 * 1024 * 1024, 'reduced');
    await soon(30_000, async () => {
      await put(client, 'during-outage', body);
      const [during] = (await cluster.explain(BUCKET, 'during-outage')).blobs;
      expect(during).toMatchObject({ profile: '3+2', isReduced: true });
      expect(during?.shards.map(({ presence }) => presence)).toEqual(new Array(5).fill('intact'));
      expect(during?.survives).toBe('any one zone, or any two nodes');
    });
    // What was written before lacks a shard, and the cluster says so.
    await soon(30_000, async () => {
      const { durability } = await cluster.status();
      expect(durability?.survives).toBe('any one node');
      const reasons = durability?.groupsAtRisk[0]?.reasons;
      expect(reasons).toEqual(['node c-storage-1 is down with 1 shard']);
    });
    await workload.stop();

    await cluster.node('start', 'c-storage-1');
    await cluster.waitUntilProtected(PROTECTION_TIMEOUT_MS);
    await soon(30_000, async () => {
      const [after] = (await cluster.explain(BUCKET, 'during-outage')).blobs;
      expect(after).toMatchObject({ profile: '4+2', isReduced: false });
      expect(after?.shards.map(({ presence }) => presence)).toEqual(new Array(6).fill('intact'));
      expect((await cluster.status()).durability).toMatchObject({
        survives: 'any one zone',
        groupsAtRiskTotal: 0,
        blobsAtRiskTotal: 0,
      });
    });
    expect(await get(client, 'during-outage')).toBe(body.toString());
    await workload.verify();
    expect(workload.violations).toEqual([]);
    client.destroy();
  }, 240_000);

  it('loses no byte with a killed zone, heals by itself, and can lose another one (P1, P3)', async () => {
    const workload = startWorkload(SEED + 2_000);
    await workload.advance(40);
    await cluster.zone('kill', 'a');
    const killedAtMs = performance.now();
    await workload.recover(killedAtMs);
    expect(workload.outagesBeyondPromise(killedAtMs)).toEqual([]);

    await cluster.zone('start', 'a');
    await workload.advance(20);
    await workload.stop();
    await cluster.waitUntilProtected(PROTECTION_TIMEOUT_MS);
    expect(await workload.verify()).toBeGreaterThan(20);

    // What was restored must be real: another zone goes, and everything is still there.
    await cluster.zone('kill', 'b');
    await workload.verify();
    expect(workload.violations).toEqual([]);
  }, 300_000);
});
