import { defaultProfiles, devNodes, nodeConfig, portNames } from '../src/dev/dev-layout';
import type { DevRegionPlan } from '../src/dev/dev-layout';

const shape = { zones: 3, storagePerZone: 2, indexGroups: 3 };
let nextPort = 10_000;
const plan: DevRegionPlan = {
  name: 'us-east-1',
  clusterId: '0'.repeat(32),
  shape,
  nodes: devNodes(shape),
  accessKey: 'AZKEY',
  secretKey: 'a-secret-of-length',
  bulkMode: 'secure',
  logLevel: 'warn',
  gateway: { certificate: null, identitiesFile: '/data/identities.json', allowSignatureV2: true },
  isFormed: false,
  overrides: { curator: { garbageGraceMs: 5 } },
  ports: new Map(
    devNodes(shape).map((node) => [
      node.nodeId,
      Object.fromEntries(portNames(node.role).map((name) => [name, (nextPort += 1)])),
    ]),
  ),
  hostOf: () => '127.0.0.1',
  addressMapOf: (nodeId) => ({ '127.0.0.1:1': `127.0.0.1:${nodeId.length}` }),
  withFaults: false,
  nodeDirectory: (nodeId) => `/data/${nodeId}`,
};
const configs = new Map(devNodes(shape).map((node) => [node.nodeId, nodeConfig(plan, node)]));

describe('what only game days need', () => {
  it('tells a process to obey faults only in a cluster that was started with them', () => {
    const [node] = devNodes(shape);
    if (node === undefined) throw new Error('no node');
    expect(nodeConfig(plan, node)).not.toHaveProperty('faultsFile');
    expect(nodeConfig({ ...plan, withFaults: true }, node)).toHaveProperty(
      'faultsFile',
      `/data/${node.nodeId}/faults.json`,
    );
  });

  it('gives each node its own way to the others', () => {
    expect(configs.get('a-gateway-1')?.['addressMap']).toEqual({ '127.0.0.1:1': '127.0.0.1:11' });
  });
});

describe('layout of a development cluster (architecture: one of each a zone)', () => {
  it('has a metadata node, storage nodes, a gateway and a curator in each zone', () => {
    const ofZone = (zone: string): string[] =>
      devNodes(shape)
        .filter((node) => node.zone === zone)
        .map((node) => node.role);
    for (const zone of ['a', 'b', 'c']) {
      expect(ofZone(zone)).toEqual(['metadata', 'storage', 'storage', 'gateway', 'curator']);
    }
  });

  it('tells every process the same metadata peers', () => {
    const peers = [...configs.values()].map((config) => JSON.stringify(config['metadataPeers']));
    expect(new Set(peers).size).toBe(1);
    expect(JSON.parse(peers[0]!)).toHaveLength(3);
  });

  it('gives the root credentials to gateways alone', () => {
    for (const [nodeId, config] of configs) {
      expect(JSON.stringify(config).includes(plan.secretKey)).toBe(nodeId.includes('gateway'));
    }
  });

  it('tells the file of identities to gateways alone', () => {
    for (const [nodeId, config] of configs) {
      expect(config['identitiesFile'] !== undefined).toBe(nodeId.includes('gateway'));
    }
    expect(configs.get('a-gateway-1')).toMatchObject({ allowSignatureV2: true });
    expect(portNames('gateway', ['httpsPort', 'websitePort'])).toEqual(
      expect.arrayContaining(['httpsPort', 'websitePort']) as string[],
    );
    expect(portNames('gateway')).not.toContain('httpsPort');
    expect(portNames('storage', ['httpsPort'])).not.toContain('httpsPort');
  });

  it('applies overrides to their role alone', () => {
    expect(configs.get('b-curator-1')).toMatchObject({ garbageGraceMs: 5 });
    expect(configs.get('b-gateway-1')).not.toHaveProperty('garbageGraceMs');
  });

  it('lets an empty metadata node found the cluster once, and rejoin ever after (pitfall 17)', () => {
    expect(configs.get('a-metadata-1')).toMatchObject({ whenEmpty: 'bootstrap' });
    for (const node of devNodes(shape)) {
      const { whenEmpty } = nodeConfig({ ...plan, isFormed: true }, node);
      expect(whenEmpty).toBe(node.role === 'metadata' ? 'rejoin' : undefined);
    }
  });

  it('lets an added metadata node join, and never stand for the log that it lost (pitfall 17)', () => {
    const node = { nodeId: 'b-metadata-2', role: 'metadata', zone: 'b', isAdded: true } as const;
    const ports = new Map([...plan.ports, [node.nodeId, { rpcPort: 1, adminPort: 2 }]]);
    const grown = { ...plan, nodes: [...plan.nodes, node], ports };
    for (const isFormed of [false, true]) {
      expect(nodeConfig({ ...grown, isFormed }, node)).toMatchObject({ whenEmpty: 'join' });
    }
    const [first] = devNodes(shape);
    const peers = nodeConfig(grown, first!)['metadataPeers'] as unknown[];
    expect(peers).toContainEqual({ nodeId: 'b-metadata-2', zone: 'b', host: '127.0.0.1', port: 1 });
  });

  it('keeps the data of every node apart', () => {
    const directories = [...configs.values()].flatMap((config) => [
      config['tlsDirectory'],
      ...((config['diskPaths'] as string[] | undefined) ?? []),
    ]);
    expect(new Set(directories).size).toBe(directories.length);
  });
});

describe('default profiles', () => {
  it.each([
    [1, 1, '1+0', '1+0'],
    [1, 4, '2+2', '1+2'],
    [2, 2, '2+2', '1+1'],
    [3, 1, '2+1', '1+2'],
    [3, 2, '4+2', '1+2'],
    [3, 3, '6+3', '1+2'],
    [5, 1, '4+1', '1+2'],
  ])('%d zones with %d nodes each: %s and %s', (zones, storagePerZone, erasure, replica) => {
    const profiles = defaultProfiles({ zones, storagePerZone, indexGroups: 1 });
    const text = ({ k, m }: { k: number; m: number }): string => `${k}+${m}`;
    expect([text(profiles.erasureProfile), text(profiles.replicaProfile)]).toEqual([
      erasure,
      replica,
    ]);
  });

  it('survive a zone wherever there are two or more', () => {
    for (let zones = 2; zones <= 7; zones += 1) {
      for (let storagePerZone = 1; storagePerZone <= 16; storagePerZone += 1) {
        const { erasureProfile, replicaProfile } = defaultProfiles({
          zones,
          storagePerZone,
          indexGroups: 1,
        });
        for (const { k, m } of [erasureProfile, replicaProfile]) {
          expect(Math.ceil((k + m) / zones)).toBeLessThanOrEqual(m);
          expect(k + m).toBeLessThanOrEqual(zones * storagePerZone);
        }
      }
    }
  });
});
