import fc from 'fast-check';

import { compareKeys } from '../../src/s3/listing';
import type { Reply } from './harness';
import { BUCKET, documentOf, Harness, OWNER, STRANGER, text, texts } from './harness';

type Query = Readonly<Record<string, string>>;

function list(harness: Harness, query: Query = {}): Promise<Reply> {
  return harness.send('ListObjectVersions', { query });
}

async function ready(...keys: string[]): Promise<Harness> {
  const harness = await Harness.create();
  await harness.bucket();
  for (const key of keys) await harness.put(key, 'x');
  return harness;
}

/** Keys and common prefixes of a page, in key order. */
function rowsOf(reply: Reply): string[] {
  const document = documentOf(reply);
  const keys = texts(document, 'Version', 'Key');
  return [...keys, ...texts(document, 'CommonPrefixes', 'Prefix')]
    .map(decodeURIComponent)
    .sort(compareKeys);
}

/** All pages, following both markers as the SDKs do. */
async function allPages(harness: Harness, query: Query): Promise<string[][]> {
  const pages: string[][] = [];
  let markers: Query = {};
  for (;;) {
    const reply = await list(harness, { ...query, ...markers });
    const document = documentOf(reply);
    pages.push(rowsOf(reply));
    const nextKey = text(document, 'NextKeyMarker');
    const nextVersionId = text(document, 'NextVersionIdMarker');
    expect(text(document, 'IsTruncated')).toBe(String(nextKey !== null));
    if (nextKey === null) {
      expect(nextVersionId).toBeNull();
      return pages;
    }
    markers = {
      'key-marker': decodeURIComponent(nextKey),
      ...(nextVersionId === null ? {} : { 'version-id-marker': nextVersionId }),
    };
  }
}

/** What AWS lists: one entry a key, what falls under the delimiter rolled up (K-1, K-3). */
function referenceRows(keys: readonly string[], prefix: string, delimiter: string): string[] {
  const rows = keys
    .filter((key) => key.startsWith(prefix))
    .map((key) => {
      const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
      return at === -1 ? key : key.slice(0, at + delimiter.length);
    });
  return [...new Set(rows)].sort(compareKeys);
}

