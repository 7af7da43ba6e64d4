import { createHash } from 'node:crypto';

import fc from 'fast-check';

import type { Call } from './harness';
import { Harness, OWNER, STRANGER } from './harness';

const BODY = Buffer.from(Array.from({ length: 5000 }, (_, index) => index % 251));
const UPLOAD_MAX = 5 * 1024 ** 3;

async function ready(): Promise<Harness> {
  const harness = await Harness.create();
  await harness.bucket();
  return harness;
}

describe('PutObject and GetObject', () => {
  it('give back the bytes, the headers and the metadata', async () => {
    const harness = await ready();
    const headers = {
      'content-type': 'text/plain; charset=utf-8',
      'content-encoding': 'aws-chunked,gzip',
      'cache-control': 'no-cache',
      'content-disposition': 'attachment',
      'content-language': 'de',
      expires: 'Thu, 01 Jan 2037 00:00:00 GMT',
      'x-amz-meta-colour': 'blue',
      'x-amz-meta-constructor': 'x',
      'x-amz-meta-name': '=?UTF-8?B?w6k=?=',
      'x-amz-storage-class': 'STANDARD_IA',
    };
    const put = await harness.put('some/key', BODY, { headers });
    const etag = `"${createHash('md5').update(BODY).digest('hex')}"`;
    expect(put).toMatchObject({ status: 200, headers: { etag } });
    // V-2: an unversioned bucket does not speak of versions.
    expect(put.headers).not.toHaveProperty('x-amz-version-id');

    const expected = {
      ...headers,
      'content-encoding': 'gzip',
      etag,
      'accept-ranges': 'bytes',
      'last-modified': 'Fri, 02 Jan 2026 03:04:05 GMT',
      'content-length': '5000',
    };
    const get = await harness.get('some/key');
    expect(get.status).toBe(200);
    expect(get.headers).toEqual(expected);
    expect(get.bytes.equals(BODY)).toBe(true);
    const head = await harness.send('HeadObject', { key: 'some/key' });
    expect(head).toMatchObject({ status: 200, headers: expected });
  });

  it.each([
    ['deflate, gzip', 'deflate, gzip'],
    ['gzip, aws-chunked', 'gzip'],
    ['aws-chunked, aws-chunked', undefined],
  ])('G-5: Content-Encoding %s is stored as %s', async (sent, stored) => {
    const harness = await ready();
    await harness.put('k', '', { headers: { 'content-encoding': sent } });
    expect((await harness.get('k')).headers['content-encoding']).toBe(stored);
  });

  it('give defaults', async () => {
    const harness = await ready();
    await harness.put('k', '', { headers: { 'content-encoding': 'aws-chunked' } });
    const { headers } = await harness.get('k');
    expect(headers['content-type']).toBe('binary/octet-stream');
    expect(headers).not.toHaveProperty('content-encoding');
    expect(headers).not.toHaveProperty('x-amz-storage-class');
  });

  it.each([
    ['x-amz-server-side-encryption', 'AES256', 501, 'NotImplemented'],
    ['x-amz-server-side-encryption-customer-algorithm', 'AES256', 501, 'NotImplemented'],
    ['x-amz-object-lock-mode', 'GOVERNANCE', 501, 'NotImplemented'],
    ['x-amz-tagging', 'a=b', 200, null],
    ['x-amz-website-redirect-location', '/x', 200, null],
    ['x-amz-website-redirect-location', 'ftp://x', 400, 'InvalidRedirectLocation'],
    ['x-amz-checksum-sha512', 'xxx', 400, 'InvalidRequest'],
    ['x-amz-checksum-xxhash64', 'xxx', 400, 'InvalidRequest'],
    ['x-amz-checksum-blake3', 'xxx', 501, 'NotImplemented'],
    ['if-modified-since', 'Fri, 02 Jan 2026 03:04:05 GMT', 501, 'NotImplemented'],
    ['x-amz-storage-class', 'GLACIER', 501, 'NotImplemented'],
    ['x-amz-storage-class', 'standard', 400, 'InvalidStorageClass'],
    ['x-amz-acl', 'public-read', 400, 'AccessControlListNotSupported'],
    ['x-amz-meta-__proto__', 'x', 400, 'InvalidArgument'],
    ['x-amz-meta-', 'x', 400, 'InvalidArgument'],
    ['x-amz-grant-read', `id="${STRANGER.canonicalId}"`, 400, 'InvalidArgument'],
    ['x-amz-grant-read', `id="${OWNER.canonicalId}"`, 400, 'AccessControlListNotSupported'],
    ['x-amz-acl', 'everybody', 400, 'InvalidArgument'],
    ['x-amz-acl', 'bucket-owner-full-control', 200, null],
    ['x-amz-tagging', '', 200, null],
  ])('%s: %s → %d %s', async (name, value, status, code) => {
    const harness = await ready();
    const reply = await harness.put('k', 'x', { headers: { [name]: value } });
    expect(reply).toMatchObject({ status, code });
    if (status === 501) expect(reply.detail).toMatchObject({ Header: name });
    if (status !== 200) expect(await harness.get('k')).toMatchObject({ code: 'NoSuchKey' });
  });

  it.each<[string, Call, number, string]>([
    ['no length', { sizeBytes: null }, 411, 'MissingContentLength'],
    ['more than 5 GiB (M-14)', { sizeBytes: UPLOAD_MAX + 1 }, 400, 'EntityTooLarge'],
    ['a key of 1,025 bytes (G-13)', { key: 'é'.repeat(512) + 'x' }, 400, 'KeyTooLongError'],
    [
      '2,049 bytes of metadata',
      { headers: { 'x-amz-meta-a': 'x'.repeat(2048) } },
      400,
      'MetadataTooLarge',
    ],
    ['an unknown bucket', { bucket: 'nothing-here' }, 404, 'NoSuchBucket'],
  ])('refuse %s before the body', async (_what, call, status, code) => {
    const harness = await ready();
    expect(await harness.put('k', 'x', call)).toMatchObject({ status, code });
    expect(harness.dataPath.blobs.size).toBe(0);
  });

  it('take 2,048 bytes of metadata and a key of 1,024 bytes', async () => {
    const harness = await ready();
    const headers = { 'x-amz-meta-a': 'x'.repeat(2047) };
    expect(await harness.put('é'.repeat(512), 'x', { headers })).toMatchObject({ status: 200 });
  });

  it('replace: the last one wins', async () => {
    const harness = await ready();
    await harness.put('k', 'first');
    await harness.put('k', 'second');
    expect((await harness.get('k')).bytes.toString()).toBe('second');
  });

  it('answers 404 for what is not there', async () => {
    const harness = await ready();
    expect(await harness.get('k')).toMatchObject({
      status: 404,
      code: 'NoSuchKey',
      detail: { Key: 'k' },
    });
    const query = { versionId: 'a'.repeat(32) };
    expect(await harness.get('k', { query })).toMatchObject({ status: 404, code: 'NoSuchVersion' });
    const bad = await harness.get('k', { query: { versionId: 'x!' } });
    expect(bad).toMatchObject({ code: 'InvalidArgument', message: 'Invalid version id specified' });
    const empty = await harness.get('k', { query: { versionId: '' } });
    expect(empty).toMatchObject({ status: 400, code: 'InvalidArgument' });
  });

  it('V-2: versionId=null addresses an object without versioning', async () => {
    const harness = await ready();
    await harness.put('k', 'x');
    const query = { versionId: 'null' };
    expect(await harness.get('k', { query })).toMatchObject({ status: 200 });
    const deleted = await harness.send('DeleteObject', { key: 'k', query });
    expect(deleted).toMatchObject({ status: 204, headers: {} });
    expect(deleted.headers).toEqual({});
    expect(await harness.get('k')).toMatchObject({ code: 'NoSuchKey' });
  });

  it('V-4, V-6, V-10, V-11: versions and delete markers', async () => {
    const harness = await ready();
    await harness.setVersioning('enabled');
    const first = (await harness.put('k', 'one')).headers['x-amz-version-id']!;
    await harness.put('k', 'two');
    const marker = await harness.send('DeleteObject', { key: 'k' });
    expect(marker.headers).toMatchObject({ 'x-amz-delete-marker': 'true' });
    const markerId = marker.headers['x-amz-version-id']!;

    expect(await harness.get('k')).toMatchObject({
      code: 'NoSuchKey',
      headers: { 'x-amz-delete-marker': 'true', 'x-amz-version-id': markerId },
    });
    expect(await harness.get('k', { query: { versionId: markerId } })).toMatchObject({
      status: 405,
      code: 'MethodNotAllowed',
      headers: { allow: 'DELETE', 'last-modified': 'Fri, 02 Jan 2026 03:04:05 GMT' },
    });
    const old = await harness.get('k', { query: { versionId: first } });
    expect(old.bytes.toString()).toBe('one');
    expect(old.headers['x-amz-version-id']).toBe(first);
    await harness.send('DeleteObject', { key: 'k', query: { versionId: markerId } });
    expect((await harness.get('k')).bytes.toString()).toBe('two');
  });

  it('response-* replace headers, and cannot add any', async () => {
    const harness = await ready();
    await harness.put('k', 'x');
    const query = { 'response-content-type': 'text/css', 'response-expires': 'never' };
    expect((await harness.get('k', { query })).headers).toMatchObject({
      'content-type': 'text/css',
      expires: 'never',
    });
    for (const value of ['a\r\nset-cookie: x=1', 'a\nb', 'a\u0000b']) {
      const reply = await harness.get('k', { query: { 'response-content-disposition': value } });
      expect(reply).toMatchObject({ status: 400, code: 'InvalidArgument' });
    }
  });

  it('looks an object up again that was replaced and collected before its first byte', async () => {
    const harness = await ready();
    await harness.put('k', BODY);
    harness.dataPath.beforeRead = async () => {
      harness.dataPath.blobs.clear();
      await harness.put('k', Buffer.concat([BODY, BODY]));
    };
    const reply = await harness.get('k');
    expect(reply).toMatchObject({ status: 200, headers: { 'content-length': '10000' } });
    expect(reply.bytes.equals(Buffer.concat([BODY, BODY]))).toBe(true);
  });

  it('says 503, not 500 or a broken body, when an object cannot be read now', async () => {
    const harness = await ready();
    await harness.put('k', BODY);
    harness.dataPath.blobs.clear();
    expect(await harness.get('k')).toMatchObject({ status: 503, code: 'SlowDown' });
  });
});

