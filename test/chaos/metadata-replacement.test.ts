/**
 * Metadata nodes of real processes, as an operator changes them, under load: one loses its log and
 * comes back, one is lost for good and replaced, and each time another dies, so that nothing goes
 * on without it. Then a voter moves to another zone, and three become five.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';

import { CreateBucketCommand } from '@aws-sdk/client-s3';
import type { DevCluster } from '@azimuth/testkit';
import { startDevCluster } from '@azimuth/testkit';

import { eventually, soon } from './eventually';
import { makeClient, Workload } from './workload';

const BUCKET = 'metadata-nodes';
const CLIENTS = 2;
const SEED = Number(process.env['AZIMUTH_SEED'] ?? 1_105);

describe(`metadata nodes change under load (AZIMUTH_SEED=${SEED})`, () => {
  let cluster: DevCluster;
  let workload: Workload;

  beforeAll(async () => {
    cluster = await startDevCluster({ args: ['--storage-per-zone', '1'] });
    const client = makeClient(cluster, 10);
    await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
    client.destroy();
    workload = new Workload(cluster, BUCKET, SEED);
    workload.start(CLIENTS);
  }, 180_000);

  afterAll(async () => {
    await workload.stop();
    await cluster.stop();
  }, 120_000);

  /** Starts a process that waits to be taken in, and answers how `azimuth metadata` names it. */
  async function addProcess(zone: string): Promise<{ nodeId: string; address: string }> {
    const said = await cluster.azimuth('dev', 'node', 'add', '--role', 'metadata', '--zone', zone);
    const [, nodeId = '', address = ''] = /^(\S+) runs.*@(\S+)$/m.exec(said) ?? [];
    return { nodeId, address };
  }

  async function replace(lost: string, zone: string): Promise<string> {
    const { nodeId, address } = await addProcess(zone);
    const node = ['--with', nodeId, '--zone', zone, '--address', address];
    await cluster.azimuth('metadata', 'replace', lost, ...node);
    await cluster.azimuth('dev', 'node', 'remove', lost);
    return nodeId;
  }

  /** Names of the voters, and which of them leads `root`. */
  const voters = (): Promise<{ names: readonly string[]; leader: string }> =>
    soon(30_000, async () => {
      const said = await cluster.azimuth('metadata', 'list');
      const rows = said
        .trim()
        .split('\n')
        .slice(1)
        .map((line) => line.split(/\s+/));
      const names = rows.filter((row) => row[3] === 'voter').map(([name = '']) => name);
      const leader = rows.find((row) => row.slice(6).includes('root'))?.[0];
      if (leader === undefined) throw new Error(`no leader of root: ${said}`);
      return { names, leader };
    });

  async function expectWrites(): Promise<void> {
    const { write } = workload.counts;
    await eventually('writes go on', 60_000, () => workload.counts.write >= write + 10);
  }

  it('pitfall 17: one whose log is lost comes back under its name, another dies: writes go on', async () => {
    const { names, leader } = await voters();
    const [lost = '', other = ''] = names.filter((name) => name !== leader);
    await cluster.node('kill', lost);
    rmSync(join(cluster.nodeDirectory(lost), 'data'), { recursive: true });
    await cluster.node('start', lost);
    // It names itself damaged from its first answer on until a leader has readmitted it.
    await soon(60_000, async () => {
      const { metadata, damagedReplicas } = await cluster.status();
      expect(metadata.find(({ nodeId }) => nodeId === lost)?.isReachable).toBe(true);
      expect(damagedReplicas).toEqual([]);
    });
    await cluster.node('kill', other);
    await expectWrites();
    await cluster.node('start', other);
    await soon(60_000, async () => expect((await voters()).names).toHaveLength(3));
  }, 300_000);

  it('one is lost with its disk and replaced, another dies: nothing is lost, writes go on', async () => {
    const { leader: lost } = await voters();
    const [zone = ''] = lost.split('-');
    await cluster.node('kill', lost);
    rmSync(cluster.nodeDirectory(lost), { recursive: true });
    const added = await replace(lost, zone);
    expect(added).toBe(`${zone}-metadata-2`);
    const { names } = await voters();
    expect(names).toHaveLength(3);
    expect(names).not.toContain(lost);

    const [second = ''] = names.filter((name) => name !== added);
    await cluster.node('kill', second);
    await expectWrites();
    await workload.verify();
    expect(workload.violations).toEqual([]);
    await cluster.node('start', second);
  }, 300_000);

  it('three become five, a voter moves to another zone, two of them die: nothing is lost', async () => {
    const added = [await addProcess('b'), await addProcess('c')];
    const nodes = added.map(({ nodeId, address }) => `${nodeId}=${nodeId.slice(0, 1)}@${address}`);
    await cluster.azimuth('metadata', 'add', ...nodes.flatMap((node) => ['--node', node]));
    const { names } = await voters();
    expect(names).toHaveLength(5);

    const inB = names.filter((name) => name.startsWith('b-'));
    expect(inB).toHaveLength(2);
    const moved = await replace(inB[0] ?? '', 'a');
    const after = (await voters()).names;
    expect(after).toHaveLength(5);
    expect(after).toContain(moved);

    const inC = after.filter((name) => name.startsWith('c-'));
    await cluster.node('kill', ...inC);
    await expectWrites();
    await soon(30_000, () =>
      expect(cluster.azimuth('metadata', 'remove', moved)).rejects.toThrow(/quorum/),
    );
    await workload.stop();
    expect(await workload.verify()).toBeGreaterThan(10);
    expect(workload.violations).toEqual([]);
  }, 300_000);
});
