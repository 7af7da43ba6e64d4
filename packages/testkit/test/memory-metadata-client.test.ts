import { seededRandom, systemClock } from '@azimuth/common';
import { MemoryMetadataClient } from '@azimuth/testkit';

const BUCKET_ID = '00112233445566778899aabbccddeeff';

async function createClient(): Promise<MemoryMetadataClient> {
  return MemoryMetadataClient.create({
    clock: systemClock,
    random: seededRandom(1),
    settings: {
      clusterId: 'f'.repeat(32),
      region: 'eu-test-1',
      zones: ['a', 'b', 'c'],
      erasureProfile: { k: 4, m: 2 },
      replicaProfile: { k: 1, m: 2 },
      inlineBytesMax: 8192,
      replicaBytesMax: 131072,
      blockBytes: 262144,
      indexGroups: 1,
    },
  });
}

describe('MemoryMetadataClient', () => {
  it('answers as the real state machines do', async () => {
    const client = await createClient();
    await client.root('CreateBucket', { name: 'photos', bucketId: BUCKET_ID, owner: 'me' });
    expect(await client.view.bucket('photos')).toMatchObject({ bucketId: BUCKET_ID });

    const commit = await client.index('index-0', 'CommitVersion', {
      bucketId: BUCKET_ID,
      key: 'a/b',
      versioning: 'unversioned',
      draft: {
        key: 'a/b',
        sizeBytes: 3,
        etag: 'e1',
        storageClass: 'STANDARD',
        owner: 'me',
        headers: { 'content-type': 'text/plain' },
        userMetadata: {},
        checksum: null,
      },
      data: { inline: Buffer.from('abc'), blobs: [], missing: [] },
      precondition: null,
    });
    expect(commit.versionId).toBe('null');

    const found = await client.queryIndex('index-0', 'GetVersion', {
      bucketId: BUCKET_ID,
      key: 'a/b',
      versionId: null,
      withBody: true,
    });
    expect(Buffer.from(found?.body?.inline ?? []).toString()).toBe('abc');
    const page = await client.queryIndex('index-0', 'ListObjects', {
      bucketId: BUCKET_ID,
      prefix: '',
      delimiter: '/',
      after: null,
      limit: 10,
    });
    expect(page.commonPrefixes).toEqual(['a/']);
  });

  it('throws refusals with their code', async () => {
    const client = await createClient();
    const create = { name: 'photos', bucketId: BUCKET_ID, owner: 'me' };
    await client.root('CreateBucket', create);
    await expect(client.root('CreateBucket', create)).rejects.toMatchObject({
      code: 'BUCKET_EXISTS',
      detail: { owner: 'me' },
    });
  });
});