describe('ranges of objects', () => {
  it.each([
    ['bytes=0-0', 'bytes 0-0/5000', 0, 1],
    ['bytes=4990-', 'bytes 4990-4999/5000', 4990, 5000],
    ['bytes=-10', 'bytes 4990-4999/5000', 4990, 5000],
    ['bytes=1000-99999', 'bytes 1000-4999/5000', 1000, 5000],
  ])('%s', async (range, contentRange, from, to) => {
    const harness = await ready();
    await harness.put('k', BODY);
    for (const name of ['GetObject', 'HeadObject']) {
      const reply = await harness.send(name, { key: 'k', headers: { range } });
      expect(reply).toMatchObject({
        status: 206,
        headers: { 'content-range': contentRange, 'content-length': String(to - from) },
      });
      if (name === 'GetObject') expect(reply.bytes.equals(BODY.subarray(from, to))).toBe(true);
    }
  });

  it('beyond the end are 416 with the size', async () => {
    const harness = await ready();
    await harness.put('k', BODY);
    expect(await harness.get('k', { headers: { range: 'bytes=5000-' } })).toMatchObject({
      status: 416,
      code: 'InvalidRange',
      detail: { ActualObjectSize: 5000, RangeRequested: 'bytes=5000-' },
      headers: { 'content-range': 'bytes */5000' },
    });
  });

  it('M-12: partNumber 1 of a plain object is all of it, 2 does not exist', async () => {
    const harness = await ready();
    await harness.put('k', BODY);
    const one = await harness.get('k', { query: { partNumber: '1' } });
    expect(one).toMatchObject({ status: 206, headers: { 'content-range': 'bytes 0-4999/5000' } });
    expect(one.headers).not.toHaveProperty('x-amz-mp-parts-count');
    expect(await harness.get('k', { query: { partNumber: '2' } })).toMatchObject({
      status: 416,
      code: 'InvalidPartNumber',
    });
    for (const partNumber of ['0', '10001', 'x', '']) {
      const bad = await harness.get('k', { query: { partNumber } });
      expect(bad).toMatchObject({ status: 400, code: 'InvalidArgument' });
    }
    const both = { query: { partNumber: '1' }, headers: { range: 'bytes=0-1' } };
    expect(await harness.get('k', both)).toMatchObject({ status: 400, code: 'InvalidRequest' });
  });
});

