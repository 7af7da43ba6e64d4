import { createHmac } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { request as httpRequest } from 'node:http';

import { createStorageClient } from '@azimuth/clients';
import type { ShardAddress, StorageClient } from '@azimuth/clients';
import { Pace, seededRandom, silentLogger, StoreError, systemClock } from '@azimuth/common';
import type { StorageNodeEntry } from '@azimuth/placement';
import { makeShard, wireOf } from '@azimuth/testkit';
import type { ShardFixture } from '@azimuth/testkit';

import { BulkSessions } from '../../src/server/bulk-sessions';
import type { IssuedSession } from '../../src/server/bulk-sessions';
import { startShardServer } from '../../src/server/shard-server';
import type { ShardServer } from '../../src/server/shard-server';
import type { SegmentStore } from '../../src/store/segment-store';
import { MIB, NO_REPAIR, openStore, OWNER, simMachine } from '../store-fixture';

const random = seededRandom(77);
const PEER = { clusterId: OWNER.clusterId, role: 'gateway' as const, nodeId: 'g', zone: 'a' };
const tls = { caPem: Buffer.alloc(0), certPem: Buffer.alloc(0), keyPem: Buffer.alloc(0) };

let store: SegmentStore;
let server: ShardServer;
let sessions: BulkSessions;
let session: IssuedSession;
let client: StorageClient;
let machine: ReturnType<typeof simMachine>;
let node: StorageNodeEntry;
/** Emits the code of every request that ended. */
let traffic: EventEmitter;

beforeEach(async () => {
  machine = simMachine(1);
  store = await openStore(machine);
  sessions = new BulkSessions('incarnation-1', systemClock, random);
  session = sessions.issue(PEER);
  traffic = new EventEmitter();
  server = await startServer(8 * MIB);
  node = {
    nodeId: OWNER.nodeId,
    zone: 'a',
    host: '127.0.0.1',
    bulkPort: server.port,
    rpcPort: 1,
    adminPort: 1,
    incarnation: 'incarnation-1',
    state: 'up',
  };
  client = createStorageClient({
    tls,
    clusterId: OWNER.clusterId,
    bulkMode: 'crc',
    clock: systemClock,
    logger: silentLogger,
    issueSession: () => Promise.resolve(session),
  });
});

afterEach(async () => {
  await client.close();
  await server.close();
  await store.close();
});

function startServer(
  inFlightBytesMax: number,
  repairPace = NO_REPAIR.repairPace,
): Promise<ShardServer> {
  return startShardServer({
    stores: new Map([[store.diskId, store]]),
    sessions,
    mode: 'crc',
    tls,
    clusterId: OWNER.clusterId,
    host: '127.0.0.1',
    port: 0,
    inFlightBytesMax,
    clock: systemClock,
    logger: silentLogger,
    ...NO_REPAIR,
    repairPace,
    onTraffic: (one) => traffic.emit(one.code),
  });
}

function addressOf(shard: ShardFixture): ShardAddress {
  return { node, diskId: store.diskId, ...shard.id };
}

async function put(shard: ShardFixture): Promise<void> {
  const writer = client.openShard(addressOf(shard), shard.attributes);
  for (let at = 0; at < shard.bytes.byteLength; at += MIB) {
    await writer.write(shard.bytes.subarray(at, at + MIB));
  }
  await writer.finish();
}

interface RawRequest {
  readonly method: string;
  readonly target: string;
  readonly body?: Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sends only so many bytes of the body, then hangs up. */
  readonly cutAfterBytes?: number;
}

interface RawResponse {
  readonly status: number;
  readonly code: string;
  readonly body: Buffer;
}

/** A request as anybody on the network could send it. */
function send(raw: RawRequest): Promise<RawResponse> {
  return new Promise((resolve, reject) => {
    const { method, target, body = Buffer.alloc(0) } = raw;
    const outgoing = httpRequest({
      host: '127.0.0.1',
      port: server.port,
      method,
      path: target,
      headers: { 'content-length': body.byteLength, ...raw.headers },
    });
    outgoing.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const code = response.headers['x-azimuth-error'];
        resolve({
          status: response.statusCode ?? 0,
          code: typeof code === 'string' ? code : '',
          body: Buffer.concat(chunks),
        });
      });
    });
    outgoing.on('error', reject);
    if (raw.cutAfterBytes === undefined) {
      outgoing.end(body);
    } else {
      outgoing.write(body.subarray(0, raw.cutAfterBytes), () => outgoing.destroy());
    }
  });
}

