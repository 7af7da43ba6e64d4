import { documentOf, Harness, STRANGER, texts } from './harness';

async function ready(): Promise<Harness> {
  const harness = await Harness.create();
  await harness.bucket();
  return harness;
}

describe('GetObjectTagging', () => {
  it('Q-4: an object without tags has an empty set', async () => {
    const harness = await ready();
    await harness.put('k', 'x');
    const reply = await harness.send('GetObjectTagging', { key: 'k' });
    expect(reply).toMatchObject({ status: 200, headers: {} });
    expect(documentOf(reply).name).toBe('Tagging');
    expect(texts(documentOf(reply), 'TagSet')).toEqual(['']);
    expect(texts(documentOf(reply), 'TagSet', 'Tag')).toEqual([]);
  });

  it('Q-4: is exact, because an object cannot be given tags', async () => {
    const harness = await ready();
    const headers = { 'x-amz-tagging': 'a=b' };
    const refused = { status: 501, code: 'NotImplemented' };
    expect(await harness.put('k', 'x', { headers })).toMatchObject(refused);
    const upload = await harness.send('CreateMultipartUpload', { key: 'k', headers });
    expect(upload).toMatchObject(refused);
  });

  it('V-2: an unversioned bucket does not speak of versions', async () => {
    const harness = await ready();
    await harness.put('k', 'x');
    const query = { versionId: 'null' };
    const reply = await harness.send('GetObjectTagging', { key: 'k', query });
    expect(reply.status).toBe(200);
    expect(reply.headers).toEqual({});
  });

  it('V-10, V-11, V-12: what has no bytes has no tags either', async () => {
    const harness = await ready();
    await harness.setVersioning('enabled');
    const versionId = (await harness.put('k', 'x')).headers['x-amz-version-id']!;
    const current = await harness.send('GetObjectTagging', { key: 'k' });
    expect(current).toMatchObject({ status: 200, headers: { 'x-amz-version-id': versionId } });

    const marker = await harness.send('DeleteObject', { key: 'k' });
    const markerId = marker.headers['x-amz-version-id']!;
    const tagsOf = (id: string): ReturnType<Harness['send']> =>
      harness.send('GetObjectTagging', { key: 'k', query: { versionId: id } });
    expect(await harness.send('GetObjectTagging', { key: 'k' })).toMatchObject({
      status: 404,
      code: 'NoSuchKey',
      headers: { 'x-amz-delete-marker': 'true', 'x-amz-version-id': markerId },
    });
    expect(await tagsOf(markerId)).toMatchObject({ status: 405, code: 'MethodNotAllowed' });
    expect(await tagsOf('a'.repeat(32))).toMatchObject({ status: 404, code: 'NoSuchVersion' });
    expect(await tagsOf(versionId)).toMatchObject({
      status: 200,
      headers: { 'x-amz-version-id': versionId },
    });
  });

  it('refuses what is not there, and strangers', async () => {
    const harness = await ready();
    expect(await harness.send('GetObjectTagging', { key: 'k' })).toMatchObject({
      status: 404,
      code: 'NoSuchKey',
    });
    await harness.put('k', 'x');
    const stranger = { key: 'k', principal: STRANGER };
    expect(await harness.send('GetObjectTagging', stranger)).toMatchObject({
      status: 403,
      code: 'AccessDenied',
    });
  });
});
