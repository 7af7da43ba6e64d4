import { rmSync } from 'node:fs';
import { join } from 'node:path';

import { silentLogger, systemClock } from '@azimuth/common';
import type { Random } from '@azimuth/common';
import { makeShard, putShard, readShard } from '@azimuth/testkit';
import type { ShardFixture } from '@azimuth/testkit';

import { openDiskIdentity } from '../../packages/storage-node/src/disk/disk-identity';
import { FileDisk } from '../../packages/storage-node/src/disk/file-disk';
import { LevelIndexBackend } from '../../packages/storage-node/src/index/index-backend';
import { SegmentStore } from '../../packages/storage-node/src/store/segment-store';
import { silentObserver } from '../../packages/storage-node/src/store/store-observer';
import type { RotOutcome } from './flipped-byte';
import { filesBelow, flipByteOf, isStillFlipped } from './flipped-byte';

const KIB = 1024;
const SHARDS = 24;
const OWN_SEGMENT_ABOVE_BYTES = 96 * KIB;
const OWNER = { clusterId: 'c'.repeat(32), zone: 'a', nodeId: 'storage-a-1' };
const noPace = (): Promise<void> => Promise.resolve();

export const STORAGE_FILE_KINDS = ['segment', 'shard index'] as const;
export type StorageFileKind = (typeof STORAGE_FILE_KINDS)[number];

/**
 * A disk of a storage node with shards of all kinds. Between two flips it is scrubbed, and damaged
 * shards are written again, as the curator does with what it decodes from the others.
 */
export class StorageRot {
  readonly #directory: string;
  readonly #random: Random;
  readonly #shards: ShardFixture[] = [];
  #boots = 0;
  #store: SegmentStore | null = null;

  constructor(directory: string, random: Random) {
    this.#directory = directory;
    this.#random = random;
  }

  async prepare(): Promise<void> {
    const store = await this.#open();
    for (let count = 0; count < SHARDS; count += 1) {
      const sizeBytes = 100 + this.#random.below(count % 6 === 0 ? 300 * KIB : 70 * KIB);
      const shard = makeShard(this.#random, { sizeBytes });
      await putShard(store, shard);
      this.#shards.push(shard);
    }
  }

  /** One byte of a random file of `kind`, found between a stop and a start of the node. */
  async flip(kind: StorageFileKind): Promise<RotOutcome> {
    await this.close();
    const files = filesBelow(this.#directory).filter((path) => kindOf(path) === kind);
    const path = join(this.#directory, files[this.#random.below(files.length)] ?? '');
    const flipped = flipByteOf(path, this.#random);
    // Every third start is one after a power cut: the index is not trusted anyway.
    if (this.#random.below(3) === 0) this.#boots += 1;

    const store = await this.#open();
    await scrub(store);
    const damaged: ShardFixture[] = [];
    for (const shard of this.#shards) {
      const answer = await readOrFailure(store, shard);
      if (answer === 'wrong') return 'WRONG';
      if (answer === 'failed') damaged.push(shard);
    }
    const reported = store.findings(1_000).map(({ id }) => id.blobId);
    const known = new Set([...reported, ...damaged.map(({ id }) => id.blobId)]);
    for (const shard of this.#shards) if (known.has(shard.id.blobId)) await putShard(store, shard);
    await scrub(store);
    for (const shard of this.#shards) {
      if ((await readOrFailure(store, shard)) !== 'right') return 'WRONG';
    }
    if (store.statistics().corruptShards > 0) return 'WRONG';
    // Dead records go, or most bytes would soon be of no interest.
    for (let round = 0; round < 4; round += 1) await store.maintain();
    if (known.size > 0 || !isStillFlipped(flipped)) return 'repaired';
    return kind === 'segment' ? this.#rebuildAround() : 'harmless';
  }

  async close(): Promise<void> {
    await this.#store?.close();
    this.#store = null;
  }

  /** Whatever reads segments reads them in a rebuild of the index. */
  async #rebuildAround(): Promise<RotOutcome> {
    await this.close();
    rmSync(join(this.#directory, 'index'), { recursive: true });
    const store = await this.#open();
    for (const shard of this.#shards) {
      if ((await readOrFailure(store, shard)) !== 'right') return 'unnoticed';
    }
    return 'harmless';
  }

  async #open(): Promise<SegmentStore> {
    const disk = new FileDisk(this.#directory);
    this.#store = await SegmentStore.open({
      disk,
      identity: await openDiskIdentity(disk, OWNER, this.#random),
      indexBackend: new LevelIndexBackend(join(this.#directory, 'index')),
      bootId: `boot-${this.#boots}`,
      clock: systemClock,
      random: this.#random,
      logger: silentLogger,
      observer: silentObserver,
      space: { lowSpaceBytes: 0, capacityBytes: null },
      segmentBytesMax: 512 * KIB,
      ownSegmentAboveBytes: OWN_SEGMENT_ABOVE_BYTES,
    });
    return this.#store;
  }
}

async function scrub(store: SegmentStore): Promise<void> {
  for (const { number } of store.scrubSegments()) await store.scrubSegment(number, noPace);
}

async function readOrFailure(
  store: SegmentStore,
  shard: ShardFixture,
): Promise<'right' | 'wrong' | 'failed'> {
  try {
    const bytes = await readShard(store, shard.id);
    return bytes.equals(shard.bytes) ? 'right' : 'wrong';
  } catch {
    return 'failed';
  }
}

/** The identity of a disk is not repaired: a disk without one is never taken for another. */
function kindOf(path: string): StorageFileKind | null {
  if (path.startsWith('segments/')) return 'segment';
  const isDatabase = path.startsWith('index/') && !/\/(LOCK|LOG|LOG\.old)$/.test(path);
  return isDatabase ? 'shard index' : null;
}
