import { seededRandom, StoreError } from '@azimuth/common';
import { makeShard, putShard, readShard } from '@azimuth/testkit';

import { openDiskIdentity } from '../../src/disk/disk-identity';
import type { SegmentStore } from '../../src/store/segment-store';
import { MIB, openStore, OWNER, simMachine } from '../store-fixture';

const random = seededRandom(3);

async function code(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'OK';
  } catch (error) {
    return error instanceof StoreError ? error.code : String(error);
  }
}

describe('failed fsync', () => {
  it.each([5_000, MIB + 5_000])(
    'pitfall 10: fences the disk and is never tried again (%i bytes)',
    async (sizeBytes) => {
      const machine = simMachine(1);
      const store = await openStore(machine);
      const kept = makeShard(random, { sizeBytes: 7_000 });
      const lost = makeShard(random, { sizeBytes });
      await putShard(store, kept);
      machine.disk.inject({ atOperation: 1, kind: 'EIO', of: 'sync' });
      expect(await code(putShard(store, lost))).toBe('DISK_FENCED');
      const operations = machine.disk.operationCount;
      expect(await code(putShard(store, lost))).toBe('DISK_FENCED');
      expect(await code(store.delete(kept.id))).toBe('DISK_FENCED');
      // The marker is the only thing written after the failure.
      expect(machine.disk.operationCount).toBeLessThanOrEqual(operations + 2);
      expect(store.statistics().state).toBe('fenced');
      expect((await readShard(store, kept.id)).equals(kept.bytes)).toBe(true);
      expect(store.stat(lost.id)).toBeNull();
      await store.close();

      const reopened = await openStore(machine);
      expect(reopened.statistics().state).toBe('fenced');
      expect(await code(putShard(reopened, lost))).toBe('DISK_FENCED');
      expect((await readShard(reopened, kept.id)).equals(kept.bytes)).toBe(true);
      await reopened.close();
    },
  );

  it('fails every shard of the group that shared the fsync, and acknowledges none', async () => {
    const machine = simMachine(2);
    const store = await openStore(machine);
    await putShard(store, makeShard(random, { sizeBytes: 10 }));
    machine.disk.inject({ atOperation: 1, kind: 'EIO', of: 'sync' });
    const shards = [1, 2, 3, 4].map(() => makeShard(random, { sizeBytes: 3_000 }));
    const codes = await Promise.all(shards.map((shard) => code(putShard(store, shard))));
    expect(codes).toEqual(Array.from({ length: 4 }, () => 'DISK_FENCED'));
    expect(store.statistics().shardCount).toBe(1);
    await store.close();
  });

  it('fences when the name of a new segment cannot be made durable', async () => {
    const machine = simMachine(3);
    const store = await openStore(machine);
    machine.disk.inject({ atOperation: 1, kind: 'EIO', of: 'syncDirectory' });
    const shard = makeShard(random, { sizeBytes: MIB + 1 });
    expect(await code(putShard(store, shard))).toBe('DISK_FENCED');
    await store.close();
  });
});

describe('group commit', () => {
  it('makes many small shards durable with one fsync', async () => {
    const machine = simMachine(4);
    let syncs = 0;
    const observer = {
      synced: () => (syncs += 1),
      fenced: () => undefined,
      scrubbed: () => undefined,
      compacted: () => undefined,
    };
    const store = await openStore(machine, { observer });
    await putShard(store, makeShard(random, { sizeBytes: 10 }));
    syncs = 0;
    const shards = Array.from({ length: 50 }, () => makeShard(random, { sizeBytes: 2_000 }));
    await Promise.all(shards.map((shard) => putShard(store, shard)));
    expect(syncs).toBeLessThanOrEqual(3);
    await store.close();
  });
});

