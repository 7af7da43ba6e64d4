import { randomBytes } from 'node:crypto';

import { silentLogger, StoreError, systemClock } from '@azimuth/common';
import type { StoreErrorCode } from '@azimuth/common';
import type { StorageNodeEntry } from '@azimuth/placement';
import { createAuthority, issueCertificate } from '@azimuth/rpc';
import type { PeerIdentity } from '@azimuth/rpc';

import { createStorageClient } from '../src/http-storage-client';
import type { StorageClientOptions } from '../src/http-storage-client';
import { PAGE_BYTES } from '../src/storage-client';
import type { ShardAddress, ShardAttributes, StorageClient } from '../src/storage-client';

import { ReferenceShardServer } from './reference-shard-server';

const DISK = 'd'.repeat(32);
const TLS = { caPem: Buffer.alloc(0), certPem: Buffer.alloc(0), keyPem: Buffer.alloc(0) };

let server: ReferenceShardServer;
let node: StorageNodeEntry;
let client: StorageClient;
let issueCount: number;

function makeClient(more: Partial<StorageClientOptions> = {}): StorageClient {
  return createStorageClient({
    tls: TLS,
    clusterId: 'c'.repeat(32),
    bulkMode: 'crc',
    clock: systemClock,
    logger: silentLogger,
    issueSession: () => {
      issueCount += 1;
      return Promise.resolve(server.session);
    },
    ...more,
  });
}

beforeEach(async () => {
  issueCount = 0;
  server = new ReferenceShardServer();
  node = await server.start();
  client = makeClient();
});

afterEach(async () => {
  await client.close();
  await server.close();
});

function makeAddress(blob: number): ShardAddress {
  return { node, diskId: DISK, blobId: blob.toString(16).padStart(32, '0'), shardIndex: blob % 6 };
}

function makeAttributes(shardSizeBytes: number): ShardAttributes {
  const profile = { k: 4, m: 2 };
  return {
    pgId: 7,
    profile,
    blobSizeBytes: shardSizeBytes * 4,
    blockBytes: 262_144,
    shardSizeBytes,
  };
}

async function writeShard(
  address: ShardAddress,
  bytes: Buffer,
  blockBytes: number,
  storage = client,
): Promise<void> {
  const writer = storage.openShard(address, makeAttributes(bytes.length));
  for (let from = 0; from < bytes.length; from += blockBytes) {
    await writer.write(bytes.subarray(from, from + blockBytes));
  }
  await writer.finish();
}

async function codeOf(promise: Promise<unknown>): Promise<StoreErrorCode | 'no error'> {
  try {
    await promise;
    return 'no error';
  } catch (error) {
    if (error instanceof StoreError) return error.code;
    throw error;
  }
}

describe('a shard comes back as it was written', () => {
  const sizes = [1, 16, PAGE_BYTES - 1, PAGE_BYTES, PAGE_BYTES + 1, 1_000_000, 3 * 1024 * 1024];
  it.each(sizes)('%i bytes', async (sizeBytes) => {
    const bytes = randomBytes(sizeBytes);
    await writeShard(makeAddress(1), bytes, 262_144);
    const range = { offsetBytes: 0, lengthBytes: sizeBytes };
    const whole = await client.readShard(makeAddress(1), range);
    expect(whole.length).toBe(sizeBytes);
    expect(bytes.equals(whole)).toBe(true);
  });

  it('a range goes into the target and touches no byte beside it', async () => {
    const bytes = randomBytes(1_000_000);
    await writeShard(makeAddress(2), bytes, 100_000);
    const arena = Buffer.alloc(400_000, 0xee);
    const target = arena.subarray(16, 300_016);
    const range = { offsetBytes: 2 * PAGE_BYTES, lengthBytes: 3 * PAGE_BYTES };
    await client.readShard(makeAddress(2), range, { target });
    const expected = bytes.subarray(2 * PAGE_BYTES, 5 * PAGE_BYTES);
    expect(target.subarray(0, expected.length).equals(expected)).toBe(true);
    expect(arena.subarray(0, 16).every((byte) => byte === 0xee)).toBe(true);
    expect(arena.subarray(16 + expected.length).every((byte) => byte === 0xee)).toBe(true);
  });

  it('blocks may be reused as soon as write has resolved', async () => {
    const bytes = randomBytes(8 * 1024 * 1024);
    const writer = client.openShard(makeAddress(3), makeAttributes(bytes.length));
    const block = Buffer.alloc(1024 * 1024);
    for (let from = 0; from < bytes.length; from += block.length) {
      bytes.copy(block, 0, from, from + block.length);
      await writer.write(block);
      block.fill(0);
    }
    await writer.finish();
    const stored = [...server.shards.values()][0];
    expect(stored?.equals(bytes)).toBe(true);
  });

  it('over one kept-alive connection when one request follows the other', async () => {
    for (let blob = 0; blob < 5; blob += 1) {
      await writeShard(makeAddress(blob), randomBytes(1_000), 1_000);
      await client.readShard(makeAddress(blob), { offsetBytes: 0, lengthBytes: 1_000 });
      await client.deleteShard(makeAddress(blob));
    }
    expect(server.connectionCount).toBe(1);
    expect(server.shards.size).toBe(0);
  });

  it('many at a time', async () => {
    const shards = Array.from({ length: 40 }, (_, blob) => ({ blob, bytes: randomBytes(150_000) }));
    await Promise.all(
      shards.map(({ blob, bytes }) => writeShard(makeAddress(blob), bytes, 70_000)),
    );
    const range = { offsetBytes: 0, lengthBytes: 150_000 };
    for (const { blob, bytes } of shards) {
      expect(bytes.equals(await client.readShard(makeAddress(blob), range))).toBe(true);
    }
  });
});

