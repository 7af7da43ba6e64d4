import { deepStrictEqual, ok, rejects, strictEqual } from 'node:assert';

import type { Random } from '@azimuth/common';
import { hasCode, seededRandom } from '@azimuth/common';
import type { StoreErrorCode } from '@azimuth/common';
import type { ShardStore } from '@azimuth/storage-node';

import type { ShardFixture } from './shard-fixture';
import { copyIntoUpload, makeShard, putShard, readShard, wireOf } from './shard-fixture';

/** A store under test. `reopen` closes it in an orderly way and opens it again. */
export interface ShardStoreHarness {
  readonly store: ShardStore;
  reopen(): Promise<void>;
  dispose(): Promise<void>;
}

/** One rule that every shard store keeps. Runs in any test framework. */
export interface ShardStoreCase {
  readonly name: string;
  run(harness: ShardStoreHarness, random: Random): Promise<void>;
}

const PAGE = 64 * 1024;
const MIB = 1024 * 1024;
/** Sizes at which something changes: one byte, around a page, around a segment of its own. */
const SIZES = [1, 16, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE + 17, MIB, MIB + 16, 3 * MIB + 5];

export const SHARD_STORE_CASES: readonly ShardStoreCase[] = [
  {
    name: 'reads back what was put, for every size at which something changes',
    async run({ store }, random) {
      for (const sizeBytes of SIZES) {
        const shard = makeShard(random, { sizeBytes });
        await putShard(store, shard);
        ok((await readShard(store, shard.id)).equals(shard.bytes), `${sizeBytes} bytes`);
        deepStrictEqual(store.stat(shard.id), shard.attributes);
        strictEqual(await store.verify(shard.id), 'intact');
      }
      strictEqual(store.statistics().shardCount, SIZES.length);
    },
  },
  {
    name: 'takes its bytes in chunks of any size',
    async run({ store }, random) {
      for (const chunkBytes of [1000, PAGE - 1, PAGE + 3, 2 * MIB]) {
        const shard = makeShard(random, { sizeBytes: MIB + 4000 });
        await putShard(store, shard, wireOf(shard.bytes), chunkBytes);
        ok((await readShard(store, shard.id)).equals(shard.bytes));
      }
    },
  },
  {
    name: 'reads ranges that begin at a page, also when they end inside one',
    async run({ store }, random) {
      const shard = makeShard(random, { sizeBytes: 2 * MIB + 777 });
      await putShard(store, shard);
      const size = shard.bytes.byteLength;
      const ranges = [
        [0, 1],
        [PAGE, PAGE],
        [PAGE, PAGE + 1],
        [3 * PAGE, MIB + 100],
        [2 * MIB, 777],
        [2 * MIB, 5000],
        [0, size],
      ] as const;
      for (const [offset, length] of ranges) {
        const expected = shard.bytes.subarray(offset, Math.min(size, offset + length));
        ok((await readShard(store, shard.id, offset, length)).equals(expected));
      }
      await rejectsWith('INVALID_ARGUMENT', readShard(store, shard.id, 1, 10));
      await rejectsWith('INVALID_ARGUMENT', readShard(store, shard.id, 33 * PAGE, 10));
    },
  },
  {
    name: 'stores nothing when the checksums do not match the bytes',
    async run({ store }, random) {
      for (const sizeBytes of [100, 2 * MIB]) {
        const shard = makeShard(random, { sizeBytes });
        for (const flippedAt of [0, sizeBytes - 1, sizeBytes]) {
          const wire = wireOf(shard.bytes);
          wire.writeUInt8(wire.readUInt8(flippedAt) ^ 0x10, flippedAt);
          await rejectsWith('CHECKSUM_MISMATCH', putShard(store, shard, wire));
          await expectAbsent(store, shard);
        }
      }
    },
  },
  {
    name: 'stores nothing of a body that is too short or too long',
    async run({ store }, random) {
      for (const sizeBytes of [100, 2 * MIB]) {
        const shard = makeShard(random, { sizeBytes });
        const wire = wireOf(shard.bytes);
        const short = wire.subarray(0, wire.byteLength - 1);
        await rejectsWith('SHARD_SIZE_MISMATCH', putShard(store, shard, short));
        const long = Buffer.concat([wire, Buffer.from([0])]);
        await rejectsWith('SHARD_SIZE_MISMATCH', putShard(store, shard, long));
        await expectAbsent(store, shard);
      }
    },
  },
  {
    name: 'stores nothing of an upload that was given up',
    async run({ store }, random) {
      for (const sizeBytes of [100, 2 * MIB]) {
        const shard = makeShard(random, { sizeBytes });
        const upload = await store.beginPut(shard.id, shard.attributes);
        await copyIntoUpload(upload, shard.bytes.subarray(0, sizeBytes / 2));
        await upload.abort();
        await upload.abort();
        await expectAbsent(store, shard);
      }
    },
  },
  {
    name: 'answers a repeated PUT of the same shard with success',
    async run({ store }, random) {
      for (const sizeBytes of [100, 2 * MIB]) {
        const shard = makeShard(random, { sizeBytes });
        await putShard(store, shard);
        await putShard(store, shard);
        await Promise.all([putShard(store, shard), putShard(store, shard)]);
        ok((await readShard(store, shard.id)).equals(shard.bytes));
      }
      strictEqual(store.statistics().shardCount, 2);
    },
  },
  {
    name: 'stores one shard when the same is put several times at once',
    async run({ store }, random) {
      const shards = [100, 2 * MIB].map((sizeBytes) => makeShard(random, { sizeBytes }));
      await Promise.all(shards.flatMap((shard) => [1, 2, 3].map(() => putShard(store, shard))));
      strictEqual(store.statistics().shardCount, 2);
      for (const shard of shards) ok((await readShard(store, shard.id)).equals(shard.bytes));
    },
  },
  {
    name: 'refuses other bytes or attributes under a stored id: shards are immutable',
    async run({ store }, random) {
      const shard = makeShard(random, { sizeBytes: 5000 });
      await putShard(store, shard);
      const otherBytes = Buffer.alloc(5000, 1);
      await rejectsWith('SHARD_EXISTS', putShard(store, { ...shard, bytes: otherBytes }));
      const attributes = { ...shard.attributes, pgId: 8 };
      await rejectsWith('SHARD_EXISTS', putShard(store, { ...shard, attributes }));
      ok((await readShard(store, shard.id)).equals(shard.bytes));
    },
  },
  {
    name: 'deletes, also what is absent, and takes the shard again afterwards',
    async run(harness, random) {
      const { store } = harness;
      for (const sizeBytes of [100, 2 * MIB]) {
        const shard = makeShard(random, { sizeBytes });
        await store.delete(shard.id);
        await putShard(store, shard);
        await store.delete(shard.id);
        await store.delete(shard.id);
        await expectAbsent(store, shard);
        await putShard(store, { ...shard, bytes: Buffer.alloc(sizeBytes, 9) });
        ok((await readShard(store, shard.id)).equals(Buffer.alloc(sizeBytes, 9)));
      }
    },
  },
  {
    name: 'lists the shards of one group in order, page by page, never cutting a blob in two',
    async run({ store }, random) {
      const shards: ShardFixture[] = [];
      for (let index = 0; index < 12; index += 1) {
        const shard = makeShard(random, { sizeBytes: 64, pgId: 1 + (index % 2) });
        shards.push(shard, { ...shard, id: { ...shard.id, shardIndex: 2 } });
      }
      await Promise.all(shards.map((shard) => putShard(store, shard)));
      const expected = shards
        .filter(({ attributes }) => attributes.pgId === 1)
        .map(({ id }) => `${id.blobId}/${id.shardIndex}`)
        .sort();
      const listed: string[] = [];
      let after: string | null = null;
      for (;;) {
        const page = await store.list(1, after, 3);
        listed.push(...page.shards.map(({ blobId, shardIndex }) => `${blobId}/${shardIndex}`));
        after = page.shards.at(-1)?.blobId ?? null;
        if (!page.isTruncated) break;
      }
      deepStrictEqual(listed, expected);
      deepStrictEqual((await store.list(99, null, 10)).shards, []);
    },
  },
  {
    name: 'holds the same after it was closed and opened',
    async run(harness, random) {
      const kept = SIZES.map((sizeBytes) => makeShard(random, { sizeBytes }));
      const gone = [10, 2 * MIB].map((sizeBytes) => makeShard(random, { sizeBytes }));
      for (const shard of [...kept, ...gone]) await putShard(harness.store, shard);
      for (const shard of gone) await harness.store.delete(shard.id);
      await harness.reopen();
      for (const shard of kept) {
        ok((await readShard(harness.store, shard.id)).equals(shard.bytes));
      }
      for (const shard of gone) await expectAbsent(harness.store, shard);
      strictEqual(harness.store.statistics().shardCount, kept.length);
      deepStrictEqual(harness.store.findings(10), []);
    },
  },
  {
    name: 'does what the model does, for random commands',
    async run(harness, random) {
      await runRandomCommands(harness, random);
    },
  },
];

