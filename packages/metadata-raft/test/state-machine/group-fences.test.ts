import { blobData, blobOf, BUCKET_ID, draftOf, IndexDriver } from './index-fixture';

const KEY = 'a';
const UPLOAD_ID = 'u1';
const PG_ID = blobOf(KEY, 1).pgId;

let driver: IndexDriver;
let blobs = 0;

beforeEach(async () => {
  driver = await IndexDriver.open();
});

function fence(pgId: number, mapVersion: number) {
  return driver.run('FenceGroup', { pgId, mapVersion });
}

function dataOf(mapVersion: number | null) {
  blobs += 1;
  const data = blobData(blobOf(KEY, blobs));
  return mapVersion === null ? data : { ...data, mapVersion };
}

async function codeOf(name: string, args: object): Promise<string> {
  const response = await driver.run(name, { bucketId: BUCKET_ID, key: KEY, ...args });
  return response.ok ? 'done' : response.code;
}

function put(mapVersion: number | null): Promise<string> {
  const rest = { versioning: 'unversioned', precondition: null, draft: draftOf(KEY, 100, 'e') };
  return codeOf('CommitVersion', { ...rest, data: dataOf(mapVersion) });
}

describe('a group of which a slot moves', () => {
  it('takes no blob of a writer that looked at an older map; by the same map, one', async () => {
    expect(await put(4)).toBe('done');
    await fence(PG_ID, 5);
    expect(await put(4)).toBe('QUORUM_NOT_REACHED');
    expect(await put(5)).toBe('done');
  });

  it('stands for itself: writers of other groups are not meant', async () => {
    await fence(PG_ID + 1, 5);
    expect(await put(4)).toBe('done');
  });

  it('keeps the latest fence: who repeats an older one opens nothing', async () => {
    await fence(PG_ID, 9);
    await fence(PG_ID, 5);
    expect(await put(8)).toBe('QUORUM_NOT_REACHED');
  });

  it('takes what says nothing of its map: it was written before there were fences', async () => {
    await fence(PG_ID, 5);
    expect(await put(null)).toBe('done');
  });

  it('takes no part and no replacement either, and what was refused is garbage', async () => {
    const upload = {
      ...{ bucketId: BUCKET_ID, key: KEY, uploadId: UPLOAD_ID, owner: 'me', headers: {} },
      ...{ storageClass: 'STANDARD', userMetadata: {}, checksumAlgorithm: null, tags: {} },
      ...{ checksumType: null, acl: null },
    };
    expect(await codeOf('CreateUpload', { upload })).toBe('done');
    const old = dataOf(1);
    const first = { partNumber: 1, etag: 'e', sizeBytes: 100, checksum: null };
    const part = { uploadId: UPLOAD_ID, part: first };
    expect(await codeOf('CommitPart', { ...part, data: old })).toBe('done');
    await fence(PG_ID, 5);
    const late = dataOf(4);
    expect(await codeOf('CommitPart', { ...part, data: late })).toBe('QUORUM_NOT_REACHED');
    const copy = dataOf(4);
    const replacement = { oldBlobId: old.blobs[0]!.blobId, blob: copy.blobs[0], missing: [] };
    expect(await codeOf('ReplaceBlob', { ...replacement, mapVersion: 4 })).toBe(
      'QUORUM_NOT_REACHED',
    );
    const garbage = { kind: 'garbage', afterId: null, limit: 10 } as const;
    const { entries } = await driver.query('ListOutbox', garbage);
    const ids = [late, copy].map(({ blobs: [blob] }) => blob!.blobId);
    expect(entries.map(({ blob }) => blob.blobId)).toEqual(ids);
    expect(await codeOf('ReplaceBlob', { ...replacement, mapVersion: 5 })).toBe('done');
  });
});
