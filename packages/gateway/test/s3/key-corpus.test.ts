import { createHash } from 'node:crypto';

import { compareKeys } from '../../src/s3/listing';
import type { Reply } from './harness';
import { BUCKET, documentOf, Harness, text, texts } from './harness';

/** Names that other stores took for paths, encodings, markup, or for each other. */
const CORPUS = [
  'a/../b',
  '../../../etc/passwd',
  '..',
  '.',
  './a',
  'a/./b',
  'a/',
  '/',
  '//',
  '/a',
  'a//b',
  'a///b/',
  '..\\..\\windows',
  'a%2Fb',
  '%2e%2e%2f',
  '%00',
  'a\u0000b',
  'a b',
  ' a ',
  'a+b',
  'a?versionId=null',
  'a#b',
  'a&b=c;d',
  '<Key>&amp;</Key>',
  ']]>',
  '"quoted\'',
  'line\nfeed',
  'return\r\n',
  'tab\t',
  'control\u0001\u001f\u007f',
  'caf\u00e9',
  'cafe\u0301',
  '\u{1f600}\u{10ffff}',
  '\uffe0\ufffd',
  '\ufffe\uffff',
  '\u202eright to left',
  '${filename}',
  '__proto__',
  'constructor',
  'x-amz-meta-a: b',
  'é'.repeat(512),
  '\u{1f600}'.repeat(256),
  'x'.repeat(1024),
] as const;

const TOO_LONG = ['x'.repeat(1025), 'é'.repeat(513), '\u{1f600}'.repeat(257)];

function escapeText(key: string): string {
  // Nothing but references: what XML cannot hold as a character cannot be named at all.
  return Array.from(key, (character) => `&#x${character.codePointAt(0)!.toString(16)};`).join('');
}

function copySource(key: string): string {
  return `${BUCKET}/${encodeURIComponent(key)}`;
}

async function filled(): Promise<Harness> {
  const harness = await Harness.create();
  await harness.bucket();
  for (const key of CORPUS) expect(await harness.put(key, key)).toMatchObject({ status: 200 });
  return harness;
}

async function holdsAll(harness: Harness): Promise<void> {
  for (const key of CORPUS) expect((await harness.get(key)).bytes.toString()).toBe(key);
}

async function listedBy(harness: Harness, name: string, path: string): Promise<string[]> {
  const query = { 'encoding-type': 'url', 'max-keys': '1000' };
  const document = documentOf(await harness.send(name, { query }));
  return texts(document, path, 'Key').map(decodeURIComponent);
}