/** The name of a case with the seed that its random numbers come from. */
export function seedOfCase(name: string): number {
  return Buffer.from(name).reduce((hash, byte) => (hash * 31 + byte) >>> 0, 1);
}

export async function runShardStoreCase(
  shardStoreCase: ShardStoreCase,
  open: () => Promise<ShardStoreHarness>,
): Promise<void> {
  const harness = await open();
  try {
    await shardStoreCase.run(harness, seededRandom(seedOfCase(shardStoreCase.name)));
  } finally {
    await harness.dispose();
  }
}

async function runRandomCommands(harness: ShardStoreHarness, random: Random): Promise<void> {
  const candidates = Array.from({ length: 8 }, () =>
    makeShard(random, { sizeBytes: 1 + random.below(4) * 50_000 + random.below(2) * MIB }),
  );
  const expected = new Map<string, ShardFixture>();
  for (let step = 0; step < 120; step += 1) {
    const shard = candidates[random.below(candidates.length)] as ShardFixture;
    const command = random.below(8);
    if (command < 4) {
      await putShard(harness.store, shard);
      expected.set(shard.id.blobId, shard);
    } else if (command < 6) {
      await harness.store.delete(shard.id);
      expected.delete(shard.id.blobId);
    } else if (command === 6) {
      const present = expected.get(shard.id.blobId);
      if (present === undefined) await expectAbsent(harness.store, shard);
      else ok((await readShard(harness.store, shard.id)).equals(present.bytes));
    } else if (random.below(6) === 0) {
      await harness.reopen();
    }
    strictEqual(harness.store.statistics().shardCount, expected.size);
  }
  const listed = await harness.store.list(7, null, 100);
  deepStrictEqual(
    listed.shards.map(({ blobId }) => blobId),
    [...expected.keys()].sort(),
  );
}

async function expectAbsent(store: ShardStore, shard: ShardFixture): Promise<void> {
  strictEqual(store.stat(shard.id), null);
  strictEqual(await store.verify(shard.id), 'absent');
  await rejectsWith('SHARD_NOT_FOUND', readShard(store, shard.id));
}

async function rejectsWith(code: StoreErrorCode, promise: Promise<unknown>): Promise<void> {
  await rejects(promise, (error) => hasCode(error, code));
}
