import { seededRandom, systemClock } from '@azimuth/common';
import { MemoryMetadataClient } from '@azimuth/testkit';

const BUCKET_ID = '00112233445566778899aabbccddeeff';
const NEW_BUCKET = {
  ...{ name: 'photos', bucketId: BUCKET_ID, owner: 'me' },
  ...{ versioning: 'unversioned' as const, configurations: {} },
};

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
    await client.root('CreateBucket', NEW_BUCKET);
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
        tags: {},
        acl: null,
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
    await client.root('CreateBucket', NEW_BUCKET);
    await expect(client.root('CreateBucket', NEW_BUCKET)).rejects.toMatchObject({
      code: 'BUCKET_EXISTS',
      detail: { owner: 'me' },
    });
  });
});
