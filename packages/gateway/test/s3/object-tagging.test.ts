import type { Reply } from './harness';
import { documentOf, Harness, text, texts } from './harness';
import { RecordedAccess } from './recorded-access';

async function ready(): Promise<Harness> {
  const harness = await Harness.create();
  await harness.bucket();
  return harness;
}

function taggingOf(...tags: readonly (readonly [string, string])[]): string {
  const set = tags.map(([key, value]) => `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`);
  return `<Tagging><TagSet>${set.join('')}</TagSet></Tagging>`;
}

function putTags(harness: Harness, body: string, versionId?: string): Promise<Reply> {
  const query = versionId === undefined ? {} : { versionId };
  return harness.send('PutObjectTagging', { key: 'k', body, query });
}

async function tagsOf(harness: Harness, key = 'k', versionId?: string): Promise<string[][]> {
  const query: Record<string, string> = versionId === undefined ? {} : { versionId };
  const document = documentOf(await harness.send('GetObjectTagging', { key, query }));
  expect(document.name).toBe('Tagging');
  const keys = texts(document, 'TagSet', 'Tag', 'Key');
  const values = texts(document, 'TagSet', 'Tag', 'Value');
  return keys.map((key, index) => [key, values[index] ?? '']);
}

const ELEVEN = Array.from({ length: 11 }, (_, index) => [`k${index}`, 'v'] as const);
const HEADER = 'x-amz-tagging';