describe('conditions', () => {
  it('C-1, C-2: 304 without body, 412 with the name of the header', async () => {
    const harness = await ready();
    const put = await harness.put('k', BODY, {
      headers: { 'cache-control': 'no-store', 'content-type': 'text/css' },
    });
    const { etag } = put.headers;
    for (const name of ['GetObject', 'HeadObject']) {
      const fresh = await harness.send(name, { key: 'k', headers: { 'if-none-match': etag! } });
      expect(fresh.status).toBe(304);
      expect(fresh.bytes).toHaveLength(0);
      expect(fresh.headers).toEqual({
        etag,
        'last-modified': 'Fri, 02 Jan 2026 03:04:05 GMT',
        'cache-control': 'no-store',
      });
      const failed = await harness.send(name, { key: 'k', headers: { 'if-match': '"x"' } });
      expect(failed).toMatchObject({
        status: 412,
        code: 'PreconditionFailed',
        detail: { Condition: 'If-Match' },
      });
    }
  });

  it('C-5: If-None-Match: * makes an object only once', async () => {
    const harness = await ready();
    const headers = { 'if-none-match': '*' };
    expect(await harness.put('k', 'one', { headers })).toMatchObject({ status: 200 });
    expect(await harness.put('k', 'two', { headers })).toMatchObject({
      status: 412,
      code: 'PreconditionFailed',
      detail: { Condition: 'If-None-Match' },
    });
    expect((await harness.get('k')).bytes.toString()).toBe('one');
  });

  it('C-6: If-Match replaces what it names, and nothing else', async () => {
    const harness = await ready();
    const missing = await harness.put('k', 'x', { headers: { 'if-match': '"a"' } });
    expect(missing).toMatchObject({ status: 404, code: 'NoSuchKey' });
    const { etag } = (await harness.put('k', 'one')).headers;
    const right = await harness.put('k', 'two', { headers: { 'if-match': etag! } });
    expect(right).toMatchObject({ status: 200 });
    const wrong = await harness.put('k', 'three', { headers: { 'if-match': etag! } });
    expect(wrong).toMatchObject({ status: 412, detail: { Condition: 'If-Match' } });
    expect((await harness.get('k')).bytes.toString()).toBe('two');
  });

  it('C-8: a condition that fails only at the commit discards what was written', async () => {
    const harness = await ready();
    const headers = { 'if-none-match': '*' };
    const write = harness.dataPath.write.bind(harness.dataPath);
    let inner = false;
    harness.dataPath.write = async (...args) => {
      if (!inner) {
        inner = true;
        await harness.put('k', 'somebody was faster');
      }
      return write(...args);
    };
    expect(await harness.put('k', BODY, { headers })).toMatchObject({ status: 412 });
    expect(harness.dataPath.blobs.size).toBe(0);
    expect((await harness.get('k')).bytes.toString()).toBe('somebody was faster');
  });

  it('C-10: DELETE If-Match', async () => {
    const harness = await ready();
    const send = (etag: string): Promise<unknown> =>
      harness.send('DeleteObject', { key: 'k', headers: { 'if-match': etag } });
    expect(await send('"x"')).toMatchObject({ status: 204 });
    await harness.put('k', 'x');
    expect(await send('"x"')).toMatchObject({ status: 412, code: 'PreconditionFailed' });
    expect(await send('*')).toMatchObject({ status: 204 });
    expect(await harness.get('k')).toMatchObject({ code: 'NoSuchKey' });
  });
});

