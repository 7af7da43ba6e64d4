import { decodeListRows, decodeRecord } from '@azimuth/proto';
import type { ListObjectsResult, ListPosition } from '@azimuth/proto';
import fc from 'fast-check';

import { MemoryKeyValueStore } from '../../src/state-machine/memory-key-value-store';
import {
  BUCKET_ID,
  commandOf,
  draftOf,
  entryOf,
  IndexDriver,
  inlineData,
  openIndex,
  START_MS,
} from './index-fixture';
import type { IndexModel } from './index-model';
import { body, etag, key, KEYS, runBoth, step } from './index-workload';

async function checkContent(driver: IndexDriver, model: IndexModel): Promise<void> {
  for (const each of KEYS) {
    const versions = model.versions.get(each) ?? [];
    const ids = [null, 'null', ...versions.map(({ head }) => head.versionId)];
    for (const versionId of ids) {
      const expected =
        versionId === null
          ? versions[0]
          : versions.find(({ head }) => head.versionId === versionId);
      const found = await driver.query('GetVersion', {
        ...{ bucketId: BUCKET_ID, key: each },
        ...{ versionId, withBody: true },
      });
      expect(found?.head).toEqual(expected?.head);
      if (expected === undefined || expected.head.isDeleteMarker) continue;
      const inline = found?.body?.inline == null ? null : Buffer.from(found.body.inline).toString();
      expect({ inline, blobs: found?.body?.blobs }).toEqual({
        inline: expected.inline,
        blobs: expected.blobs,
      });
    }
  }
  const references = [...model.references()];
  const resolved = await driver.query('ResolveBlobs', { blobIds: references.map(([id]) => id) });
  expect(resolved.map((each) => each?.blob)).toEqual(references.map(([, blob]) => blob));
  const garbage = await driver.query('ListOutbox', { kind: 'garbage', afterId: null, limit: 1000 });
  expect(garbage.entries.map(({ blob }) => blob.blobId).sort()).toEqual([...model.garbage].sort());
  const shards = [...model.repairs.values()].reduce((sum, { size }) => sum + size, 0);
  expect(await driver.query('CountOutbox', {})).toEqual({
    repairEntries: model.repairs.size,
    missingShards: shards,
    garbageEntries: model.garbage.length,
    restripeEntries: model.restripes.size,
  });
}

async function listAll(driver: IndexDriver, prefix: string, delimiter: string, limit: number) {
  const items: { key: string; entry: unknown }[] = [];
  let after: ListPosition | null = null;
  for (;;) {
    const args = { bucketId: BUCKET_ID, prefix, delimiter, after, limit };
    const page: ListObjectsResult = await driver.query('ListObjects', args);
    const { rows, ...rest } = await driver.query('ListObjects', { ...args, withRows: true });
    expect({ ...rest, entries: decodeListRows(rows!) }).toEqual(page);
    expect(page.entries.length + page.commonPrefixes.length).toBeLessThanOrEqual(limit);
    items.push(
      ...[
        ...page.entries.map((entry) => ({ key: entry.key, entry })),
        ...page.commonPrefixes.map((each) => ({ key: each, entry: null })),
      ].sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key))),
    );
    if (!page.isTruncated) return items;
    after = page.next;
  }
}

async function contentOf(store: MemoryKeyValueStore): Promise<string[]> {
  const reader = store.range({ from: Buffer.from([0]), to: Buffer.from([0xff]) });
  const pairs = await reader.next(1_000_000);
  return pairs.map(([name, value]) => `${name.toString('hex')}=${value.toString('hex')}`);
}

