import fc from 'fast-check';

import type { ListVersionsResult } from '@azimuth/proto';

import type { KeyValueOperation } from '../../src/state-machine/key-value-store';
import { MemoryKeyValueStore } from '../../src/state-machine/memory-key-value-store';
import { SeparatedStore } from '../../src/state-machine/separated-store';
import { ValueHolds } from '../../src/state-machine/value-holds';
import { RamDisk } from '../log/ram-disk';
import { BUCKET_ID, draftOf, IndexDriver, inlineData, openIndex } from './index-fixture';
import type { IndexMachine } from './index-fixture';

const EVERYTHING = { from: Buffer.from([0]), to: Buffer.from([0xff]) };
const LARGE = 'x'.repeat(600);
const FAILURE = { code: 'STATE_CORRUPT' };

const put = (key: string, text: string) => ({
  ...{ bucketId: BUCKET_ID, key, versioning: 'unversioned', precondition: null },
  draft: draftOf(key, text.length, text.slice(0, 8)),
  data: inlineData(text),
});

interface Change {
  readonly kind: string;
  readonly key: number;
  readonly sizeBytes: number | null;
  readonly isLast: boolean;
  readonly isReopened: boolean;
}

/** The files of one node: they outlive the store. */
class Files {
  readonly base = new MemoryKeyValueStore();
  readonly disk = new RamDisk();
  fileBytesMax = 4096;

  open(): Promise<SeparatedStore> {
    const { base, disk, fileBytesMax } = this;
    return SeparatedStore.open({ base, disk, fileBytesMax });
  }

  async names(prefix = 'values-'): Promise<string[]> {
    return (await this.disk.list()).filter((name) => name.startsWith(prefix)).sort();
  }

  async newest(): Promise<string> {
    return (await this.names()).at(-1)!;
  }
}

async function textOf(driver: IndexDriver, key: string): Promise<string | null> {
  const query = { bucketId: BUCKET_ID, key, versionId: null, withBody: true };
  const inline = (await driver.query('GetVersion', query))?.body?.inline ?? null;
  return inline === null ? null : Buffer.from(inline).toString();
}

async function snapshotOf(machine: IndexMachine): Promise<Buffer[]> {
  const { chunks } = await machine.createSnapshot();
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(Buffer.from(chunk));
  return all;
}

async function* replay(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  for (const chunk of chunks) yield await Promise.resolve(chunk);
}

async function recordsOf(store: SeparatedStore): Promise<Map<string, string>> {
  const reader = store.range(EVERYTHING);
  const pairs = await reader.next(10_000);
  await reader.close();
  return new Map(pairs.map(([key, value]) => [key.toString('latin1'), value.toString('latin1')]));
}

