import type { Call, Reply } from './harness';
import { BUCKET, documentOf, Harness, OWNER, STRANGER, text, texts } from './harness';

const UNKNOWN = 'a'.repeat(32);

async function ready(versioning: 'enabled' | 'suspended' = 'enabled'): Promise<Harness> {
  const harness = await Harness.create();
  await harness.bucket();
  await harness.setVersioning(versioning);
  return harness;
}

async function put(harness: Harness, body: string, key = 'k'): Promise<string> {
  const { status, headers } = await harness.put(key, body);
  expect(status).toBe(200);
  return headers['x-amz-version-id']!;
}

function versioned(versionId: string): Call {
  return { key: 'k', query: { versionId } };
}

async function bodyOf(harness: Harness, versionId?: string): Promise<string> {
  const reply = await harness.get('k', versionId === undefined ? {} : { query: { versionId } });
  return reply.code ?? reply.bytes.toString();
}

async function complete(harness: Harness, body: string): Promise<Reply> {
  const created = documentOf(await harness.send('CreateMultipartUpload', { key: 'k' }));
  const uploadId = text(created, 'UploadId')!;
  const query = { uploadId, partNumber: '1' };
  const { headers } = await harness.send('UploadPart', { key: 'k', body, query });
  const part = `<Part><PartNumber>1</PartNumber><ETag>${headers['etag']}</ETag></Part>`;
  return harness.send('CompleteMultipartUpload', {
    key: 'k',
    query: { uploadId },
    body: `<CompleteMultipartUpload>${part}</CompleteMultipartUpload>`,
  });
}

describe('versioning enabled', () => {
  it('V-4: PUT, copy and completion each make a version', async () => {
    const harness = await ready();
    const first = await put(harness, '1');
    const copied = await harness.send('CopyObject', {
      key: 'k',
      headers: { 'x-amz-copy-source': `${BUCKET}/k`, 'x-amz-metadata-directive': 'REPLACE' },
    });
    const completed = await complete(harness, '3');
    const ids = [first, copied.headers['x-amz-version-id'], completed.headers['x-amz-version-id']];
    expect(new Set(ids).size).toBe(3);
    expect(copied.headers['x-amz-copy-source-version-id']).toBe(first);
    expect(await Promise.all(ids.map((id) => bodyOf(harness, id)))).toEqual(['1', '1', '3']);
    expect(await bodyOf(harness)).toBe('3');
  });

  it('V-2: what was there before keeps the id null', async () => {
    const harness = await Harness.create();
    await harness.bucket();
    expect((await harness.put('k', 'old')).headers).not.toHaveProperty('x-amz-version-id');
    await harness.setVersioning('enabled');
    expect((await harness.get('k')).headers['x-amz-version-id']).toBe('null');
    await put(harness, 'new');
    expect(await bodyOf(harness, 'null')).toBe('old');
  });

  it('V-6: markers stack, also on a key that never was', async () => {
    const harness = await ready();
    const markers = [];
    for (let count = 0; count < 3; count += 1) {
      const { status, headers } = await harness.send('DeleteObject', { key: 'k' });
      expect(status).toBe(204);
      expect(headers['x-amz-delete-marker']).toBe('true');
      markers.unshift(headers['x-amz-version-id']);
    }
    const document = documentOf(await harness.send('ListObjectVersions'));
    expect(texts(document, 'DeleteMarker', 'VersionId')).toEqual(markers);
    expect(texts(document, 'DeleteMarker', 'IsLatest')).toEqual(['true', 'false', 'false']);
  });

  it('V-8: deleting a marker brings the version below it back', async () => {
    const harness = await ready();
    const versionId = await put(harness, '1');
    const marker = (await harness.send('DeleteObject', { key: 'k' })).headers['x-amz-version-id']!;
    const removed = await harness.send('DeleteObject', versioned(marker));
    expect(removed).toMatchObject({
      status: 204,
      headers: { 'x-amz-version-id': marker, 'x-amz-delete-marker': 'true' },
    });
    expect(await bodyOf(harness)).toBe('1');
    const gone = await harness.send('DeleteObject', versioned(versionId));
    expect(gone.headers).toEqual({ 'x-amz-version-id': versionId });
    expect(await bodyOf(harness)).toBe('NoSuchKey');
    // An id that names nothing is deleted already.
    expect(await harness.send('DeleteObject', versioned(UNKNOWN))).toMatchObject({ status: 204 });
  });

  it.each(['GetObject', 'HeadObject', 'GetObjectAttributes'])(
    'V-10, V-11, V-12: %s of markers and of what is not there',
    async (name) => {
      const harness = await ready();
      await put(harness, '1');
      const deleted = await harness.send('DeleteObject', { key: 'k' });
      const markerId = deleted.headers['x-amz-version-id']!;
      const headers = { 'x-amz-object-attributes': 'ETag' };
      const current = await harness.send(name, { key: 'k', headers });
      expect(current).toMatchObject({ status: 404, code: 'NoSuchKey' });
      expect(current.headers).toEqual({
        'x-amz-delete-marker': 'true',
        'x-amz-version-id': markerId,
      });
      const marker = await harness.send(name, { ...versioned(markerId), headers });
      expect(marker).toMatchObject({ status: 405, code: 'MethodNotAllowed' });
      expect(marker.headers).toEqual({
        'x-amz-delete-marker': 'true',
        'x-amz-version-id': markerId,
        'last-modified': 'Fri, 02 Jan 2026 03:04:05 GMT',
        allow: 'DELETE',
      });
      const unknown = await harness.send(name, { ...versioned(UNKNOWN), headers });
      expect(unknown).toMatchObject({
        status: 404,
        code: 'NoSuchVersion',
        detail: { Key: 'k', VersionId: UNKNOWN },
      });
    },
  );

  it.each([
    'GetObject',
    'HeadObject',
    'DeleteObject',
    'GetObjectAttributes',
    'GetObjectTagging',
    'PutObjectTagging',
    'DeleteObjectTagging',
  ])('V-8, V-9: %s with a version id that is none', async (name) => {
    const harness = await ready();
    await put(harness, '1');
    const headers = { 'x-amz-object-attributes': 'ETag' };
    const body = '<Tagging><TagSet/></Tagging>';
    const messages: Record<string, string> = {
      '': 'Version id cannot be the empty string',
      x: 'Invalid version id specified',
      '../../etc/passwd': 'Invalid version id specified',
      [`${UNKNOWN}a`]: 'Invalid version id specified',
    };
    for (const [versionId, message] of Object.entries(messages)) {
      const reply = await harness.send(name, { ...versioned(versionId), headers, body });
      expect(reply).toMatchObject({ status: 400, code: 'InvalidArgument', message });
      expect(reply.detail).toEqual({ ArgumentName: 'versionId', ArgumentValue: versionId });
    }
  });
});

