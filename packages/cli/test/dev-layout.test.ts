import { devNodes, nodeConfig, portNames } from '../src/dev/dev-layout';
import type { DevRegionPlan } from '../src/dev/dev-layout';

const shape = { zones: 3, storagePerZone: 2, indexGroups: 3 };
let nextPort = 10_000;
const plan: DevRegionPlan = {
  name: 'us-east-1',
  clusterId: '0'.repeat(32),
  shape,
  accessKey: 'AZKEY',
  secretKey: 'a-secret-of-length',
  bulkMode: 'secure',
  logLevel: 'warn',
  overrides: { curator: { garbageGraceMs: 5 } },
  ports: new Map(
    devNodes(shape).map((node) => [
      node.nodeId,
      Object.fromEntries(portNames(node.role).map((name) => [name, (nextPort += 1)])),
    ]),
  ),
  nodeDirectory: (nodeId) => `/data/${nodeId}`,
};
const configs = new Map(devNodes(shape).map((node) => [node.nodeId, nodeConfig(plan, node)]));

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

  it('applies overrides to their role alone', () => {
    expect(configs.get('b-curator-1')).toMatchObject({ garbageGraceMs: 5 });
    expect(configs.get('b-gateway-1')).not.toHaveProperty('garbageGraceMs');
  });

  it('keeps the data of every node apart', () => {
    const directories = [...configs.values()].flatMap((config) => [
      config['tlsDirectory'],
      ...((config['diskPaths'] as string[] | undefined) ?? []),
    ]);
    expect(new Set(directories).size).toBe(directories.length);
  });
});