describe('failures are named and leave nothing behind', () => {
  const range = { offsetBytes: 0, lengthBytes: 200_000 };
  let impatient: StorageClient;

  beforeEach(async () => {
    impatient = makeClient({ progressTimeoutMs: 300, answerTimeoutMs: 300 });
    await writeShard(makeAddress(9), randomBytes(200_000), 200_000);
  });

  afterEach(() => impatient.close());

  it('a flipped byte is SHARD_CORRUPT, never data', async () => {
    server.faults.set('GET', { kind: 'flip' });
    expect(await codeOf(client.readShard(makeAddress(9), range))).toBe('SHARD_CORRUPT');
    expect(await codeOf(client.readShard(makeAddress(9), range))).toBe('no error');
  });

  it('a missing shard is SHARD_NOT_FOUND', async () => {
    expect(await codeOf(client.readShard(makeAddress(10), range))).toBe('SHARD_NOT_FOUND');
  });

  it.each(['DISK_FULL', 'DISK_FENCED', 'DISK_UNKNOWN'])(
    'a refusal keeps its code %s',
    async (code) => {
      server.faults.set('GET', { kind: 'refuse', status: 507, code });
      expect(await codeOf(client.readShard(makeAddress(9), range))).toBe(code);
      server.faults.set('PUT', { kind: 'refuse', status: 507, code });
      expect(await codeOf(writeShard(makeAddress(11), randomBytes(5_000), 5_000))).toBe(code);
    },
  );

  it('a write that is refused midway rejects the pending block, not only finish', async () => {
    server.faults.set('PUT', { kind: 'refuse', status: 507, code: 'DISK_FULL' });
    const size = 64 * 1024 * 1024;
    const bytes = Buffer.alloc(size);
    expect(await codeOf(writeShard(makeAddress(11), bytes, 1024 * 1024))).toBe('DISK_FULL');
  });

  it.each(['hang', 'hang-midway'] as const)(
    'a node that stands still (%s) is TIMEOUT',
    async (kind) => {
      server.faults.set('GET', { kind });
      expect(await codeOf(impatient.readShard(makeAddress(9), range))).toBe('TIMEOUT');
      expect(await codeOf(client.readShard(makeAddress(9), range))).toBe('no error');
    },
  );

  it('a node that takes no bytes, or never answers a write, is TIMEOUT', async () => {
    server.faults.set('PUT', { kind: 'hang' });
    expect(await codeOf(writeShard(makeAddress(12), randomBytes(5_000), 5_000, impatient))).toBe(
      'TIMEOUT',
    );
    server.faults.set('PUT', { kind: 'hang' });
    const large = Buffer.alloc(64 * 1024 * 1024);
    expect(await codeOf(writeShard(makeAddress(12), large, 4 * 1024 * 1024, impatient))).toBe(
      'TIMEOUT',
    );
  });

  it('a slow writer is not a slow node: time between two blocks does not count', async () => {
    const writer = impatient.openShard(makeAddress(13), makeAttributes(2_000));
    await writer.write(Buffer.alloc(1_000));
    await systemClock.sleep(800);
    await writer.write(Buffer.alloc(1_000));
    await writer.finish();
  });

  it('a response without a length ends the connection, not the process', async () => {
    server.faults.set('GET', { kind: 'no-length' });
    expect(await codeOf(client.readShard(makeAddress(9), range))).toBe('UNAVAILABLE');
  });

  it('a dead node is UNAVAILABLE at once', async () => {
    await server.close();
    expect(await codeOf(client.readShard(makeAddress(9), range))).toBe('UNAVAILABLE');
    const bytes = Buffer.alloc(64 * 1024 * 1024);
    expect(await codeOf(writeShard(makeAddress(9), bytes, 1024 * 1024))).toBe('UNAVAILABLE');
  });

  it('a connection closed while idle is not an error of the next request', async () => {
    server.faults.set('GET', { kind: 'reset' });
    expect(await codeOf(client.readShard(makeAddress(9), range))).toBe('no error');
  });

  it('an aborted read is CANCELLED and its target is written no more', async () => {
    const abort = new AbortController();
    server.faults.set('GET', { kind: 'hang-midway' });
    const target = Buffer.alloc(200_000);
    const reading = codeOf(
      client.readShard(makeAddress(9), range, { target, signal: abort.signal }),
    );
    await systemClock.sleep(50);
    abort.abort();
    expect(await reading).toBe('CANCELLED');
    target.fill(0);
    await systemClock.sleep(20);
    expect(target.every((byte) => byte === 0)).toBe(true);
  });

  it('an aborted write rejects like its later calls, and twice is as good as once', async () => {
    const writer = client.openShard(makeAddress(14), makeAttributes(100_000));
    await writer.write(Buffer.alloc(50_000));
    writer.abort();
    writer.abort();
    expect(await codeOf(writer.write(Buffer.alloc(50_000)))).toBe('CANCELLED');
    expect(await codeOf(writer.finish())).toBe('CANCELLED');
    expect(server.shards.size).toBe(1);
  });
});

