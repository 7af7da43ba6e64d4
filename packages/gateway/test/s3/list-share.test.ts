/** How much of a page each index group is asked for, and that it is enough. */
import { seededRandom } from '@azimuth/common';
import type { ListPosition } from '@azimuth/proto';
import fc from 'fast-check';

import { commonPrefixOf, compareKeys } from '../../src/s3/listing';
import { mergePages, readEnough } from '../../src/s3/object/list-page';
import { documentOf, Harness, texts } from './harness';

interface Part {
  readonly after: ListPosition | null;
  readonly limit: number;
}

interface Page {
  readonly entries: readonly { readonly key: string }[];
  readonly commonPrefixes: readonly string[];
  readonly isTruncated: boolean;
  readonly next: ListPosition | null;
}

/** What an index group answers of its keys, rolled up by `/`. */
function pageOf(keys: readonly string[], { after, limit }: Part): Page {
  const rows = new Map<string, boolean>();
  for (const key of [...keys].sort(compareKeys)) {
    const prefix = commonPrefixOf(key, '', '/');
    rows.set(prefix ?? key, prefix !== null);
  }
  const behind = [...rows].filter(([key]) => after === null || compareKeys(key, after.key) > 0);
  const page = behind.slice(0, limit);
  const [lastKey, isPrefix = false] = page.at(-1) ?? [];
  return {
    entries: page.flatMap(([key, isRolledUp]) => (isRolledUp ? [] : [{ key }])),
    commonPrefixes: page.flatMap(([key, isRolledUp]) => (isRolledUp ? [key] : [])),
    isTruncated: behind.length > limit,
    next: lastKey === undefined ? null : { key: lastKey, isPrefix },
  };
}

interface Asked extends Part {
  readonly group: string;
}

async function merged(
  keysOf: ReadonlyMap<string, readonly string[]>,
  part: Part,
): Promise<{
  readonly rows: readonly string[];
  readonly isLast: boolean;
  readonly asked: Asked[];
}> {
  const asked: Asked[] = [];
  const pages = await readEnough([...keysOf.keys()], part, (group, wanted) => {
    asked.push({ group, ...wanted });
    return Promise.resolve(pageOf(keysOf.get(group) ?? [], wanted));
  });
  const { entries, commonPrefixes, next } = mergePages(pages, part.limit, (key) => key);
  const rows = [...entries.map(({ key }) => key), ...commonPrefixes].sort(compareKeys);
  return { rows, isLast: next === null, asked };
}