describe('keys (table rows 9 to 13)', () => {
  it('G-7: each names one object, for reads', async () => {
    const harness = await filled();
    await holdsAll(harness);
    for (const key of CORPUS) {
      const head = await harness.send('HeadObject', { key });
      expect(head.headers['content-length']).toBe(String(Buffer.byteLength(key)));
      const attributes = documentOf(
        await harness.send('GetObjectAttributes', {
          key,
          headers: { 'x-amz-object-attributes': 'ETag' },
        }),
      );
      expect(text(attributes, 'ETag')).toBe(createHash('md5').update(key).digest('hex'));
    }
  });

  it('K-1, K-6: lists show all of them, in order, exactly', async () => {
    const harness = await filled();
    const sorted = [...CORPUS].sort(compareKeys);
    expect(await listedBy(harness, 'ListObjects', 'Contents')).toEqual(sorted);
    expect(await listedBy(harness, 'ListObjectsV2', 'Contents')).toEqual(sorted);
    expect(await listedBy(harness, 'ListObjectVersions', 'Version')).toEqual(sorted);
  });

  it('G-7: DELETE deletes one and nothing else', async () => {
    const harness = await filled();
    const sorted = [...CORPUS].sort(compareKeys);
    for (const key of CORPUS) {
      expect(await harness.send('DeleteObject', { key })).toMatchObject({ status: 204 });
      expect(await harness.get(key)).toMatchObject({ code: 'NoSuchKey' });
      expect(await listedBy(harness, 'ListObjectsV2', 'Contents')).toEqual(
        sorted.filter((other) => other !== key),
      );
      await harness.put(key, key);
    }
  });

  it('advisory 10: copy sources name what they say', async () => {
    const harness = await filled();
    for (const key of CORPUS) {
      const headers = { 'x-amz-copy-source': copySource(key) };
      expect(await harness.send('CopyObject', { key: 'copy', headers })).toMatchObject({
        status: 200,
      });
      expect((await harness.get('copy')).bytes.toString()).toBe(key);
    }
    await holdsAll(harness);
  });

  it('advisory 9, 10: no source leads out of its bucket', async () => {
    const harness = await filled();
    await harness.bucket('other-bucket');
    await harness.put('secret', 'canary', { bucket: 'other-bucket' });
    for (const source of [
      `${BUCKET}/../other-bucket/secret`,
      `${BUCKET}/%2e%2e/other-bucket/secret`,
      `${BUCKET}/..%2fother-bucket%2fsecret`,
      `${BUCKET}//other-bucket/secret`,
    ]) {
      const headers = { 'x-amz-copy-source': source };
      const reply = await harness.send('CopyObject', { key: 'copy', headers });
      expect(reply).toMatchObject({ status: 404, code: 'NoSuchKey' });
      const read = await harness.get(source.slice(BUCKET.length + 1));
      expect(read).toMatchObject({ status: 404, code: 'NoSuchKey' });
    }
  });

  it('G-7: uploads in parts', async () => {
    const harness = await filled();
    for (const key of CORPUS) {
      const created = await harness.send('CreateMultipartUpload', { key });
      // Not by an XML parser: a strict one refuses the answer when the key holds U+0000.
      const uploadId = /<UploadId>([0-9a-f]+)</.exec(created.bytes.toString())![1]!;
      const query = { uploadId, partNumber: '1' };
      const body = `part of ${key}`;
      const part = await harness.send('UploadPart', { key, query, body });
      expect(await harness.send('ListParts', { key, query: { uploadId } })).toMatchObject({
        status: 200,
      });
      const named = `<Part><PartNumber>1</PartNumber><ETag>${part.headers['etag']}</ETag></Part>`;
      const reply = await harness.send('CompleteMultipartUpload', {
        key,
        query: { uploadId },
        body: `<CompleteMultipartUpload>${named}</CompleteMultipartUpload>`,
      });
      expect(reply).toMatchObject({ status: 200 });
      expect((await harness.get(key)).bytes.toString()).toBe(body);
    }
  });

  it('V-18: DeleteObjects reads them from its document', async () => {
    const harness = await filled();
    // Not a character of XML 1.0 in any way.
    const nameable = CORPUS.filter((key) => !key.includes('\u0000'));
    const objects = nameable.map((key) => `<Object><Key>${escapeText(key)}</Key></Object>`);
    const body = `<Delete>${objects.join('')}</Delete>`;
    const headers = { 'content-md5': createHash('md5').update(body).digest('base64') };
    const reply = await harness.send('DeleteObjects', { body, headers });
    expect(reply.status).toBe(200);
    const left = await listedBy(harness, 'ListObjectsV2', 'Contents');
    expect(left).toEqual(CORPUS.filter((key) => key.includes('\u0000')));
  });

  it('Q-4: tags', async () => {
    const harness = await filled();
    for (const [index, key] of CORPUS.entries()) {
      const tag = `<Tag><Key>index</Key><Value>${index}</Value></Tag>`;
      const body = `<Tagging><TagSet>${tag}</TagSet></Tagging>`;
      expect(await harness.send('PutObjectTagging', { key, body })).toMatchObject({ status: 200 });
    }
    for (const [index, key] of CORPUS.entries()) {
      const document = documentOf(await harness.send('GetObjectTagging', { key }));
      expect(text(document, 'TagSet', 'Tag', 'Value')).toBe(String(index));
    }
  });

  it.each(TOO_LONG)('G-13: more than 1,024 bytes are too long everywhere', async (key) => {
    const harness = await Harness.create();
    await harness.bucket();
    await harness.put('k', 'x');
    const body = `<Delete><Object><Key>${key}</Key></Object></Delete>`;
    const md5 = createHash('md5').update(body).digest('base64');
    const refusals: Reply[] = [
      await harness.put(key, 'x'),
      await harness.get(key),
      await harness.send('HeadObject', { key }),
      await harness.send('DeleteObject', { key }),
      await harness.send('CreateMultipartUpload', { key }),
      await harness.send('GetObjectTagging', { key }),
      await harness.send('CopyObject', { key, headers: { 'x-amz-copy-source': `${BUCKET}/k` } }),
      await harness.send('CopyObject', {
        key: 'k',
        headers: { 'x-amz-copy-source': copySource(key) },
      }),
    ];
    for (const reply of refusals) {
      expect(reply).toMatchObject({
        status: 400,
        code: 'KeyTooLongError',
        detail: { Size: Buffer.byteLength(key), MaxSizeAllowed: 1024 },
      });
    }
    const several = await harness.send('DeleteObjects', { body, headers: { 'content-md5': md5 } });
    expect(text(documentOf(several), 'Error', 'Code')).toBe('KeyTooLongError');
  });
});
