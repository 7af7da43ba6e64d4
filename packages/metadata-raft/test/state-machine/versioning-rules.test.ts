import type { SessionResponse, VersioningState } from '@azimuth/proto';
import { crc32c } from '@node-rs/crc32';

import { BUCKET_ID, draftOf, IndexDriver, inlineData } from './index-fixture';

const KEY = 'a';

/** One key of a bucket whose versioning changes. */
class Story {
  readonly driver: IndexDriver;
  state: VersioningState = 'unversioned';

  constructor(driver: IndexDriver) {
    this.driver = driver;
  }

  static async begin(): Promise<Story> {
    return new Story(await IndexDriver.open());
  }

  async put(text: string): Promise<string> {
    const response = await this.driver.run('CommitVersion', {
      ...{ bucketId: BUCKET_ID, key: KEY, versioning: this.state, precondition: null },
      ...{ draft: draftOf(KEY, text.length, text), data: inlineData(text) },
    });
    return (resultOf(response) as { versionId: string }).versionId;
  }

  async delete(versionId: string | null = null): Promise<unknown> {
    const at = { bucketId: BUCKET_ID, key: KEY, versioning: this.state, versionId };
    const response = await this.driver.run('DeleteVersion', {
      ...{ ...at, owner: 'me', precondition: null },
    });
    return resultOf(response);
  }

  update(changes: object, versionId: string | null = null): Promise<SessionResponse> {
    const at = { bucketId: BUCKET_ID, key: KEY, versionId };
    return this.driver.run('UpdateVersion', { ...at, ...changes });
  }

  async head(versionId: string | null = null) {
    const at = { bucketId: BUCKET_ID, key: KEY, versionId, withBody: false };
    return (await this.driver.query('GetVersion', at))?.head ?? null;
  }

  /** ETags newest first; `×` is a delete marker, `(null)` the version of that id. */
  async versions(): Promise<string[]> {
    const all = { bucketId: BUCKET_ID, prefix: '', delimiter: '', after: null, limit: 1000 };
    const { entries } = await this.driver.query('ListVersions', all);
    expect(entries.map(({ isLatest }) => isLatest)).toEqual(entries.map((_, at) => at === 0));
    return entries.map(({ etag, isDeleteMarker, versionId }) => {
      const name = isDeleteMarker ? '×' : etag;
      return versionId === 'null' ? `${name}(null)` : name;
    });
  }
}

function resultOf(response: SessionResponse): unknown {
  if (!response.ok) throw new Error(response.code);
  return response.result;
}

/** A well-formed version id. */
function versionIdOf(invertedTime: bigint, invertedSequence: bigint): string {
  const bytes = Buffer.alloc(20);
  bytes.writeBigUInt64BE(invertedTime, 0);
  bytes.writeBigUInt64BE(invertedSequence, 8);
  bytes.writeUInt32BE(crc32c(bytes.subarray(0, 16)), 16);
  return BigInt(`0x${bytes.toString('hex')}`)
    .toString(32)
    .padStart(32, '0');
}