describe('a page of several index groups', () => {
  const key = fc.tuple(fc.nat(60), fc.constantFrom('', '/x', '/y')).map((parts) => parts.join(''));
  // Half of the keys in one group: its share is seldom enough.
  const hash = fc.oneof(fc.constant(0), fc.nat(8));

  it('is that of one group with all keys, however they are spread (K-1 to K-3)', async () => {
    const cases = fc.record({
      keys: fc.uniqueArray(fc.tuple(key, hash), {
        selector: ([name]) => name,
        minLength: 60,
        maxLength: 150,
      }),
      groups: fc.integer({ min: 1, max: 9 }),
      limit: fc.integer({ min: 1, max: 60 }),
      after: fc.option(fc.nat(60).map((n) => ({ key: String(n), isPrefix: false }))),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ keys, groups, limit, after }) => {
        const names = Array.from({ length: groups }, (_, group) => `index-${group}`);
        const ofGroup = (group: number): string[] =>
          keys.flatMap(([name, of]) => (of % groups === group ? [name] : []));
        const keysOf = new Map(names.map((name, group) => [name, ofGroup(group)]));
        const { rows, isLast, asked } = await merged(keysOf, { after, limit });
        const all = pageOf(
          keys.map(([name]) => name),
          { after, limit },
        );
        const expected = [...all.entries.map((entry) => entry.key), ...all.commonPrefixes];
        expect(rows).toEqual(expected.sort(compareKeys));
        if (isLast) expect(all.isTruncated).toBe(false);
        for (const name of names) {
          const parts = asked.filter(({ group }) => group === name);
          expect(parts.length).toBeLessThanOrEqual(2);
          const total = parts.reduce((sum, part) => sum + part.limit, 0);
          expect(total).toBeLessThanOrEqual(limit);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('is full when the keys of two groups follow each other and the others have none', async () => {
    const keysOf = new Map(Array.from({ length: 9 }, (_, group) => [`index-${group}`, ['']]));
    const numbered = (letter: string): string[] =>
      Array.from({ length: 90 }, (_, n) => letter + String(n).padStart(2, '0'));
    const [a, b] = [numbered('a').slice(0, 20), numbered('b')];
    keysOf.set('index-0', [...a, ...numbered('z')]).set('index-1', b);
    const after = { key: 'a', isPrefix: false };
    const { rows } = await merged(keysOf, { after, limit: 60 });
    expect(rows).toEqual([...a, ...b].slice(0, 60));
  });

  it.each([
    [3, 1.2],
    [8, 1.4],
    [32, 1.8],
  ])('reads of %i groups little more than itself when keys are even', async (groups, timesMax) => {
    const random = seededRandom(11);
    const keysOf = new Map<string, string[]>();
    for (let group = 0; group < groups; group += 1) keysOf.set(`index-${group}`, []);
    const all = [...keysOf.values()];
    for (let n = 0; n < 5_000; n += 1) {
      all[random.below(groups)]?.push(String(n).padStart(6, '0'));
    }
    const { rows, asked } = await merged(keysOf, { after: null, limit: 1_000 });
    expect(rows).toHaveLength(1_000);
    const total = asked.reduce((sum, { limit }) => sum + limit, 0);
    expect(total).toBeLessThan(timesMax * 1_000);
  });

  it('is asked for so by a listing', async () => {
    const harness = await Harness.create(3);
    await harness.bucket();
    for (let n = 0; n < 40; n += 1) await harness.put(`k${n}`, 'x');
    const limits: number[] = [];
    const ask = harness.metadata.queryIndex.bind(harness.metadata);
    harness.metadata.queryIndex = (group, name, args, options) => {
      if (name === 'ListObjects') limits.push((args as Part).limit);
      return ask(group, name, args, options);
    };
    const reply = await harness.send('ListObjectsV2', { key: null });
    expect(reply.bytes.toString().match(/<Key>/g)).toHaveLength(40);
    expect(limits).toEqual([391, 391, 391]);
    const one = await harness.send('ListObjectsV2', { key: null, query: { 'max-keys': '1' } });
    expect(one.bytes.toString()).toContain('<IsTruncated>true<');
    expect(limits.slice(3)).toEqual([1, 1, 1]);
  });

  it('K-2, K-3: common prefixes that every group has fill their pages, each once', async () => {
    const harness = await Harness.create(3);
    await harness.bucket();
    const prefixes = Array.from({ length: 130 }, (_, n) => `${String(n).padStart(3, '0')}/`);
    for (const prefix of prefixes) {
      for (const name of ['a', 'b', 'c', 'd']) await harness.put(prefix + name, 'x');
    }
    let asked = 0;
    const ask = harness.metadata.queryIndex.bind(harness.metadata);
    harness.metadata.queryIndex = (group, name, args, options) => {
      if (name === 'ListObjects') asked += 1;
      return ask(group, name, args, options);
    };
    const pages: string[][] = [];
    let token: string | undefined = '';
    while (token !== undefined) {
      const query = { delimiter: '/', 'max-keys': '60', 'continuation-token': token };
      const reply = await harness.send('ListObjectsV2', { key: null, query });
      const document = documentOf(reply);
      pages.push(texts(document, 'CommonPrefixes', 'Prefix'));
      [token] = texts(document, 'NextContinuationToken');
    }
    expect(pages.map(({ length }) => length)).toEqual([60, 60, 10]);
    expect(pages.flat()).toEqual(prefixes);
    // Twice each for the full pages, once for the last one.
    expect(asked).toBe(3 * 2 + 3 * 2 + 3);
  });
});
