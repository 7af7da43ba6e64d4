/**
 * P4 and P1: bytes that rot on a disk and a disk that is replaced. The right bytes are served, what
 * is damaged is rebuilt without an operator, and what was rebuilt is proven by taking away the
 * rest.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { CreateBucketCommand } from '@aws-sdk/client-s3';
import type { DevCluster } from '@azimuth/testkit';
import { startDevCluster } from '@azimuth/testkit';

import type { RecordPart, ShardRecord } from './shard-files';
import { findShardRecords, flipByte, readRecordBytes } from './shard-files';
import { eventually, soon } from './eventually';
import { StoredObjects } from './stored-objects';
import { makeClient, sha256 } from './workload';

const BUCKET = 'disk-damage';
const REPAIR_TIMEOUT_MS = 90_000;
const PROTECTION_TIMEOUT_MS = 120_000;
const EXPLAIN_TIMEOUT_MS = 30_000;
const KIB = 1024;
const MIB = 1024 * KIB;

/** One of each way to lie on a disk. */
const SIZES = {
  'own-segments': 9 * MIB + 77,
  'own-segments-too': 6 * MIB,
  'shared-erasure': 900 * KIB,
  'shared-copies': 100 * KIB,
  'small-copies': 9 * KIB,
  inline: 100,
} as const;
type Key = keyof typeof SIZES;