describe('what makes a version', () => {
  it.each([
    'PutObject',
    'CopyObject',
    'CreateMultipartUpload',
    'UploadPart',
    'UploadPartCopy',
    'CompleteMultipartUpload',
  ])('V-3: %s is not about one', async (name) => {
    const harness = await ready();
    const versionId = await put(harness, '1');
    const query = { versionId, uploadId: 'x', partNumber: '1' };
    const headers = { 'x-amz-copy-source': `${BUCKET}/k` };
    expect(await harness.send(name, { key: 'k', body: '2', query, headers })).toMatchObject({
      status: 400,
      code: 'InvalidArgument',
      message: 'This operation does not accept a version-id.',
    });
    expect(await bodyOf(harness)).toBe('1');
  });
});

describe('versioning suspended', () => {
  it('V-5: PUT replaces the null version and keeps all others', async () => {
    const harness = await ready('enabled');
    const kept = await put(harness, '1');
    await harness.setVersioning('suspended');
    expect(await put(harness, '2')).toBe('null');
    expect(await put(harness, '3')).toBe('null');
    expect(await bodyOf(harness, 'null')).toBe('3');
    expect(await bodyOf(harness, kept)).toBe('1');
    const versions = documentOf(await harness.send('ListObjectVersions'));
    expect(texts(versions, 'Version', 'VersionId')).toEqual(['null', kept]);
  });

  it('V-7: DELETE replaces the null version by a marker null', async () => {
    const harness = await ready('enabled');
    const kept = await put(harness, '1');
    await harness.setVersioning('suspended');
    await put(harness, '2');
    for (let count = 0; count < 2; count += 1) {
      expect(await harness.send('DeleteObject', { key: 'k' })).toMatchObject({
        status: 204,
        headers: { 'x-amz-version-id': 'null', 'x-amz-delete-marker': 'true' },
      });
    }
    const document = documentOf(await harness.send('ListObjectVersions'));
    expect(texts(document, 'DeleteMarker', 'VersionId')).toEqual(['null']);
    expect(texts(document, 'Version', 'VersionId')).toEqual([kept]);
    expect(await bodyOf(harness, 'null')).toBe('MethodNotAllowed');
    expect(await put(harness, '3')).toBe('null');
    expect(await bodyOf(harness)).toBe('3');
  });
});

