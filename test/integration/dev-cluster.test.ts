/**
 * The development cluster as machines see it: what `cluster.json` promises to whoever drives it.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ListBucketsCommand } from '@aws-sdk/client-s3';
import type { DevCluster } from '@azimuth/testkit';
import { startDevCluster } from '@azimuth/testkit';

import { makeClient } from '../chaos/workload';

const ZONES = ['a', 'b', 'c'];
/** With the SDK's back-off, more than the 5 s that reads may fail after the loss of a zone (P3). */
const READ_ATTEMPTS = 8;

interface ClusterDocument {
  readonly ready: boolean;
  readonly regions: readonly {
    readonly name: string;
    readonly endpoint: string;
    readonly gateways: readonly { readonly zone: string; readonly url: string }[];
    readonly accessKey: string;
    readonly secretKey: string;
    readonly processes: readonly {
      readonly role: string;
      readonly zone: string;
      readonly pid: number;
      readonly admin: string;
    }[];
  }[];
}

describe('azimuth dev', () => {
  let parent: string;
  let cluster: DevCluster;

  beforeAll(async () => {
    parent = mkdtempSync(join(tmpdir(), 'azimuth-dev-'));
    // Longer than the path of a socket may be: that of the launcher has to be found all the same.
    cluster = await startDevCluster({ directory: join(parent, 'long'.repeat(30)) });
  }, 180_000);

  afterAll(async () => {
    await cluster.stop();
    rmSync(parent, { recursive: true, force: true });
  }, 120_000);

  const document = (): ClusterDocument =>
    JSON.parse(readFileSync(join(cluster.directory, 'cluster.json'), 'utf8')) as ClusterDocument;
  const region = (): ClusterDocument['regions'][number] => {
    const [first] = document().regions;
    if (first === undefined) throw new Error('no region');
    return first;
  };
  const rolesOf = (zone: string): string[] =>
    region()
      .processes.filter((each) => each.zone === zone)
      .map(({ role }) => role)
      .sort();

  it('describes one region of three zones, every process of it alive and ready', async () => {
    expect(document().ready).toBe(true);
    expect(document().regions).toHaveLength(1);
    for (const zone of ZONES) {
      expect(rolesOf(zone)).toEqual(['curator', 'gateway', 'metadata', 'storage', 'storage']);
    }
    for (const { pid, admin } of region().processes) {
      expect(process.kill(pid, 0)).toBe(true);
      expect((await fetch(`${admin}/livez`)).status).toBe(200);
      expect((await fetch(`${admin}/readyz`)).status).toBe(200);
      const metrics = await (await fetch(`${admin}/metrics`)).text();
      expect(metrics).toContain('process_cpu_seconds_total');
    }
  });

  it('names an endpoint and a gateway in each zone that serve S3 with the credentials', async () => {
    const { endpoint, gateways, accessKey, secretKey } = region();
    expect(gateways.map(({ zone }) => zone).sort()).toEqual(ZONES);
    for (const url of [endpoint, ...gateways.map((gateway) => gateway.url)]) {
      const client = makeClient({ ...cluster, endpoint: url, accessKey, secretKey }, 1);
      expect((await client.send(new ListBucketsCommand({}))).Buckets ?? []).toEqual([]);
      client.destroy();
    }
  });

  it('restarts nothing by itself, follows what it is told, and serves on without a zone', async () => {
    await cluster.azimuth('dev', 'zone', 'kill', 'b');
    expect(rolesOf('b')).toEqual([]);
    // The root leader may have been there: until there is another, the answer is to try again.
    const client = makeClient(cluster, READ_ATTEMPTS);
    expect((await client.send(new ListBucketsCommand({}))).Buckets ?? []).toEqual([]);
    client.destroy();
    await cluster.azimuth('dev', 'zone', 'start', 'b');
    expect(rolesOf('b')).toHaveLength(5);
    expect(document().ready).toBe(true);
  }, 120_000);

  it('does what tests tell it, too, who ask its socket themselves', async () => {
    const stateOf = (name: string): string | undefined =>
      cluster.processes().find(({ node }) => node === name)?.state;
    await cluster.node('freeze', 'c-curator-1');
    expect(stateOf('c-curator-1')).toBe('frozen');
    await cluster.node('thaw', 'c-curator-1');
    expect(stateOf('c-curator-1')).toBe('running');
    await expect(cluster.node('kill', 'nobody')).rejects.toThrow();
  });

  it('leaves a directory behind that starts again with the same credentials', async () => {
    const { accessKey, secretKey } = region();
    const { directory } = cluster;
    await cluster.killEverything();
    const again = await startDevCluster({ directory });
    try {
      expect(again).toMatchObject({ accessKey, secretKey });
    } finally {
      await again.stop();
    }
  }, 180_000);
});
