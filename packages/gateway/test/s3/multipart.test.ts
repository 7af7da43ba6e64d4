import { createHash } from 'node:crypto';

import type { ChecksumAlgorithm } from '@azimuth/proto';

import type { Principal } from '../../src/auth/principal';
import { checksumElement, checksumHeader } from '../../src/s3/checksum-headers';
import { digestBytes } from '../../src/s3/digest-bytes';
import type { Call, Reply } from './harness';
import { BUCKET, documentOf, Harness, OWNER, STRANGER, text, texts } from './harness';

const MIB = 1024 ** 2;
const FIRST = Buffer.alloc(5 * MIB, 'first ');
const SECOND = Buffer.from('the second and last part');
const WHOLE = Buffer.concat([FIRST, SECOND]);

interface Part {
  readonly partNumber: number;
  readonly etag: string;
  readonly checksum?: readonly [ChecksumAlgorithm, string];
}

/** An upload of one key, as a client holds it. */
class Upload {
  readonly harness: Harness;
  readonly key: string;
  readonly uploadId: string;

  constructor(harness: Harness, key: string, uploadId: string) {
    this.harness = harness;
    this.key = key;
    this.uploadId = uploadId;
  }

  static async create(harness: Harness, call: Call = {}, key = 'big'): Promise<Upload> {
    const document = documentOf(await harness.send('CreateMultipartUpload', { key, ...call }));
    expect(text(document, 'Key')).toBe(key);
    return new Upload(harness, key, text(document, 'UploadId')!);
  }

  send(name: string, call: Call = {}): Promise<Reply> {
    const query = { uploadId: this.uploadId, ...call.query };
    return this.harness.send(name, { ...call, key: this.key, query });
  }

  upload(partNumber: number | string, body: Uint8Array | string, call: Call = {}): Promise<Reply> {
    const query = { partNumber: String(partNumber) };
    return this.send('UploadPart', { ...call, body, query });
  }

  async part(partNumber: number, body: Uint8Array, algorithm?: ChecksumAlgorithm): Promise<Part> {
    if (algorithm === undefined) {
      const { headers } = await this.upload(partNumber, body);
      return { partNumber, etag: headers['etag']! };
    }
    const value = (await digestBytes(algorithm, body)).toString('base64');
    const call = { headers: { [checksumHeader(algorithm)]: value } };
    const { headers } = await this.upload(partNumber, body, call);
    expect(headers[checksumHeader(algorithm)]).toBe(value);
    return { partNumber, etag: headers['etag']!, checksum: [algorithm, value] };
  }

  complete(parts: readonly Part[], headers: Call['headers'] = {}): Promise<Reply> {
    return this.send('CompleteMultipartUpload', { body: completion(parts), headers });
  }
}

function completion(parts: readonly Part[]): string {
  const rows = parts.map(({ partNumber, etag, checksum }) => {
    const element = checksum === undefined ? '' : checksumElement(checksum[0]);
    const value = checksum === undefined ? '' : `<${element}>${checksum[1]}</${element}>`;
    const quoted = etag.replaceAll('"', '&quot;');
    return `<Part><ETag>${quoted}</ETag><PartNumber>${partNumber}</PartNumber>${value}</Part>`;
  });
  return `<CompleteMultipartUpload>${rows.join('')}</CompleteMultipartUpload>`;
}

async function ready(): Promise<Harness> {
  const harness = await Harness.create();
  await harness.bucket();
  return harness;
}

function md5(bytes: Uint8Array): Buffer {
  return createHash('md5').update(bytes).digest();
}