describe('requests are signed with a session of the node', () => {
  it('one session serves many requests; a refused one is replaced once', async () => {
    await writeShard(makeAddress(1), randomBytes(100), 100);
    await client.readShard(makeAddress(1), { offsetBytes: 0, lengthBytes: 100 });
    expect(issueCount).toBe(1);
    server.faults.set('GET', { kind: 'refuse', status: 401, code: 'UNAUTHENTICATED' });
    await client.readShard(makeAddress(1), { offsetBytes: 0, lengthBytes: 100 });
    expect(issueCount).toBe(2);
  });

  it('a write is signed when its first block is there, however long that took', async () => {
    const writer = client.openShard(makeAddress(1), makeAttributes(100));
    expect(issueCount).toBe(0);
    await writer.write(randomBytes(100));
    await writer.finish();
    expect(issueCount).toBe(1);
  });

  it('another incarnation of the node gets another session', async () => {
    await client.deleteShard(makeAddress(1));
    node = { ...node, incarnation: 'incarnation-2' };
    await client.deleteShard(makeAddress(1));
    expect(issueCount).toBe(2);
  });

  it('no session, no request: the issuer failing is UNAVAILABLE', async () => {
    await client.close();
    client = makeClient({ issueSession: () => Promise.reject(new Error('no route')) });
    expect(await codeOf(client.deleteShard(makeAddress(1)))).toBe('UNAVAILABLE');
    expect(await codeOf(writeShard(makeAddress(1), randomBytes(9), 9))).toBe('UNAVAILABLE');
    expect(server.targets).toEqual([]);
  });

  it('above the connection limit callers wait their turn', async () => {
    await client.close();
    client = makeClient({ connectionsMax: 2 });
    await writeShard(makeAddress(1), randomBytes(100), 100);
    const range = { offsetBytes: 0, lengthBytes: 100 };
    const reads = Array.from({ length: 20 }, () => client.readShard(makeAddress(1), range));
    expect(await Promise.all(reads)).toHaveLength(20);
    expect(server.connectionCount).toBeLessThanOrEqual(3);
  });
});

describe('bulk mode secure', () => {
  const clusterId = 'c'.repeat(32);
  const gateway: PeerIdentity = { clusterId, zone: 'a', role: 'gateway', nodeId: 'gateway-1' };
  const storage: PeerIdentity = { clusterId, zone: 'a', role: 'storage', nodeId: 'storage-1' };

  async function connect(server_: PeerIdentity): Promise<void> {
    const authority = await createAuthority(clusterId, systemClock);
    const material = (identity: PeerIdentity): ReturnType<typeof issueCertificate> =>
      issueCertificate(authority, { identity, addresses: ['127.0.0.1'] }, systemClock);
    await client.close();
    await server.close();
    server = new ReferenceShardServer(await material(server_));
    server.isSigned = false;
    node = { ...(await server.start()), nodeId: storage.nodeId };
    client = makeClient({ bulkMode: 'secure', tls: await material(gateway) });
  }

  it('carries shards over mutual TLS, without a session', async () => {
    await connect(storage);
    const bytes = randomBytes(1_000_000);
    await writeShard(makeAddress(1), bytes, 262_144);
    const read = await client.readShard(makeAddress(1), { offsetBytes: 0, lengthBytes: 1_000_000 });
    expect(bytes.equals(read)).toBe(true);
    expect(issueCount).toBe(0);
  });

  it.each([
    ['another node', { ...storage, nodeId: 'storage-2' }],
    ['another role', { ...storage, role: 'gateway' as const }],
    ['another cluster', { ...storage, clusterId: 'd'.repeat(32) }],
  ])('refuses to talk to %s', async (_name, identity) => {
    await connect(identity);
    expect(await codeOf(writeShard(makeAddress(1), randomBytes(100), 100))).toBe('UNAUTHENTICATED');
    expect(server.targets).toEqual([]);
  });
});
