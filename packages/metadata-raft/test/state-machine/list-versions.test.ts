import type { ListVersionsResult, VersionPosition } from '@azimuth/proto';
import fc from 'fast-check';

import { draftOf, BUCKET_ID, IndexDriver, inlineData } from './index-fixture';
import type { ModelListItem } from './index-model';
import { key, runBoth, step, versioning } from './index-workload';

/** Mostly versions and markers; the other steps now and then. */
const write = fc.record({
  kind: fc.constant('put' as const),
  ...{ key, versioning },
  etag: fc.constantFrom('e1', 'e2'),
  condition: fc.constant(null),
  body: fc.constant({ isInline: true, isReduced: false, missing: [] }),
});
const remove = fc.record({
  kind: fc.constant('delete' as const),
  ...{ key, versioning },
  condition: fc.constant(null),
  version: fc.option(fc.integer({ min: -1, max: 4 }), { nil: null, freq: 2 }),
});
const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: write },
    { weight: 3, arbitrary: remove },
    { weight: 1, arbitrary: step },
  ),
  { minLength: 1, maxLength: 60, size: 'max' },
);
const prefixes = fc.constantFrom('', 'a', 'a/', 'a\0', 'é', 'zzz');
const delimiters = fc.constantFrom('', '/', 'b', '/b', 'é/', '\0');

interface Listing {
  readonly prefix: string;
  readonly delimiter: string;
  readonly limit: number;
}

function page(driver: IndexDriver, listing: Listing, after: VersionPosition | null) {
  return driver.query('ListVersions', { bucketId: BUCKET_ID, ...listing, after });
}

/** Entries and prefixes of a page in the order of their keys. */
function itemsOf({ entries, commonPrefixes }: ListVersionsResult): ModelListItem[] {
  return [
    ...entries.map((version) => ({ key: version.key, version })),
    ...commonPrefixes.map((prefix) => ({ key: prefix, version: null })),
  ].sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
}

function positionOf({ key: at, version }: ModelListItem): VersionPosition {
  return { key: at, versionId: version?.versionId ?? null, isPrefix: version === null };
}

async function listAll(driver: IndexDriver, listing: Listing): Promise<ModelListItem[]> {
  const items: ModelListItem[] = [];
  let after: VersionPosition | null = null;
  for (;;) {
    const result: ListVersionsResult = await page(driver, listing, after);
    const found = itemsOf(result);
    const last = found.at(-1);
    expect(found.length).toBeLessThanOrEqual(listing.limit);
    expect(result.next).toEqual(last === undefined ? null : positionOf(last));
    items.push(...found);
    if (!result.isTruncated) return items;
    expect(found).toHaveLength(listing.limit);
    after = result.next;
  }
}

function put(driver: IndexDriver, at: string, state: 'enabled' | 'suspended', text = 'x') {
  return driver.run('CommitVersion', {
    ...{ bucketId: BUCKET_ID, key: at, versioning: state, precondition: null },
    ...{ draft: draftOf(at, text.length, 'e'), data: inlineData(text) },
  });
}

function erase(driver: IndexDriver, at: string, versionId: string | null) {
  return driver.run('DeleteVersion', {
    ...{ bucketId: BUCKET_ID, key: at, versioning: 'enabled', versionId },
    ...{ owner: 'me', precondition: null },
  });
}

const ALL: Listing = { prefix: '', delimiter: '', limit: 1000 };