describe('keys', () => {
  const CORPUS = [
    'a/../b',
    './a',
    '/',
    '//',
    'a//b/',
    ' leading and trailing ',
    'plus+percent%2F&?#=;',
    '<tag attr="x">&amp;\'',
    'line\nbreak\r\ttab',
    'control\u0001\u001f',
    'é\u0301 ü',
    '\u{1f600}/\u{10ffff}',
    '\ufffe\uffff',
    '__proto__',
    'constructor',
    'é'.repeat(512),
    'x'.repeat(1024),
  ];

  it('G-7: are bytes, never paths, through every operation', async () => {
    const harness = await ready();
    for (const key of CORPUS) {
      expect(await harness.put(key, `body of ${key}`)).toMatchObject({ status: 200 });
    }
    for (const key of CORPUS) {
      const body = `body of ${key}`;
      expect((await harness.get(key)).bytes.toString()).toBe(body);
      const source = Buffer.from(`some-bucket/${encodeURIComponent(key)}`).toString('latin1');
      const copied = await harness.send('CopyObject', {
        key,
        bucket: 'some-bucket',
        headers: { 'x-amz-copy-source': source, 'x-amz-metadata-directive': 'REPLACE' },
      });
      expect(copied).toMatchObject({ status: 200 });
      expect((await harness.get(key)).bytes.toString()).toBe(body);
      const created = await harness.send('CreateMultipartUpload', { key });
      expect(created).toMatchObject({ status: 200 });
    }
    for (const key of CORPUS) {
      expect(await harness.send('DeleteObject', { key })).toMatchObject({ status: 204 });
      expect(await harness.get(key)).toMatchObject({ code: 'NoSuchKey' });
    }
  });

  it('do not collide', async () => {
    const harness = await ready();
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }), {
          minLength: 2,
          maxLength: 6,
        }),
        async (keys) => {
          for (const key of keys) await harness.put(key, key);
          for (const key of keys) expect((await harness.get(key)).bytes.toString()).toBe(key);
        },
      ),
      { numRuns: 30 },
    );
  });
});
