import type { StorageClient } from '@azimuth/clients';
import { silentLogger } from '@azimuth/common';
import { VirtualClock } from '@azimuth/testkit';

import { BlobDiscarder } from '../../src/data-path/blob-discarder';
import { makeGroups, makeMap, TestView } from './data-path-fixture';

const BLOB = { blobId: 'b'.repeat(32), pgId: 1 };

describe('discarding a blob that nothing will refer to', () => {
  const shards = new Set<number>();
  let clock: VirtualClock;
  let discarder: BlobDiscarder;

  beforeEach(() => {
    shards.clear();
    clock = new VirtualClock();
    const view = new TestView(makeMap(makeGroups().slice(0, 1)), clock);
    const storage = {
      deleteShard: ({ shardIndex }: { shardIndex: number }) => {
        shards.delete(shardIndex);
        return Promise.resolve();
      },
    } as unknown as StorageClient;
    discarder = new BlobDiscarder({ view, storage, clock, logger: silentLogger });
  });

  it('deletes a shard too that became durable after its deletion had come by', async () => {
    shards.add(0);
    discarder.discardCutOff(BLOB);
    await discarder.idle();
    expect(shards.size).toBe(0);
    shards.add(3);
    await clock.runUntil(clock.monotonicMs() + 6_000);
    await discarder.idle();
    expect(shards.size).toBe(0);
  });

  it('asks once for one of which nothing was on its way', async () => {
    discarder.discard([BLOB]);
    await discarder.idle();
    shards.add(3);
    await clock.runUntil(clock.monotonicMs() + 6_000);
    await discarder.idle();
    expect([...shards]).toEqual([3]);
  });
});