interface Signing {
  readonly method: string;
  readonly target: string;
  readonly contentLength: number;
  readonly key?: Buffer;
  readonly generation?: string;
  readonly expiresMs?: number;
}

function signed(signing: Signing): Record<string, string> {
  const expiresMs = signing.expiresMs ?? Math.floor(systemClock.wallMs()) + 30_000;
  const generation = signing.generation ?? session.generation;
  const mac = createHmac('sha256', signing.key ?? session.key)
    .update(
      `${signing.method}\n${signing.target}\n${signing.contentLength}\n${generation}\n${expiresMs}`,
    )
    .digest('hex');
  return {
    'x-azimuth-session': session.sessionId,
    'x-azimuth-expires': String(expiresMs),
    'x-azimuth-mac': mac,
  };
}

function putTarget(shard: ShardFixture): string {
  const { pgId, profile, blobSizeBytes, blockBytes } = shard.attributes;
  return (
    `/shards/${store.diskId}/${shard.id.blobId}/${shard.id.shardIndex}` +
    `?pg=${pgId}&k=${profile.k}&m=${profile.m}&size=${blobSizeBytes}&block=${blockBytes}`
  );
}

function sendPut(shard: ShardFixture, body: Buffer, more: Partial<RawRequest> = {}) {
  const target = putTarget(shard);
  const headers = signed({ method: 'PUT', target, contentLength: body.byteLength });
  return send({ method: 'PUT', target, body, headers, ...more });
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'OK';
  } catch (error) {
    return error instanceof StoreError ? error.code : String(error);
  }
}

/** A shard whose size the stripe arithmetic leaves as it is. */
function shardOf(sizeBytes: number): ShardFixture {
  return makeShard(random, { sizeBytes: Math.ceil(sizeBytes / 16) * 16 });
}

describe('shard server and storage client', () => {
  it.each([16, 65_536, 65_552, MIB, 5 * MIB + 4_096])('round-trips %i bytes', async (size) => {
    const shard = shardOf(size);
    await put(shard);
    const lengthBytes = shard.bytes.byteLength;
    const read = await client.readShard(addressOf(shard), { offsetBytes: 0, lengthBytes });
    expect(Buffer.from(read).equals(shard.bytes)).toBe(true);
    if (lengthBytes > 65_536 + 100) {
      const range = { offsetBytes: 65_536, lengthBytes: 100 };
      const part = await client.readShard(addressOf(shard), range);
      expect(Buffer.from(part).equals(shard.bytes.subarray(65_536, 65_636))).toBe(true);
    }
    await put(shard);
    await client.deleteShard(addressOf(shard));
    await client.deleteShard(addressOf(shard));
    const gone = client.readShard(addressOf(shard), { offsetBytes: 0, lengthBytes });
    expect(await codeOf(gone)).toBe('SHARD_NOT_FOUND');
  });

  it('lists a group page by page', async () => {
    const shards = [1, 2, 3, 4, 5].map(() => shardOf(64));
    for (const shard of shards) await put(shard);
    const expected = shards.map(({ id }) => id.blobId).sort();
    const query = { diskId: store.diskId, pgId: 7, limit: 3 };
    const first = await client.listShards(node, { ...query, afterBlobId: null });
    expect(first.isTruncated).toBe(true);
    const afterBlobId = first.shards.at(-1)?.blobId ?? null;
    const second = await client.listShards(node, { ...query, afterBlobId });
    const listed = [...first.shards, ...second.shards].map(({ blobId }) => blobId);
    expect(listed).toEqual(expected);
  });

  it('says SHARD_CORRUPT for a flipped byte and keeps serving the others', async () => {
    const shard = shardOf(5_008);
    await put(shard);
    machine.disk.flip('segments/shared-000000000001.segment', 64 + 128 + 9);
    const range = { offsetBytes: 0, lengthBytes: 5_008 };
    expect(await codeOf(client.readShard(addressOf(shard), range))).toBe('SHARD_CORRUPT');
    expect(store.statistics().corruptShards).toBe(1);
    await put(shard);
    const repaired = await client.readShard(addressOf(shard), range);
    expect(Buffer.from(repaired).equals(shard.bytes)).toBe(true);
  });

  it('cuts the connection when damage shows after the answer began', async () => {
    const shard = shardOf(3 * MIB);
    await put(shard);
    machine.disk.flip('segments/own-000000000001.segment', 2 * MIB + 5_000);
    const lengthBytes = shard.bytes.byteLength;
    const read = client.readShard(addressOf(shard), { offsetBytes: 0, lengthBytes });
    expect(await codeOf(read)).toBe('UNAVAILABLE');
    expect(store.statistics().corruptShards).toBe(1);
  });

  it('passes on that the disk is fenced or full', async () => {
    machine.disk.inject({ atOperation: 1, kind: 'ENOSPC', of: 'write' });
    expect(await codeOf(put(shardOf(64)))).toBe('DISK_FULL');
    machine.disk.inject({ atOperation: 1, kind: 'EIO', of: 'sync' });
    expect(await codeOf(put(shardOf(64)))).toBe('DISK_FENCED');
  });
});

