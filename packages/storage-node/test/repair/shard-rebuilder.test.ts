import { StoreError } from '@azimuth/common';

import { CROSS_CHECK_EVERY_BYTES, damage, RebuildCluster } from './rebuild-cluster';

let cluster: RebuildCluster;

afterEach(() => cluster.close());

/** All ways to pick `count` of `items`. */
function choices(items: readonly number[], count: number): number[][] {
  if (count === 0) return [[]];
  return items.flatMap((item, index) =>
    choices(items.slice(index + 1), count - 1).map((rest) => [item, ...rest]),
  );
}

function indexes(count: number): number[] {
  return [...Array(count).keys()];
}

describe('rebuilding from partial sums', () => {
  it.each([
    [{ k: 4, m: 2 }, 6],
    [{ k: 3, m: 2 }, 5],
    [{ k: 5, m: 4 }, 9],
    [{ k: 1, m: 2 }, 3],
  ])('gives the bytes that were there, whatever is lost of %j', async (profile, nodeCount) => {
    cluster = await RebuildCluster.start(nodeCount);
    const all = indexes(nodeCount);
    const blob = await cluster.put(profile, 3_000);
    for (let lost = 1; lost <= profile.m; lost += 1) {
      for (const missing of choices(all, lost)) {
        const target = missing[0]!;
        await cluster.nodes[target]!.store.delete(blob.shards[target]!.id);
        const sources = all.filter((index) => !missing.includes(index)).slice(-profile.k);
        expect(await cluster.rebuild(blob, target, sources)).toEqual([]);
        expect(await cluster.isIntact(blob, target)).toBe(true);
      }
    }
  });

  it('moves two thirds of the bytes of a naive rebuild between zones at 4+2, or less', async () => {
    cluster = await RebuildCluster.start(6);
    const blob = await cluster.put({ k: 4, m: 2 }, 6 * 1024 * 1024, [0]);
    // Zone a has 0 and 3, b 1 and 4, c 2 and 5; `chooseSources` of the curator takes these.
    const sources = [3, 1, 4, 2];
    await cluster.rebuild(blob, 0, sources);
    const naive = sources.filter((index) => index % 3 !== 0).length;
    const { shardSizeBytes } = blob.shards[0]!.attributes;
    expect(cluster.crossZoneBytes() / (naive * shardSizeBytes)).toBeLessThanOrEqual(0.67);
    expect(cluster.crossZoneBytes()).toBe(2 * shardSizeBytes);
    expect(await cluster.isIntact(blob, 0)).toBe(true);
  });

  it('takes one stream from a zone that has three of the sources at 5+4', async () => {
    cluster = await RebuildCluster.start(9);
    const blob = await cluster.put({ k: 5, m: 4 }, 2 * 1024 * 1024, [0]);
    await cluster.rebuild(blob, 0, [3, 6, 1, 4, 7]);
    expect(cluster.crossZoneBytes()).toBe(blob.shards[0]!.attributes.shardSizeBytes);
    expect(await cluster.isIntact(blob, 0)).toBe(true);
  });

  it('goes on without a helper that dies in the middle (P2)', async () => {
    cluster = await RebuildCluster.start(6);
    const blob = await cluster.put({ k: 4, m: 2 }, 6 * 1024 * 1024, [0]);
    for (const node of [cluster.nodes[1]!, cluster.nodes[4]!]) {
      node.beforeSum = () => {
        if (node.sums > 1) throw new StoreError('UNAVAILABLE');
      };
    }
    expect(await cluster.rebuild(blob, 0, [3, 1, 4, 2])).toEqual([]);
    expect(await cluster.isIntact(blob, 0)).toBe(true);
    expect(cluster.nodes[1]!.sums + cluster.nodes[4]!.sums).toBe(2);
  });

  it('names the source that cannot be read, and stores nothing (P2, P3)', async () => {
    cluster = await RebuildCluster.start(6);
    const blob = await cluster.put({ k: 4, m: 2 }, 3_000_000, [0]);
    await cluster.nodes[4]!.server.close();
    const failed = await cluster.rebuild(blob, 0, [3, 1, 4, 2]);
    expect(failed).toEqual([{ shardIndex: 4, code: 'UNAVAILABLE' }]);
    expect(cluster.nodes[0]!.store.stat(blob.shards[0]!.id)).toBeNull();
    expect(await cluster.rebuild(blob, 0, [3, 1, 5, 2])).toEqual([]);
    expect(await cluster.isIntact(blob, 0)).toBe(true);
  });

  it.each([
    ['of its own zone', 3],
    ['behind a helper', 1],
    ['at a helper', 4],
    ['of another zone', 2],
  ])('finds a corrupt page of a source %s at its checksum (P1)', async (_, bad) => {
    cluster = await RebuildCluster.start(6);
    const blob = await cluster.put({ k: 4, m: 2 }, 3_000_000, [0]);
    damage(cluster.nodes[bad]!.disk, blob.shards[bad]!.bytes);
    const failed = await cluster.rebuild(blob, 0, [3, 1, 4, 2]);
    expect(failed).toEqual([{ shardIndex: bad, code: 'SHARD_CORRUPT' }]);
    expect(cluster.nodes[0]!.store.stat(blob.shards[0]!.id)).toBeNull();
  });

  it('finds a sum that was computed wrong, by its samples (P3)', async () => {
    cluster = await RebuildCluster.start(6);
    const blob = await cluster.put({ k: 4, m: 2 }, 4 * CROSS_CHECK_EVERY_BYTES, [0]);
    for (const node of cluster.nodes) node.distort = (bytes) => bytes.fill(7);
    await expect(cluster.rebuild(blob, 0, [3, 1, 4, 2])).rejects.toThrow('CHECKSUM_MISMATCH');
    expect(cluster.nodes[0]!.store.stat(blob.shards[0]!.id)).toBeNull();
  });

  it('asks a source that gives way to clients again', async () => {
    cluster = await RebuildCluster.start(6);
    const blob = await cluster.put({ k: 4, m: 2 }, 3_000, [0]);
    for (const node of [cluster.nodes[1]!, cluster.nodes[4]!]) {
      node.beforeSum = () => {
        if (node.sums === 1) throw new StoreError('OVERLOADED');
      };
    }
    expect(await cluster.rebuild(blob, 0, [3, 1, 4, 2])).toEqual([]);
    expect(cluster.nodes[1]!.sums + cluster.nodes[4]!.sums).toBe(2);
  });

  it('stores nothing when it is called off, and keeps no memory', async () => {
    cluster = await RebuildCluster.start(6);
    const blob = await cluster.put({ k: 4, m: 2 }, 6 * 1024 * 1024, [0]);
    const stop = new AbortController();
    for (const node of [cluster.nodes[1]!, cluster.nodes[4]!]) {
      node.beforeSum = () => {
        if (node.sums > 1) stop.abort(new StoreError('CANCELLED'));
      };
    }
    await expect(cluster.rebuild(blob, 0, [3, 1, 4, 2], stop.signal)).rejects.toThrow('CANCELLED');
    expect(cluster.nodes[0]!.store.stat(blob.shards[0]!.id)).toBeNull();
    for (let round = 0; round < 3; round += 1) {
      const next = await cluster.put({ k: 4, m: 2 }, 6 * 1024 * 1024, [0]);
      for (const node of cluster.nodes) node.beforeSum = () => undefined;
      expect(await cluster.rebuild(next, 0, [3, 1, 4, 2])).toEqual([]);
    }
  });

  it.each([
    ['too few', [3, 1, 4]],
    ['one twice', [3, 1, 4, 4]],
    ['the target itself', [3, 1, 4, 0]],
  ])('refuses sources with %s', async (_, sources) => {
    cluster = await RebuildCluster.start(6);
    const blob = await cluster.put({ k: 4, m: 2 }, 3_000, [0]);
    await expect(cluster.rebuild(blob, 0, sources)).rejects.toThrow('INVALID_ARGUMENT');
  });
});