describe('multipart uploads', () => {
  it('M-4, M-11: become the object that the parts make', async () => {
    const harness = await ready();
    const upload = await Upload.create(harness, {
      headers: { 'content-type': 'video/mp4', 'x-amz-meta-a': '1' },
    });
    expect(await harness.get('big')).toMatchObject({ code: 'NoSuchKey' });
    const parts = [await upload.part(2, FIRST), await upload.part(7, SECOND)];
    const document = documentOf(await upload.complete(parts));
    const etag = `"${md5(Buffer.concat([md5(FIRST), md5(SECOND)])).toString('hex')}-2"`;
    expect(document.name).toBe('CompleteMultipartUploadResult');
    expect(text(document, 'ETag')).toBe(etag);
    expect(text(document, 'Location')).toBe(`http://localhost:9000/${BUCKET}/big`);

    const get = await harness.get('big');
    expect(get.bytes.equals(WHOLE)).toBe(true);
    expect(get.headers).toMatchObject({ etag, 'content-type': 'video/mp4', 'x-amz-meta-a': '1' });
  });

  it('M-4: one part still gets -1, also an empty one (M-1)', async () => {
    const harness = await ready();
    const upload = await Upload.create(harness);
    const document = documentOf(await upload.complete([await upload.part(1, Buffer.alloc(0))]));
    expect(text(document, 'ETag')).toMatch(/^"[0-9a-f]{32}-1"$/);
    expect((await harness.get('big')).headers['content-length']).toBe('0');
  });

  it('M-12: parts can be read one by one', async () => {
    const harness = await ready();
    const upload = await Upload.create(harness);
    await upload.complete([await upload.part(1, FIRST), await upload.part(3, SECOND)]);
    const get = (partNumber: string): Promise<Reply> =>
      harness.get('big', { query: { partNumber } });
    const first = await get('1');
    expect(first).toMatchObject({
      status: 206,
      headers: {
        'x-amz-mp-parts-count': '2',
        'content-range': `bytes 0-${FIRST.length - 1}/${WHOLE.length}`,
      },
    });
    expect((await get('3')).bytes.equals(SECOND)).toBe(true);
    expect(await get('2')).toMatchObject({ status: 416, code: 'InvalidPartNumber' });
    const head = await harness.send('HeadObject', { key: 'big', query: { partNumber: '3' } });
    expect(head).toMatchObject({ status: 206, headers: { 'content-length': `${SECOND.length}` } });
  });

  it('M-3: a subset with gaps completes, the others are discarded', async () => {
    const harness = await ready();
    const upload = await Upload.create(harness);
    await upload.part(1, Buffer.from('not wanted'));
    const wanted = await upload.part(9, SECOND);
    expect(await upload.complete([wanted])).toMatchObject({ status: 200 });
    expect((await harness.get('big')).bytes.equals(SECOND)).toBe(true);
  });

  it('M-7: uploading a part again replaces it', async () => {
    const harness = await ready();
    const upload = await Upload.create(harness);
    const old = await upload.part(1, FIRST);
    const current = await upload.part(1, SECOND);
    expect(await upload.complete([old])).toMatchObject({ code: 'InvalidPart' });
    expect(await upload.complete([current])).toMatchObject({ status: 200 });
  });

  it('M-6: completing again answers the same, for a day', async () => {
    const harness = await ready();
    const upload = await Upload.create(harness, {
      headers: { 'x-amz-checksum-algorithm': 'CRC32' },
    });
    const parts = [await upload.part(1, SECOND, 'CRC32')];
    const first = await upload.complete(parts);
    const second = await upload.complete(parts);
    expect(second.bytes.toString()).toBe(first.bytes.toString());
    // Also when the object is gone by now.
    await harness.send('DeleteObject', { key: 'big' });
    expect((await upload.complete(parts)).bytes.toString()).toBe(first.bytes.toString());
    expect(await harness.get('big')).toMatchObject({ code: 'NoSuchKey' });
    expect(await upload.upload(2, SECOND)).toMatchObject({ status: 404, code: 'NoSuchUpload' });
  });

  it('M-6: abort, and again', async () => {
    const harness = await ready();
    const upload = await Upload.create(harness);
    const part = await upload.part(1, SECOND);
    expect(await upload.send('AbortMultipartUpload')).toMatchObject({ status: 204 });
    const gone = { status: 404, code: 'NoSuchUpload' };
    expect(await upload.send('AbortMultipartUpload')).toMatchObject(gone);
    expect(await upload.complete([part])).toMatchObject(gone);
    expect(await upload.upload(1, SECOND)).toMatchObject(gone);
    expect(await upload.send('ListParts')).toMatchObject(gone);
    expect(await harness.get('big')).toMatchObject({ code: 'NoSuchKey' });
  });

  it.each(['0', '10001', '-1', 'x', '1.5', ''])('M-1: refuses part number "%s"', async (number) => {
    const upload = await Upload.create(await ready());
    expect(await upload.upload(number, 'x')).toMatchObject({
      status: 400,
      code: 'InvalidArgument',
      message: 'Part number must be an integer between 1 and 10000, inclusive',
    });
  });

  it('M-2: small parts before the last are found at completion', async () => {
    const upload = await Upload.create(await ready());
    const parts = [await upload.part(1, SECOND), await upload.part(2, FIRST)];
    expect(await upload.complete(parts)).toMatchObject({
      status: 400,
      code: 'EntityTooSmall',
      detail: { ProposedSize: SECOND.length, MinSizeAllowed: 5 * MIB, PartNumber: 1 },
    });
  });

  it.each<[string, string, string]>([
    ['nothing', '<CompleteMultipartUpload/>', 'MalformedXML'],
    ['no document', '', 'MalformedXML'],
    [
      'no ETag',
      completion([]).replace('><', '><Part><PartNumber>1</PartNumber></Part><'),
      'MalformedXML',
    ],
    ['part 0', completion([{ partNumber: 0, etag: 'x' }]), 'InvalidArgument'],
    ['an unknown part', completion([{ partNumber: 5, etag: 'x' }]), 'InvalidPart'],
    ['a wrong ETag', completion([{ partNumber: 1, etag: 'x' }]), 'InvalidPart'],
    [
      'descending parts',
      completion([
        { partNumber: 2, etag: 'x' },
        { partNumber: 1, etag: 'x' },
      ]),
      'InvalidPartOrder',
    ],
    [
      'a part twice',
      completion([
        { partNumber: 1, etag: 'x' },
        { partNumber: 1, etag: 'x' },
      ]),
      'InvalidPartOrder',
    ],
  ])('M-3: completing %s is refused', async (_what, body, code) => {
    const upload = await Upload.create(await ready());
    await upload.part(1, SECOND);
    const reply = await upload.send('CompleteMultipartUpload', { body });
    expect(reply).toMatchObject({ status: 400, code });
    expect(await upload.send('ListParts')).toMatchObject({ status: 200 });
  });

  it('M-3: ETags may come without quotes', async () => {
    const upload = await Upload.create(await ready());
    const part = await upload.part(1, SECOND);
    const etag = part.etag.replaceAll('"', '');
    expect(await upload.complete([{ ...part, etag }])).toMatchObject({ status: 200 });
  });

  it('M-8: the announced size must be right', async () => {
    const upload = await Upload.create(await ready());
    const parts = [await upload.part(1, SECOND)];
    const wrong = await upload.complete(parts, { 'x-amz-mp-object-size': '99' });
    expect(wrong).toMatchObject({ status: 400, code: 'InvalidRequest' });
    expect(wrong.message).toContain('does not match what was computed: 24');
    const right = await upload.complete(parts, { 'x-amz-mp-object-size': '24' });
    expect(right).toMatchObject({ status: 200 });
  });

  it('C-5, C-7: a condition that fails keeps the upload', async () => {
    const harness = await ready();
    const upload = await Upload.create(harness);
    const parts = [await upload.part(1, SECOND)];
    await harness.put('big', 'already here');
    const headers = { 'if-none-match': '*' };
    expect(await upload.complete(parts, headers)).toMatchObject({ status: 412 });
    expect(await upload.complete(parts)).toMatchObject({ status: 200 });
  });
});