describe('values beside the store', () => {
  it('answers as a store without files does, whatever is put, deleted and reopened', async () => {
    const change = fc.record({
      kind: fc.constantFrom('d', 'p', 'k'),
      key: fc.integer({ min: 0, max: 12 }),
      sizeBytes: fc.constantFrom(null, 8, 511, 512, 900),
      isLast: fc.boolean(),
      isReopened: fc.boolean(),
    });
    const property = async (changes: readonly Change[]): Promise<void> => {
      const files = new Files();
      let store = await files.open();
      const model = new Map<string, string>();
      let batch = new Map<string, KeyValueOperation>();
      for (const [at, { kind, key, sizeBytes, isLast, isReopened }] of changes.entries()) {
        // As bodies are: a key of its own for each, deleted at most.
        const name = kind === 'd' && sizeBytes !== null ? `d${at}` : `${kind}${key}`;
        const value = sizeBytes === null ? null : Buffer.alloc(sizeBytes, at);
        batch.set(name, { key: Buffer.from(name), value });
        if (!isLast) continue;
        await store.write([...batch.values()]);
        for (const [changed, operation] of batch) {
          if (operation.value === null) model.delete(changed);
          else model.set(changed, operation.value.toString('latin1'));
        }
        batch = new Map();
        if (isReopened) store = await files.open();
        expect(await recordsOf(store)).toEqual(new Map([...model].sort()));
        for (const [stored, expected] of model) {
          expect(store.get(Buffer.from(stored))?.toString('latin1')).toBe(expected);
        }
      }
    };
    await fc.assert(fc.asyncProperty(fc.array(change, { maxLength: 60 }), property), {
      numRuns: 60,
    });
  });

  it('F2: files of deleted bodies go, and what is left in them is moved first', async () => {
    const files = new Files();
    const driver = await IndexDriver.open(await files.open());
    for (let count = 0; count < 60; count += 1) {
      await driver.run('CommitVersion', put(`key-${count}`, `${count}${LARGE}`));
    }
    const before = await files.names();
    expect(before.length).toBeGreaterThan(8);
    const gone = { bucketId: BUCKET_ID, versionId: null, versioning: 'unversioned', owner: 'me' };
    for (let count = 0; count < 60; count += 1) {
      if (count % 6 === 0) continue;
      await driver.run('DeleteVersion', { ...gone, key: `key-${count}`, precondition: null });
    }
    const after = await files.names();
    expect(after.length).toBeLessThan(before.length / 2);
    expect(after).not.toContain(before[0]);
    const reopened = new IndexDriver(await openIndex(await files.open()));
    for (let count = 0; count < 60; count += 6) {
      expect(await textOf(reopened, `key-${count}`)).toBe(`${count}${LARGE}`);
    }
  });

  it('F2: what a reader or a snapshot refers to stays until it is closed or released', async () => {
    const files = new Files();
    const store = await files.open();
    const driver = await IndexDriver.open(store);
    for (let count = 0; count < 20; count += 1) {
      await driver.run('CommitVersion', put(`key-${count}`, `1${LARGE}`));
    }
    const first = driver.machine.lastApplied();
    const chunks = await snapshotOf(driver.machine);
    const held = await files.names();
    const reader = store.range(EVERYTHING);
    for (const round of [2, 3, 4]) {
      for (let count = 0; count < 20; count += 1) {
        await driver.run('CommitVersion', put(`key-${count}`, `${round}${LARGE}`));
      }
    }
    expect(await files.names()).toEqual(expect.arrayContaining(held));
    const copy = new IndexDriver(await openIndex());
    await copy.machine.installSnapshot(first, driver.machine.wholeSnapshot(replay(chunks)));
    expect(await textOf(copy, 'key-7')).toBe(`1${LARGE}`);

    await driver.machine.releaseSnapshots(first + 1);
    expect(await files.names('hold-')).toEqual([]);
    expect(await files.names()).toEqual(expect.arrayContaining(held));
    expect((await reader.next(1_000)).length).toBeGreaterThan(40);
    await reader.close();
    await driver.machine.releaseSnapshots(first + 1);
    expect(await files.names()).not.toContain(held[0]);
    expect(await textOf(driver, 'key-7')).toBe(`4${LARGE}`);
  });

  it('a snapshot does not copy bodies, and the state comes back from it and the files', async () => {
    const files = new Files();
    const driver = await IndexDriver.open(await files.open());
    for (let count = 0; count < 50; count += 1) {
      await driver.run('CommitVersion', put(`key-${count}`, `${count}${LARGE}`));
    }
    const index = driver.machine.lastApplied();
    const chunks = await snapshotOf(driver.machine);
    expect(Buffer.concat(chunks).includes(LARGE)).toBe(false);
    expect(files.disk.calls.at(-1)).toBe('sync directory');
    const digest = await driver.machine.stateHash();

    // As after a power cut: nothing that was not synced is believed.
    await files.base.clear();
    const names = await files.names();
    const again = new IndexDriver(await openIndex(await files.open()));
    expect(again.machine.lastApplied()).toBe(0);
    await again.machine.installSnapshot(index, replay(chunks));
    expect(await again.machine.stateHash()).toBe(digest);
    for (const count of [0, 17, 49]) {
      expect(await textOf(again, `key-${count}`)).toBe(`${count}${LARGE}`);
    }
    expect(await files.names()).toEqual(names);
    // New bodies go to new files, and the store that was loaded goes on as any other.
    for (let count = 0; count < 50; count += 1) {
      await again.run('CommitVersion', put(`key-${count}`, `again${LARGE}`));
    }
    await again.machine.releaseSnapshots(index + 1);
    expect(await files.names()).not.toContain(names[0]);
    expect(await textOf(again, 'key-17')).toBe(`again${LARGE}`);
  });

  it('P4: a flipped byte, a torn end and a missing file are errors, never other bytes', async () => {
    for (const damage of ['flip', 'tear', 'remove'] as const) {
      const files = new Files();
      const driver = await IndexDriver.open(await files.open());
      await driver.run('CommitVersion', put('a', LARGE));
      const index = driver.machine.lastApplied();
      const chunks = await snapshotOf(driver.machine);
      const name = await files.newest();
      const bytes = files.disk.contents(name);
      await driver.machine.close();
      if (damage === 'flip') files.disk.flipLive(name, bytes.length >> 1);
      if (damage === 'tear') files.disk.put(name, bytes.subarray(0, -1));
      if (damage === 'remove') await files.disk.remove(name);
      const store = await files.open();
      const found = new IndexDriver(await openIndex(store));
      await expect(textOf(found, 'a')).rejects.toMatchObject(FAILURE);
      await expect(found.run('CommitVersion', put('a', LARGE))).rejects.toMatchObject(FAILURE);
      const lists = { bucketId: BUCKET_ID, prefix: '', delimiter: '', after: null, limit: 5 };
      const page: ListVersionsResult = await found.query('ListVersions', lists);
      expect(page.entries.length).toBe(1);
      // Nor does the snapshot that refers to it load, here or for another node.
      const whole = (): AsyncIterable<Buffer> => found.machine.wholeSnapshot(replay(chunks));
      const read = async (): Promise<void> => {
        for await (const chunk of whole()) expect(chunk).toBeDefined();
      };
      await expect(read()).rejects.toMatchObject(FAILURE);
      await expect(found.machine.createSnapshot()).rejects.toMatchObject(FAILURE);
      await expect(found.machine.installSnapshot(index, replay(chunks))).rejects.toMatchObject(
        FAILURE,
      );
      await files.base.reopen();
      expect((await openIndex(await files.open())).lastApplied()).toBe(0);
    }
  });

  it('a value that was appended but not referred to is stepped over', async () => {
    const files = new Files();
    const driver = await IndexDriver.open(await files.open());
    await driver.run('CommitVersion', put('a', `1${LARGE}`));
    const name = await files.newest();
    // The process was killed between the two writes.
    const bytes = Buffer.concat([files.disk.contents(name), Buffer.alloc(100, 0xee)]);
    files.disk.put(name, bytes);
    const again = new IndexDriver(await openIndex(await files.open()));
    for (let count = 0; count < 20; count += 1) {
      await again.run('CommitVersion', put('a', `${count}${LARGE}`));
    }
    expect(await textOf(again, 'a')).toBe(`19${LARGE}`);
    expect(await files.names()).not.toContain(name);
  });

  it('a new file of which half a record was written when the process was killed goes', async () => {
    const files = new Files();
    const driver = await IndexDriver.open(await files.open());
    await driver.run('CommitVersion', put('a', `1${LARGE}`));
    const first = files.disk.contents(await files.newest());
    files.disk.put('values-0000000002', first.subarray(0, -100));
    const again = new IndexDriver(await openIndex(await files.open()));
    await again.run('CommitVersion', put('b', `2${LARGE}`));
    expect(await textOf(again, 'a')).toBe(`1${LARGE}`);
    expect(await textOf(again, 'b')).toBe(`2${LARGE}`);
    expect(await files.names()).toEqual(['values-0000000001', 'values-0000000003']);
  });

  it('a number that the store knows is not given again', async () => {
    const files = new Files();
    const driver = await IndexDriver.open(await files.open());
    await driver.run('CommitVersion', put('a', `1${LARGE}`));
    await files.disk.remove(await files.newest());
    const again = new IndexDriver(await openIndex(await files.open()));
    const write = put('b', `2${LARGE}`);
    await again.run('CommitVersion', write).catch(() => undefined);
    expect(await files.newest()).toBe('values-0000000002');
  });

  it('a second snapshot of an index holds what the first one refers to', async () => {
    const disk = new RamDisk();
    const holds = await ValueHolds.open(disk);
    await holds.add(7, [1, 2]);
    await holds.add(7, [3]);
    const reopened = await ValueHolds.open(disk);
    for (const each of [holds, reopened]) {
      expect([1, 2, 3, 4].filter((number) => each.isHeld(number))).toEqual([1, 2, 3]);
      await each.release(8);
      expect(each.isHeld(1)).toBe(false);
    }
  });

  it('a hold that cannot be read holds every file', async () => {
    const files = new Files();
    const driver = await IndexDriver.open(await files.open());
    await driver.run('CommitVersion', put('a', LARGE));
    await snapshotOf(driver.machine);
    const [hold = ''] = await files.names('hold-');
    files.disk.flipLive(hold, 9);
    const again = new IndexDriver(await openIndex(await files.open()));
    const held = await files.names();
    for (let count = 0; count < 30; count += 1) await again.run('CommitVersion', put('a', LARGE));
    expect(await files.names()).toEqual(expect.arrayContaining(held));
  });

  it('a store of before there were value files is not believed', async () => {
    const files = new Files();
    const driver = await IndexDriver.open(files.base);
    await driver.run('CommitVersion', put('a', LARGE));
    expect((await openIndex(await files.open())).lastApplied()).toBe(0);
  });
});
