import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Pace, seededRandom, silentLogger, StoreError, systemClock } from '@azimuth/common';
import type { ShardStoreHarness } from '@azimuth/testkit';
import { MemoryIndexBackend, ShardStoreModel, SimDisk } from '@azimuth/testkit';

import { openDiskIdentity } from '../src/disk/disk-identity';
import { FileDisk } from '../src/disk/file-disk';
import type { Disk } from '../src/disk/disk';
import { LevelIndexBackend } from '../src/index/index-backend';
import type { IndexBackend } from '../src/index/index-backend';
import { ClientLoad } from '../src/repair/client-load';
import { SegmentStore } from '../src/store/segment-store';
import type { SegmentStoreOptions } from '../src/store/segment-store';
import { silentObserver } from '../src/store/store-observer';

export const OWNER = { clusterId: 'c'.repeat(32), zone: 'a', nodeId: 'storage-a-1' };
export const MIB = 1024 * 1024;

/** What a shard server needs of repair, for tests of everything else. */
export const NO_REPAIR = {
  repairPace: new Pace(systemClock, { bytesPerSecond: 1e12, operationsPerSecond: 1e9 }),
  clientLoad: new ClientLoad(systemClock),
  sum: () => Promise.reject(new StoreError('INVALID_ARGUMENT')),
};

export interface Machine {
  readonly disk: Disk;
  readonly indexBackend: IndexBackend;
  bootId: string;
}

/** Formats the disk when needed and opens its store with small limits, so that tests reach them. */
export async function openStore(
  machine: Machine,
  options: Partial<SegmentStoreOptions> = {},
): Promise<SegmentStore> {
  const { random = seededRandom(4711) } = options;
  const identity = await openDiskIdentity(machine.disk, OWNER, random);
  return SegmentStore.open({
    disk: machine.disk,
    identity,
    indexBackend: machine.indexBackend,
    bootId: machine.bootId,
    clock: systemClock,
    random,
    logger: silentLogger,
    observer: silentObserver,
    space: { lowSpaceBytes: 0, capacityBytes: null },
    segmentBytesMax: MIB,
    ownSegmentAboveBytes: MIB,
    ...options,
  });
}

export function simMachine(seed: number, capacityBytes = 256 * MIB): Machine & { disk: SimDisk } {
  const disk = new SimDisk({ random: seededRandom(seed), capacityBytes });
  return { disk, indexBackend: new MemoryIndexBackend(), bootId: 'boot-1' };
}

export async function fileMachine(): Promise<Machine & { remove(): Promise<void> }> {
  const root = await mkdtemp(join(tmpdir(), 'azimuth-store-'));
  return {
    disk: new FileDisk(root),
    indexBackend: new LevelIndexBackend(join(root, 'index')),
    bootId: 'boot-1',
    remove: () => rm(root, { recursive: true, force: true }),
  };
}

async function segmentHarness(
  machine: Machine,
  remove: () => Promise<void>,
): Promise<ShardStoreHarness> {
  let store = await openStore(machine);
  return {
    get store() {
      return store;
    },
    async reopen() {
      await store.close();
      store = await openStore(machine);
    },
    async dispose() {
      await store.close();
      await remove();
    },
  };
}

export const HARNESSES: Readonly<Record<string, () => Promise<ShardStoreHarness>>> = {
  'reference model': () =>
    Promise.resolve({
      store: new ShardStoreModel('d'.repeat(32)),
      reopen: () => Promise.resolve(),
      dispose: () => Promise.resolve(),
    }),
  'simulated disk': () => segmentHarness(simMachine(1), () => Promise.resolve()),
  files: async () => {
    const machine = await fileMachine();
    return segmentHarness(machine, () => machine.remove());
  },
};
