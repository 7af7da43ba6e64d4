import { createHash } from 'node:crypto';

import type { Reply } from './harness';
import { BUCKET, documentOf, Harness, text } from './harness';
import { RecordedAccess } from './recorded-access';

const BODY = 'what is there';
const ETAG = `"${createHash('md5').update(BODY).digest('hex')}"`;
const OTHER = '"00000000000000000000000000000000"';

type State = 'absent' | 'marker' | 'present';
type Headers = Readonly<Record<string, string>>;

/** V-2: `absent` has no versions at all; `marker` has one below the marker. */
async function inState(state: State): Promise<Harness> {
  const harness = await Harness.create();
  await harness.bucket();
  await harness.put('source', 'new');
  if (state === 'marker') await harness.setVersioning('enabled');
  if (state !== 'absent') await harness.put('k', BODY);
  if (state === 'marker') await harness.send('DeleteObject', { key: 'k' });
  return harness;
}

const WRITES: Readonly<Record<string, (harness: Harness, headers: Headers) => Promise<Reply>>> = {
  PutObject: (harness, headers) => harness.put('k', 'new', { headers }),
  CopyObject: (harness, headers) =>
    harness.send('CopyObject', {
      key: 'k',
      headers: { 'x-amz-copy-source': `${BUCKET}/source`, ...headers },
    }),
  async CompleteMultipartUpload(harness, headers) {
    const created = documentOf(await harness.send('CreateMultipartUpload', { key: 'k' }));
    const uploadId = text(created, 'UploadId')!;
    const query = { uploadId, partNumber: '1' };
    const part = await harness.send('UploadPart', { key: 'k', body: 'new', query });
    const named = `<Part><PartNumber>1</PartNumber><ETag>${part.headers['etag']}</ETag></Part>`;
    const body = `<CompleteMultipartUpload>${named}</CompleteMultipartUpload>`;
    const call = { key: 'k', query: { uploadId }, headers, body };
    return harness.send('CompleteMultipartUpload', call);
  },
};

/** C-5, C-6, C-9: outcome by state; null means that it is written. */
const TABLE: readonly (readonly [Headers, Readonly<Record<State, string | null>>])[] = [
  [{ 'if-none-match': '*' }, { absent: null, marker: null, present: 'PreconditionFailed' }],
  [{ 'if-none-match': ETAG }, { absent: null, marker: null, present: 'PreconditionFailed' }],
  [{ 'if-none-match': OTHER }, { absent: null, marker: null, present: null }],
  [
    { 'if-none-match': `${OTHER}, ${ETAG}` },
    { absent: null, marker: null, present: 'PreconditionFailed' },
  ],
  [{ 'if-match': ETAG }, { absent: 'NoSuchKey', marker: 'NoSuchKey', present: null }],
  [{ 'if-match': ETAG.slice(1, -1) }, { absent: 'NoSuchKey', marker: 'NoSuchKey', present: null }],
  [
    { 'if-match': OTHER },
    { absent: 'NoSuchKey', marker: 'NoSuchKey', present: 'PreconditionFailed' },
  ],
  [
    { 'if-match': `W/${ETAG}` },
    { absent: 'NoSuchKey', marker: 'NoSuchKey', present: 'PreconditionFailed' },
  ],
  [{ 'if-match': '*' }, { absent: 'NoSuchKey', marker: 'NoSuchKey', present: null }],
  [
    { 'if-match': ETAG, 'if-none-match': OTHER },
    { absent: 'NoSuchKey', marker: 'NoSuchKey', present: null },
  ],
  [
    { 'if-match': ETAG, 'if-none-match': ETAG },
    { absent: 'NoSuchKey', marker: 'NoSuchKey', present: 'PreconditionFailed' },
  ],
];
const STATES: readonly State[] = ['absent', 'marker', 'present'];
const WRITE_CASES = Object.keys(WRITES).flatMap((name) =>
  TABLE.flatMap(([headers, outcomes]) =>
    STATES.map((state) => [name, headers, state, outcomes[state]] as const),
  ),
);

describe('conditional writes', () => {
  it.each(WRITE_CASES)('C-5, C-6, C-9: %s %j, %s → %s', async (name, headers, state, code) => {
    const harness = await inState(state);
    const before = (await harness.get('k')).bytes.toString();
    const reply = await WRITES[name]!(harness, headers);
    expect(reply.code).toBe(code);
    const after = (await harness.get('k')).bytes.toString();
    expect(after).toBe(code === null ? 'new' : before);
  });

  it('C-6: If-Match compares, so it reads', async () => {
    const harness = await inState('present');
    const access = RecordedAccess.without('s3:GetObject');
    const put = await harness.put('k', 'new', { headers: { 'if-match': ETAG }, access });
    expect(put).toMatchObject({ status: 403, code: 'AccessDenied' });
    const none = { headers: { 'if-none-match': '*' }, access };
    expect(await harness.put('other', 'new', none)).toMatchObject({ status: 200 });
  });

  it('C-7: a DELETE between the check and the commit is a conflict', async () => {
    const harness = await inState('present');
    const write = harness.dataPath.write.bind(harness.dataPath);
    harness.dataPath.write = async (...args) => {
      await harness.send('DeleteObject', { key: 'k' });
      return write(...args);
    };
    const body = Buffer.alloc(1000);
    expect(await harness.put('k', body, { headers: { 'if-match': ETAG } })).toMatchObject({
      status: 409,
      code: 'ConditionalRequestConflict',
    });
    expect(harness.dataPath.blobs.size).toBe(0);
  });

  it('C-8: of sixteen conditional puts one wins', async () => {
    const harness = await inState('absent');
    const replies = await Promise.all(
      Array.from({ length: 16 }, (_, index) =>
        harness.put('k', `writer ${index}`, { headers: { 'if-none-match': '*' } }),
      ),
    );
    const winners = replies.flatMap(({ status }, index) => (status === 200 ? [index] : []));
    expect(winners).toHaveLength(1);
    expect((await harness.get('k')).bytes.toString()).toBe(`writer ${winners[0]}`);
  });

  it('C-8: a counter by compare-and-swap ends exact', async () => {
    const harness = await Harness.create();
    await harness.bucket();
    await harness.put('k', '0');
    const increment = async (): Promise<void> => {
      for (;;) {
        const { bytes, headers } = await harness.get('k');
        const next = String(Number(bytes.toString()) + 1);
        const condition = { 'if-match': headers['etag']! };
        const { status } = await harness.put('k', next, { headers: condition });
        if (status === 200) return;
        expect(status).toBe(412);
      }
    };
    await Promise.all(Array.from({ length: 8 }, increment));
    expect((await harness.get('k')).bytes.toString()).toBe('8');
  });
});