describe('object tags', () => {
  it('Q-4: an object without tags has an empty set', async () => {
    const harness = await ready();
    await harness.put('k', 'x');
    expect(await harness.send('GetObjectTagging', { key: 'k' })).toMatchObject({ status: 200 });
    expect(await tagsOf(harness)).toEqual([]);
  });

  it('Q-4: come with the object, as a query in a header', async () => {
    const harness = await ready();
    const headers = { [HEADER]: 'a=1&b%20c=%C3%A9+%2F&empty' };
    await harness.put('k', 'x', { headers });
    expect(await tagsOf(harness)).toEqual([
      ['a', '1'],
      ['b c', 'é /'],
      ['empty', ''],
    ]);
    for (const reply of [await harness.get('k'), await harness.send('HeadObject', { key: 'k' })]) {
      expect(reply.headers['x-amz-tagging-count']).toBe('3');
    }
  });

  it('Q-4: a query has no order: its tags are listed in that of their keys', async () => {
    const harness = await ready();
    await harness.put('k', 'x', { headers: { [HEADER]: 'foo=bar&bar' } });
    expect(await tagsOf(harness)).toEqual([
      ['bar', ''],
      ['foo', 'bar'],
    ]);
  });

  it('Q-4, M-11: come with an upload, and are the object’s when it is complete', async () => {
    const harness = await ready();
    const created = await harness.send('CreateMultipartUpload', {
      key: 'k',
      headers: { [HEADER]: 'a=1' },
    });
    const uploadId = text(documentOf(created), 'UploadId')!;
    const query = { uploadId, partNumber: '1' };
    const part = await harness.send('UploadPart', { key: 'k', body: 'x', query });
    const list = `<Part><PartNumber>1</PartNumber><ETag>${part.headers['etag']}</ETag></Part>`;
    const body = `<CompleteMultipartUpload>${list}</CompleteMultipartUpload>`;
    await harness.send('CompleteMultipartUpload', { key: 'k', body, query: { uploadId } });
    expect(await tagsOf(harness)).toEqual([['a', '1']]);
  });

  it('Q-4, V-23: are put and deleted without a new version or another Last-Modified', async () => {
    const harness = await ready();
    await harness.setVersioning('enabled');
    const before = await harness.put('k', 'x');
    const versionId = before.headers['x-amz-version-id']!;
    const first = await harness.send('HeadObject', { key: 'k' });
    harness.clock.advance(5000);
    const put = await putTags(harness, taggingOf(['a', '1'], ['b', '']));
    expect(put).toMatchObject({ status: 200, headers: { 'x-amz-version-id': versionId } });
    expect(await tagsOf(harness)).toEqual([
      ['a', '1'],
      ['b', ''],
    ]);
    const after = await harness.send('HeadObject', { key: 'k' });
    expect(after.headers).toEqual({ ...first.headers, 'x-amz-tagging-count': '2' });

    const deleted = await harness.send('DeleteObjectTagging', { key: 'k' });
    expect(deleted).toMatchObject({ status: 204, headers: { 'x-amz-version-id': versionId } });
    expect(await tagsOf(harness)).toEqual([]);
    expect((await harness.send('HeadObject', { key: 'k' })).headers).toEqual(first.headers);
  });

  it('V-13: belong to one version', async () => {
    const harness = await ready();
    await harness.setVersioning('enabled');
    const old = (await harness.put('k', '1')).headers['x-amz-version-id']!;
    await harness.put('k', '2');
    const access = new RecordedAccess();
    await harness.send('PutObjectTagging', {
      key: 'k',
      body: taggingOf(['a', '1']),
      query: { versionId: old },
      access,
    });
    expect(access.asked).toEqual([
      {
        action: 's3:PutObjectVersionTagging',
        target: `some-bucket/k?${old}`,
        conditions: { 's3:RequestObjectTagKeys': ['a'], 's3:RequestObjectTag/a': ['1'] },
      },
    ]);
    expect(await tagsOf(harness, 'k', old)).toEqual([['a', '1']]);
    expect(await tagsOf(harness)).toEqual([]);
  });

  it.each([
    [
      'ten and one more',
      taggingOf(...ELEVEN),
      'BadRequest',
      'Object tags cannot be greater than 10',
    ],
    [
      'a key twice',
      taggingOf(['a', '1'], ['a', '2']),
      'InvalidTag',
      'Cannot provide multiple Tags with the same key',
    ],
    [
      'a key of 129',
      taggingOf(['k'.repeat(129), '']),
      'InvalidTag',
      'The TagKey you have provided is invalid',
    ],
    [
      'a value of 257',
      taggingOf(['k', 'v'.repeat(257)]),
      'InvalidTag',
      'The TagValue you have provided is invalid',
    ],
    ['no key', taggingOf(['', 'v']), 'InvalidTag', 'The TagKey you have provided is invalid'],
    [
      'a reserved key',
      taggingOf(['aws:x', 'v']),
      'InvalidTag',
      'System tags cannot be added/updated by requester',
    ],
    [
      'a strange character',
      taggingOf(['k', 'a?b']),
      'InvalidTag',
      'The TagValue you have provided is invalid',
    ],
    [
      'a key that no record holds',
      taggingOf(['__proto__', 'v']),
      'InvalidTag',
      'The TagKey you have provided is invalid',
    ],
    [
      'a tag without value',
      '<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>',
      'MalformedXML',
      /not well-formed/,
    ],
    ['no set', '<Tagging></Tagging>', 'MalformedXML', /not well-formed/],
    ['no XML', 'a=1', 'MalformedXML', /not well-formed/],
  ])('Q-4, G-13: refuses %s', async (_what, body, code, message) => {
    const harness = await ready();
    await harness.put('k', 'x');
    expect(await putTags(harness, body)).toMatchObject({
      status: 400,
      code,
      message: typeof message === 'string' ? message : (expect.stringMatching(message) as string),
    });
    expect(await tagsOf(harness)).toEqual([]);
  });

  it('G-13: lengths are counted in characters', async () => {
    const harness = await ready();
    await harness.put('k', 'x');
    const tag = ['\u{10400}'.repeat(128), '\u{10400}'.repeat(256)] as const;
    expect(await putTags(harness, taggingOf(tag))).toMatchObject({ status: 200 });
    expect(await tagsOf(harness)).toEqual([[...tag]]);
  });

  it.each(['a=1&a=2', 'a=%ff', 'a=%', '%zz=1'])('Q-4: refuses the header %s', async (value) => {
    const harness = await ready();
    const reply = await harness.put('k', 'x', { headers: { [HEADER]: value } });
    expect(reply).toMatchObject({
      status: 400,
      code: 'InvalidArgument',
      detail: { ArgumentName: HEADER },
    });
    expect(await harness.get('k')).toMatchObject({ code: 'NoSuchKey' });
  });

  it('Q-4: the count is for those who may read the tags', async () => {
    const harness = await ready();
    await harness.put('k', 'x', { headers: { [HEADER]: 'a=1' } });
    const access = RecordedAccess.without('s3:GetObjectTagging');
    const reply = await harness.get('k', { access });
    expect(reply.status).toBe(200);
    expect(reply.headers).not.toHaveProperty('x-amz-tagging-count');
  });

  it('V-2: an unversioned bucket does not speak of versions', async () => {
    const harness = await ready();
    await harness.put('k', 'x');
    const query = { versionId: 'null' };
    for (const [name, body] of [
      ['GetObjectTagging', ''],
      ['PutObjectTagging', taggingOf()],
      ['DeleteObjectTagging', ''],
    ] as const) {
      const reply = await harness.send(name, { key: 'k', query, body });
      expect(reply.code).toBeNull();
      expect(reply.headers).not.toHaveProperty('x-amz-version-id');
    }
  });

  it.each(['GetObjectTagging', 'PutObjectTagging', 'DeleteObjectTagging'])(
    'V-10, V-11, V-12: %s: what has no bytes has no tags either',
    async (name) => {
      const harness = await ready();
      await harness.setVersioning('enabled');
      await harness.put('k', 'x');
      const marker = await harness.send('DeleteObject', { key: 'k' });
      const markerId = marker.headers['x-amz-version-id']!;
      const send = (key: string, query: Record<string, string> = {}): Promise<Reply> =>
        harness.send(name, { key, query, body: taggingOf() });
      expect(await send('k')).toMatchObject({
        status: 404,
        code: 'NoSuchKey',
        headers: { 'x-amz-delete-marker': 'true', 'x-amz-version-id': markerId },
      });
      expect(await send('k', { versionId: markerId })).toMatchObject({
        status: 405,
        code: 'MethodNotAllowed',
      });
      expect(await send('k', { versionId: 'a'.repeat(32) })).toMatchObject({
        status: 404,
        code: 'NoSuchVersion',
      });
      expect(await send('missing')).toMatchObject({ status: 404, code: 'NoSuchKey' });
      expect(await send('k', { versionId: '' })).toMatchObject({ code: 'InvalidArgument' });
    },
  );
});

