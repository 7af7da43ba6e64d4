import { StoreError } from '@azimuth/common';

import {
  BUCKET,
  documentOf,
  Harness,
  OWNER,
  STRANGER,
  text,
  texts,
  whileTimePasses,
} from './harness';

function configuration(location: string): string {
  return `<CreateBucketConfiguration><LocationConstraint>${location}</LocationConstraint></CreateBucketConfiguration>`;
}

describe('buckets', () => {
  it('are made, seen, and removed', async () => {
    const harness = await Harness.create();
    const created = await harness.send('CreateBucket');
    expect(created).toMatchObject({ status: 200, headers: { location: `/${BUCKET}` } });
    expect(await harness.send('HeadBucket')).toMatchObject({
      status: 200,
      headers: { 'x-amz-bucket-region': 'us-east-1' },
    });
    expect(await harness.send('DeleteBucket')).toMatchObject({ status: 204 });
    expect(await harness.send('HeadBucket')).toMatchObject({ status: 404, code: 'NoSuchBucket' });
    expect(await harness.send('DeleteBucket')).toMatchObject({ code: 'NoSuchBucket' });
  });

  it('can be made again after they were removed, without their old content', async () => {
    const harness = await Harness.create();
    await harness.bucket();
    await harness.put('a', 'x');
    await harness.send('DeleteObject', { key: 'a' });
    expect(await harness.send('DeleteBucket')).toMatchObject({ status: 204 });
    await harness.bucket();
    expect(await harness.get('a')).toMatchObject({ code: 'NoSuchKey' });
    expect(await harness.put('a', 'y')).toMatchObject({ status: 200 });
  });

  it.each(['ab', 'Upper', 'under_score', 'a..b', '192.168.0.1', '-a-b', 'xn--abc', 'x'.repeat(64)])(
    'refuses the name %s',
    async (bucket) => {
      const reply = await (await Harness.create()).send('CreateBucket', { bucket });
      expect(reply).toMatchObject({ status: 400, code: 'InvalidBucketName' });
    },
  );

  it.each([
    ['us-east-1', OWNER, 200, null],
    ['eu-west-3', OWNER, 409, 'BucketAlreadyOwnedByYou'],
    ['us-east-1', STRANGER, 409, 'BucketAlreadyExists'],
  ])('made again in %s by %j: %d %s', async (region, principal, status, code) => {
    const harness = await Harness.create(1, region);
    await harness.bucket();
    expect(await harness.send('CreateBucket', { principal })).toMatchObject({ status, code });
  });

  it('made again while they are deleted: neither success nor a lie', async () => {
    const harness = await Harness.create();
    await harness.bucket();
    const bucket = await harness.metadata.queryRoot('GetBucket', { name: BUCKET });
    const { name, bucketId } = bucket!;
    await harness.metadata.root('MarkBucketDeleting', { name, bucketId, isDeleting: true });
    const reply = await harness.send('CreateBucket');
    expect(reply).toMatchObject({ status: 409, code: 'OperationAborted' });
    expect(await harness.send('DeleteBucket')).toMatchObject({ status: 204 });
  });

  it.each([
    ['', 200, null],
    [configuration('eu-west-3'), 200, null],
    [configuration('eu-west-1'), 400, 'IllegalLocationConstraintException'],
    [configuration('moon'), 400, 'InvalidLocationConstraint'],
    ['<CreateBucketConfiguration><Nonsense/></CreateBucketConfiguration>', 400, 'MalformedXML'],
    ['<Other/>', 400, 'MalformedXML'],
    ['<CreateBucketConfiguration>', 400, 'MalformedXML'],
    ['<CreateBucketConfiguration><Tags/></CreateBucketConfiguration>', 200, null],
    ['<CreateBucketConfiguration><Bucket/></CreateBucketConfiguration>', 501, 'NotImplemented'],
    ['<CreateBucketConfiguration><Location/></CreateBucketConfiguration>', 501, 'NotImplemented'],
  ])('CreateBucket with %s: %d %s', async (body, status, code) => {
    const reply = await (await Harness.create(1, 'eu-west-3')).send('CreateBucket', { body });
    expect(reply).toMatchObject({ status, code });
  });

  it.each([
    ['x-amz-bucket-object-lock-enabled', 'true', 'NotImplemented'],
    ['x-amz-bucket-object-lock-enabled', 'false', null],
    ['x-amz-acl', 'everybody', 'InvalidArgument'],
  ])('CreateBucket with %s: %s → %s', async (name, value, code) => {
    const reply = await (
      await Harness.create()
    ).send('CreateBucket', { headers: { [name]: value } });
    expect(reply.code).toBe(code);
  });

  it('say where they are', async () => {
    for (const [region, location] of [
      ['us-east-1', ''],
      ['eu-west-3', 'eu-west-3'],
    ] as const) {
      const harness = await Harness.create(1, region);
      await harness.bucket();
      expect(documentOf(await harness.send('GetBucketLocation')).text).toBe(location);
    }
  });

  it('V-1: without versioning the document has no Status', async () => {
    const harness = await Harness.create();
    await harness.bucket();
    const document = documentOf(await harness.send('GetBucketVersioning'));
    expect(document).toMatchObject({ name: 'VersioningConfiguration', children: [], text: '' });
    await harness.setVersioning('enabled');
    const enabled = documentOf(await harness.send('GetBucketVersioning'));
    expect(text(enabled, 'Status')).toBe('Enabled');
  });

  it('are not removed with objects in any group, and then work on', async () => {
    const harness = await Harness.create(3);
    await harness.bucket();
    for (const key of ['a', 'b', 'c', 'd', 'e', 'f']) await harness.put(key, key);
    expect(await harness.send('DeleteBucket')).toMatchObject({
      status: 409,
      code: 'BucketNotEmpty',
    });
    expect(await harness.put('g', 'x')).toMatchObject({ status: 200 });
  });

  it('V-17: versions alone keep a bucket, the fences are lifted again, uploads do not', async () => {
    const harness = await Harness.create(3);
    await harness.bucket();
    await harness.setVersioning('enabled');
    const { headers } = await harness.put('a', 'x');
    const marker = await harness.send('DeleteObject', { key: 'a' });
    const refused = await harness.send('DeleteBucket');
    expect(refused).toMatchObject({ status: 409, code: 'BucketNotEmpty' });
    expect(refused.message).toContain('You must delete all versions in the bucket.');

    for (const { 'x-amz-version-id': versionId } of [headers, marker.headers]) {
      await harness.send('DeleteObject', { key: 'a', query: { versionId: versionId! } });
    }
    for (const key of ['u', 'v', 'w']) await harness.send('CreateMultipartUpload', { key });
    expect(await harness.send('DeleteBucket')).toMatchObject({ status: 204 });
  });

  it('R2: keep what was written after another DeleteBucket gave up under the same mark', async () => {
    const harness = await Harness.create(3);
    await harness.bucket();
    const { metadata } = harness;
    const { name, bucketId } = (await metadata.view.bucket(BUCKET))!;
    const at = { name, bucketId };
    const root = metadata.root.bind(metadata);
    let isFirst = true;
    // The other one shares the mark, has found an object that is gone by now, and gives up.
    metadata.root = async (command, args, options) => {
      if (command === 'RemoveBucket' && isFirst) {
        isFirst = false;
        const { mark } = await root('MarkBucketDeleting', { ...at, isDeleting: true });
        await root('MarkBucketDeleting', { ...at, isDeleting: false, mark });
        for (const group of ['index-0', 'index-1', 'index-2']) {
          await metadata.index(group, 'FenceBucket', { bucketId, isFenced: false, mark });
        }
        expect(await harness.put('a', 'acknowledged')).toMatchObject({ status: 200 });
        await root('MarkBucketDeleting', { ...at, isDeleting: true });
      }
      return root(command, args, options);
    };
    expect(await harness.send('DeleteBucket')).toMatchObject({ code: 'BucketNotEmpty' });
    const read = await harness.send('GetObject', { key: 'a' });
    expect(read.bytes.toString()).toBe('acknowledged');
    expect(await harness.put('b', 'x')).toMatchObject({ status: 200 });
  });

  it('G-15: are refused as too many when the cluster holds no more', async () => {
    const harness = await Harness.create();
    harness.metadata.root = () => {
      throw new StoreError('INVALID_ARGUMENT', { limit: 'buckets' });
    };
    const reply = await harness.send('CreateBucket', { bucket: 'one-more' });
    expect(reply).toMatchObject({ status: 400, code: 'TooManyBuckets' });
  });

  it('are not written by a gateway that lost its watch', async () => {
    const harness = await Harness.create();
    await harness.bucket();
    await harness.put('a', 'x');
    harness.viewAgeMs = 5001;
    for (const [name, call] of [
      ['PutObject', { key: 'a', body: 'y' }],
      ['DeleteObject', { key: 'a' }],
      ['CreateBucket', { bucket: 'other' }],
      ['DeleteBucket', {}],
      ['CreateMultipartUpload', { key: 'a' }],
      ['DeleteObjects', {}],
    ] as const) {
      const { reply, afterMs } = await whileTimePasses(harness, harness.send(name, call));
      expect(reply).toMatchObject({
        status: 503,
        code: 'SlowDown',
        headers: { 'retry-after': '1' },
      });
      // Who tries again at once must not spend all tries on one short election.
      expect(afterMs).toBe(1_000);
    }
    expect((await harness.get('a')).bytes.toString()).toBe('x');
  });

  it('are not written by what an old view allowed, but soon after it is confirmed', async () => {
    const harness = await Harness.create();
    await harness.bucket();
    harness.viewAgeMs = 5001;
    harness.clock.schedule(350, () => (harness.viewAgeMs = 0));
    const { reply, afterMs } = await whileTimePasses(harness, harness.put('a', 'x'));
    expect(reply).toMatchObject({ status: 503, code: 'SlowDown' });
    expect(afterMs).toBe(400);
    expect(await harness.put('a', 'x')).toMatchObject({ status: 200 });
  });
});

