import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createStorageClient } from '@azimuth/clients';
import type { BulkMode } from '@azimuth/common';
import { seededRandom, silentLogger, systemClock, systemRandom } from '@azimuth/common';
import { createCodec, encodeShards } from '@azimuth/erasure';
import { StorageStub } from '@azimuth/proto';
import { createAuthority, createClient, issueCertificate, unaryCall } from '@azimuth/rpc';
import type { Role, TlsMaterial } from '@azimuth/rpc';
import { putShard, readShard } from '@azimuth/testkit';

import { startStorageNode } from '../../src/storage-node';
import type { StorageNode } from '../../src/storage-node';
import { MIB, OWNER } from '../store-fixture';

const { clusterId } = OWNER;
const BLOB = '1'.repeat(32);
const SIZE = 300_000;
const PROFILE = { k: 3, m: 1 };
const ZONES = ['a', 'b', 'b', 'c'];

let root: string;
let nodes: StorageNode[];
let certificateOf: (role: Role, nodeId: string, zone?: string) => Promise<TlsMaterial>;
let blobShards: { id: { blobId: string; shardIndex: number }; bytes: Buffer }[];

const metadata = {
  root: () => Promise.resolve(null as never),
  heartbeat: () => Promise.resolve({ isRegistered: true }),
};

beforeAll(async () => {
  const authority = await createAuthority(clusterId, systemClock);
  certificateOf = (role, nodeId, zone = 'a') => {
    const identity = { clusterId, zone, role, nodeId };
    return issueCertificate(authority, { identity, addresses: ['127.0.0.1'] }, systemClock);
  };
  const data = [1, 2, 3].map((seed) => Buffer.alloc(100_000, seededRandom(seed).bytes(251)));
  const parity = encodeShards(createCodec({ arenaBytes: MIB }), PROFILE, data);
  blobShards = [...data, ...parity].map((bytes, shardIndex) => ({
    id: { blobId: BLOB, shardIndex },
    bytes: Buffer.from(bytes),
  }));
});

/** Four nodes in three zones; node i holds shard i, but node 0 holds nothing. */
async function start(bulkMode: BulkMode): Promise<void> {
  root = await mkdtemp(join(tmpdir(), 'azimuth-rebuild-'));
  nodes = [];
  for (const [index, zone] of ZONES.entries()) {
    const nodeId = `s${index}`;
    const tls = await certificateOf('storage', nodeId, zone);
    const shared = { clock: systemClock, random: systemRandom, logger: silentLogger };
    const settings = {
      ...{ clusterId, nodeId, zone, host: '127.0.0.1', rpcPort: 0, bulkPort: 0, adminPort: 0 },
      ...{ bulkMode, diskPaths: [join(root, nodeId)], lowSpaceBytes: 0 },
      ...{ diskCapacityBytes: 64 * MIB, segmentBytesMax: MIB, ownSegmentAboveBytes: MIB },
      inFlightBytesMax: 16 * MIB,
      scrubPace: { periodMs: 3_600_000, floorBytesPerSecond: MIB, capBytesPerSecond: 64 * MIB },
      repair: {
        ...{ bytesPerSecond: 1e12, operationsPerSecond: 1e6, arenaBytes: 16 * MIB },
        crossCheckEveryBytes: 32 * MIB,
      },
    };
    const wiring = { ...shared, metadata, tls, bootId: 'boot', faults: null };
    nodes.push(await startStorageNode(settings, wiring));
    if (index === 0) continue;
    const shard = { ...blobShards[index]!, attributes: ATTRIBUTES };
    await putShard(storeOf(index), shard);
  }
}

const ATTRIBUTES = {
  pgId: 3,
  profile: PROFILE,
  blobSizeBytes: SIZE,
  blockBytes: 100_000,
  shardSizeBytes: 100_000,
};

afterEach(async () => {
  for (const node of nodes) await node.close();
  await rm(root, { recursive: true, force: true });
});

function storeOf(index: number) {
  return [...nodes[index]!.stores.values()][0]!;
}

async function rebuild(role: Role) {
  const tls = await certificateOf(role, `${role}-1`);
  const target = nodes[0]!;
  const where = { host: '127.0.0.1', port: target.rpcPort, tls, clusterId };
  const stub = createClient(StorageStub, { ...where, expectedRole: 'storage' });
  const request = {
    ...{ diskId: storeOf(0).diskId, shard: blobShards[0]!.id, pgId: 3, k: 3, m: 1 },
    ...{ blobSizeBytes: SIZE, blockBytes: 100_000 },
    sources: [1, 2, 3].map((shardIndex) => {
      const { incarnation, bulkPort, rpcPort } = nodes[shardIndex]!;
      const zone = ZONES[shardIndex]!;
      const place = { diskId: storeOf(shardIndex).diskId, nodeId: `s${shardIndex}`, zone };
      return { shardIndex, ...place, incarnation, host: '127.0.0.1', bulkPort, rpcPort };
    }),
  };
  try {
    return await unaryCall<{ isWritten: boolean }>(
      (options, done) => stub.RebuildShard(request, options, done),
      { timeoutMs: 10_000 },
    );
  } finally {
    stub.close();
  }
}

describe('RebuildShard', () => {
  it.each(['crc', 'secure'] as const)(
    'pulls one stream a zone from authenticated nodes (mode %s)',
    async (mode) => {
      await start(mode);
      expect(await rebuild('curator')).toMatchObject({ isWritten: true, failedSources: [] });
      const bytes = await readShard(storeOf(0), blobShards[0]!.id);
      expect(Buffer.from(bytes).equals(blobShards[0]!.bytes)).toBe(true);
      const response = await fetch(`http://127.0.0.1:${nodes[0]!.adminPort}/metrics`);
      const metric = (from: string): string =>
        `azimuth_repair_zone_bytes_total{from_zone="${from}",to_zone="a",purpose="repair"} 100000`;
      const text = await response.text();
      expect(text).toContain(metric('b'));
      expect(text).toContain(metric('c'));
    },
  );

  it('is refused to all but curators and admins', async () => {
    await start('crc');
    for (const role of ['gateway', 'storage', 'metadata'] as const) {
      await expect(rebuild(role)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    }
  });

  it.each(['crc', 'secure'] as const)(
    'is all that storage nodes get from each other: reads (mode %s)',
    async (bulkMode) => {
      await start(bulkMode);
      const tls = await certificateOf('storage', 's0');
      const client = createStorageClient({
        ...{ tls, clusterId, bulkMode, clock: systemClock, logger: silentLogger },
      });
      const { incarnation, bulkPort, rpcPort } = nodes[1]!;
      const reach = { incarnation, bulkPort, rpcPort, host: '127.0.0.1', adminPort: 0 };
      const node = { ...reach, nodeId: 's1', zone: 'b', state: 'up' as const };
      const address = { node, diskId: storeOf(1).diskId, ...blobShards[1]!.id };
      await client.readShard(address, { offsetBytes: 0, lengthBytes: 100_000 });
      await expect(client.deleteShard(address)).rejects.toMatchObject({
        code: 'PERMISSION_DENIED',
      });
      const query = { diskId: address.diskId, pgId: 3, afterBlobId: null, limit: 1 };
      await expect(client.listShards(node, query)).rejects.toMatchObject({
        code: 'PERMISSION_DENIED',
      });
      await client.close();
      expect(await storeOf(1).verify(blobShards[1]!.id)).toBe('intact');
    },
  );
});
