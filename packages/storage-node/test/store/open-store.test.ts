import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { seededRandom, silentLogger, systemClock, UnsettledStarts } from '@azimuth/common';
import { makeShard, putShard, VirtualClock } from '@azimuth/testkit';

import { openDiskIdentity } from '../../src/disk/disk-identity';
import type { IndexBackend } from '../../src/index/index-backend';
import { openStoreOf } from '../../src/store/open-store';
import type { SegmentStore } from '../../src/store/segment-store';
import { silentObserver } from '../../src/store/store-observer';
import { MIB, openStore, OWNER, simMachine } from '../store-fixture';

describe('a shard index that ends the process', () => {
  let directory: string;
  const machine = simMachine(9);
  const random = seededRandom(9);
  let discards = 0;

  /** A start of the node over the same disk; `indexBackend` may never answer. */
  async function start(
    indexBackend: IndexBackend,
  ): Promise<{ readonly store: SegmentStore; readonly starts: UnsettledStarts }> {
    const shared = { clock: new VirtualClock(), logger: silentLogger };
    const starts = new UnsettledStarts(join(directory, 'index.starts'), shared);
    const options = {
      ...{ disk: machine.disk, indexBackend, bootId: machine.bootId, random },
      ...{ clock: systemClock, logger: silentLogger, observer: silentObserver },
      identity: await openDiskIdentity(machine.disk, OWNER, random),
      space: { lowSpaceBytes: 0, capacityBytes: null },
      ...{ segmentBytesMax: MIB, ownSegmentAboveBytes: MIB },
    };
    const onDiscard = (): void => void (discards += 1);
    return { store: await openStoreOf(options, starts, onDiscard), starts };
  }

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'azimuth-starts-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('is discarded after two starts that never came to an end, and made from the segments', async () => {
    const first = await openStore(machine);
    const shard = makeShard(random, { sizeBytes: 5_000 });
    await putShard(first, shard);
    await first.close();

    let opens = 0;
    let reach: () => void = () => undefined;
    const reached = new Promise<void>((resolve) => (reach = resolve));
    const aborting: IndexBackend = {
      open: () => {
        opens += 1;
        if (opens === 2) reach();
        return new Promise(() => undefined);
      },
      destroy: () => Promise.resolve(),
    };
    void start(aborting);
    void start(aborting);
    await reached;
    expect(discards).toBe(0);
    const { store, starts } = await start(machine.indexBackend);
    expect(discards).toBe(1);
    expect(await store.verify(shard.id)).toBe('intact');
    await store.close();
    starts.settle();
    const again = await start(machine.indexBackend);
    expect(discards).toBe(1);
    await again.store.close();
    again.starts.settle();
  });

  it('is kept when starts fail with an error', async () => {
    const failing: IndexBackend = {
      open: () => Promise.reject(new Error('disk is away')),
      destroy: () => Promise.resolve(),
    };
    for (let round = 0; round < 4; round += 1) {
      await expect(start(failing)).rejects.toThrow('disk is away');
    }
    const before = discards;
    const { store, starts } = await start(machine.indexBackend);
    expect(discards).toBe(before);
    await store.close();
    starts.settle();
  });
});
