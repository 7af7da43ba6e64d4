import { createHash } from 'node:crypto';

import { digestBytes } from '../../src/s3/digest-bytes';
import { CHECKSUM_ALGORITHMS, checksumHeader } from '../../src/s3/checksum-headers';
import { Harness } from './harness';

const BODY = Buffer.from('hello world '.repeat(100));
const OTHER = Buffer.from('something else');

async function ready(): Promise<Harness> {
  const harness = await Harness.create();
  await harness.bucket();
  return harness;
}

describe('checksums of objects', () => {
  // Values of "hello world" as the AWS SDKs compute them.
  it.each([
    ['CRC32', 'DUoRhQ=='],
    ['CRC32C', 'yZRlqg=='],
    ['CRC64NVME', 'jSnVw/bqjr4='],
    ['SHA1', 'Kq5sNclPz7QV2+lfQIuc6R7oRu0='],
    ['SHA256', 'uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek='],
    ['XXHASH64', 'RatnNLIeaWg='],
    ['XXHASH3', '1Eex6kDmmIs='],
    ['XXHASH128', '340J6T+HSQCpm4d1zBW2xw=='],
  ] as const)('KC-2: %s of "hello world" is %s', async (algorithm, value) => {
    const digest = await digestBytes(algorithm, Buffer.from('hello world'));
    expect(digest.toString('base64')).toBe(value);
  });

  describe.each(CHECKSUM_ALGORITHMS)('%s', (algorithm) => {
    const header = checksumHeader(algorithm);

    it.each(['header', 'trailer'])('by %s is stored, and returned when asked for', async (way) => {
      const harness = await ready();
      const value = (await digestBytes(algorithm, BODY)).toString('base64');
      const call =
        way === 'header' ? { headers: { [header]: value } } : { trailers: { [header]: value } };
      const put = await harness.put('k', BODY, call);
      expect(put).toMatchObject({
        status: 200,
        headers: { [header]: value, 'x-amz-checksum-type': 'FULL_OBJECT' },
      });
      expect((await harness.get('k')).headers).not.toHaveProperty(header);
      const headers = { 'x-amz-checksum-mode': 'ENABLED' };
      for (const name of ['GetObject', 'HeadObject']) {
        const reply = await harness.send(name, { key: 'k', headers });
        expect(reply.headers).toMatchObject({ [header]: value });
        const range = { ...headers, range: 'bytes=0-5' };
        const part = await harness.send(name, { key: 'k', headers: range });
        expect(part.status).toBe(206);
        expect(part.headers).not.toHaveProperty(header);
      }
    });

    it.each(['header', 'trailer'])('KC-4: a wrong one by %s stores nothing', async (way) => {
      const harness = await ready();
      const value = (await digestBytes(algorithm, OTHER)).toString('base64');
      const call =
        way === 'header' ? { headers: { [header]: value } } : { trailers: { [header]: value } };
      expect(await harness.put('k', BODY, call)).toMatchObject({
        status: 400,
        code: 'BadDigest',
        message: `The ${algorithm} you specified did not match the calculated checksum.`,
      });
      expect(await harness.get('k')).toMatchObject({ code: 'NoSuchKey' });
      expect(harness.dataPath.blobs.size).toBe(0);
    });

    it.each(['', 'x', 'AAAA', '!!!!!!=='])('KC-5: "%s" is no value', async (value) => {
      const harness = await ready();
      expect(await harness.put('k', BODY, { headers: { [header]: value } })).toMatchObject({
        status: 400,
        code: 'InvalidRequest',
        message: `Value for ${header} header is invalid.`,
      });
    });
  });

  it('KC-4: Content-MD5 right, wrong and malformed', async () => {
    const harness = await ready();
    const md5 = (bytes: Buffer): string => createHash('md5').update(bytes).digest('base64');
    const put = (value: string): Promise<unknown> =>
      harness.put('k', BODY, { headers: { 'content-md5': value } });
    expect(await put(md5(OTHER))).toMatchObject({ status: 400, code: 'BadDigest' });
    expect(await put('abc')).toMatchObject({ status: 400, code: 'InvalidDigest' });
    expect(await put('')).toMatchObject({ status: 400, code: 'InvalidDigest' });
    expect(await harness.get('k')).toMatchObject({ code: 'NoSuchKey' });
    expect(await put(md5(BODY))).toMatchObject({ status: 200 });
  });

  it('KC-5: one checksum, once', async () => {
    const harness = await ready();
    const crc32 = (await digestBytes('CRC32', BODY)).toString('base64');
    const sha1 = (await digestBytes('SHA1', BODY)).toString('base64');
    const several = { headers: { 'x-amz-checksum-crc32': crc32, 'x-amz-checksum-sha1': sha1 } };
    expect(await harness.put('k', BODY, several)).toMatchObject({ code: 'InvalidRequest' });
    const both = {
      headers: { 'x-amz-checksum-crc32': crc32 },
      trailers: { 'x-amz-checksum-crc32': crc32 },
    };
    expect(await harness.put('k', BODY, both)).toMatchObject({ code: 'InvalidRequest' });
  });

  it('KC-5: an announced algorithm needs its value', async () => {
    const harness = await ready();
    const headers = { 'x-amz-sdk-checksum-algorithm': 'CRC32' };
    expect(await harness.put('k', BODY, { headers })).toMatchObject({
      code: 'InvalidRequest',
      message: expect.stringContaining('no corresponding x-amz-checksum-*') as string,
    });
    const trailers = {
      'x-amz-checksum-sha1': (await digestBytes('SHA1', BODY)).toString('base64'),
    };
    expect(await harness.put('k', BODY, { headers, trailers })).toMatchObject({
      code: 'InvalidRequest',
    });
  });

  it('G-6: a trailer that is no checksum is refused', async () => {
    const harness = await ready();
    const reply = await harness.put('k', BODY, { trailers: { 'x-other': '1' } });
    expect(reply).toMatchObject({ status: 400, code: 'InvalidRequest' });
  });

  it('G-14: checksums in the query do not count', async () => {
    const harness = await ready();
    const query = { 'x-amz-checksum-crc32': 'AAAAAA==', 'x-amz-sdk-checksum-algorithm': 'CRC32' };
    expect(await harness.put('k', BODY, { query })).toMatchObject({ status: 200 });
  });
});
