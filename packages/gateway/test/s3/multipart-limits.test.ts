import { createHash } from 'node:crypto';

import type { ChecksumAlgorithm } from '@azimuth/proto';
import { newBlobId } from '@azimuth/proto';

import { COMPLETION_BYTES_MAX } from '../../src/s3/multipart/completion-document';
import { locateObject } from '../../src/s3/bucket-access';
import { digestBytes } from '../../src/s3/digest-bytes';
import { BUCKET, documentOf, Harness, text, texts } from './harness';

const PARTS = 10_000;
const PART_BYTES = 5 * 1024 ** 2;
const ALGORITHM: ChecksumAlgorithm = 'SHA512';

function etagOf(partNumber: number): string {
  return createHash('md5').update(String(partNumber)).digest('hex');
}

/** Parts as UploadPart would leave them, without 50 GB of bytes. */
async function uploadAll(harness: Harness, checksum: string): Promise<string> {
  const created = await harness.send('CreateMultipartUpload', {
    key: 'k',
    headers: { 'x-amz-checksum-algorithm': ALGORITHM },
  });
  const uploadId = text(documentOf(created), 'UploadId')!;
  const bucket = (await harness.context.view.bucket(BUCKET))!;
  const { address, group, slot } = locateObject(bucket, 'k', harness.context);
  const blob = {
    pgId: 1,
    sizeBytes: PART_BYTES,
    profile: { k: 4, m: 2 },
    blockBytes: 65_536,
    isReduced: false,
  };
  for (let partNumber = 1; partNumber <= PARTS; partNumber += 1) {
    const blobId = newBlobId(slot, harness.clock.wallMs(), harness.random);
    await harness.metadata.index(group, 'CommitPart', {
      ...address,
      uploadId,
      part: {
        partNumber,
        sizeBytes: PART_BYTES,
        etag: etagOf(partNumber),
        checksum: { algorithm: ALGORITHM, type: 'COMPOSITE', value: checksum },
      },
      data: { inline: null, blobs: [{ ...blob, blobId }], missing: [] },
    });
  }
  return uploadId;
}

describe('an upload of 10,000 parts', () => {
  it('M-1, M-3, M-4, M-9: is listed page by page, and completed by one document', async () => {
    const harness = await Harness.create();
    await harness.bucket();
    const digest = await digestBytes(ALGORITHM, Buffer.from('x'));
    const checksum = digest.toString('base64');
    const uploadId = await uploadAll(harness, checksum);

    const numbers: string[] = [];
    let marker = '0';
    for (;;) {
      const query = { uploadId, 'part-number-marker': marker };
      const page = documentOf(await harness.send('ListParts', { key: 'k', query }));
      numbers.push(...texts(page, 'Part', 'PartNumber'));
      marker = text(page, 'NextPartNumberMarker')!;
      if (text(page, 'IsTruncated') === 'false') break;
      expect(texts(page, 'Part')).toHaveLength(1000);
    }
    expect(numbers).toEqual(Array.from({ length: PARTS }, (_, index) => String(index + 1)));

    // As wide as SDKs write it: the longest checksum, the quotes as references, indented.
    const parts = numbers.map(
      (number) =>
        `  <Part>\n    <ChecksumSHA512>${checksum}</ChecksumSHA512>\n` +
        `    <ETag>&quot;${etagOf(Number(number))}&quot;</ETag>\n` +
        `    <PartNumber>${number}</PartNumber>\n  </Part>\n`,
    );
    const body = `<CompleteMultipartUpload>\n${parts.join('')}</CompleteMultipartUpload>`;
    expect(Buffer.byteLength(body)).toBeLessThan(COMPLETION_BYTES_MAX);
    const headers = { 'x-amz-mp-object-size': String(PARTS * PART_BYTES) };
    const call = { key: 'k', query: { uploadId }, body, headers };
    const completed = await harness.send('CompleteMultipartUpload', call);
    expect(completed).toMatchObject({ status: 200, code: null });

    const md5 = createHash('md5');
    const sha512 = createHash('sha512');
    for (const number of numbers) {
      md5.update(etagOf(Number(number)), 'hex');
      sha512.update(digest);
    }
    const document = documentOf(completed);
    expect(text(document, 'ETag')).toBe(`"${md5.digest('hex')}-${PARTS}"`);
    expect(text(document, 'ChecksumSHA512')).toBe(`${sha512.digest('base64')}-${PARTS}`);
    const head = await harness.send('HeadObject', { key: 'k', query: { partNumber: '10000' } });
    expect(head).toMatchObject({
      status: 206,
      headers: { 'x-amz-mp-parts-count': String(PARTS), 'content-length': String(PART_BYTES) },
    });
    const beyond = { 'x-amz-object-attributes': 'ObjectParts', 'x-amz-part-number-marker': '9999' };
    const attributes = await harness.send('GetObjectAttributes', { key: 'k', headers: beyond });
    expect(texts(documentOf(attributes), 'ObjectParts', 'Part', 'PartNumber')).toEqual(['10000']);
  });

  it('M-3: one part more is refused', async () => {
    const harness = await Harness.create();
    await harness.bucket();
    const created = await harness.send('CreateMultipartUpload', { key: 'k' });
    const uploadId = text(documentOf(created), 'UploadId')!;
    const part = (number: number): string =>
      `<Part><PartNumber>${number}</PartNumber><ETag>x</ETag></Part>`;
    const parts = Array.from({ length: PARTS + 1 }, (_, index) => part(index + 1)).join('');
    const body = `<CompleteMultipartUpload>${parts}</CompleteMultipartUpload>`;
    expect(
      await harness.send('CompleteMultipartUpload', { key: 'k', query: { uploadId }, body }),
    ).toMatchObject({ status: 400, code: 'MalformedXML' });
  });
});