describe('lists of versions', () => {
  it('V-14, K-1 to K-3: are as the model says at every page size', async () => {
    await fc.assert(
      fc.asyncProperty(steps, prefixes, delimiters, async (all, prefix, delimiter) => {
        const { driver, model } = await runBoth(all);
        const expected = model.listVersions(prefix, delimiter);
        for (const limit of [1, 2, 3, 7, 1000]) {
          expect(await listAll(driver, { prefix, delimiter, limit })).toEqual(expected);
        }
      }),
      { numRuns: 80 },
    );
  });

  it('V-15, K-21: go on after every version, also one that is gone meanwhile', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(1_000), async (all, chosen) => {
        const { driver, model } = await runBoth(all);
        const items = model.listVersions('', '');
        const marker = items[chosen % Math.max(1, items.length)];
        if (marker?.version == null || model.fences.size > 0) return;
        const rest = items.slice(items.indexOf(marker) + 1);
        expect(itemsOf(await page(driver, ALL, positionOf(marker)))).toEqual(rest);

        await erase(driver, marker.key, marker.version.versionId);
        const gone = itemsOf(await page(driver, ALL, positionOf(marker)));
        // Where `null` was is not known any more: its key begins again, and nothing is left out.
        const isNull = marker.version.versionId === 'null';
        const namesOf = (list: ModelListItem[]) =>
          list.map((item) => `${item.key} ${item.version?.versionId ?? ''}`);
        const again = items.filter((item) => item.key === marker.key && item !== marker);
        const others = rest.filter((item) => item.key !== marker.key);
        expect(namesOf(gone)).toEqual(namesOf(isNull ? [...again, ...others] : rest));
      }),
      { numRuns: 80 },
    );
  });

  it('K-3: a page that starts anywhere repeats no prefix at or before its start', async () => {
    await fc.assert(
      fc.asyncProperty(steps, key, fc.constantFrom('', 'x', '/'), async (all, start, more) => {
        const { driver, model } = await runBoth(all);
        const after = { key: start + more, versionId: null, isPrefix: false };
        const expected = model
          .listVersions('', '/')
          .filter((item) => Buffer.compare(Buffer.from(item.key), Buffer.from(after.key)) > 0);
        const found = itemsOf(await page(driver, { ...ALL, delimiter: '/' }, after));
        expect(found).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });

  it('V-15: a key whose versions are all gone marks its place', async () => {
    const driver = await IndexDriver.open();
    const response = (await put(driver, 'b', 'enabled')) as { result: { versionId: string } };
    for (const at of ['a', 'c']) await put(driver, at, 'enabled');
    const { versionId } = response.result;
    await erase(driver, 'b', versionId);
    const result = await page(driver, ALL, { key: 'b', versionId, isPrefix: false });
    expect(result.entries.map((entry) => entry.key)).toEqual(['c']);
  });

  it('refuses an id that is none of ours, and limits out of bounds', async () => {
    const driver = await IndexDriver.open();
    const refused = { code: 'INVALID_ARGUMENT' };
    for (const versionId of ['x', 'a'.repeat(32), '']) {
      const after = { key: 'a', versionId, isPrefix: false };
      await expect(page(driver, ALL, after)).rejects.toMatchObject(refused);
    }
    for (const limit of [-1, 1001]) {
      await expect(page(driver, { ...ALL, limit }, null)).rejects.toMatchObject(refused);
    }
    expect(await page(driver, { ...ALL, limit: 0 }, null)).toMatchObject({ isTruncated: false });
  });

  it('K-3: passes what is under a prefix without reading it, and the versions before a marker', async () => {
    const driver = await IndexDriver.open();
    for (let number = 0; number < 400; number += 1) await put(driver, `a/${number}`, 'enabled');
    for (let number = 0; number < 400; number += 1) await put(driver, 'b', 'enabled');
    const { records } = driver.machine.commands.state;
    const range = records.range.bind(records);
    let read = 0;
    jest.spyOn(records, 'range').mockImplementation((between) => {
      const opened = range(between);
      const next = opened.next.bind(opened);
      jest.spyOn(opened, 'next').mockImplementation(async (limit) => {
        const pairs = await next(limit);
        read += pairs.length;
        return pairs;
      });
      return opened;
    });
    const first = await page(driver, { ...ALL, delimiter: '/', limit: 2 }, null);
    expect([first.commonPrefixes, first.entries.length]).toEqual([['a/'], 1]);
    expect(read).toBeLessThan(100);

    const whole = await page(driver, ALL, { key: 'b', versionId: null, isPrefix: false });
    expect(whole.entries).toHaveLength(0);
    read = 0;
    const versions = (await page(driver, { ...ALL, prefix: 'b' }, null)).entries;
    expect(read).toBeLessThan(1_000);
    read = 0;
    const { versionId } = versions[390] as { versionId: string };
    const tail = await page(driver, ALL, { key: 'b', versionId, isPrefix: false });
    expect(tail.entries).toEqual(versions.slice(391));
    expect(read).toBeLessThan(50);
  });

  it('an ACL and tags that are put make no version and change no list: V-23', async () => {
    const driver = await IndexDriver.open();
    for (const at of ['a', 'a', 'a/', 'a/']) await put(driver, at, 'enabled');
    const before = await page(driver, ALL, null);
    const [oldest] = before.entries.slice(-1);
    const at = { bucketId: BUCKET_ID, key: oldest!.key };
    driver.nowMs += 1_000;
    const tags = { b: '1', a: '2' };
    const update = { ...at, versionId: oldest!.versionId, tags, acl: '{}' };
    expect(await driver.run('UpdateVersion', update)).toMatchObject({
      result: { versionId: oldest!.versionId },
    });
    expect(await page(driver, ALL, null)).toEqual(before);
    const get = { ...at, versionId: oldest!.versionId, withBody: true };
    const found = await driver.query('GetVersion', get);
    expect(found?.head).toMatchObject({ tags, acl: '{}' });
    expect(Object.keys(found?.head.tags ?? {})).toEqual(['b', 'a']);
    expect(found?.body?.inline).not.toBeNull();
  });
});
