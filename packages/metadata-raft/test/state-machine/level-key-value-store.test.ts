import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { ListVersionsResult, VersionPosition } from '@azimuth/proto';

import { condemnStore, LevelKeyValueStore } from '../../src/state-machine/level-key-value-store';
import { MemoryKeyValueStore } from '../../src/state-machine/memory-key-value-store';
import type { KeyValueStore } from '../../src/state-machine/key-value-store';
import { SeparatedStore } from '../../src/state-machine/separated-store';
import { RamDisk } from '../log/ram-disk';
import { BUCKET_ID, draftOf, IndexDriver, inlineData, openIndex } from './index-fixture';

const EVERYTHING = { from: Buffer.from([0]), to: Buffer.from([0xff]) };
const put = (key: string, text: string) => ({
  ...{ bucketId: BUCKET_ID, key, versioning: 'unversioned', precondition: null },
  draft: draftOf(key, text.length, text),
  data: inlineData(text),
});
const get = { bucketId: BUCKET_ID, versionId: null, withBody: true };

async function* chunksOf(bytes: Buffer): AsyncGenerator<Buffer> {
  yield await Promise.resolve(bytes);
}

describe('key-value stores', () => {
  let directory: string;
  const discarded: string[] = [];
  const openLevel = () => LevelKeyValueStore.open(directory, (reason) => discarded.push(reason));
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'azimuth-state-'));
    discarded.length = 0;
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const stores: [string, () => Promise<KeyValueStore>][] = [
    ['level', () => openLevel()],
    [
      'separated',
      async () => SeparatedStore.open({ base: await openLevel(), disk: new RamDisk() }),
    ],
    ['memory', () => Promise.resolve(new MemoryKeyValueStore())],
  ];

  it.each(stores)('%s: a reader sees the store as it was when it was made', async (_, open) => {
    const store = await open();
    const a = Buffer.from('a');
    await store.write([{ key: a, value: Buffer.from('1') }]);
    const reader = store.range(EVERYTHING);
    await store.write([
      { key: a, value: Buffer.from('2') },
      { key: Buffer.from('b'), value: Buffer.from('3') },
    ]);
    const pairs = await reader.next(10);
    expect(pairs.map(([key, value]) => `${key.toString()}=${value.toString()}`)).toEqual(['a=1']);
    await reader.close();
    await store.close();
  });

  it('begins anew with a store that was condemned before it was opened', async () => {
    const a = Buffer.from('a');
    const store = await openLevel();
    await store.write([{ key: a, value: Buffer.from('1') }]);
    await store.close();
    condemnStore(directory);
    const again = await openLevel();
    expect(again.get(a)).toBeUndefined();
    expect(discarded).toEqual(['condemned']);
    await again.close();
  });

  it.each(stores)('%s: V-14: lists versions of two places in turn', async (_, open) => {
    const driver = await IndexDriver.open(await open());
    const keys = Array.from({ length: 40 }, (__, at) => `k${String(at).padStart(2, '0')}`);
    for (const round of [1, 2, 3]) {
      for (const key of keys) {
        await driver.run('CommitVersion', { ...put(key, String(round)), versioning: 'enabled' });
      }
    }
    const found: string[] = [];
    const list = { bucketId: BUCKET_ID, prefix: 'k', delimiter: '', limit: 7 };
    let after: VersionPosition | null = null;
    for (;;) {
      const page: ListVersionsResult = await driver.query('ListVersions', { ...list, after });
      found.push(...page.entries.map(({ key, etag }) => key + etag));
      after = page.next;
      if (!page.isTruncated) break;
    }
    expect(found).toEqual(keys.flatMap((key) => [3, 2, 1].map((round) => `${key}${round}`)));
    await driver.machine.close();
  });

  it('level: state and index come back together after a restart', async () => {
    const driver = await IndexDriver.open(await openLevel());
    await driver.run('CommitVersion', put('a', 'text'));
    await driver.machine.close();
    const again = new IndexDriver(await openIndex(await openLevel()));
    expect(again.machine.lastApplied()).toBe(1);
    expect(await again.query('GetVersion', { ...get, key: 'a' })).toMatchObject({
      head: { etag: 'text' },
    });
    await again.machine.close();
    expect(discarded).toEqual([]);
  });

  it('P4: a flipped byte in any value is an error, never wrong data, and condemns the store', async () => {
    const store = await openLevel();
    const driver = await IndexDriver.open(store);
    await driver.run('CommitVersion', put('a', 'text'));
    const reader = store.range(EVERYTHING);
    const pairs = await reader.next(1_000);
    await reader.close();
    expect(pairs.length).toBeGreaterThan(3);
    for (const [key, value] of pairs) {
      const flipped = Buffer.from(value);
      flipped[flipped.length >> 1]! ^= 0x10;
      await store.write([{ key, value: flipped }]);
    }
    const failure = { code: 'STATE_CORRUPT' };
    await expect(driver.query('GetVersion', { ...get, key: 'a' })).rejects.toMatchObject(failure);
    await expect(
      driver.query('ListObjects', {
        bucketId: BUCKET_ID,
        prefix: '',
        delimiter: '',
        after: null,
        limit: 5,
      }),
    ).rejects.toMatchObject(failure);
    await expect(driver.run('CommitVersion', put('a', 'more'))).rejects.toMatchObject(failure);
    await store.close();

    const rebuilt = await openIndex(await openLevel());
    expect(discarded).toEqual(['condemned']);
    expect(rebuilt.lastApplied()).toBe(0);
    await rebuilt.close();
  });

  it('P4: damage that a snapshot meets condemns the store, so that the next start rebuilds it', async () => {
    const store = await openLevel();
    const driver = await IndexDriver.open(store);
    await driver.run('CommitVersion', put('a', 'text'));
    const [[key, value] = []] = await store.range(EVERYTHING).next(1);
    const flipped = Buffer.from(value!);
    flipped[0]! ^= 0x10;
    await store.write([{ key: key!, value: flipped }]);
    const { chunks } = await driver.machine.createSnapshot();
    const read = async () => {
      for await (const chunk of chunks) expect(chunk).toBeDefined();
    };
    await expect(read()).rejects.toMatchObject({ code: 'STATE_CORRUPT' });
    await store.close();
    await (await openIndex(await openLevel())).close();
    expect(discarded).toEqual(['condemned']);
  });

  async function damagedTable(fill: (bytes: Buffer) => void): Promise<void> {
    const driver = await IndexDriver.open(await openLevel());
    for (let count = 0; count < 500; count += 1) {
      await driver.run('CommitVersion', put(`key-${count}`, 'text'));
    }
    await driver.machine.close();
    // A restart turns the log of LevelDB into a table.
    await (await openIndex(await openLevel())).close();
    const table = readdirSync(join(directory, 'store')).find((name) => name.endsWith('.ldb'))!;
    const path = join(directory, 'store', table);
    const bytes = readFileSync(path);
    fill(bytes);
    writeFileSync(path, bytes);
  }

  it('P4: damage that LevelDB finds by itself condemns the store too', async () => {
    await damagedTable((bytes) => bytes.fill(0xff, 0, bytes.length >> 3));
    const driver = await IndexDriver.open(await openLevel());
    expect(driver.machine.lastApplied()).toBe(500);
    const { chunks } = await driver.machine.createSnapshot();
    const read = async () => {
      for await (const chunk of chunks) expect(chunk).toBeDefined();
    };
    await expect(read()).rejects.toMatchObject({ code: 'STATE_CORRUPT' });
    await driver.machine.close();
    await (await openIndex(await openLevel())).close();
    expect(discarded).toEqual(['condemned']);
  });

  it('P4: a store whose first record cannot be read starts empty instead of not at all', async () => {
    await damagedTable((bytes) => bytes.fill(0xff, 0, bytes.length - 100));
    const machine = await openIndex(await openLevel());
    expect(machine.lastApplied()).toBe(0);
    expect(machine.nowMs).toBe(0);
    await machine.close();
  });

  it('pitfall 23: an install that was cut short leaves an empty store, not half a state', async () => {
    const source = await IndexDriver.open();
    for (let count = 0; count < 20; count += 1) {
      await source.run('CommitVersion', put(`key-${count}`, 'text'));
    }
    const { lastIncludedIndex, chunks } = await source.machine.createSnapshot();
    const whole: Buffer[] = [];
    for await (const chunk of chunks) whole.push(chunk);
    const bytes = Buffer.concat(whole);
    for (const cut of [0, 3, 100, bytes.length >> 1, bytes.length - 13, bytes.length - 1]) {
      const store = new MemoryKeyValueStore();
      const target = await openIndex(store);
      await expect(
        target.installSnapshot(lastIncludedIndex, chunksOf(bytes.subarray(0, cut))),
      ).rejects.toMatchObject({
        code: 'CHECKSUM_MISMATCH',
      });
      expect((await openIndex(store)).lastApplied()).toBe(0);
      expect(await store.range(EVERYTHING).next(1)).toEqual([]);
    }
    const flipped = Buffer.from(bytes);
    flipped[bytes.length >> 1]! ^= 1;
    const target = await openIndex();
    await expect(
      target.installSnapshot(lastIncludedIndex, chunksOf(flipped)),
    ).rejects.toMatchObject({
      name: 'StoreError',
    });
  });
});