describe('copies of versions', () => {
  const copy = (harness: Harness, versionId: string | null, key = 'k'): Promise<Reply> => {
    const source = `${BUCKET}/k${versionId === null ? '' : `?versionId=${versionId}`}`;
    return harness.send('CopyObject', { key, headers: { 'x-amz-copy-source': source } });
  };

  it('V-19, V-20: an old version onto its key restores it; the current one onto itself not', async () => {
    const harness = await ready();
    const old = await put(harness, 'old');
    const current = await put(harness, 'new');
    expect(await copy(harness, current)).toMatchObject({ code: 'InvalidRequest' });
    expect(await copy(harness, null)).toMatchObject({ code: 'InvalidRequest' });
    const restored = await copy(harness, old);
    expect(restored).toMatchObject({
      status: 200,
      headers: { 'x-amz-copy-source-version-id': old },
    });
    expect(restored.headers['x-amz-version-id']).not.toBe(old);
    expect(await bodyOf(harness)).toBe('old');
  });

  it('V-19: a deleted object is restored from below its marker', async () => {
    const harness = await ready();
    const old = await put(harness, 'old');
    await harness.send('DeleteObject', { key: 'k' });
    expect(await copy(harness, old)).toMatchObject({ status: 200 });
    expect(await bodyOf(harness)).toBe('old');
  });

  it('V-19: a marker cannot be copied, by its key or by its version', async () => {
    const harness = await ready();
    await put(harness, 'old');
    const deleted = await harness.send('DeleteObject', { key: 'k' });
    const markerId = deleted.headers['x-amz-version-id']!;
    expect(await copy(harness, null, 'to')).toMatchObject({ status: 404, code: 'NoSuchKey' });
    expect(await copy(harness, markerId, 'to')).toMatchObject({
      status: 400,
      code: 'InvalidRequest',
    });
    expect(await copy(harness, UNKNOWN, 'to')).toMatchObject({
      status: 404,
      code: 'NoSuchVersion',
    });
    expect(await copy(harness, 'x', 'to')).toMatchObject({ status: 400, code: 'InvalidArgument' });
  });

  it('V-19: a part is copied from a version', async () => {
    const harness = await ready();
    const old = await put(harness, 'old');
    await put(harness, 'new');
    const created = documentOf(await harness.send('CreateMultipartUpload', { key: 'to' }));
    const reply = await harness.send('UploadPartCopy', {
      key: 'to',
      query: { uploadId: text(created, 'UploadId')!, partNumber: '1' },
      headers: { 'x-amz-copy-source': `${BUCKET}/k?versionId=${old}` },
    });
    expect(reply).toMatchObject({ status: 200, headers: { 'x-amz-copy-source-version-id': old } });
    expect(text(documentOf(reply), 'ETag')).toBe(
      (await harness.get('k', versioned(old))).headers['etag'],
    );
  });
});

describe('owners', () => {
  it('P-8: everything is the bucket owner’s where ACLs are disabled', async () => {
    const harness = await ready();
    await harness.put('k', 'x', { principal: STRANGER });
    await harness.send('DeleteObject', { key: 'k', principal: STRANGER });
    const document = documentOf(await harness.send('ListObjectVersions'));
    expect(text(document, 'Version', 'Owner', 'ID')).toBe(OWNER.canonicalId);
    expect(text(document, 'DeleteMarker', 'Owner', 'ID')).toBe(OWNER.canonicalId);
    expect(text(document, 'Version', 'Owner', 'DisplayName')).toBe(OWNER.displayName);
  });

  it.each([
    ['ObjectWriter', undefined, STRANGER.canonicalId],
    ['ObjectWriter', 'bucket-owner-full-control', STRANGER.canonicalId],
    ['BucketOwnerPreferred', undefined, STRANGER.canonicalId],
    ['BucketOwnerPreferred', 'bucket-owner-full-control', OWNER.canonicalId],
  ])('P-8: %s with the ACL %s', async (ownership, acl, owner) => {
    const harness = await ready();
    const bucket = (await harness.context.view.bucket(BUCKET))!;
    await harness.metadata.root('SetBucketConfiguration', {
      name: BUCKET,
      bucketId: bucket.bucketId,
      configuration: 'ownership',
      document: JSON.stringify(ownership),
    });
    const headers: Record<string, string> = acl === undefined ? {} : { 'x-amz-acl': acl };
    await harness.put('k', 'x', { principal: STRANGER, headers });
    await harness.send('DeleteObject', { key: 'k', principal: STRANGER });
    const document = documentOf(await harness.send('ListObjectVersions'));
    expect(text(document, 'Version', 'Owner', 'ID')).toBe(owner);
    expect(text(document, 'DeleteMarker', 'Owner', 'ID')).toBe(STRANGER.canonicalId);
  });
});
