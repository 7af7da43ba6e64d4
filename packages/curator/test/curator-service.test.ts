import { seededRandom, silentLogger } from '@azimuth/common';
import { slotOfKey } from '@azimuth/proto';
import { MemoryMetadataClient, VirtualClock } from '@azimuth/testkit';
import { Registry } from 'prom-client';

import { curatorConfigSchema } from '../src/curator-config';
import { startCurator } from '../src/curator-service';
import type { CuratorService } from '../src/curator-service';
import { FakeCluster } from './fake-cluster';

const BUCKET_ID = '00112233445566778899aabbccddeeff';
const BYTES = seededRandom(9).bytes(200_000);
const SLOTS = ['n0d0', 'n2d0', 'n4d0', 'n1d0', 'n3d0', 'n5d0'];

/** In steps, so that what starts between two timers finds time to ask for its own. */
async function advance(clock: VirtualClock, untilMs: number): Promise<void> {
  while (clock.monotonicMs() < untilMs) {
    await new Promise((resolve) => setImmediate(resolve));
    await clock.runUntil(clock.monotonicMs() + 100);
  }
}

describe('startCurator', () => {
  const services: CuratorService[] = [];

  afterEach(async () => {
    await Promise.all(services.splice(0).map((service) => service.close()));
  });

  async function begin() {
    const clock = new VirtualClock();
    const cluster = new FakeCluster([]);
    const { settings, nodes, disks } = cluster.map;
    const metadata = await MemoryMetadataClient.create({
      clock,
      random: seededRandom(1),
      settings,
    });
    for (const node of nodes.values()) {
      const entries = [...disks.values()]
        .filter(({ nodeId }) => nodeId === node.nodeId)
        .map(({ diskId, capacityBytes, state }) => ({ diskId, capacityBytes, state }));
      await metadata.root('RegisterNode', { node, disks: entries });
    }
    const group = { profile: { k: 4, m: 2 }, slots: SLOTS, isReduced: false };
    await metadata.root('OpenGroups', { groups: [group] });
    cluster.map = metadata.view.map();
    const start = async (nodeId: string): Promise<Registry> => {
      const registry = new Registry();
      const { storage, control, random } = cluster.context();
      const common = { clock, random, logger: silentLogger, registry };
      const config = curatorConfigSchema.parse({
        clusterId: settings.clusterId,
        nodeId,
        zone: 'a',
        tlsDirectory: 'unused',
        metadataPeers: [{ nodeId: 'm', zone: 'a', host: 'unused', port: 1 }],
        arenaBytes: 16 * 1024 * 1024,
      });
      const parts = { ...common, metadata, view: metadata.view, storage, control };
      services.push(await startCurator(config, parts));
      return registry;
    };
    return { clock, cluster, metadata, start };
  }

  async function gauge(registry: Registry, name: string): Promise<number | undefined> {
    const metric = await registry.getSingleMetric(name)?.get();
    return metric?.values[0]?.value;
  }

  it('repairs by itself what a commit names as missing', async () => {
    const { clock, cluster, metadata, start } = await begin();
    const slot = slotOfKey(BUCKET_ID, 'k');
    cluster.nowMs = clock.wallMs();
    const blob = cluster.putBlob(BYTES, 1, { slot });
    cluster.dropShard(blob, 2);
    const head = { key: 'k', sizeBytes: BYTES.length, etag: 'e', storageClass: 'STANDARD' };
    await metadata.index(`index-${slot % 3}`, 'CommitVersion', {
      bucketId: BUCKET_ID,
      key: 'k',
      versioning: 'unversioned',
      draft: {
        ...head,
        owner: 'me',
        ...{ headers: {}, userMetadata: {}, checksum: null },
        tags: {},
        acl: null,
      },
      data: {
        inline: null,
        blobs: [blob],
        missing: [{ blobId: blob.blobId, shardIndexes: [2] }],
      },
      precondition: null,
    });
    const registry = await start('c1');
    await advance(clock, 10_000);
    expect(cluster.intactSlots(blob, BYTES)).toHaveLength(6);
    expect(await gauge(registry, 'azimuth_missing_shards')).toBe(0);
  });

  it('lets one of two curators work, and the other take over when it is gone', async () => {
    const { clock, start } = await begin();
    const first = await start('c1');
    await advance(clock, 1_000);
    const second = await start('c2');
    await advance(clock, 8_000);
    expect(await gauge(first, 'azimuth_curator_is_leader')).toBe(1);
    expect(await gauge(second, 'azimuth_curator_is_leader')).toBe(0);
    await services.shift()?.close();
    await advance(clock, 20_000);
    expect(await gauge(second, 'azimuth_curator_is_leader')).toBe(1);
  });
});
