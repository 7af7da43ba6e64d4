import { createHash } from 'node:crypto';

import { digestBytes } from '../../src/s3/digest-bytes';
import type { Reply } from './harness';
import { documentOf, Harness, STRANGER, text } from './harness';
import { RecordedAccess } from './recorded-access';

const BODY = Buffer.from('copy me '.repeat(300));
const ETAG = `"${createHash('md5').update(BODY).digest('hex')}"`;
const LATER = 'Fri, 02 Jan 2026 03:04:06 GMT';
const EARLIER = 'Fri, 02 Jan 2026 03:04:04 GMT';

async function ready(): Promise<Harness> {
  const harness = await Harness.create();
  await harness.bucket();
  await harness.put('source', BODY, {
    headers: {
      'content-type': 'text/plain',
      'x-amz-meta-a': '1',
      'x-amz-storage-class': 'STANDARD_IA',
    },
  });
  return harness;
}

function copy(
  harness: Harness,
  headers: Readonly<Record<string, string>> = {},
  key = 'target',
): Promise<Reply> {
  return harness.send('CopyObject', {
    key,
    headers: { 'x-amz-copy-source': '/some-bucket/source', ...headers },
  });
}

describe('CopyObject', () => {
  it('copies bytes, headers and metadata, but not the storage class', async () => {
    const harness = await ready();
    const document = documentOf(await copy(harness));
    expect(document.name).toBe('CopyObjectResult');
    expect(text(document, 'ETag')).toBe(ETAG);
    expect(text(document, 'LastModified')).toBe('2026-01-02T03:04:05.000Z');
    const { bytes, headers } = await harness.get('target');
    expect(bytes.equals(BODY)).toBe(true);
    expect(headers).toMatchObject({ 'content-type': 'text/plain', 'x-amz-meta-a': '1' });
    expect(headers).not.toHaveProperty('x-amz-storage-class');
  });

  it('owns its own bytes', async () => {
    const harness = await ready();
    await copy(harness);
    await harness.send('DeleteObject', { key: 'source' });
    expect((await harness.get('target')).bytes.equals(BODY)).toBe(true);
  });

  it('REPLACE takes what the request says', async () => {
    const harness = await ready();
    const headers = { 'x-amz-metadata-directive': 'REPLACE', 'x-amz-meta-b': '2' };
    await copy(harness, headers);
    const reply = await harness.get('target');
    expect(reply.headers).toMatchObject({
      'content-type': 'binary/octet-stream',
      'x-amz-meta-b': '2',
    });
    expect(reply.headers).not.toHaveProperty('x-amz-meta-a');
  });

  it.each<[string, Record<string, string>, boolean]>([
    ['nothing', {}, false],
    ['REPLACE', { 'x-amz-metadata-directive': 'REPLACE' }, true],
    ['another storage class', { 'x-amz-storage-class': 'STANDARD' }, true],
    ['the same storage class', { 'x-amz-storage-class': 'STANDARD_IA' }, false],
    ['a checksum that it had not', { 'x-amz-checksum-algorithm': 'SHA256' }, true],
  ])('V-20: onto itself, changing %s', async (_what, headers, isAllowed) => {
    const harness = await ready();
    const reply = await copy(harness, headers, 'source');
    if (isAllowed) {
      expect(reply).toMatchObject({ status: 200 });
    } else {
      expect(reply).toMatchObject({ status: 400, code: 'InvalidRequest' });
      expect(reply.message).toContain('copy an object to itself without changing');
    }
    expect((await harness.get('source')).bytes.equals(BODY)).toBe(true);
  });

  it('V-19: an old version onto the same key restores it', async () => {
    const harness = await Harness.create();
    await harness.bucket();
    await harness.setVersioning('enabled');
    const old = (await harness.put('k', 'old')).headers['x-amz-version-id']!;
    const current = (await harness.put('k', 'new')).headers['x-amz-version-id']!;
    const source = (id: string): Record<string, string> => ({
      'x-amz-copy-source': `some-bucket/k?versionId=${id}`,
    });
    expect(await copy(harness, source(current), 'k')).toMatchObject({ code: 'InvalidRequest' });
    const reply = await copy(harness, source(old), 'k');
    expect(reply.headers).toMatchObject({ 'x-amz-copy-source-version-id': old });
    expect((await harness.get('k')).bytes.toString()).toBe('old');

    const marker = await harness.send('DeleteObject', { key: 'k' });
    const plain = { 'x-amz-copy-source': 'some-bucket/k' };
    expect(await copy(harness, plain)).toMatchObject({ status: 404, code: 'NoSuchKey' });
    const markerId = marker.headers['x-amz-version-id']!;
    expect(await copy(harness, source(markerId))).toMatchObject({
      status: 400,
      code: 'InvalidRequest',
    });
    expect(await copy(harness, source('0'.repeat(32)))).toMatchObject({ code: 'NoSuchVersion' });
  });

  // C-1 with the one difference that what would be 304 is 412 as well.
  it.each<[Record<string, string>, string | null]>([
    [{ 'if-match': ETAG }, null],
    [{ 'if-match': '"x"' }, 'If-Match'],
    [{ 'if-none-match': ETAG }, 'If-None-Match'],
    [{ 'if-none-match': '"x"' }, null],
    [{ 'if-modified-since': EARLIER }, null],
    [{ 'if-modified-since': 'Fri, 02 Jan 2026 03:04:05 GMT' }, 'If-Modified-Since'],
    [{ 'if-unmodified-since': LATER }, null],
    [{ 'if-unmodified-since': EARLIER }, 'If-Unmodified-Since'],
    [{ 'if-match': ETAG, 'if-unmodified-since': EARLIER }, null],
    [{ 'if-none-match': ETAG, 'if-modified-since': EARLIER }, 'If-None-Match'],
  ])('C-4: source conditions %j fail by %s', async (conditions, failed) => {
    const harness = await ready();
    const headers = Object.fromEntries(
      Object.entries(conditions).map(([name, value]) => [`x-amz-copy-source-${name}`, value]),
    );
    const reply = await copy(harness, headers);
    if (failed === null) {
      expect(reply).toMatchObject({ status: 200 });
    } else {
      expect(reply).toMatchObject({
        status: 412,
        code: 'PreconditionFailed',
        detail: { Condition: `x-amz-copy-source-${failed}` },
      });
    }
  });

  it('C-5: the target has conditions of its own', async () => {
    const harness = await ready();
    const headers = { 'if-none-match': '*' };
    expect(await copy(harness, headers)).toMatchObject({ status: 200 });
    expect(await copy(harness, headers)).toMatchObject({ status: 412 });
  });

  it('KC-9: keeps the algorithm of the source, or takes another', async () => {
    const harness = await ready();
    const crc = (await digestBytes('CRC32C', BODY)).toString('base64');
    await harness.put('source', BODY, { headers: { 'x-amz-checksum-crc32c': crc } });
    const kept = documentOf(await copy(harness));
    expect(text(kept, 'ChecksumCRC32C')).toBe(crc);
    expect(text(kept, 'ChecksumType')).toBe('FULL_OBJECT');
    for (const algorithm of ['SHA1', 'XXHASH64', 'XXHASH3', 'XXHASH128'] as const) {
      const asked = { 'x-amz-checksum-algorithm': algorithm.toLowerCase() };
      const other = documentOf(await copy(harness, asked));
      const value = (await digestBytes(algorithm, BODY)).toString('base64');
      expect(text(other, `Checksum${algorithm}`)).toBe(value);
    }
  });

  it.each([
    ['', 'InvalidArgument'],
    ['nothing', 'InvalidArgument'],
    ['bucket/', 'InvalidArgument'],
    ['/some-bucket/%ZZ', 'InvalidArgument'],
    ['192.168.1.1/k', 'InvalidArgument'],
    ['Some_Bucket/k', 'InvalidArgument'],
    ['2001:db8::1/k', 'InvalidArgument'],
    ['/some-bucket/source?versionId=', 'InvalidArgument'],
    ['/some-bucket/missing', 'NoSuchKey'],
    ['/missing-bucket/source', 'NoSuchBucket'],
    ['arn:aws:s3:us-east-1:1:accesspoint/x/object/y', 'NotImplemented'],
  ])('the source "%s" is %s', async (source, code) => {
    const harness = await ready();
    expect(await copy(harness, { 'x-amz-copy-source': source })).toMatchObject({ code });
  });

  it('takes a source that is percent-encoded, with ?versionId= in the key', async () => {
    const harness = await ready();
    const key = 'a b+c?versionId=x/é';
    await harness.put(key, 'odd');
    const source = `some-bucket/${encodeURIComponent(key)}`;
    expect(await copy(harness, { 'x-amz-copy-source': source })).toMatchObject({ status: 200 });
    expect((await harness.get('target')).bytes.toString()).toBe('odd');
  });

  it('P-2, V-13: both sides of a copy are authorized', async () => {
    const harness = await ready();
    const access = new RecordedAccess();
    const headers = { 'x-amz-copy-source': '/some-bucket/source' };
    await harness.send('CopyObject', { key: 'target', headers, access });
    expect(access.actions).toEqual(['s3:GetObject some-bucket/source']);

    const denied = RecordedAccess.without('s3:GetObject');
    const refused = await harness.send('CopyObject', { key: 'other', headers, access: denied });
    expect(refused).toMatchObject({ status: 403, code: 'AccessDenied' });
    expect(await harness.get('other')).toMatchObject({ code: 'NoSuchKey' });

    const versioned = { 'x-amz-copy-source': '/some-bucket/source?versionId=null' };
    const ofVersion = RecordedAccess.without('s3:GetObjectVersion');
    expect(
      await harness.send('CopyObject', { key: 'other', headers: versioned, access: ofVersion }),
    ).toMatchObject({ code: 'AccessDenied' });
    expect(ofVersion.actions).toEqual(['s3:GetObjectVersion some-bucket/source?null']);
    const wrong = { 'x-amz-source-expected-bucket-owner': STRANGER.accountId };
    expect(await copy(harness, wrong)).toMatchObject({ code: 'AccessDenied' });
  });

  it('P-3: who may not list the source bucket does not learn what is missing', async () => {
    const harness = await ready();
    const headers = { 'x-amz-copy-source': '/some-bucket/missing' };
    const access = RecordedAccess.without('s3:ListBucket');
    const refused = await harness.send('CopyObject', { key: 'target', headers, access });
    expect(refused).toMatchObject({ status: 403, code: 'AccessDenied' });
    expect(await harness.send('CopyObject', { key: 'target', headers })).toMatchObject({
      code: 'NoSuchKey',
    });
  });
});
