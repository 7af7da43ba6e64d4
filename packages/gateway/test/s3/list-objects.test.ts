import fc from 'fast-check';

import { compareKeys } from '../../src/s3/listing';
import { mergePages } from '../../src/s3/object/list-page';
import type { Reply } from './harness';
import { BUCKET, documentOf, Harness, OWNER, text, texts } from './harness';

interface Query {
  readonly prefix: string;
  readonly delimiter: string;
  readonly startAfter: string;
}

/** What a listing of all pages must give: the rules K-1 to K-3 and K-7, written down directly. */
function referenceListing(keys: readonly string[], query: Query): string[] {
  const { prefix, delimiter, startAfter } = query;
  const rows: string[] = [];
  for (const key of [...keys].sort(compareKeys)) {
    if (!Buffer.from(key).subarray(0, Buffer.byteLength(prefix)).equals(Buffer.from(prefix))) {
      continue;
    }
    const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    const row = at === -1 ? key : key.slice(0, at + delimiter.length);
    if (startAfter !== '' && compareKeys(row, startAfter) <= 0) continue;
    const named = at === -1 ? `key ${row}` : `prefix ${row}`;
    if (rows.at(-1) !== named) rows.push(named);
  }
  return rows;
}

function rowsOf(reply: Reply): string[] {
  const document = documentOf(reply);
  const decode = (name: string): string => decodeURIComponent(name.replaceAll('+', ' '));
  const rows = [
    ...texts(document, 'Contents', 'Key').map((name) => ['key', decode(name)] as const),
    ...texts(document, 'CommonPrefixes', 'Prefix').map((name) => ['prefix', decode(name)] as const),
  ];
  return rows.sort(([, a], [, b]) => compareKeys(a, b)).map(([kind, name]) => `${kind} ${name}`);
}

type PageQuery = Readonly<Record<string, string>>;

/** All pages by ListObjectsV2, following the tokens. */
async function pagesV2(harness: Harness, query: PageQuery): Promise<string[][]> {
  const pages: string[][] = [];
  let token: string | null = '';
  while (token !== null) {
    const reply = await harness.send('ListObjectsV2', {
      query: { ...query, 'continuation-token': token },
    });
    const document = documentOf(reply);
    pages.push(rowsOf(reply));
    expect(text(document, 'KeyCount')).toBe(String(pages.at(-1)!.length));
    token = text(document, 'NextContinuationToken');
    expect(text(document, 'IsTruncated')).toBe(String(token !== null));
  }
  return pages;
}

/** All pages by ListObjects, following NextMarker or the last key as clients do (K-4). */
async function pagesV1(harness: Harness, query: PageQuery): Promise<string[][]> {
  const pages: string[][] = [];
  let marker = query['marker'] ?? '';
  for (;;) {
    const reply = await harness.send('ListObjects', { query: { ...query, marker } });
    const document = documentOf(reply);
    pages.push(rowsOf(reply));
    if (text(document, 'IsTruncated') !== 'true') return pages;
    const next = text(document, 'NextMarker');
    const lastKey = texts(document, 'Contents', 'Key').at(-1) ?? '';
    marker = decodeURIComponent((next ?? lastKey).replaceAll('+', ' '));
  }
}

const piece = fc.constantFrom('a', 'b', '/', '/', '-', 'é', '\uffe0', '\u{1f600}', '\u0001', ' ');
const keyArbitrary = fc.array(piece, { minLength: 1, maxLength: 5 }).map((parts) => parts.join(''));
const queryArbitrary = fc.record({
  prefix: fc.constantFrom('', 'a', 'a/', 'b/', '/', 'é', 'nothing'),
  delimiter: fc.constantFrom('', '/', '-', '\u{1f600}', 'b/'),
  startAfter: fc.oneof(fc.constant(''), keyArbitrary),
});

