import { createHash } from 'node:crypto';

import { digestBytes } from '../../src/s3/digest-bytes';
import type { Reply } from './harness';
import { documentOf, Harness, text, texts } from './harness';

function deleteBody(keys: readonly string[], more = ''): string {
  const objects = keys.map((key) => `<Object><Key>${key}</Key></Object>`).join('');
  return `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${objects}${more}</Delete>`;
}

function send(harness: Harness, body: string): Promise<Reply> {
  const md5 = createHash('md5').update(body).digest('base64');
  return harness.send('DeleteObjects', { body, headers: { 'content-md5': md5 } });
}

async function ready(...keys: string[]): Promise<Harness> {
  const harness = await Harness.create();
  await harness.bucket();
  for (const key of keys) await harness.put(key, key);
  return harness;
}

describe('DeleteObjects', () => {
  it('V-18: reports every key as deleted, also one that was not there', async () => {
    const harness = await ready('a', 'b', 'c');
    const document = documentOf(await send(harness, deleteBody(['a', 'b', 'nothing'])));
    expect(document.name).toBe('DeleteResult');
    expect(texts(document, 'Deleted', 'Key')).toEqual(['a', 'b', 'nothing']);
    expect(texts(document, 'Deleted', 'DeleteMarker')).toEqual([]);
    expect(await harness.get('a')).toMatchObject({ code: 'NoSuchKey' });
    expect(await harness.get('c')).toMatchObject({ status: 200 });
  });

  it('V-18: quiet says only what failed', async () => {
    const harness = await ready('a');
    const body = deleteBody(['a', 'x'.repeat(1025)], '<Quiet>true</Quiet>');
    const document = documentOf(await send(harness, body));
    expect(texts(document, 'Deleted')).toEqual([]);
    expect(texts(document, 'Error', 'Code')).toEqual(['KeyTooLongError']);
  });

  it('V-2, V-18: the version null of an object without versioning is the object', async () => {
    const harness = await ready('a', 'b');
    const body =
      '<Delete><Object><Key>a</Key><VersionId>null</VersionId></Object>' +
      '<Object><Key>b</Key><VersionId>null</VersionId></Object></Delete>';
    const document = documentOf(await send(harness, body));
    expect(texts(document, 'Deleted', 'Key')).toEqual(['a', 'b']);
    expect(texts(document, 'Deleted', 'VersionId')).toEqual(['null', 'null']);
    expect(await harness.get('a')).toMatchObject({ code: 'NoSuchKey' });
    expect(await harness.send('DeleteBucket')).toMatchObject({ status: 204 });
  });

  it('V-18: versions and markers are named', async () => {
    const harness = await ready();
    await harness.setVersioning('enabled');
    const versionId = (await harness.put('a', 'x')).headers['x-amz-version-id']!;
    const marked = documentOf(await send(harness, deleteBody(['a'])));
    expect(text(marked, 'Deleted', 'DeleteMarker')).toBe('true');
    const markerId = text(marked, 'Deleted', 'DeleteMarkerVersionId');
    const body =
      `<Delete><Object><Key>a</Key><VersionId>${versionId}</VersionId></Object>` +
      `<Object><Key>a</Key><VersionId>${markerId}</VersionId></Object></Delete>`;
    const document = documentOf(await send(harness, body));
    expect(texts(document, 'Deleted', 'VersionId')).toEqual([versionId, markerId]);
    expect(texts(document, 'Deleted', 'DeleteMarkerVersionId')).toEqual([markerId]);
    expect(await harness.send('DeleteBucket')).toMatchObject({ status: 204 });
  });

  it('C-10: an entry may name the etag; a wrong one is that entry’s error', async () => {
    const harness = await ready('a', 'b');
    const etag = createHash('md5').update('a').digest('hex');
    const body =
      `<Delete><Object><Key>a</Key><ETag>"${etag}"</ETag></Object>` +
      `<Object><Key>b</Key><ETag>"${etag}"</ETag></Object></Delete>`;
    const document = documentOf(await send(harness, body));
    expect(texts(document, 'Deleted', 'Key')).toEqual(['a']);
    expect(texts(document, 'Error', 'Key')).toEqual(['b']);
    expect(texts(document, 'Error', 'Code')).toEqual(['PreconditionFailed']);
  });

  it('V-18: 1,000 keys at most', async () => {
    const harness = await ready();
    const keys = Array.from({ length: 1001 }, (_, index) => `k${index}`);
    expect(await send(harness, deleteBody(keys))).toMatchObject({ code: 'MalformedXML' });
    expect(await send(harness, deleteBody(keys.slice(1)))).toMatchObject({ status: 200 });
  });

  it('V-18: the document must be vouched for', async () => {
    const harness = await ready('a');
    const body = deleteBody(['a']);
    expect(await harness.send('DeleteObjects', { body })).toMatchObject({
      status: 400,
      code: 'InvalidRequest',
      message: 'Missing required header for this request: Content-MD5 OR x-amz-checksum-*',
    });
    const wrong = (await digestBytes('CRC32', Buffer.from('other'))).toString('base64');
    const headers = { 'x-amz-checksum-crc32': wrong };
    expect(await harness.send('DeleteObjects', { body, headers })).toMatchObject({
      code: 'BadDigest',
    });
    expect(await harness.get('a')).toMatchObject({ status: 200 });
    const right = (await digestBytes('CRC32', Buffer.from(body))).toString('base64');
    const trailers = { 'x-amz-checksum-crc32': right };
    expect(await harness.send('DeleteObjects', { body, trailers })).toMatchObject({ status: 200 });
  });

  it.each([
    ['nothing', '<Delete/>'],
    ['an object without key', '<Delete><Object><VersionId>null</VersionId></Object></Delete>'],
    ['an unknown element', '<Delete><Object><Key>a</Key><What/></Object></Delete>'],
    ['another root', '<Remove><Object><Key>a</Key></Object></Remove>'],
    ['a doctype', '<!DOCTYPE x><Delete><Object><Key>a</Key></Object></Delete>'],
  ])('refuses %s', async (_what, body) => {
    const harness = await ready('a');
    expect(await send(harness, body)).toMatchObject({ status: 400, code: 'MalformedXML' });
    expect(await harness.get('a')).toMatchObject({ status: 200 });
  });

  it('refuses a document above 2 MiB', async () => {
    const harness = await ready();
    const body = deleteBody(['a'], ' '.repeat(2 * 1024 ** 2));
    expect(await send(harness, body)).toMatchObject({ code: 'MaxMessageLengthExceeded' });
  });
});