describe('bodies that are not what they say', () => {
  it.each([4_096, 3 * MIB])('stores nothing of %i bytes with a wrong checksum', async (size) => {
    const shard = shardOf(size);
    const wire = wireOf(shard.bytes);
    wire.writeUInt8(wire.readUInt8(wire.byteLength - 1) ^ 1, wire.byteLength - 1);
    const { status, code } = await sendPut(shard, wire);
    expect([status, code]).toEqual([400, 'CHECKSUM_MISMATCH']);
    expect(store.stat(shard.id)).toBeNull();
    expect(store.statistics().shardCount).toBe(0);
  });

  it('refuses a body whose length does not follow from its attributes', async () => {
    const shard = shardOf(4_096);
    for (const body of [
      Buffer.concat([wireOf(shard.bytes), Buffer.from([0])]),
      wireOf(shard.bytes).subarray(1),
      Buffer.alloc(3 * MIB),
    ]) {
      const { status, code } = await sendPut(shard, body);
      expect([status, code]).toEqual([400, 'SHARD_SIZE_MISMATCH']);
    }
    expect(store.statistics().shardCount).toBe(0);
  });

  it.each([4_096, 3 * MIB])('stores nothing of a body cut off (%i bytes)', async (size) => {
    const shard = shardOf(size);
    const wire = wireOf(shard.bytes);
    const isDiscarded = once(traffic, 'CANCELLED');
    const cut = sendPut(shard, wire, { cutAfterBytes: size / 2 });
    await expect(cut).rejects.toThrow();
    await isDiscarded;
    expect(store.stat(shard.id)).toBeNull();
    expect(machine.disk.paths().filter((path) => path.includes('own-'))).toEqual([]);
  });

  it('refuses what would take more memory than all requests may have', async () => {
    const small = await startServer((5 * MIB) / 4);
    const first = server;
    server = small;
    try {
      const shard = shardOf(4 * MIB);
      const { status, code } = await sendPut(shard, wireOf(shard.bytes));
      expect([status, code]).toEqual([503, 'OVERLOADED']);
      const little = shardOf(MIB);
      expect((await sendPut(little, wireOf(little.bytes))).status).toBe(201);
    } finally {
      server = first;
      await small.close();
    }
  });

  it('takes a shard of repair piece by piece: other repair has its turn in between', async () => {
    let nowMs = 0;
    const slept: number[] = [];
    const clock = {
      ...systemClock,
      monotonicMs: () => nowMs,
      sleep: (delayMs: number) => {
        slept.push(delayMs);
        nowMs += delayMs;
        return Promise.resolve();
      },
    };
    // As a node of 128 MiB/s at its floor, and a shard of 100 s, made small.
    const pace = new Pace(clock, { bytesPerSecond: MIB, operationsPerSecond: 1_000 });
    const slow = await startServer(8 * MIB, pace);
    const first = [server, session, node] as const;
    server = slow;
    session = sessions.issue({ ...PEER, role: 'curator' });
    node = { ...node, bulkPort: slow.port, incarnation: 'incarnation-2' };
    try {
      const small = shardOf(65_536);
      await put(small);
      const large = shardOf(6 * MIB);
      const writer = client.openShard(addressOf(large), large.attributes);
      await writer.write(large.bytes.subarray(0, 4 * MIB));
      const range = { offsetBytes: 0, lengthBytes: 65_536 };
      const read = await client.readShard(addressOf(small), range);
      expect(Buffer.from(read).equals(small.bytes)).toBe(true);
      await writer.write(large.bytes.subarray(4 * MIB));
      await writer.finish();
      // Nothing waited for as long as it is refused for, and the rate was kept all the same.
      expect(Math.max(...slept)).toBeLessThan(1_500);
      expect(nowMs).toBeGreaterThanOrEqual(4_000);
    } finally {
      [server, session, node] = first;
      await slow.close();
    }
  });

  it.each([
    '/shards/xyz/abc/0?pg=1',
    `/shards/${'a'.repeat(32)}/${'b'.repeat(32)}/99`,
    `/shards/${'a'.repeat(32)}/${'b'.repeat(32)}/0?offset=0x10&length=1`,
    `/shards/${'a'.repeat(32)}/../${'b'.repeat(32)}/0`,
    `/shards/${'a'.repeat(32)}?pg=-1`,
    '/',
  ])('refuses the target %s', async (target) => {
    const headers = signed({ method: 'GET', target, contentLength: 0 });
    expect((await send({ method: 'GET', target, headers })).code).toBe('INVALID_ARGUMENT');
  });

  it('names an unknown disk', async () => {
    const target = `/shards/${'a'.repeat(32)}/${'b'.repeat(32)}/0`;
    const headers = signed({ method: 'HEAD', target, contentLength: 0 });
    expect((await send({ method: 'HEAD', target, headers })).code).toBe('DISK_UNKNOWN');
  });
});