describe('ListBuckets', () => {
  async function manyBuckets(): Promise<Harness> {
    const harness = await Harness.create();
    for (const name of ['b-3', 'b-1', 'a-1', 'b-2']) await harness.bucket(name);
    await harness.send('CreateBucket', { bucket: 'b-15', principal: STRANGER });
    return harness;
  }

  it('lists what the caller owns, by name', async () => {
    const harness = await manyBuckets();
    const document = documentOf(await harness.send('ListBuckets', { bucket: null }));
    expect(texts(document, 'Buckets', 'Bucket', 'Name')).toEqual(['a-1', 'b-1', 'b-2', 'b-3']);
    expect(text(document, 'Owner', 'ID')).toBe(OWNER.canonicalId);
    expect(texts(document, 'Buckets', 'Bucket', 'CreationDate')[0]).toMatch(
      /T\d\d:\d\d:\d\d\.000Z$/,
    );
    expect(text(document, 'ContinuationToken')).toBeNull();
  });

  it('K-9: pages', async () => {
    const harness = await manyBuckets();
    const names: string[] = [];
    let token: string | null = '';
    while (token !== null) {
      const query = { 'max-buckets': '1', prefix: 'b-', 'continuation-token': token };
      const document = documentOf(await harness.send('ListBuckets', { bucket: null, query }));
      names.push(...texts(document, 'Buckets', 'Bucket', 'Name'));
      token = text(document, 'ContinuationToken');
    }
    expect(names).toEqual(['b-1', 'b-2', 'b-3']);
  });

  it.each(['0', '10001', 'x', '-1', ''])('K-9: refuses max-buckets "%s"', async (text_) => {
    const query = { 'max-buckets': text_ };
    const reply = await (await Harness.create()).send('ListBuckets', { bucket: null, query });
    expect(reply).toMatchObject({ status: 400, code: 'InvalidArgument' });
  });

  it('K-9: another region has none', async () => {
    const harness = await manyBuckets();
    const query = { 'bucket-region': 'eu-west-1' };
    const document = documentOf(await harness.send('ListBuckets', { bucket: null, query }));
    expect(texts(document, 'Buckets', 'Bucket')).toEqual([]);
  });
});