describe('ListObjectVersions', () => {
  it('V-14: shows the one version of a key', async () => {
    const harness = await ready();
    const headers = { 'x-amz-checksum-crc32': 'jNwWgw==', 'x-amz-storage-class': 'STANDARD_IA' };
    expect(await harness.put('k', 'x', { headers })).toMatchObject({ status: 200 });
    const document = documentOf(await list(harness));
    expect(document.name).toBe('ListVersionsResult');
    expect(text(document, 'Name')).toBe(BUCKET);
    expect(text(document, 'KeyMarker')).toBe('');
    expect(text(document, 'VersionIdMarker')).toBe('');
    expect(text(document, 'MaxKeys')).toBe('1000');
    expect(text(document, 'IsTruncated')).toBe('false');
    const [version] = document.children.filter(({ name }) => name === 'Version');
    const fields = version!.children.map((child) => [child.name, child.text]);
    expect(Object.fromEntries(fields)).toMatchObject({
      ETag: '"9dd4e461268c8034f5c8564e155c67a6"',
      ChecksumAlgorithm: 'CRC32',
      ChecksumType: 'FULL_OBJECT',
      Size: '1',
      StorageClass: 'STANDARD_IA',
      Key: 'k',
      VersionId: 'null',
      IsLatest: 'true',
      LastModified: '2026-01-02T03:04:05.000Z',
    });
    expect(text(document, 'Version', 'Owner', 'ID')).toBe(OWNER.canonicalId);
    expect(text(document, 'Version', 'Owner', 'DisplayName')).toBe(OWNER.displayName);
  });

  it('V-14: a replaced object is one version, a deleted one none', async () => {
    const harness = await ready('a', 'a', 'b');
    await harness.send('DeleteObject', { key: 'b' });
    const document = documentOf(await list(harness));
    expect(texts(document, 'Version', 'Key')).toEqual(['a']);
    expect(texts(document, 'DeleteMarker')).toEqual([]);
  });

  it('V-15, K-1, K-2, K-3: pages equal the reference', async () => {
    const piece = fc.constantFrom('a', 'b', '/', '/', 'é', '\uffe0', '\u{1f600}', '\u0001', ' ');
    const key = fc.array(piece, { minLength: 1, maxLength: 5 }).map((parts) => parts.join(''));
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(key, { maxLength: 25 }),
        fc.constantFrom('', 'a', 'a/', '/', 'é'),
        fc.constantFrom('', '/', '\u{1f600}', 'b/'),
        fc.integer({ min: 1, max: 6 }),
        async (keys, prefix, delimiter, maxKeys) => {
          const harness = await ready(...keys);
          const pages = await allPages(harness, {
            prefix,
            delimiter,
            'max-keys': String(maxKeys),
            'encoding-type': 'url',
          });
          expect(pages.flat()).toEqual(referenceRows(keys, prefix, delimiter));
          for (const page of pages.slice(0, -1)) expect(page).toHaveLength(maxKeys);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('V-15: the next markers name the last entry; a common prefix has no version id', async () => {
    const harness = await ready('a', 'b/1', 'b/2', 'c');
    const page = (query: Query): Promise<Reply> =>
      list(harness, { delimiter: '/', 'max-keys': '1', ...query });
    const first = documentOf(await page({}));
    expect(text(first, 'NextKeyMarker')).toBe('a');
    expect(text(first, 'NextVersionIdMarker')).toBe('null');

    const query = { 'key-marker': 'a', 'version-id-marker': 'null' };
    const second = documentOf(await page(query));
    expect(text(second, 'KeyMarker')).toBe('a');
    expect(text(second, 'VersionIdMarker')).toBe('null');
    expect(texts(second, 'CommonPrefixes', 'Prefix')).toEqual(['b/']);
    expect(text(second, 'NextKeyMarker')).toBe('b/');
    expect(text(second, 'NextVersionIdMarker')).toBeNull();
    expect(rowsOf(await page({ 'key-marker': 'b/' }))).toEqual(['c']);
  });

  it('V-15, K-21: resumes behind the pair, also when it was deleted meanwhile', async () => {
    const harness = await ready('a', 'b', 'c');
    const query = { 'key-marker': 'b', 'version-id-marker': 'null' };
    expect(rowsOf(await list(harness, query))).toEqual(['c']);
    expect(rowsOf(await list(harness, { 'key-marker': 'b' }))).toEqual(['c']);
    await harness.send('DeleteObject', { key: 'b' });
    expect(rowsOf(await list(harness, query))).toEqual(['c']);
  });

  it.each([
    [{ 'version-id-marker': 'null' }, /cannot be specified without a key marker/],
    [{ 'key-marker': '', 'version-id-marker': 'null' }, /without a key marker/],
    [{ 'key-marker': 'k', 'version-id-marker': '' }, /cannot be empty/],
    [{ 'key-marker': 'k', 'version-id-marker': 'x!' }, /Invalid version id/],
  ])('V-15: refuses the markers %j', async (query, message) => {
    const harness = await ready();
    expect(await list(harness, query)).toMatchObject({
      status: 400,
      code: 'InvalidArgument',
      message: expect.stringMatching(message) as string,
      detail: { ArgumentName: 'version-id-marker' },
    });
  });

  it('V-15: empty markers are the first page', async () => {
    const harness = await ready('a');
    const query = { 'key-marker': '', 'version-id-marker': '' };
    expect(rowsOf(await list(harness, query))).toEqual(['a']);
  });

  it('K-2: max-keys 0 is an empty page that is not truncated; a bad one is refused', async () => {
    const harness = await ready('a');
    const document = documentOf(await list(harness, { 'max-keys': '0' }));
    expect(texts(document, 'Version')).toEqual([]);
    expect(text(document, 'IsTruncated')).toBe('false');
    const clamped = documentOf(await list(harness, { 'max-keys': '5000' }));
    expect(text(clamped, 'MaxKeys')).toBe('1000');
    const bad = await list(harness, { 'max-keys': '-1' });
    expect(bad).toMatchObject({ status: 400, code: 'InvalidArgument' });
  });

  it('K-6: encodes keys, prefixes, the delimiter and the key markers', async () => {
    const harness = await ready('a b/é&1', 'a b/y', 'a b/z');
    const query = { 'encoding-type': 'url', prefix: 'a b/', delimiter: '&', 'max-keys': '2' };
    const document = documentOf(await list(harness, { ...query, 'key-marker': 'a b/' }));
    expect(text(document, 'EncodingType')).toBe('url');
    expect(text(document, 'Prefix')).toBe('a%20b/');
    expect(text(document, 'Delimiter')).toBe('%26');
    expect(text(document, 'KeyMarker')).toBe('a%20b/');
    expect(text(document, 'NextKeyMarker')).toBe('a%20b/z');
    expect(texts(document, 'Version', 'Key')).toEqual(['a%20b/y', 'a%20b/z']);
    const rest = documentOf(await list(harness, { ...query, 'key-marker': 'a b/z' }));
    expect(texts(rest, 'CommonPrefixes', 'Prefix')).toEqual(['a%20b/%C3%A9%26']);
    const bad = await list(harness, { 'encoding-type': 'base64' });
    expect(bad).toMatchObject({ status: 400, code: 'InvalidArgument' });
  });

  it('V-14, V-16: versions and markers interleave, newest first, one of them latest', async () => {
    const harness = await ready('b');
    await harness.setVersioning('enabled');
    const first = (await harness.put('a', '1')).headers['x-amz-version-id']!;
    const marker = await harness.send('DeleteObject', { key: 'a', principal: STRANGER });
    const second = (await harness.put('a', '22')).headers['x-amz-version-id']!;
    await harness.send('DeleteObject', { key: 'b' });

    const document = documentOf(await list(harness));
    const rows = document.children
      .filter(({ name }) => name === 'Version' || name === 'DeleteMarker')
      .map((row) => [row.name, text(row, 'Key'), text(row, 'VersionId'), text(row, 'IsLatest')]);
    const markerId = marker.headers['x-amz-version-id'];
    expect(rows).toEqual([
      ['Version', 'a', second, 'true'],
      ['DeleteMarker', 'a', markerId, 'false'],
      ['Version', 'a', first, 'false'],
      ['DeleteMarker', 'b', expect.any(String), 'true'],
      ['Version', 'b', 'null', 'false'],
    ]);
    // ACLs are disabled, so everything is the bucket owner's.
    expect(new Set(texts(document, 'DeleteMarker', 'Owner', 'ID'))).toEqual(
      new Set([OWNER.canonicalId]),
    );
    expect(texts(document, 'DeleteMarker', 'Size')).toEqual([]);
  });

  it('V-15, K-21: a version that is deleted between two pages still marks its place', async () => {
    const harness = await ready();
    await harness.setVersioning('enabled');
    const ids: string[] = [];
    for (const body of ['1', '2', '3']) {
      ids.unshift((await harness.put('k', body)).headers['x-amz-version-id']!);
    }
    const [, middle = '', oldest = ''] = ids;
    await harness.send('DeleteObject', { key: 'k', query: { versionId: middle } });
    const markers = { 'key-marker': 'k', 'version-id-marker': middle };
    expect(texts(documentOf(await list(harness, markers)), 'Version', 'VersionId')).toEqual([
      oldest,
    ]);
  });

  it('V-3, V-15: an id that was never given has no place', async () => {
    const harness = await ready('k');
    const markers = { 'key-marker': 'k', 'version-id-marker': 'a'.repeat(32) };
    expect(await list(harness, markers)).toMatchObject({
      status: 400,
      code: 'InvalidArgument',
      message: 'Invalid version id specified',
    });
  });

  it('is for buckets that exist', async () => {
    const harness = await Harness.create();
    expect(await list(harness)).toMatchObject({ status: 404, code: 'NoSuchBucket' });
  });
});