describe('index state machine against its model', () => {
  const steps = fc.array(step, { minLength: 1, maxLength: 60, size: 'max' });

  it('answers every command as the model does: V-1 to V-8, C-5, C-6, C-10, M-3, M-6, M-7, V-23', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const { driver, model } = await runBoth(all);
        await checkContent(driver, model);
      }),
      { numRuns: 60 },
    );
  });

  it('lists as the model does at every page size: K-1, K-2, K-3, K-7', async () => {
    const prefixes = fc.constantFrom('', 'a', 'a/', 'a\0', 'é', 'zzz');
    const delimiters = fc.constantFrom('', '/', 'b', '/b', 'é/', '\0');
    await fc.assert(
      fc.asyncProperty(steps, prefixes, delimiters, async (all, prefix, delimiter) => {
        const { driver, model } = await runBoth(all);
        const expected = model.list(prefix, delimiter);
        for (const limit of [1, 2, 3, 1000]) {
          expect(await listAll(driver, prefix, delimiter, limit)).toEqual(expected);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('keeps many versions of one key in order whichever are removed: V-5, V-7, V-8, K2', async () => {
    const write = fc.record({
      kind: fc.constant('put' as const),
      key: fc.constant('a'),
      versioning: fc.constantFrom('enabled', 'enabled', 'enabled', 'suspended'),
      ...{ etag, condition: fc.constant(null), body },
    });
    const remove = fc.record({
      kind: fc.constant('delete' as const),
      key: fc.constant('a'),
      versioning: fc.constantFrom('enabled', 'suspended'),
      condition: fc.constant(null),
      version: fc.option(fc.integer({ min: -1, max: 7 }), { nil: null, freq: 8 }),
    });
    const some = fc.array(fc.oneof(write, remove), { minLength: 4, maxLength: 40, size: 'max' });
    await fc.assert(
      fc.asyncProperty(some, async (all) => {
        const { driver, model } = await runBoth(all);
        await checkContent(driver, model);
      }),
      { numRuns: 60 },
    );
  });

  it('K-3: a page that starts anywhere repeats no prefix at or before its start', async () => {
    await fc.assert(
      fc.asyncProperty(steps, key, fc.constantFrom('', 'x', '/'), async (all, start, more) => {
        const { driver, model } = await runBoth(all);
        const after = start + more;
        const page = await driver.query('ListObjects', {
          ...{ bucketId: BUCKET_ID, prefix: '', delimiter: '/', limit: 1000 },
          after: { key: after, isPrefix: false },
        });
        const expected = model
          .list('', '/')
          .filter((item) => Buffer.compare(Buffer.from(item.key), Buffer.from(after)) > 0);
        expect([...page.entries.map((each) => each.key), ...page.commonPrefixes].sort()).toEqual(
          expected.map((item) => item.key).sort(),
        );
      }),
      { numRuns: 40 },
    );
  });

  it('is the same on replicas that apply in other batches, and after a snapshot (pitfall 27)', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(10_000), async (all, cut) => {
        const { driver, log } = await runBoth(all);
        const entries = log.map(({ command, nowMs }, at) => entryOf(at + 1, nowMs, command));
        const middle = cut % (entries.length + 1);

        const otherStore = new MemoryKeyValueStore();
        const other = await openIndex(otherStore);
        await other.apply(entries.slice(0, middle));

        const copyStore = new MemoryKeyValueStore();
        const copy = await openIndex(copyStore);
        const { lastIncludedIndex, chunks } = await other.createSnapshot();
        await other.apply(entries.slice(middle));
        await copy.installSnapshot(lastIncludedIndex, chunks);
        for (const entry of entries.slice(middle)) await copy.apply([entry]);

        expect(await other.stateHash()).toBe(await driver.machine.stateHash());
        expect(await copy.stateHash()).toBe(await driver.machine.stateHash());
        expect(await contentOf(copyStore)).toEqual(await contentOf(otherStore));
        expect(copy.lastApplied()).toBe(entries.length);
      }),
      { numRuns: 30 },
    );
  });

  it('answers a retry with the same bytes wherever it comes in the log (pitfall 26)', async () => {
    const driver = await IndexDriver.open();
    const data = inlineData('text');
    const args = { bucketId: BUCKET_ID, key: 'a', versioning: 'enabled', data, precondition: null };
    const command = commandOf('CommitVersion', { ...args, draft: draftOf('a', 4, 'e') }, START_MS);
    const first = await driver.machine.apply([entryOf(1, START_MS, command)]);
    const again = await driver.machine.apply([entryOf(2, START_MS + 50, command)]);
    expect(again[0]).toEqual(first[0]);
    expect(decodeRecord(first[0]!)).toMatchObject({ ok: true });
  });
});