const SAME_TIME = 'Fri, 02 Jan 2026 03:04:05 GMT';
const OTHER_TIME = 'Fri, 02 Jan 2026 03:04:06 GMT';
const DELETES: readonly (readonly [Headers, string | null])[] = [
  [{ 'if-match': ETAG }, null],
  [{ 'if-match': '*' }, null],
  [{ 'if-match': OTHER }, 'PreconditionFailed'],
  [{ 'x-amz-if-match-size': String(BODY.length) }, null],
  [{ 'x-amz-if-match-size': '1' }, 'PreconditionFailed'],
  [{ 'x-amz-if-match-last-modified-time': SAME_TIME }, null],
  [{ 'x-amz-if-match-last-modified-time': OTHER_TIME }, 'PreconditionFailed'],
  [{ 'if-match': OTHER, 'x-amz-if-match-size': String(BODY.length) }, 'PreconditionFailed'],
];
const DELETE_CASES = DELETES.flatMap(([headers, code]) =>
  STATES.map((state) => [headers, state, state === 'present' ? code : null] as const),
);

describe('conditional deletes', () => {
  it.each(DELETE_CASES)('C-10: DELETE %j, %s → %s', async (headers, state, code) => {
    const harness = await inState(state);
    const reply = await harness.send('DeleteObject', { key: 'k', headers });
    expect(reply.code).toBe(code);
    expect(reply.status).toBe(code === null ? 204 : 412);
    expect((await harness.get('k')).status).toBe(code === null ? 404 : 200);
  });

  it.each([
    [`<ETag>${ETAG}</ETag>`, null],
    [`<ETag>${OTHER}</ETag>`, 'PreconditionFailed'],
    [`<Size>${BODY.length}</Size>`, null],
    ['<Size>1</Size>', 'PreconditionFailed'],
    [`<LastModifiedTime>${SAME_TIME}</LastModifiedTime>`, null],
    [`<LastModifiedTime>2026-01-02T03:04:06Z</LastModifiedTime>`, 'PreconditionFailed'],
    ['<Size>x</Size>', 'MalformedXML'],
  ])('C-10, V-18: an entry with %s → %s', async (condition, code) => {
    const harness = await inState('present');
    const body =
      `<Delete><Object><Key>k</Key>${condition}</Object>` +
      '<Object><Key>source</Key></Object></Delete>';
    const contentMd5 = createHash('md5').update(body).digest('base64');
    const headers = { 'content-md5': contentMd5 };
    const document = documentOf(await harness.send('DeleteObjects', { body, headers }));
    expect(text(document, 'Error', 'Code')).toBe(code);
    expect((await harness.get('k')).status).toBe(code === null ? 404 : 200);
    expect((await harness.get('source')).status).toBe(404);
  });

  it('a time or size that is none is refused', async () => {
    const harness = await inState('present');
    for (const name of ['x-amz-if-match-size', 'x-amz-if-match-last-modified-time']) {
      const reply = await harness.send('DeleteObject', { key: 'k', headers: { [name]: 'soon' } });
      expect(reply).toMatchObject({ status: 400, code: 'InvalidArgument' });
    }
  });
});

describe('DeleteObjects', () => {
  it('P-2, V-13, V-18: each key is authorized by itself; the others go on', async () => {
    const harness = await Harness.create();
    await harness.bucket();
    await harness.setVersioning('enabled');
    const versionId = (await harness.put('b', 'x')).headers['x-amz-version-id']!;
    await harness.put('a', 'x');
    await harness.put('secret/c', 'x');
    const access = new RecordedAccess((_action, { key }) => key?.startsWith('secret/') ?? false);
    const body =
      '<Delete><Object><Key>a</Key></Object>' +
      `<Object><Key>b</Key><VersionId>${versionId}</VersionId></Object>` +
      '<Object><Key>secret/c</Key></Object></Delete>';
    const headers = { 'content-md5': createHash('md5').update(body).digest('base64') };
    const document = documentOf(await harness.send('DeleteObjects', { body, headers, access }));
    expect(access.actions).toEqual([
      `s3:DeleteObject ${BUCKET}/a`,
      `s3:DeleteObjectVersion ${BUCKET}/b?${versionId}`,
      `s3:DeleteObject ${BUCKET}/secret/c`,
    ]);
    expect(text(document, 'Error', 'Key')).toBe('secret/c');
    expect(text(document, 'Error', 'Code')).toBe('AccessDenied');
    expect(text(document, 'Error', 'Message')).toBe('Access Denied.');
    expect((await harness.get('secret/c')).status).toBe(200);
    expect((await harness.get('a')).status).toBe(404);
  });
});
