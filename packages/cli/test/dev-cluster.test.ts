import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock, systemRandom } from '@azimuth/common';

import { readClusterDocument } from '../src';
import { sendControl } from '../src/dev/control-socket';
import type { ControlAction, ControlRequest } from '../src/dev/control-socket';
import { DevCluster } from '../src/dev/dev-cluster';
import type { DevClusterOptions } from '../src/dev/dev-cluster';
import { findFreePorts } from '../src/dev/free-ports';

const FAKE_ROLE = join(__dirname, 'fake-role.js');

describe('azimuth dev: the launcher', () => {
  let directory: string;
  let port: number;
  let printed: string[];
  const clusters: DevCluster[] = [];

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'azimuth-dev-'));
    [port = 0] = await findFreePorts(1, {
      host: '127.0.0.1',
      reserved: new Set(),
      random: systemRandom,
    });
    printed = [];
  });

  afterEach(async () => {
    await Promise.all(clusters.splice(0).map((cluster) => cluster.stop()));
    rmSync(directory, { recursive: true, force: true });
  });

  const make = (more: Partial<DevClusterOptions> = {}): DevCluster => {
    const cluster = new DevCluster({
      directory,
      port,
      regions: 1,
      shape: {},
      gateway: {
        httpsPort: null,
        websitePort: null,
        certificate: null,
        identitiesFile: null,
        allowSignatureV2: false,
      },
      credentials: {},
      bulkMode: 'crc',
      logLevel: 'info',
      links: null,
      runTool: () => Promise.reject(new Error('no tool is needed')),
      withFaults: false,
      overrides: {},
      main: FAKE_ROLE,
      env: process.env,
      clock: systemClock,
      random: systemRandom,
      print: (line) => printed.push(line),
      ...more,
    });
    clusters.push(cluster);
    return cluster;
  };

  const document = (): ReturnType<typeof readClusterDocument> => readClusterDocument(directory);
  const region = (): ReturnType<typeof document>['regions'][number] => document().regions[0]!;
  const act = (action: ControlAction, scope: 'zone' | 'node', name: string): Promise<unknown> =>
    sendControl(directory, { action, scope, names: [name], region: null });
  const fetchText = (url: string): Promise<string> =>
    new Promise((resolve, reject) => {
      get(url, { agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => resolve(text));
      }).on('error', reject);
    });

  it('says for machines what the contract names, and keeps it from other users', async () => {
    await make().start();
    expect(document()).toMatchObject({
      ready: true,
      regions: [
        {
          name: 'us-east-1',
          endpoint: `http://127.0.0.1:${port}`,
          accessKey: expect.stringMatching(/^AZ[A-Z2-7]{18}$/),
          secretKey: expect.stringMatching(/^.{40}$/),
        },
      ],
    });
    expect(region().gateways.map(({ zone }) => zone)).toEqual(['a', 'b', 'c']);
    const count = (role: string): number =>
      region().processes.filter((process) => process.role === role).length;
    expect(['metadata', 'storage', 'gateway', 'curator'].map(count)).toEqual([3, 6, 3, 3]);
    for (const { pid } of region().processes) process.kill(pid, 0);
    for (const path of [
      'cluster.json',
      'us-east-1/region.json',
      'us-east-1/authority/ca-key.pem',
    ]) {
      expect(statSync(join(directory, path)).mode & 0o077).toBe(0);
    }
    const targets = JSON.parse(readFileSync(join(directory, 'prometheus-targets.json'), 'utf8'));
    expect(targets).toHaveLength(15);
  });

  it('kills a zone, tells so, restarts nothing by itself, and starts it when asked', async () => {
    await make().start();
    const before = region().processes;
    await act('kill', 'zone', 'a');
    expect(region().processes.map(({ zone }) => zone)).not.toContain('a');
    for (const { pid } of before.filter(({ zone }) => zone === 'a')) {
      expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    }
    await act('start', 'zone', 'a');
    expect(region().processes.filter(({ zone }) => zone === 'a')).toHaveLength(5);
    expect(printed.join()).not.toContain('ended by itself');
  });

  it('the front door skips dead and frozen gateways', async () => {
    await make().start();
    await act('kill', 'zone', 'a');
    await act('freeze', 'node', 'b-gateway-1');
    expect(region().processes.find(({ node }) => node === 'b-gateway-1')?.state).toBe('frozen');
    const stuck = fetchText(region().endpoint);
    const answers = await Promise.allSettled([stuck, fetchText(region().endpoint)]);
    // A connection that is already on its way to the frozen one is cut, so that the client retries.
    for (const answer of answers) {
      if (answer.status === 'fulfilled') expect(answer.value).toBe('c-gateway-1');
    }
    for (let i = 0; i < 6; i += 1) expect(await fetchText(region().endpoint)).toBe('c-gateway-1');
    await act('thaw', 'node', 'b-gateway-1');
    expect(region().processes.every(({ state }) => state === 'running')).toBe(true);
  });

  it('answers 503 at the front door when no gateway is left', async () => {
    await make({ shape: { zones: 1 } }).start();
    await act('kill', 'node', 'a-gateway-1');
    expect(await fetchText(region().endpoint)).toContain('<Code>ServiceUnavailable</Code>');
  });

  it('tells metadata nodes to rejoin once the cluster has been ready (pitfall 17)', async () => {
    const path = join(directory, 'us-east-1/a-metadata-1/config.json');
    const config = (): { whenEmpty: string } =>
      JSON.parse(readFileSync(path, 'utf8')) as { whenEmpty: string };
    const overrides = { gateway: { adminPort: 99_999 } };
    const failing = make({ shape: { zones: 1 }, overrides });
    await expect(failing.start()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(config().whenEmpty).toBe('bootstrap');
    const first = make({ shape: { zones: 1 } });
    await first.start();
    expect(config().whenEmpty).toBe('rejoin');
    await first.stop();
    await make().start();
    expect(config().whenEmpty).toBe('rejoin');
  });

  it('finds its identity, credentials and shape again at the next start', async () => {
    const first = make({ shape: { zones: 1 } });
    await first.start();
    const { accessKey, secretKey } = region();
    const config = (): unknown =>
      JSON.parse(readFileSync(join(directory, 'us-east-1/a-storage-1/config.json'), 'utf8'));
    const key = (): string =>
      readFileSync(join(directory, 'us-east-1/a-storage-1/tls/node-key.pem'), 'utf8');
    const before = [config(), key()] as const;
    await first.stop();
    expect(() => document()).toThrow('NOT_FOUND');
    await make().start();
    expect(region()).toMatchObject({ accessKey, secretKey });
    expect(key()).toBe(before[1]);
    const { clusterId } = before[0] as { clusterId: string };
    expect(config()).toMatchObject({ clusterId, nodeId: 'a-storage-1' });
    await expect(make({ shape: { zones: 3 } }).start()).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
    });
  });

  it('refuses another shape than the data was written with', async () => {
    const first = make({ shape: { zones: 1 } });
    await first.start();
    await first.stop();
    await expect(make({ shape: { zones: 3 } }).start()).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });

  it('starts what was added, and not what was removed, at every start; names are never reused (pitfall 17)', async () => {
    const change = (request: object): Promise<readonly string[]> =>
      sendControl(directory, { region: null, ...request } as ControlRequest);
    const add = { action: 'add-node', role: 'metadata', zone: 'a' };
    const names = (): string[] =>
      region()
        .processes.filter(({ role }) => role === 'metadata')
        .map(({ node }) => node);
    const first = make({ shape: { zones: 1 } });
    await first.start();
    expect(await change(add)).toEqual(['a-metadata-2']);
    const [founder, added] = region().processes.filter(({ role }) => role === 'metadata');
    expect(added?.rpc).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(added?.rpc).not.toBe(founder?.rpc);
    await change({ action: 'remove-node', name: 'a-metadata-1' });
    expect(() => process.kill(founder!.pid, 0)).toThrow('ESRCH');
    expect(await change(add)).toEqual(['a-metadata-3']);
    await change({ action: 'remove-node', name: 'a-metadata-3' });
    await first.stop();

    await make({ shape: { zones: 1 } }).start();
    expect(names()).toEqual(['a-metadata-2']);
    const config = readFileSync(join(directory, 'us-east-1/a-gateway-1/config.json'), 'utf8');
    const { metadataPeers } = JSON.parse(config) as { metadataPeers: { nodeId: string }[] };
    expect(metadataPeers.map(({ nodeId }) => nodeId)).toEqual(['a-metadata-2']);
    expect(await change(add)).toEqual(['a-metadata-4']);
    expect(await change({ ...add, role: 'storage' })).toEqual(['a-storage-3']);
    await expect(change({ action: 'remove-node', name: 'a-gateway-1' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });

  it('prints a crash, and cluster.json follows', async () => {
    const overrides = { curator: { crash: true } };
    await make({ shape: { zones: 1 }, overrides }).start();
    while (!printed.join().includes('a-curator-1 ended by itself (code 3)')) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(region().processes.map(({ role }) => role)).not.toContain('curator');
  });

  it('runs a second region beside the first, with its own identity', async () => {
    await make({ regions: 2, shape: { zones: 1, storagePerZone: 1 } }).start();
    expect(document().regions.map(({ name }) => name)).toEqual(['us-east-1', 'us-west-2']);
    expect(document().regions[1]!.endpoint).toBe(`http://127.0.0.1:${port + 100}`);
    expect(document().regions[0]!.accessKey).not.toBe(document().regions[1]!.accessKey);
    await sendControl(directory, {
      action: 'kill',
      scope: 'zone',
      names: ['a'],
      region: 'us-west-2',
    });
    expect(document().regions.map(({ processes }) => processes.length)).toEqual([4, 0]);
  });

  it('refuses to act on what there is not', async () => {
    await make({ shape: { zones: 1 } }).start();
    await expect(act('kill', 'zone', 'z')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(region().processes).toHaveLength(5);
  });

  it('stops everything it started when one process does not get ready', async () => {
    const overrides = { gateway: { adminPort: 99_999 } };
    const cluster = make({ shape: { zones: 1 }, overrides });
    await expect(cluster.start()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(() => document()).toThrow('NOT_FOUND');
  });
});
