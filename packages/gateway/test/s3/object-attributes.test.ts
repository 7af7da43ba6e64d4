import type { Reply } from './harness';
import { documentOf, Harness, text, texts } from './harness';

const ALL = 'ETag,Checksum,ObjectParts,StorageClass,ObjectSize';
const PART_BYTES = 5 * 1024 ** 2;

async function ready(): Promise<Harness> {
  const harness = await Harness.create();
  await harness.bucket();
  return harness;
}

function attributes(
  harness: Harness,
  wanted: string | null = ALL,
  headers: Readonly<Record<string, string>> = {},
): Promise<Reply> {
  const asked: Record<string, string> =
    wanted === null ? {} : { 'x-amz-object-attributes': wanted };
  return harness.send('GetObjectAttributes', { key: 'k', headers: { ...asked, ...headers } });
}

async function upload(
  harness: Harness,
  headers: Readonly<Record<string, string>>,
  sizes: readonly number[],
): Promise<void> {
  const created = documentOf(await harness.send('CreateMultipartUpload', { key: 'k', headers }));
  const uploadId = text(created, 'UploadId')!;
  let parts = '';
  for (const [index, sizeBytes] of sizes.entries()) {
    const query = { uploadId, partNumber: String(index * 2 + 1) };
    const part = await harness.send('UploadPart', {
      key: 'k',
      body: Buffer.alloc(sizeBytes, index),
      query,
    });
    expect(part.code).toBeNull();
    parts += `<Part><PartNumber>${query.partNumber}</PartNumber><ETag>${part.headers['etag']}</ETag></Part>`;
  }
  const body = `<CompleteMultipartUpload>${parts}</CompleteMultipartUpload>`;
  const call = { key: 'k', query: { uploadId }, body };
  expect(await harness.send('CompleteMultipartUpload', call)).toMatchObject({ code: null });
}

describe('GetObjectAttributes', () => {
  it('KC-8: shows what was asked for, the ETag without quotes', async () => {
    const harness = await ready();
    const headers = { 'x-amz-checksum-crc32': 'jNwWgw==', 'x-amz-storage-class': 'STANDARD_IA' };
    await harness.put('k', 'x', { headers });
    const reply = await attributes(harness);
    const document = documentOf(reply);
    expect(document.name).toBe('GetObjectAttributesResponse');
    expect(document.children.map(({ name }) => name)).toEqual([
      'ETag',
      'Checksum',
      'StorageClass',
      'ObjectSize',
    ]);
    expect(text(document, 'ETag')).toBe('9dd4e461268c8034f5c8564e155c67a6');
    expect(text(document, 'Checksum', 'ChecksumCRC32')).toBe('jNwWgw==');
    expect(text(document, 'Checksum', 'ChecksumType')).toBe('FULL_OBJECT');
    expect(text(document, 'StorageClass')).toBe('STANDARD_IA');
    expect(text(document, 'ObjectSize')).toBe('1');
    expect(reply.headers).toEqual({ 'last-modified': 'Fri, 02 Jan 2026 03:04:05 GMT' });

    const few = documentOf(await attributes(harness, ' ObjectSize , ETag'));
    expect(few.children.map(({ name }) => name)).toEqual(['ETag', 'ObjectSize']);
  });

  it('KC-8: lists the parts that have checksums, page by page', async () => {
    const harness = await ready();
    const checksum = { 'x-amz-checksum-algorithm': 'CRC32C', 'x-amz-checksum-type': 'FULL_OBJECT' };
    await upload(harness, checksum, [PART_BYTES, PART_BYTES, 7]);
    const whole = documentOf(await attributes(harness));
    expect(text(whole, 'ETag')).toMatch(/-3$/);
    expect(text(whole, 'ObjectParts', 'PartsCount')).toBe('3');
    expect(texts(whole, 'ObjectParts', 'Part', 'PartNumber')).toEqual(['1', '3', '5']);
    expect(texts(whole, 'ObjectParts', 'Part', 'Size')).toEqual([
      String(PART_BYTES),
      String(PART_BYTES),
      '7',
    ]);
    expect(texts(whole, 'ObjectParts', 'Part', 'ChecksumCRC32C')).toHaveLength(3);
    expect(text(whole, 'ObjectParts', 'IsTruncated')).toBe('false');
    expect(text(whole, 'ObjectParts', 'MaxParts')).toBe('1000');

    const numbers: string[] = [];
    let marker = '0';
    for (let pages = 0; pages < 3; pages += 1) {
      const paging = { 'x-amz-max-parts': '1', 'x-amz-part-number-marker': marker };
      const page = documentOf(await attributes(harness, 'ObjectParts', paging));
      numbers.push(...texts(page, 'ObjectParts', 'Part', 'PartNumber'));
      expect(text(page, 'ObjectParts', 'PartNumberMarker')).toBe(marker);
      expect(text(page, 'ObjectParts', 'IsTruncated')).toBe(String(pages < 2));
      marker = text(page, 'ObjectParts', 'NextPartNumberMarker')!;
    }
    expect(numbers).toEqual(['1', '3', '5']);
    const none = documentOf(await attributes(harness, 'ObjectParts', { 'x-amz-max-parts': '0' }));
    expect(text(none, 'ObjectParts', 'IsTruncated')).toBe('true');
    expect(texts(none, 'ObjectParts', 'Part')).toEqual([]);
  });

  it('KC-8: counts the parts that have none', async () => {
    const harness = await ready();
    await upload(harness, {}, [PART_BYTES, 7]);
    const document = documentOf(await attributes(harness));
    expect(text(document, 'ObjectParts', 'PartsCount')).toBe('2');
    expect(texts(document, 'ObjectParts', 'Part')).toEqual([]);
    expect(texts(document, 'Checksum')).toEqual([]);
  });

  it.each([
    [null, 'InvalidRequest', /either missing or empty$/],
    ['', 'InvalidRequest', /either missing or empty$/],
    [' , ', 'InvalidRequest', /either missing or empty$/],
    ['etag', 'InvalidArgument', /^Invalid attribute name specified\.$/],
    ['ETag,Owner', 'InvalidArgument', /^Invalid attribute name specified\.$/],
  ])('KC-8: refuses the attributes %j', async (wanted, code, message) => {
    const harness = await ready();
    await harness.put('k', 'x');
    expect(await attributes(harness, wanted)).toMatchObject({
      status: 400,
      code,
      message: expect.stringMatching(message) as string,
    });
  });

  it.each(['-1', 'x', '99999999999'])('refuses x-amz-max-parts: %s', async (value) => {
    const harness = await ready();
    await harness.put('k', 'x');
    const reply = await attributes(harness, ALL, { 'x-amz-max-parts': value });
    expect(reply).toMatchObject({ status: 400, code: 'InvalidArgument' });
  });
});