describe('listings', () => {
  it.each([1, 3])('K-1, K-2, K-3, K-7: equal the reference, %d index groups', async (groups) => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(keyArbitrary, { maxLength: 25 }),
        fc.array(queryArbitrary, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 6 }),
        async (keys, queries, maxKeys) => {
          const harness = await Harness.create(groups);
          await harness.bucket();
          for (const key of keys) await harness.put(key, 'x');
          for (const query of queries) {
            const expected = referenceListing(keys, query);
            const { prefix, delimiter, startAfter } = query;
            const common = {
              prefix,
              delimiter,
              'max-keys': String(maxKeys),
              'encoding-type': 'url',
            };
            for (const pages of [
              await pagesV2(harness, { ...common, 'start-after': startAfter }),
              await pagesV1(harness, { ...common, marker: startAfter }),
            ]) {
              expect(pages.flat()).toEqual(expected);
              for (const page of pages.slice(0, -1)) expect(page).toHaveLength(maxKeys);
            }
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  async function ready(...keys: string[]): Promise<Harness> {
    const harness = await Harness.create();
    await harness.bucket();
    for (const key of keys) await harness.put(key, 'x');
    return harness;
  }

  it('K-2: a group that ends its page early holds the others back', () => {
    const page = (
      keys: readonly string[],
      isTruncated: boolean,
    ): Parameters<typeof mergePages<{ key: string }, unknown>>[0][0] => ({
      entries: keys.map((key) => ({ key })),
      commonPrefixes: [],
      isTruncated,
      next: { key: keys.at(-1)!, isPrefix: false },
    });
    const pages = [page(['a', 'd'], true), page(['b', 'c', 'e', 'f'], false)];
    const merged = mergePages(pages, 100, (key) => ({ key, isPrefix: false }));
    expect(merged.entries.map(({ key }) => key)).toEqual(['a', 'b', 'c', 'd']);
    expect(merged.next).toEqual({ key: 'd', isPrefix: false });
  });

  it('show what a key is', async () => {
    const harness = await ready('k');
    const query = { 'fetch-owner': 'true' };
    const document = documentOf(await harness.send('ListObjectsV2', { query }));
    expect(document.name).toBe('ListBucketResult');
    expect(text(document, 'Name')).toBe(BUCKET);
    expect(text(document, 'MaxKeys')).toBe('1000');
    expect(text(document, 'Contents', 'ETag')).toBe('"9dd4e461268c8034f5c8564e155c67a6"');
    expect(text(document, 'Contents', 'Size')).toBe('1');
    expect(text(document, 'Contents', 'StorageClass')).toBe('STANDARD');
    expect(text(document, 'Contents', 'LastModified')).toBe('2026-01-02T03:04:05.000Z');
    expect(text(document, 'Contents', 'Owner', 'ID')).toBe(OWNER.canonicalId);
    const plain = documentOf(await harness.send('ListObjectsV2'));
    expect(texts(plain, 'Contents', 'Owner')).toEqual([]);
  });

  it('K-2: max-keys 0 is an empty page that is not truncated', async () => {
    const harness = await ready('a', 'b');
    for (const name of ['ListObjects', 'ListObjectsV2']) {
      const document = documentOf(await harness.send(name, { query: { 'max-keys': '0' } }));
      expect(texts(document, 'Contents')).toEqual([]);
      expect(text(document, 'IsTruncated')).toBe('false');
    }
  });

  it('K-3: a marker inside a prefix hides it, a shorter one does not', async () => {
    const harness = await ready('a/x', 'a/y', 'b');
    const prefixes = async (marker: string): Promise<string[]> => {
      const query = { delimiter: '/', marker };
      return texts(
        documentOf(await harness.send('ListObjects', { query })),
        'CommonPrefixes',
        'Prefix',
      );
    };
    expect(await prefixes('a')).toEqual(['a/']);
    expect(await prefixes('a/')).toEqual([]);
    expect(await prefixes('a/x')).toEqual([]);
  });

  it('K-4: NextMarker only with a delimiter', async () => {
    const harness = await ready('a', 'b');
    const plain = documentOf(
      await harness.send('ListObjects', { query: { 'max-keys': '1', marker: '' } }),
    );
    expect(text(plain, 'NextMarker')).toBeNull();
    const query = { 'max-keys': '1', delimiter: '/' };
    const delimited = documentOf(await harness.send('ListObjects', { query }));
    expect(text(delimited, 'NextMarker')).toBe('a');
  });

  it('K-5: tokens', async () => {
    const harness = await ready('a', 'b', 'c');
    const empty = documentOf(
      await harness.send('ListObjectsV2', { query: { 'continuation-token': '' } }),
    );
    expect(texts(empty, 'Contents', 'Key')).toEqual(['a', 'b', 'c']);
    expect(text(empty, 'ContinuationToken')).toBe('');
    expect(text(empty, 'StartAfter')).toBeNull();

    const first = documentOf(await harness.send('ListObjectsV2', { query: { 'max-keys': '1' } }));
    const token = text(first, 'NextContinuationToken')!;
    const query = { 'continuation-token': token, 'start-after': 'b' };
    const second = documentOf(await harness.send('ListObjectsV2', { query }));
    expect(texts(second, 'Contents', 'Key')).toEqual(['b', 'c']);
    expect(text(second, 'StartAfter')).toBe('b');
    expect(text(second, 'ContinuationToken')).toBe(token);

    const forged = { 'continuation-token': 'forged' };
    expect(await harness.send('ListObjectsV2', { query: forged })).toMatchObject({
      status: 400,
      code: 'InvalidArgument',
      message: 'The continuation token provided is incorrect',
    });
  });

  it('K-6: encodes everything but the token', async () => {
    const harness = await ready('a b/é&', 'a b/z');
    const query = { 'encoding-type': 'url', prefix: 'a b/', delimiter: '&', 'start-after': 'a b' };
    const document = documentOf(await harness.send('ListObjectsV2', { query }));
    expect(text(document, 'Prefix')).toBe('a%20b/');
    expect(text(document, 'Delimiter')).toBe('%26');
    expect(text(document, 'StartAfter')).toBe('a%20b');
    expect(text(document, 'EncodingType')).toBe('url');
    expect(texts(document, 'CommonPrefixes', 'Prefix')).toEqual(['a%20b/%C3%A9%26']);
    expect(texts(document, 'Contents', 'Key')).toEqual(['a%20b/z']);
  });

  it('K-6: version 1 encodes its prefix, unless that is all line ends: botocore shows it as it is', async () => {
    const harness = await ready('a');
    for (const [prefix, shown] of [
      ['a b', 'a%20b'],
      ['\n', '\n'],
      ['\n%', '%0A%25'],
    ] as const) {
      const query = { 'encoding-type': 'url', prefix };
      const document = documentOf(await harness.send('ListObjects', { query }));
      expect(text(document, 'Prefix')).toBe(shown);
    }
  });

  it('K-8: show a change at once', async () => {
    const harness = await ready('a');
    await harness.send('DeleteObject', { key: 'a' });
    await harness.put('b', 'x');
    const document = documentOf(await harness.send('ListObjectsV2'));
    expect(texts(document, 'Contents', 'Key')).toEqual(['b']);
  });

  it('hide delete markers and old versions', async () => {
    const harness = await ready();
    await harness.setVersioning('enabled');
    for (const key of ['a', 'a', 'b']) await harness.put(key, 'x');
    await harness.send('DeleteObject', { key: 'b' });
    const document = documentOf(await harness.send('ListObjectsV2'));
    expect(texts(document, 'Contents', 'Key')).toEqual(['a']);
  });

  it('are for buckets that exist', async () => {
    const harness = await Harness.create();
    for (const name of ['ListObjects', 'ListObjectsV2', 'ListMultipartUploads']) {
      expect(await harness.send(name)).toMatchObject({ status: 404, code: 'NoSuchBucket' });
    }
  });
});