describe('sessions (bulk mode crc)', () => {
  it('binds the MAC to method, path, query, length, generation and expiry', async () => {
    const shard = shardOf(4_096);
    await put(shard);
    const target = `/shards/${store.diskId}/${shard.id.blobId}/0?offset=0&length=4096`;
    const get: Signing = { method: 'GET', target, contentLength: 0 };
    const good = signed(get);
    const other = target.replace('length=4096', 'length=16');
    const nowMs = systemClock.wallMs();
    const tampered: Record<string, RawRequest> = {
      'no header': { method: 'GET', target },
      'another method': { method: 'DELETE', target, headers: good },
      'another query': { method: 'GET', target: other, headers: good },
      'another length': { method: 'GET', target, headers: good, body: Buffer.from('x') },
      'another key': { method: 'GET', target, headers: signed({ ...get, key: Buffer.alloc(32) }) },
      'another generation': {
        method: 'GET',
        target,
        headers: signed({ ...get, generation: 'incarnation-0' }),
      },
      'an expired request': {
        method: 'GET',
        target,
        headers: signed({ ...get, expiresMs: Math.floor(nowMs) - 120_000 }),
      },
      'an expiry beyond the session': {
        method: 'GET',
        target,
        headers: signed({ ...get, expiresMs: session.expiresMs + 1 }),
      },
      'an expiry changed': {
        method: 'GET',
        target,
        headers: { ...good, 'x-azimuth-expires': String(Math.floor(nowMs) + 31_000) },
      },
      'a cut MAC': {
        method: 'GET',
        target,
        headers: { ...good, 'x-azimuth-mac': good['x-azimuth-mac']?.slice(0, 62) ?? '' },
      },
      'a MAC that is not hex': {
        method: 'GET',
        target,
        headers: { ...good, 'x-azimuth-mac': 'zz'.repeat(32) },
      },
      'another session': {
        method: 'GET',
        target,
        headers: { ...good, 'x-azimuth-session': 'f'.repeat(32) },
      },
    };
    for (const [name, raw] of Object.entries(tampered)) {
      const { status, code, body } = await send(raw);
      expect([name, status, code, body.byteLength]).toEqual([name, 401, 'UNAUTHENTICATED', 0]);
    }
    expect((await send({ method: 'GET', target, headers: good })).status).toBe(200);
    expect(store.stat(shard.id)).not.toBeNull();
  });

  it('forgets sessions that expired', () => {
    let nowMs = 1_000_000;
    const clock = { ...systemClock, wallMs: () => nowMs };
    const own = new BulkSessions('g', clock, random);
    const issued = own.issue(PEER);
    nowMs = issued.expiresMs + 1;
    const expires = String(issued.expiresMs);
    const mac = createHmac('sha256', issued.key).update(`GET\n/x\n0\ng\n${expires}`).digest('hex');
    const attempt = { method: 'GET', target: '/x', contentLength: '0', expires, mac };
    expect(() => own.verify({ ...attempt, sessionId: issued.sessionId })).toThrow(StoreError);
    nowMs = issued.expiresMs - 1;
    own.verify({ ...attempt, sessionId: issued.sessionId });
  });
});
