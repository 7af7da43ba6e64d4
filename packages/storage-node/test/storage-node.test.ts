import { mkdtemp, rm } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createStorageClient } from '@azimuth/clients';
import { seededRandom, silentLogger, systemClock, systemRandom } from '@azimuth/common';
import { StorageStub } from '@azimuth/proto';
import type { NodeHeartbeat } from '@azimuth/proto';
import { createAuthority, createClient, issueCertificate, unaryCall } from '@azimuth/rpc';
import type { Role, TlsMaterial } from '@azimuth/rpc';
import { makeShard } from '@azimuth/testkit';

import { startStorageNode } from '../src/storage-node';
import type { StorageNode, StorageNodeSettings } from '../src/storage-node';
import { MIB, OWNER } from './store-fixture';

const random = seededRandom(5);
const { clusterId, zone, nodeId } = OWNER;
let root: string;
let node: StorageNode;
let certificates: Map<Role, TlsMaterial>;
let registrations: unknown[];
let heartbeats: NodeHeartbeat[];

const metadata = {
  root: (name: string, args: unknown) => {
    registrations.push([name, args]);
    return Promise.resolve(null as never);
  },
  heartbeat: (heartbeat: NodeHeartbeat) => {
    heartbeats.push(heartbeat);
    return Promise.resolve({ isRegistered: true });
  },
};

async function start(changes: Partial<StorageNodeSettings> = {}): Promise<StorageNode> {
  const settings: StorageNodeSettings = {
    clusterId,
    nodeId,
    zone,
    host: '127.0.0.1',
    rpcPort: 0,
    bulkPort: 0,
    adminPort: 0,
    bulkMode: 'crc',
    diskPaths: [join(root, 'disk-1'), join(root, 'disk-2')],
    lowSpaceBytes: 0,
    diskCapacityBytes: 512 * MIB,
    segmentBytesMax: 16 * MIB,
    ownSegmentAboveBytes: MIB,
    inFlightBytesMax: 64 * MIB,
    scrubPace: { periodMs: 3_600_000, floorBytesPerSecond: MIB, capBytesPerSecond: 64 * MIB },
    repair: {
      bytesPerSecond: 1e12,
      operationsPerSecond: 1e6,
      arenaBytes: 16 * MIB,
      crossCheckEveryBytes: 32 * MIB,
    },
    ...changes,
  };
  const tls = certificates.get('storage') as TlsMaterial;
  const shared = { clock: systemClock, random: systemRandom, logger: silentLogger };
  return startStorageNode(settings, { ...shared, metadata, tls, bootId: 'boot-1', faults: null });
}

beforeAll(async () => {
  const authority = await createAuthority(clusterId, systemClock);
  certificates = new Map();
  for (const role of ['storage', 'gateway', 'curator', 'metadata'] as const) {
    const identity = { clusterId, zone, role, nodeId: role === 'storage' ? nodeId : `${role}-1` };
    const request = { identity, addresses: ['127.0.0.1'] };
    certificates.set(role, await issueCertificate(authority, request, systemClock));
  }
});

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'azimuth-node-'));
  registrations = [];
  heartbeats = [];
});

afterEach(async () => {
  await node.close();
  await rm(root, { recursive: true, force: true });
});

function clientOf(role: Role, bulkMode: 'crc' | 'secure') {
  const tls = certificates.get(role) as TlsMaterial;
  return createStorageClient({
    tls,
    clusterId,
    bulkMode,
    clock: systemClock,
    logger: silentLogger,
  });
}

function stubOf(role: Role): InstanceType<typeof StorageStub> {
  const tls = certificates.get(role) as TlsMaterial;
  return createClient(StorageStub, {
    host: '127.0.0.1',
    port: node.rpcPort,
    tls,
    clusterId,
    expectedRole: 'storage',
  });
}

describe('storage node', () => {
  it.each(['crc', 'secure'] as const)(
    'registers, issues sessions and serves shards (mode %s)',
    async (bulkMode) => {
      node = await start({ bulkMode });
      expect(registrations).toHaveLength(1);
      const [diskId] = [...node.stores.keys()] as [string];
      const entry = { nodeId, zone, host: '127.0.0.1', state: 'up' as const, ...node };
      const shard = makeShard(random, { sizeBytes: 2 * MIB });
      const address = { node: entry, diskId, ...shard.id };
      const client = clientOf('gateway', bulkMode);
      const writer = client.openShard(address, shard.attributes);
      await writer.write(shard.bytes);
      await writer.finish();
      const range = { offsetBytes: 0, lengthBytes: shard.bytes.byteLength };
      const bytes = await client.readShard(address, range);
      expect(Buffer.from(bytes).equals(shard.bytes)).toBe(true);
      await client.close();

      const stub = stubOf('curator');
      const name = { blobId: shard.id.blobId, shardIndex: shard.id.shardIndex };
      const { verdicts } = await unaryCall<{ readonly verdicts: readonly string[] }>(
        (options, done) =>
          stub.VerifyShards({ diskId, shards: [name, { ...name, shardIndex: 1 }] }, options, done),
        { timeoutMs: 5_000 },
      );
      expect(verdicts).toEqual(['INTACT', 'ABSENT']);
      const { disks } = await unaryCall<{ readonly disks: readonly { diskId: string }[] }>(
        (options, done) => stub.GetStatistics({}, options, done),
        { timeoutMs: 5_000 },
      );
      expect(disks.find((disk) => disk.diskId === diskId)).toMatchObject({
        state: 'online',
        shardCount: 1,
        corruptShards: 0,
      });
      stub.close();
    },
  );

  it('refuses sessions and the census to other roles', async () => {
    node = await start();
    const stub = stubOf('metadata');
    const issue = unaryCall((options, done) => stub.IssueSession({}, options, done), {
      timeoutMs: 5_000,
    });
    await expect(issue).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    stub.close();
    const gateway = stubOf('gateway');
    const census = unaryCall(
      (options, done) => gateway.VerifyShards({ diskId: '', shards: [] }, options, done),
      { timeoutMs: 5_000 },
    );
    await expect(census).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    gateway.close();
  });

  it('keeps its disks and their shards over a restart, under another incarnation', async () => {
    node = await start();
    const disks = [...node.stores.keys()].sort();
    const { incarnation } = node;
    await node.close();
    node = await start();
    expect([...node.stores.keys()].sort()).toEqual(disks);
    expect(node.incarnation).not.toBe(incarnation);
  });

  it('serves its metrics', async () => {
    node = await start();
    const text = await new Promise<string>((resolve, reject) => {
      get(`http://127.0.0.1:${node.adminPort}/metrics`, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => void parts.push(part));
        response.on('end', () => resolve(Buffer.concat(parts).toString()));
      }).on('error', reject);
    });
    for (const name of ['fsync_seconds', 'disk_used_bytes', 'findings', 'disk_fenced']) {
      expect(text).toContain(`azimuth_storage_${name}`);
    }
  });
});