describe('versions of a key', () => {
  it('V-2: what there was before keeps the id null when versioning is enabled', async () => {
    const story = await Story.begin();
    await story.put('old');
    expect(await story.put('newer')).toBe('null');
    story.state = 'enabled';
    expect(await story.versions()).toEqual(['newer(null)']);
    await story.put('newest');
    expect(await story.versions()).toEqual(['newest', 'newer(null)']);
    expect(await story.head('null')).toMatchObject({ etag: 'newer' });
  });

  it('V-3, V-4: each write is a version with an id of its own, of 32 characters', async () => {
    const story = await Story.begin();
    story.state = 'enabled';
    const ids = [await story.put('1'), await story.put('2'), await story.put('3')];
    expect(new Set(ids).size).toBe(3);
    for (const id of ids) expect(id).toMatch(/^[0-9a-v]{32}$/);
    expect(await story.versions()).toEqual(['3', '2', '1']);
    expect(await story.head()).toMatchObject({ versionId: ids[2] });
  });

  it('V-5: suspended, a write takes the place of the null version, data or marker', async () => {
    const story = await Story.begin();
    story.state = 'enabled';
    await story.put('1');
    story.state = 'suspended';
    expect(await story.put('2')).toBe('null');
    story.state = 'enabled';
    await story.put('3');
    story.state = 'suspended';
    await story.put('4');
    expect(await story.versions()).toEqual(['4(null)', '3', '1']);
    await story.delete();
    expect(await story.versions()).toEqual(['×(null)', '3', '1']);
    await story.put('5');
    expect(await story.versions()).toEqual(['5(null)', '3', '1']);
  });

  it('V-6: enabled, deletions stack markers, also on a key that never was', async () => {
    const story = await Story.begin();
    story.state = 'enabled';
    const first = (await story.delete()) as { versionId: string };
    const second = (await story.delete()) as { versionId: string };
    expect(first).toMatchObject({ isDeleteMarker: true });
    expect(second.versionId).not.toBe(first.versionId);
    await story.put('1');
    await story.delete();
    expect(await story.versions()).toEqual(['×', '1', '×', '×']);
  });

  it('V-7: suspended, a deletion removes the null version and leaves a null marker', async () => {
    const story = await Story.begin();
    await story.put('1');
    story.state = 'enabled';
    await story.put('2');
    story.state = 'suspended';
    const marker = { versionId: 'null', isDeleteMarker: true };
    expect(await story.delete()).toEqual(marker);
    expect(await story.versions()).toEqual(['×(null)', '2']);
    expect(await story.delete()).toEqual(marker);
    expect(await story.versions()).toEqual(['×(null)', '2']);
  });

  it('V-8: a version named is gone, and the one before a marker is current again', async () => {
    const story = await Story.begin();
    story.state = 'enabled';
    const [one, two] = [await story.put('1'), await story.put('2')];
    const { versionId } = (await story.delete()) as { versionId: string };
    expect(await story.delete(versionId)).toEqual({ versionId, isDeleteMarker: true });
    expect(await story.head()).toMatchObject({ versionId: two });
    expect(await story.delete(two)).toEqual({ versionId: two, isDeleteMarker: false });
    expect(await story.delete(two)).toEqual({ versionId: two, isDeleteMarker: false });
    expect(await story.versions()).toEqual(['1']);
    await story.delete(one);
    expect(await story.versions()).toEqual([]);
  });

  it('V-23: tags and ACL change in place; id, order, time and ETag stay', async () => {
    const story = await Story.begin();
    story.state = 'enabled';
    const [one, two] = [await story.put('1'), await story.put('2')];
    story.driver.nowMs += 60_000;
    const [older, current] = [await story.head(one), await story.head(two)];
    const tags = { z: '1', a: '' };
    expect(await story.update({ tags })).toMatchObject({ result: { versionId: two } });
    expect(await story.update({ acl: '{}' }, one)).toMatchObject({ result: { versionId: one } });
    expect(await story.head()).toEqual({ ...current, tags });
    expect(await story.head(one)).toEqual({ ...older, acl: '{}' });
    await story.update({ tags: {}, acl: null }, one);
    expect(await story.head(one)).toEqual({ ...older, tags: {}, acl: null });
    expect(await story.versions()).toEqual(['2', '1']);
    // The links to the other versions are whole.
    await story.delete(two);
    expect(await story.head()).toMatchObject({ versionId: one });
  });

  it('V-23: the version null is found where it is, and goes on being replaced', async () => {
    const story = await Story.begin();
    await story.put('1');
    story.state = 'enabled';
    await story.put('2');
    const tags = { a: 'b' };
    expect(await story.update({ tags }, 'null')).toMatchObject({ result: { versionId: 'null' } });
    expect(await story.head('null')).toMatchObject({ etag: '1', tags });
    story.state = 'suspended';
    await story.put('3');
    expect(await story.versions()).toEqual(['3(null)', '2']);
    expect(await story.head()).toMatchObject({ tags: draftOf(KEY, 1, '3').tags });
  });

  it('V-23: there is nothing to change at a marker, a version that is none, a fence', async () => {
    const story = await Story.begin();
    const missing = { code: 'KEY_NOT_FOUND' };
    expect(await story.update({ tags: {} })).toMatchObject(missing);
    story.state = 'enabled';
    const one = await story.put('1');
    const { versionId } = (await story.delete()) as { versionId: string };
    for (const named of [null, versionId]) {
      expect(await story.update({ acl: null }, named)).toMatchObject({
        ...{ code: 'DELETE_MARKER', detail: { versionId } },
      });
    }
    for (const named of ['null', versionId.replaceAll('v', '0'), 'x']) {
      expect(await story.update({ acl: null }, named)).toMatchObject(missing);
    }
    await story.driver.run('FenceBucket', { bucketId: BUCKET_ID, isFenced: true, mark: 1 });
    expect(await story.update({ acl: null }, one)).toMatchObject({ code: 'BUCKET_FENCED' });
  });

  it('V-23: changes the version that was seen, not the next one that is called null', async () => {
    const story = await Story.begin();
    await story.put('1');
    const seen = (await story.head())!.sequence;
    await story.put('2');
    const change = { acl: '{"grants":[]}', sequence: seen };
    for (const versionId of ['null', null]) {
      expect(await story.update(change, versionId)).toMatchObject({ code: 'KEY_NOT_FOUND' });
    }
    expect(await story.head()).toMatchObject({ etag: '2', acl: null });
    const { sequence } = (await story.head())!;
    expect(await story.update({ ...change, sequence }, 'null')).toMatchObject({ ok: true });
    expect(await story.head()).toMatchObject({ etag: '2', acl: change.acl });
  });

  it('V-8: an id that somebody made up, for whatever index, is one that is not there', async () => {
    const story = await Story.begin();
    story.state = 'enabled';
    await story.put('1');
    for (const [time, inverted] of [
      [0n, 0n],
      [1n, 1n],
      [2n ** 64n - 1n, 2n ** 64n - 1n],
      [7n, 2n ** 64n - 2n ** 53n - 1n],
      [7n, 2n ** 63n],
    ] as const) {
      const versionId = versionIdOf(time, inverted);
      expect(await story.head(versionId)).toBeNull();
      expect(await story.delete(versionId)).toEqual({ versionId, isDeleteMarker: false });
      expect(await story.update({ acl: null }, versionId)).toMatchObject({ code: 'KEY_NOT_FOUND' });
    }
    expect(await story.versions()).toEqual(['1']);
  });

  it('tags and ACL of an upload are there for the version that it becomes', async () => {
    const story = await Story.begin();
    const at = { bucketId: BUCKET_ID, key: KEY, uploadId: 'u1' };
    const given = { tags: { b: '1', a: '2' }, acl: '{"grants":[]}' };
    const upload = {
      ...{ ...at, owner: 'me', storageClass: 'STANDARD', headers: {}, userMetadata: {} },
      ...{ checksumAlgorithm: null, checksumType: null, ...given },
    };
    await story.driver.run('CreateUpload', { upload });
    expect(await story.driver.query('GetUpload', at)).toMatchObject(given);
    const part = { partNumber: 1, etag: 'p', sizeBytes: 4, checksum: null };
    await story.driver.run('CommitPart', { ...at, part, data: inlineData('text') });
    await story.driver.run('CompleteUpload', {
      ...{ ...at, versioning: 'enabled', draft: { ...draftOf(KEY, 4, 'm-1'), ...given } },
      ...{ precondition: null, parts: [{ partNumber: 1, etag: 'p' }] },
    });
    expect(await story.head()).toMatchObject(given);
    expect(Object.keys((await story.head())?.tags ?? {})).toEqual(['b', 'a']);
  });
});