describe('checksums of multipart uploads', () => {
  it.each([
    ['CRC32', undefined, 'COMPOSITE'],
    ['CRC32', 'FULL_OBJECT', 'FULL_OBJECT'],
    ['CRC32C', 'FULL_OBJECT', 'FULL_OBJECT'],
    ['CRC64NVME', undefined, 'FULL_OBJECT'],
    ['SHA1', undefined, 'COMPOSITE'],
    ['SHA256', 'COMPOSITE', 'COMPOSITE'],
    ['XXHASH64', undefined, 'COMPOSITE'],
    ['XXHASH3', 'COMPOSITE', 'COMPOSITE'],
    ['XXHASH128', undefined, 'COMPOSITE'],
  ] as const)('KC-2: %s asked as %s is %s', async (algorithm, asked, type) => {
    const harness = await ready();
    const headers: Record<string, string> = { 'x-amz-checksum-algorithm': algorithm };
    if (asked !== undefined) headers['x-amz-checksum-type'] = asked;
    const upload = await Upload.create(harness, { headers });
    const parts = [await upload.part(1, FIRST, algorithm), await upload.part(2, SECOND, algorithm)];
    const digests = [await digestBytes(algorithm, FIRST), await digestBytes(algorithm, SECOND)];
    const expected =
      type === 'FULL_OBJECT'
        ? (await digestBytes(algorithm, WHOLE)).toString('base64')
        : `${(await digestBytes(algorithm, Buffer.concat(digests))).toString('base64')}-2`;
    const listed = documentOf(await upload.send('ListParts'));
    expect(text(listed, 'ChecksumAlgorithm')).toBe(algorithm);
    expect(texts(listed, 'Part', checksumElement(algorithm))).toEqual(
      digests.map((digest) => digest.toString('base64')),
    );

    const wrong = { [checksumHeader(algorithm)]: digests[0]!.toString('base64') };
    expect(await upload.complete(parts, wrong)).toMatchObject({ code: 'BadDigest' });
    const document = documentOf(
      await upload.complete(parts, { [checksumHeader(algorithm)]: expected }),
    );
    expect(text(document, checksumElement(algorithm))).toBe(expected);
    expect(text(document, 'ChecksumType')).toBe(type);

    const mode = { 'x-amz-checksum-mode': 'ENABLED' };
    const get = await harness.get('big', { headers: mode });
    expect(get.headers).toMatchObject({
      [checksumHeader(algorithm)]: expected,
      'x-amz-checksum-type': type,
    });
    const part = await harness.get('big', { headers: mode, query: { partNumber: '2' } });
    expect(part.headers[checksumHeader(algorithm)]).toBe(digests[1]!.toString('base64'));
    const objects = documentOf(await harness.send('ListObjectsV2'));
    expect(texts(objects, 'Contents', 'ChecksumAlgorithm')).toEqual([algorithm]);
    const attributes = await harness.send('GetObjectAttributes', {
      key: 'big',
      headers: { 'x-amz-object-attributes': 'Checksum,ObjectParts' },
    });
    const shown = documentOf(attributes);
    expect(text(shown, 'Checksum', checksumElement(algorithm))).toBe(expected);
    expect(texts(shown, 'ObjectParts', 'Part', checksumElement(algorithm))).toHaveLength(2);
  });

  it.each([
    [{ 'x-amz-checksum-algorithm': 'SHA256', 'x-amz-checksum-type': 'FULL_OBJECT' }],
    [{ 'x-amz-checksum-algorithm': 'CRC64NVME', 'x-amz-checksum-type': 'COMPOSITE' }],
    [{ 'x-amz-checksum-algorithm': 'XXHASH64', 'x-amz-checksum-type': 'FULL_OBJECT' }],
    [{ 'x-amz-checksum-algorithm': 'XXHASH3', 'x-amz-checksum-type': 'FULL_OBJECT' }],
    [{ 'x-amz-checksum-algorithm': 'XXHASH128', 'x-amz-checksum-type': 'FULL_OBJECT' }],
    [{ 'x-amz-checksum-type': 'COMPOSITE' }],
    [{ 'x-amz-checksum-algorithm': 'CRC16' }],
  ])('KC-1, KC-6: refuses %j', async (headers) => {
    const harness = await ready();
    expect(await harness.send('CreateMultipartUpload', { key: 'k', headers })).toMatchObject({
      status: 400,
      code: 'InvalidRequest',
    });
  });

  it('KC-6: parts use the algorithm of the upload', async () => {
    const headers = { 'x-amz-checksum-algorithm': 'SHA256' };
    const upload = await Upload.create(await ready(), { headers });
    const crc = (await digestBytes('CRC32', SECOND)).toString('base64');
    const other = await upload.upload(1, SECOND, { headers: { 'x-amz-checksum-crc32': crc } });
    expect(other).toMatchObject({
      code: 'InvalidRequest',
      message:
        'Checksum Type mismatch occurred, expected checksum Type: sha256, actual checksum Type: crc32',
    });
    expect(await upload.upload(1, SECOND)).toMatchObject({ code: 'InvalidRequest' });
  });

  it('KC-6: an upload without algorithm takes what SDKs add to parts by default', async () => {
    const upload = await Upload.create(await ready());
    const part = await upload.part(1, SECOND, 'CRC32');
    const wrong = await upload.upload(1, FIRST, {
      headers: { 'x-amz-checksum-crc32': 'AAAAAA==' },
    });
    expect(wrong).toMatchObject({ code: 'BadDigest' });
    const document = documentOf(await upload.complete([part]));
    expect(text(document, 'ChecksumCRC32')).toBeNull();
  });

  it('KC-6: COMPOSITE needs the checksum of every part, and the right one', async () => {
    const headers = { 'x-amz-checksum-algorithm': 'SHA1' };
    const upload = await Upload.create(await ready(), { headers });
    const part = await upload.part(1, SECOND, 'SHA1');
    const bare = { partNumber: part.partNumber, etag: part.etag };
    const missing = await upload.complete([bare]);
    expect(missing).toMatchObject({ status: 400, code: 'InvalidRequest' });
    expect(missing.message).toContain('It was missing for part 1 in the request.');
    const other = (await digestBytes('SHA1', FIRST)).toString('base64');
    const wrong = await upload.complete([{ ...part, checksum: ['SHA1', other] }]);
    expect(wrong).toMatchObject({ code: 'InvalidPart' });
    const type = { 'x-amz-checksum-type': 'FULL_OBJECT' };
    expect((await upload.complete([part], type)).message).toContain(
      'The upload was created using the COMPOSITE checksum mode.',
    );
    expect(await upload.complete([part])).toMatchObject({ status: 200 });
  });

  it.each([
    ['two checksums', ['CRC32', 'SHA1'], 400, 'InvalidArgument'],
    ['two checksums, one of them new', ['CRC32', 'XXHASH3'], 400, 'InvalidArgument'],
    ['another algorithm', ['SHA1'], 400, 'BadDigest'],
    ['another algorithm, a new one', ['XXHASH3'], 400, 'BadDigest'],
    ['what is no checksum', ['CRC32 bad'], 400, 'InvalidArgument'],
    ['a wrong one', ['CRC32 wrong'], 400, 'InvalidPart'],
    ['an empty element', ['CRC32 empty'], 200, null],
    ['the right one', ['CRC32'], 200, null],
  ])('KC-6: completing with %s in a part', async (_what, elements, status, code) => {
    const headers = { 'x-amz-checksum-algorithm': 'CRC32', 'x-amz-checksum-type': 'FULL_OBJECT' };
    const upload = await Upload.create(await ready(), { headers });
    const { etag, checksum } = await upload.part(1, SECOND, 'CRC32');
    const values: Readonly<Record<string, string>> = {
      CRC32: checksum![1],
      'CRC32 bad': 'not base64',
      'CRC32 wrong': 'AAAAAA==',
      'CRC32 empty': '',
      SHA1: (await digestBytes('SHA1', SECOND)).toString('base64'),
      XXHASH3: (await digestBytes('XXHASH3', SECOND)).toString('base64'),
    };
    const named = elements.map((name) => {
      const element = `Checksum${name.split(' ')[0]!}`;
      return `<${element}>${values[name]!}</${element}>`;
    });
    const body =
      '<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>' +
      `<ETag>${etag.replaceAll('"', '')}</ETag>${named.join('')}</Part></CompleteMultipartUpload>`;
    const reply = await upload.send('CompleteMultipartUpload', { body });
    expect(reply).toMatchObject({ status, code });
  });

  it('KC-6: FULL_OBJECT computes what a part did not bring', async () => {
    const harness = await ready();
    const headers = { 'x-amz-checksum-algorithm': 'CRC64NVME' };
    const upload = await Upload.create(harness, { headers });
    const parts = [await upload.part(1, FIRST), await upload.part(2, SECOND, 'CRC64NVME')];
    const document = documentOf(await upload.complete(parts));
    const expected = (await digestBytes('CRC64NVME', WHOLE)).toString('base64');
    expect(text(document, 'ChecksumCRC64NVME')).toBe(expected);
  });
});