describe('damage on disks', () => {
  const directory = mkdtempSync(join(tmpdir(), 'azimuth-damage-'));
  const objects = new StoredObjects(BUCKET);
  let cluster: DevCluster;

  beforeAll(async () => {
    cluster = await startDevCluster({ directory });
    const client = makeClient(cluster, 5);
    await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
    for (const [key, sizeBytes] of Object.entries(SIZES)) await objects.put(client, key, sizeBytes);
    for (let index = 0; index < 20; index += 1) {
      await objects.put(client, `more/${index}`, 9 * KIB + index * 40 * KIB);
    }
    client.destroy();
  }, 180_000);

  afterAll(async () => {
    await cluster.stop();
    rmSync(directory, { recursive: true, force: true });
  }, 120_000);

  interface Rot {
    readonly key: Key;
    readonly zone: string;
    readonly part: RecordPart;
    /** Data shards are what a read asks for; parity is found by the scrub alone. */
    readonly isParity?: boolean;
  }

  interface Damage {
    readonly diskDirectory: string;
    readonly blobId: string;
    readonly shardIndex: number;
    readonly damaged: ShardRecord;
    readonly digest: string;
  }

  /** Asks about all the shards before any is damaged: `explain` would find the damage. */
  async function damageAll(rots: readonly Rot[]): Promise<Damage[]> {
    const found = await Promise.all(rots.map(findShard));
    for (const { damaged, part } of found) flipByte(damaged, part);
    return found;
  }

  async function findShard({
    key,
    zone,
    part,
    isParity = false,
  }: Rot): Promise<Damage & Pick<Rot, 'part'>> {
    const { blobs } = await soon(EXPLAIN_TIMEOUT_MS, () => cluster.explain(BUCKET, key));
    const blob = blobs[0];
    const k = Number(blob?.profile.split('+')[0]);
    const shard = blob?.shards.find(
      (each) => each.zone === zone && (k === 1 || each.shardIndex >= k === isParity),
    );
    // Shards are spread at random: where there is none of that kind, another one will do.
    const chosen = shard ?? blob?.shards.find((each) => each.zone === zone);
    if (blob === undefined || chosen === undefined)
      throw new Error(`no shard of ${key} in ${zone}`);
    const diskDirectory = join(cluster.nodeDirectory(chosen.nodeId), 'disk-1');
    const [record] = findShardRecords(diskDirectory, blob.blobId, chosen.shardIndex);
    if (record === undefined) throw new Error(`no record of ${key} in ${diskDirectory}`);
    const digest = sha256(readRecordBytes(record));
    const { blobId } = blob;
    return { diskDirectory, blobId, shardIndex: chosen.shardIndex, damaged: record, digest, part };
  }

  /** True once the disk holds the shard again, in another place, with the bytes it had. */
  function isRepaired({ diskDirectory, blobId, shardIndex, damaged, digest }: Damage): boolean {
    return findShardRecords(diskDirectory, blobId, shardIndex).some(
      (record) =>
        (record.path !== damaged.path || record.offset !== damaged.offset) &&
        sha256(readRecordBytes(record)) === digest,
    );
  }

  async function expectAllIntact(): Promise<void> {
    const expectIntact = async (key: string): Promise<void> => {
      const { blobs } = await cluster.explain(BUCKET, key);
      for (const blob of blobs) {
        expect({ key, presence: blob.shards.map(({ presence }) => presence) }).toEqual({
          key,
          presence: blob.shards.map(() => 'intact'),
        });
      }
    };
    await Promise.all(
      Object.keys(SIZES).map((key) => soon(EXPLAIN_TIMEOUT_MS, () => expectIntact(key))),
    );
  }

  it('serves the right bytes over a flipped one, and repairs the shard that a read found (P4)', async () => {
    const rots: Rot[] = [
      { key: 'own-segments', zone: 'a', part: 'bytes' },
      { key: 'own-segments-too', zone: 'a', part: 'checksums' },
      { key: 'shared-erasure', zone: 'a', part: 'bytes' },
      { key: 'shared-copies', zone: 'a', part: 'bytes' },
      { key: 'small-copies', zone: 'a', part: 'checksums' },
    ];
    // A node that was late puts what is uploaded into reduced groups; from those it is moved to
    // shards of new blobs, and those that were damaged are never read again.
    await cluster.waitUntilProtected(PROTECTION_TIMEOUT_MS);
    await expectAllIntact();
    const damages = await damageAll(rots);
    expect(damages.slice(0, 2).every(({ damaged }) => damaged.isOwnSegment)).toBe(true);
    expect(damages.slice(2).some(({ damaged }) => damaged.isOwnSegment)).toBe(false);

    // A gateway asks the copy of its own zone first.
    const url = cluster.gateways.find(({ zone }) => zone === 'a')?.url ?? '';
    const gateway = { ...cluster, endpoint: url };
    await eventually('the shards that reads found are repaired', REPAIR_TIMEOUT_MS, async () => {
      expect(await objects.mismatches(gateway, Object.keys(SIZES))).toEqual([]);
      return damages.every(isRepaired);
    });
    await cluster.waitUntilProtected(PROTECTION_TIMEOUT_MS);
    await expectAllIntact();

    // All of zone a must serve, then the copies there alone.
    await cluster.node('kill', 'b-storage-1', 'b-storage-2');
    expect(await objects.mismatches(cluster)).toEqual([]);
    await cluster.node('kill', 'c-storage-1', 'c-storage-2');
    const copies = ['shared-copies', 'small-copies', 'inline'];
    expect(await objects.mismatches(cluster, copies)).toEqual([]);
    await cluster.node('start', 'b-storage-1', 'b-storage-2', 'c-storage-1', 'c-storage-2');
    await cluster.waitUntilProtected(PROTECTION_TIMEOUT_MS);
  }, 240_000);

  it('fills a replaced disk by itself, and the new disk serves (P1)', async () => {
    const node = 'a-storage-1';
    await cluster.node('kill', node);
    rmSync(join(cluster.nodeDirectory(node), 'disk-1'), { recursive: true });
    await cluster.node('start', node);
    await cluster.waitUntilProtected(PROTECTION_TIMEOUT_MS);
    await expectAllIntact();

    await cluster.zone('kill', 'b');
    expect(await objects.mismatches(cluster)).toEqual([]);
    await cluster.zone('start', 'b');
    await cluster.waitUntilProtected(PROTECTION_TIMEOUT_MS);
  }, 240_000);

  it('stops on SIGTERM, opens again, and its scrub finds and repairs what nobody reads (P4)', async () => {
    const pids = cluster.processes().map(({ pid }) => pid);
    await cluster.stop();
    expect(pids.filter(isAlive)).toEqual([]);
    const args = ['storage.scrubPeriodMs=3000', 'storage.scrubFloorBytesPerSecond=67108864'];
    cluster = await startDevCluster({
      directory,
      args: args.flatMap((override) => ['--config-override', override]),
    });
    expect(await objects.mismatches(cluster)).toEqual([]);

    const damages = await damageAll([
      { key: 'own-segments', zone: 'b', part: 'bytes', isParity: true },
      { key: 'own-segments', zone: 'c', part: 'checksums', isParity: true },
      { key: 'shared-erasure', zone: 'b', part: 'checksums', isParity: true },
      { key: 'shared-copies', zone: 'b', part: 'bytes' },
      { key: 'small-copies', zone: 'c', part: 'bytes' },
    ]);
    await eventually('the scrub repairs the shards', REPAIR_TIMEOUT_MS, () =>
      damages.every(isRepaired),
    );
    await cluster.waitUntilProtected(PROTECTION_TIMEOUT_MS);
    await expectAllIntact();
    expect(await objects.mismatches(cluster)).toEqual([]);
  }, 240_000);
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