describe('a full disk', () => {
  async function fill(store: SegmentStore, sizeBytes: number): Promise<number> {
    for (let count = 0; ; count += 1) {
      const shard = makeShard(random, { sizeBytes });
      const outcome = await code(putShard(store, shard));
      if (outcome === 'OK') continue;
      expect(outcome).toBe('DISK_FULL');
      return count;
    }
  }

  it('refuses new shards before their first byte, serves and deletes, and recovers', async () => {
    const machine = simMachine(5, 8 * MIB);
    const store = await openStore(machine, {
      space: { lowSpaceBytes: MIB, capacityBytes: null },
    });
    const first = makeShard(random, { sizeBytes: MIB + 1 });
    await putShard(store, first);
    expect(await fill(store, MIB + 1)).toBe(5);
    await store.maintain();
    expect(await code(putShard(store, makeShard(random, { sizeBytes: 10 })))).toBe('OK');
    expect((await readShard(store, first.id)).equals(first.bytes)).toBe(true);
    await store.delete(first.id);
    await store.maintain();
    expect(store.statistics().state).toBe('online');
    await putShard(store, makeShard(random, { sizeBytes: MIB + 1 }));
    await store.close();
  });

  it('says `full` once little more than the threshold is free', async () => {
    const machine = simMachine(6, 4 * MIB);
    const store = await openStore(machine, {
      space: { lowSpaceBytes: 2 * MIB, capacityBytes: null },
    });
    await fill(store, 500_000);
    await store.maintain();
    expect(store.statistics().state).toBe('full');
    await fill(store, 1_000);
    expect(await code(putShard(store, makeShard(random, { sizeBytes: 5_000 })))).toBe('DISK_FULL');
    await store.close();
  });

  it('keeps to the capacity it was given on a larger file system', async () => {
    const machine = simMachine(7);
    const store = await openStore(machine, {
      space: { lowSpaceBytes: 0, capacityBytes: 5 * MIB },
    });
    expect(await fill(store, MIB + 1)).toBe(4);
    expect(store.statistics().capacityBytes).toBe(5 * MIB);
    await store.close();
  });

  it.each([5_000, MIB + 5_000])(
    'survives ENOSPC in the middle of a write without fencing (%i bytes)',
    async (sizeBytes) => {
      const machine = simMachine(8);
      const store = await openStore(machine);
      const kept = makeShard(random, { sizeBytes: 7_000 });
      const shard = makeShard(random, { sizeBytes });
      await putShard(store, kept);
      machine.disk.inject({ atOperation: 1, kind: 'ENOSPC', of: 'write' });
      expect(await code(putShard(store, shard))).toBe('DISK_FULL');
      machine.disk.inject();
      await store.maintain();
      await putShard(store, shard);
      for (const one of [kept, shard]) {
        expect((await readShard(store, one.id)).equals(one.bytes)).toBe(true);
      }
      machine.disk.inject({ atOperation: 1, kind: 'crash' });
      await store.close();
      machine.disk.powerLoss();
      machine.bootId = 'boot-2';
      const reopened = await openStore(machine);
      for (const one of [kept, shard]) {
        expect((await readShard(reopened, one.id)).equals(one.bytes)).toBe(true);
      }
      await reopened.close();
    },
  );
});

describe('disk identity', () => {
  it('survives a power cut at any point of the format, and is never formatted twice', async () => {
    for (let operation = 1; operation < 12; operation += 1) {
      const machine = simMachine(operation);
      machine.disk.inject({ atOperation: operation, kind: 'crash' });
      const formatted = await openDiskIdentity(machine.disk, OWNER, random).catch(() => null);
      machine.disk.powerLoss();
      const identity = await openDiskIdentity(machine.disk, OWNER, random);
      if (formatted !== null) expect(identity).toEqual(formatted);
      expect(await openDiskIdentity(machine.disk, OWNER, random)).toEqual(identity);
    }
  });

  it('refuses the disk of another cluster, zone or node', async () => {
    const machine = simMachine(1);
    await openDiskIdentity(machine.disk, OWNER, random);
    for (const other of [{ clusterId: 'd'.repeat(32) }, { zone: 'b' }, { nodeId: 'x' }]) {
      const opened = openDiskIdentity(machine.disk, { ...OWNER, ...other }, random);
      expect(await code(opened)).toBe('PERMISSION_DENIED');
    }
  });

  it('takes an unreadable identity for an error and never formats over it', async () => {
    const machine = simMachine(2);
    const identity = await openDiskIdentity(machine.disk, OWNER, random);
    const bytes = machine.disk.contentOf('disk.json');
    for (let at = 0; at < bytes.byteLength - 1; at += 7) {
      machine.disk.flip('disk.json', at);
      const outcome = await code(openDiskIdentity(machine.disk, OWNER, random));
      expect(outcome).toBe('STATE_CORRUPT');
      machine.disk.flip('disk.json', at);
    }
    await machine.disk.makeDirectory('segments');
    await machine.disk.unlink('disk.json');
    expect(await code(openDiskIdentity(machine.disk, OWNER, random))).toBe('STATE_CORRUPT');
    machine.disk.replace('disk.json', bytes);
    expect(await openDiskIdentity(machine.disk, OWNER, random)).toEqual(identity);
  });
});