describe('UploadPartCopy', () => {
  async function copying(): Promise<{ harness: Harness; upload: Upload }> {
    const harness = await ready();
    await harness.put('source', 'abcdefghij');
    return { harness, upload: await Upload.create(harness) };
  }
  const copyPart = (upload: Upload, headers: Record<string, string> = {}): Promise<Reply> =>
    upload.send('UploadPartCopy', {
      query: { partNumber: '1' },
      headers: { 'x-amz-copy-source': `${BUCKET}/source`, ...headers },
    });

  it('copies the source, or a range of it', async () => {
    const { harness, upload } = await copying();
    const headers = { 'x-amz-copy-source-range': 'bytes=2-4' };
    const document = documentOf(await copyPart(upload, headers));
    expect(document.name).toBe('CopyPartResult');
    const etag = text(document, 'ETag')!;
    expect(etag).toBe(`"${md5(Buffer.from('cde')).toString('hex')}"`);
    await upload.complete([{ partNumber: 1, etag }]);
    expect((await harness.get('big')).bytes.toString()).toBe('cde');
  });

  it.each([
    ['bytes=0-10', 'Range specified is not valid for source object of size: 10'],
    ['bytes=5-2', 'must be of the form bytes=first-last'],
    ['bytes=5-', 'must be of the form bytes=first-last'],
    ['bytes=-5', 'must be of the form bytes=first-last'],
    ['0-5', 'must be of the form bytes=first-last'],
  ])('M-10: refuses the range %s', async (range, message) => {
    const { upload } = await copying();
    const reply = await copyPart(upload, { 'x-amz-copy-source-range': range });
    expect(reply).toMatchObject({ status: 400, code: 'InvalidArgument' });
    expect(reply.message).toContain(message);
  });

  it('C-4: has the conditions of a copy', async () => {
    const { upload } = await copying();
    const headers = { 'x-amz-copy-source-if-none-match': '*' };
    expect(await copyPart(upload, headers)).toMatchObject({ status: 412 });
  });

  it('carries the checksum of the upload', async () => {
    const harness = await ready();
    await harness.put('source', 'abcdefghij');
    const headers = { 'x-amz-checksum-algorithm': 'CRC32' };
    const upload = await Upload.create(harness, { headers });
    const document = documentOf(await copyPart(upload));
    const expected = (await digestBytes('CRC32', Buffer.from('abcdefghij'))).toString('base64');
    expect(text(document, 'ChecksumCRC32')).toBe(expected);
  });
});