describe('tags of copies', () => {
  async function withSource(): Promise<Harness> {
    const harness = await ready();
    await harness.put('source', 'x', { headers: { [HEADER]: 'a=1' } });
    return harness;
  }

  function copy(
    harness: Harness,
    headers: Record<string, string> = {},
    access = new RecordedAccess(),
  ): Promise<Reply> {
    const all = { 'x-amz-copy-source': 'some-bucket/source', ...headers };
    return harness.send('CopyObject', { key: 'k', headers: all, access });
  }

  it('Q-4: COPY takes those of the source, which is reading and writing tags', async () => {
    const harness = await withSource();
    const access = new RecordedAccess();
    await copy(harness, {}, access);
    expect(await tagsOf(harness)).toEqual([['a', '1']]);
    expect(access.actions).toEqual([
      's3:GetObject some-bucket/source',
      's3:GetObjectTagging some-bucket/source',
      's3:PutObjectTagging some-bucket/k',
    ]);
    for (const action of ['s3:GetObjectTagging', 's3:PutObjectTagging']) {
      const refused = await copy(harness, {}, RecordedAccess.without(action));
      expect(refused).toMatchObject({ status: 403, code: 'AccessDenied' });
    }
  });

  it('Q-4: REPLACE takes those of the header, or none', async () => {
    const harness = await withSource();
    const replace = { 'x-amz-tagging-directive': 'REPLACE' };
    await copy(harness, { ...replace, [HEADER]: 'b=2' });
    expect(await tagsOf(harness)).toEqual([['b', '2']]);
    await copy(harness, replace, RecordedAccess.without('s3:GetObjectTagging'));
    expect(await tagsOf(harness)).toEqual([]);
    const unknown = { 'x-amz-tagging-directive': 'MERGE' };
    expect(await copy(harness, unknown)).toMatchObject({ code: 'InvalidArgument' });
  });
});
