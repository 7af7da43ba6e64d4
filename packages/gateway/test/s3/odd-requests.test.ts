import type { Call } from './harness';
import { BUCKET, Harness } from './harness';

const TAGGING = '<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>';
const DELETE = '<Delete><Object><Key>k</Key></Object></Delete>';
const MD5_OF_DELETE = { 'content-md5': '5DKh5iefM5MSKvRILIuFwQ==' };
const VERSIONING = '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>';

let harness: Harness;

beforeEach(async () => {
  harness = await Harness.create();
  await harness.bucket();
  await harness.put('k', 'before');
});

/** What a body is announced by: its length, nothing at all, or the chunks of HTTP. */
const WITHOUT_LENGTH = { sizeBytes: null } as const;
const CHUNKED = { sizeBytes: null, headers: { 'transfer-encoding': 'chunked' } } as const;

/** Of requests that HTTP allows and S3 does not, or the other way round. */
describe('a body without a length', () => {
  const DOCUMENTS: readonly (readonly [operation: string, key: string | null, body: string])[] = [
    ['PutBucketVersioning', null, VERSIONING],
    ['PutBucketPolicy', null, '{}'],
    ['PutBucketCors', null, ''],
    ['PutBucketTagging', null, TAGGING],
    ['PutBucketNotificationConfiguration', null, ''],
    ['PutBucketMetricsConfiguration', null, ''],
    ['DeleteObjects', null, DELETE],
    ['PutObjectTagging', 'k', TAGGING],
    ['CompleteMultipartUpload', 'k', ''],
  ];

  it.each(DOCUMENTS)('is asked for by %s: 411', async (operation, key) => {
    const query = { uploadId: 'u', id: 'a' };
    const call = { key, query, ...WITHOUT_LENGTH, headers: MD5_OF_DELETE };
    const reply = await harness.send(operation, call);
    expect(reply).toMatchObject({ status: 411, code: 'MissingContentLength' });
  });

  it.each(['PutBucketVersioning', 'PutBucketPolicy'])(
    'that is said to be empty, %s calls empty',
    async (operation) => {
      const reply = await harness.send(operation, { key: null, sizeBytes: 0 });
      expect(reply).toMatchObject({ status: 400, code: 'MissingRequestBodyError' });
    },
  );

  it.each([
    ['PutObjectTagging', 'k', { body: TAGGING, ...CHUNKED }, 200],
    ['PutBucketVersioning', null, { body: VERSIONING, ...CHUNKED }, 200],
    ['CreateBucket', null, { bucket: 'another-bucket', ...WITHOUT_LENGTH }, 200],
    ['PutObjectAcl', 'k', { headers: { 'x-amz-acl': 'private' }, sizeBytes: null }, 400],
    ['CopyObject', 'c', { headers: { 'x-amz-copy-source': `${BUCKET}/k` }, sizeBytes: null }, 200],
  ] as const)('is nothing that %s of %s needs', async (operation, key, call, status) => {
    const reply = await harness.send(operation, { key, ...call });
    expect(reply.status).toBe(status);
    if (status === 400) expect(reply.code).toBe('AccessControlListNotSupported');
  });

  it.each([
    ['PutObject', {}],
    ['UploadPart', { uploadId: 'u', partNumber: '1' }],
  ])('of an object is 411 for %s, and 501 in chunks of HTTP', async (operation, query) => {
    const call = { key: 'k', body: 'after', query };
    expect(await harness.send(operation, { ...call, ...WITHOUT_LENGTH })).toMatchObject({
      status: 411,
      code: 'MissingContentLength',
    });
    expect(await harness.send(operation, { ...call, ...CHUNKED })).toMatchObject({
      status: 501,
      code: 'NotImplemented',
      detail: { Header: 'Transfer-Encoding' },
    });
    expect((await harness.get('k')).bytes.toString()).toBe('before');
  });
});

describe('a condition on a write that knows none', () => {
  const WRITES: readonly (readonly [operation: string, call: Call])[] = [
    ['CreateMultipartUpload', { key: 'k' }],
    ['UploadPart', { key: 'k', query: { uploadId: 'u', partNumber: '1' }, body: 'x' }],
    [
      'UploadPartCopy',
      {
        key: 'k',
        query: { uploadId: 'u', partNumber: '1' },
        headers: { 'x-amz-copy-source': `${BUCKET}/k` },
      },
    ],
    ['AbortMultipartUpload', { key: 'k', query: { uploadId: 'u' } }],
    ['DeleteObjects', { key: null, body: DELETE, headers: MD5_OF_DELETE }],
    ['PutObjectTagging', { key: 'k', body: TAGGING }],
    ['DeleteObjectTagging', { key: 'k' }],
    ['PutObjectAcl', { key: 'k', headers: { 'x-amz-acl': 'private' } }],
  ];
  const CONDITIONS = [
    ['if-match', '"0"'],
    ['if-none-match', '*'],
    ['if-modified-since', 'Mon, 23 Nov 2026 00:00:00 GMT'],
    ['if-unmodified-since', 'Mon, 23 Nov 2026 00:00:00 GMT'],
    ['x-amz-if-match-initiated-time', 'Mon, 23 Nov 2026 00:00:00 GMT'],
  ] as const;

  it.each(WRITES)('is refused, not ignored, by %s', async (operation, call) => {
    for (const [name, value] of CONDITIONS) {
      const headers = { ...call.headers, [name]: value };
      const reply = await harness.send(operation, { ...call, headers });
      expect(reply).toMatchObject({ status: 501, code: 'NotImplemented' });
      expect(reply.detail).toEqual({ Header: name });
    }
    expect((await harness.get('k')).bytes.toString()).toBe('before');
  });
});

describe('a part of an object in a PUT of the whole', () => {
  it('is refused, not taken for the whole (RFC 9110, section 14.5)', async () => {
    const headers = { 'content-range': 'bytes 3-5/6' };
    const reply = await harness.put('k', 'xyz', { headers });
    expect(reply).toMatchObject({ status: 501, detail: { Header: 'content-range' } });
    expect((await harness.get('k')).bytes.toString()).toBe('before');
  });
});

describe('a POST to a bucket that is no form', () => {
  it.each([
    ['without a type', {}],
    ['of another type', { 'content-type': 'application/xml' }],
  ])('is 412, signed as it is, %s', async (_what, headers) => {
    const reply = await harness.send('PostObject', { key: null, body: 'x', headers });
    expect(reply).toMatchObject({ status: 412, code: 'PreconditionFailed' });
    expect(reply.detail['Condition']).toContain('multipart/form-data');
  });
});