describe('listings of uploads', () => {
  it('M-9: an upload has an owner, and an initiator who may be somebody else', async () => {
    const harness = await ready();
    const user: Principal = {
      ...STRANGER,
      kind: 'user',
      arn: `arn:aws:iam::${STRANGER.accountId}:user/team/alice`,
      userName: 'alice',
    };
    const shown: (string | null)[][] = [];
    for (const principal of [OWNER, STRANGER, user]) {
      const created = await harness.send('CreateMultipartUpload', { key: 'k', principal });
      const uploadId = text(documentOf(created), 'UploadId')!;
      const parts = documentOf(await harness.send('ListParts', { key: 'k', query: { uploadId } }));
      const uploads = documentOf(await harness.send('ListMultipartUploads'));
      for (const row of ['ID', 'DisplayName']) {
        expect(texts(uploads, 'Upload', 'Initiator', row)).toContain(text(parts, 'Initiator', row));
      }
      expect(text(parts, 'Owner', 'ID')).toBe(OWNER.canonicalId);
      shown.push([text(parts, 'Initiator', 'ID'), text(parts, 'Initiator', 'DisplayName')]);
    }
    expect(shown).toEqual([
      [OWNER.canonicalId, OWNER.displayName],
      [STRANGER.canonicalId, STRANGER.canonicalId],
      [user.arn, 'alice'],
    ]);
  });

  it('M-9: ListParts pages by number', async () => {
    const headers = { 'x-amz-checksum-algorithm': 'CRC32' };
    const upload = await Upload.create(await ready(), { headers });
    for (const number of [5, 1, 3]) await upload.part(number, Buffer.of(number), 'CRC32');
    const pages: string[][] = [];
    let marker = '0';
    for (let isTruncated = 'true'; isTruncated === 'true';) {
      const query = { 'max-parts': '2', 'part-number-marker': marker };
      const document = documentOf(await upload.send('ListParts', { query }));
      pages.push(texts(document, 'Part', 'PartNumber'));
      expect(texts(document, 'Part', 'ChecksumCRC32')).toHaveLength(pages.at(-1)!.length);
      expect(text(document, 'ChecksumType')).toBe('COMPOSITE');
      expect(text(document, 'Initiator', 'ID')).toBe(OWNER.canonicalId);
      isTruncated = text(document, 'IsTruncated')!;
      marker = text(document, 'NextPartNumberMarker')!;
    }
    expect(pages).toEqual([['1', '3'], ['5']]);
    const bad = await upload.send('ListParts', { query: { 'max-parts': '-1' } });
    expect(bad).toMatchObject({ code: 'InvalidArgument' });
  });

  interface Row {
    readonly key: string;
    readonly uploadId: string;
  }

  async function uploads(harness: Harness, keys: readonly string[]): Promise<Row[]> {
    const rows: Row[] = [];
    for (const key of keys) {
      const { uploadId } = await Upload.create(harness, {}, key);
      rows.push({ key, uploadId });
      harness.clock.advance(1000);
    }
    return rows;
  }

  async function allPages(harness: Harness, query: Record<string, string>): Promise<string[]> {
    const rows: string[] = [];
    let markers: Record<string, string> = {};
    for (;;) {
      const call = { query: { ...query, ...markers } };
      const document = documentOf(await harness.send('ListMultipartUploads', call));
      rows.push(
        ...texts(document, 'Upload', 'UploadId'),
        ...texts(document, 'CommonPrefixes', 'Prefix'),
      );
      if (text(document, 'IsTruncated') !== 'true') return rows;
      markers = { 'key-marker': text(document, 'NextKeyMarker')! };
      const uploadId = text(document, 'NextUploadIdMarker');
      if (uploadId !== null) markers['upload-id-marker'] = uploadId;
    }
  }

  it.each(['1', '2', '1000'])('M-9: by key, then time, %s a page', async (maxUploads) => {
    const harness = await ready();
    const made = await uploads(harness, ['b', 'a', 'b', 'c/1', 'b', 'c/2', 'd']);
    const ids = ['a', 'b', 'c/1', 'c/2', 'd'].flatMap((key) =>
      made.filter((row) => row.key === key).map((row) => row.uploadId),
    );
    const query = { 'max-uploads': maxUploads };
    expect(await allPages(harness, query)).toEqual(ids);
  });

  it('M-9, K-3: prefix and delimiter; a prefix once over all pages', async () => {
    const harness = await ready();
    const made = await uploads(harness, ['a', 'c/1', 'c/2', 'c/3', 'd/1', 'e']);
    for (const maxUploads of ['1', '2', '1000']) {
      const query = { delimiter: '/', 'max-uploads': maxUploads };
      const rows = await allPages(harness, query);
      expect([...rows].sort()).toEqual([made[0]!.uploadId, made[5]!.uploadId, 'c/', 'd/'].sort());
    }
    const query = { prefix: 'c/', delimiter: '/' };
    expect(await allPages(harness, query)).toEqual(made.slice(1, 4).map((row) => row.uploadId));
  });

  it('M-9: key-marker without upload-id-marker starts behind the key', async () => {
    const harness = await ready();
    const made = await uploads(harness, ['a', 'a', 'b']);
    expect(await allPages(harness, { 'key-marker': 'a' })).toEqual([made[2]!.uploadId]);
  });

  it('M-9, G-15: behind any marker that is a number there is a page', async () => {
    const harness = await ready();
    const upload = await Upload.create(harness);
    await upload.part(1, FIRST);
    for (const marker of ['10000', '65536', '2147483647']) {
      const query = { uploadId: upload.uploadId, 'part-number-marker': marker };
      const page = documentOf(await harness.send('ListParts', { key: 'big', query }));
      expect(text(page, 'PartNumberMarker')).toBe(marker);
      expect(texts(page, 'Part', 'PartNumber')).toEqual([]);
    }
  });
});
