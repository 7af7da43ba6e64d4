/**
 * P2 and P3: the zone of the leader freezes under load and thaws again; a single node is lost.
 * Reads fail for at most 5 s, writes for at most 10 s, nothing stale is ever read, and protection
 * comes back without an operator.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';

import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import type { DevCluster } from '@azimuth/testkit';
import { startDevCluster } from '@azimuth/testkit';

import { pause } from './stored-objects';
import { makeClient, Workload } from './workload';

const BUCKET = 'outages';
const CLIENTS = 10;
const WINDOW_MS_MAX = { read: 5_000, write: 10_000 };
const PROTECTION_TIMEOUT_MS = 120_000;
const SEED = Number(process.env['AZIMUTH_SEED'] ?? 5_150);
const ZONES = ['a', 'b', 'c'];

/**
 * When the launcher last changed a process, by the monotonic clock: it writes that down at once,
 * while the command that told it to is a process that takes its time to start and to end.
 */
function lastChangeMs(cluster: DevCluster): number {
  return statSync(join(cluster.directory, 'cluster.json')).mtimeMs - performance.timeOrigin;
}

describe(`outages under load (AZIMUTH_SEED=${SEED})`, () => {
  let cluster: DevCluster;

  beforeAll(async () => {
    cluster = await startDevCluster();
    const client = makeClient(cluster, 5);
    await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
    client.destroy();
  }, 90_000);

  const workloads: Workload[] = [];

  afterEach(async () => {
    await cluster.zone('thaw', ...ZONES);
  }, 30_000);

  afterAll(async () => {
    await Promise.all(workloads.map((workload) => workload.stop()));
    await cluster.stop();
  }, 40_000);

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

  async function zoneOfLeader(group: string): Promise<string> {
    const { raftGroups } = await cluster.status();
    const leader = raftGroups.find((each) => each.group === group)?.leader ?? null;
    if (leader === null) throw new Error(`${group} has no leader`);
    return leader.slice(0, 1);
  }

  /** Fails with the failures themselves: how late, and why. */
  function expectWindows(workload: Workload, sinceMs: number): void {
    const late = workload.failures
      .map((failure) => ({ ...failure, atMs: Math.round(failure.atMs - sinceMs) }))
      .filter(({ kind, atMs }) => atMs > WINDOW_MS_MAX[kind]);
    expect(late).toEqual([]);
  }

  it('goes on without a frozen zone, and its leader answers nothing stale when it thaws (pitfall 3)', async () => {
    const workload = startWorkload(SEED);
    await pause(5_000);

    const frozen = await zoneOfLeader('index-0');
    const [other = ''] = ZONES.filter((zone) => zone !== frozen);
    const insider = clientOfZone(frozen, 1);
    const outsider = clientOfZone(other, 10);
    const keys = Array.from({ length: 8 }, (_, index) => `fence/${index}`);
    for (const key of keys) await put(insider, key, 'old');
    for (const key of keys) expect(await get(insider, key)).toBe('old');

    await cluster.zone('freeze', frozen);
    const frozenAtMs = lastChangeMs(cluster);
    for (const key of keys) await put(outsider, key, 'new');
    await pause(Math.max(0, 15_000 - (performance.now() - frozenAtMs)));
    const { read, write } = workload.counts;
    expectWindows(workload, frozenAtMs);

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
    await pause(3_000);
    for (const key of keys) expect(await get(insider, key)).toBe('new');
    expect(workload.counts.read).toBeGreaterThan(read);
    expect(workload.counts.write).toBeGreaterThan(write);
    await workload.stop();
    insider.destroy();
    outsider.destroy();

    await cluster.waitUntilProtected(PROTECTION_TIMEOUT_MS);
    await workload.verify();
    expect(workload.violations).toEqual([]);
  }, 240_000);

  it('writes 3+2 while one node is out, and 4+2 again once it is back (P3)', async () => {
    const workload = startWorkload(SEED + 1_000);
    await pause(2_000);
    await cluster.node('kill', 'c-storage-1');
    const killedAtMs = lastChangeMs(cluster);
    await pause(12_000);
    const { write } = workload.counts;
    expectWindows(workload, killedAtMs);

    const client = makeClient(cluster, 5);
    const body = Buffer.alloc(3 * 1024 * 1024, 'reduced');
    await put(client, 'during-outage', body);
    const [during] = (await cluster.explain(BUCKET, 'during-outage')).blobs;
    expect(during).toMatchObject({ profile: '3+2', isReduced: true });
    expect(during?.shards.map(({ presence }) => presence)).toEqual(new Array(5).fill('intact'));
    expect(during?.survives).toBe('any one zone, or any two nodes');
    // What was written before lacks a shard, and the cluster says so.
    const { durability } = await cluster.status();
    expect(durability?.survives).toBe('any one node');
    expect(durability?.groupsAtRisk[0]?.reasons).toEqual(['node c-storage-1 is down with 1 shard']);
    await workload.stop();
    expect(workload.counts.write).toBeGreaterThan(write);

    await cluster.node('start', 'c-storage-1');
    await cluster.waitUntilProtected(PROTECTION_TIMEOUT_MS);
    const [after] = (await cluster.explain(BUCKET, 'during-outage')).blobs;
    expect(after).toMatchObject({ profile: '4+2', isReduced: false });
    expect(after?.shards.map(({ presence }) => presence)).toEqual(new Array(6).fill('intact'));
    expect((await cluster.status()).durability).toMatchObject({
      survives: 'any one zone',
      groupsAtRiskTotal: 0,
      blobsAtRiskTotal: 0,
    });
    expect(await get(client, 'during-outage')).toBe(body.toString());
    await workload.verify();
    expect(workload.violations).toEqual([]);
    client.destroy();
  }, 240_000);
});
