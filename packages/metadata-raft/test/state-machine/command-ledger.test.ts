import { COMMAND_RETRY_WINDOW_MS } from '@azimuth/proto';

import { CLOCK_SKEW_MAX_MS } from '../../src/state-machine/command-ledger';
import {
  blobData,
  blobOf,
  BUCKET_ID,
  commandOf,
  draftOf,
  IndexDriver,
  START_MS,
} from './index-fixture';

const KEPT_MS = COMMAND_RETRY_WINDOW_MS + CLOCK_SKEW_MAX_MS;
const ANSWERS_PER_PAGE = 32;

function fence(issuedMs: number) {
  return commandOf('FenceBucket', { bucketId: BUCKET_ID, isFenced: true, mark: 1 }, issuedMs);
}

describe('command ledger', () => {
  it('never accepts a command twice, however late the copy and whatever the clocks (pitfall 26)', async () => {
    for (const skewMs of [-COMMAND_RETRY_WINDOW_MS, 0, CLOCK_SKEW_MAX_MS]) {
      const driver = await IndexDriver.open();
      const command = fence(START_MS + skewMs);
      expect(await driver.send(command)).toMatchObject({ ok: true });
      const lift = { bucketId: BUCKET_ID, isFenced: false, mark: 1 };
      await driver.run('FenceBucket', lift);
      for (const laterMs of [1_000, KEPT_MS - 1, KEPT_MS, KEPT_MS + 1, KEPT_MS + 2, 10 * KEPT_MS]) {
        driver.nowMs = START_MS + laterMs;
        await driver.send(command);
        await driver.run('AcknowledgeOutbox', { ids: [] });
        expect(driver.machine.commands.state.usage.read(BUCKET_ID).fenceMark).toBe(0);
      }
    }
  });

  it('refuses what was issued long ago or far ahead, and names its own time', async () => {
    const driver = await IndexDriver.open();
    for (const issuedMs of [
      START_MS - COMMAND_RETRY_WINDOW_MS - 1,
      START_MS + CLOCK_SKEW_MAX_MS + 1,
    ]) {
      expect(await driver.send(fence(issuedMs))).toEqual({
        ok: false,
        code: 'COMMAND_EXPIRED',
        detail: { nowMs: START_MS },
      });
    }
  });

  it('forgets answers when their time is over, so the ledger does not grow for ever', async () => {
    const driver = await IndexDriver.open();
    for (let count = 0; count < 50 * ANSWERS_PER_PAGE; count += 1) {
      driver.nowMs += KEPT_MS / (10 * ANSWERS_PER_PAGE);
      await driver.send(fence(driver.nowMs));
    }
    const { ledgerPageHead, ledgerPageTail } = driver.machine.counters;
    expect(ledgerPageTail).toBe(50);
    expect(ledgerPageTail - ledgerPageHead).toBeLessThanOrEqual(12);
  });

  it('time never goes back: a leader with a slow clock commits at the time of its predecessor', async () => {
    const driver = await IndexDriver.open();
    await driver.run('AcknowledgeOutbox', { ids: [] });
    const command = fence(START_MS);
    driver.nowMs = START_MS - 3_600_000;
    expect(await driver.send(command)).toMatchObject({ ok: true });
    expect(driver.machine.nowMs).toBe(START_MS);
  });

  it('time is that of the entries, never of the clock of the replica (pitfall 27)', async () => {
    // Long before and long after every clock on which this test will ever run.
    for (const nowMs of [1_000, 100 * START_MS]) {
      const driver = await IndexDriver.open();
      driver.nowMs = nowMs;
      expect(await driver.send(fence(nowMs))).toMatchObject({ ok: true });
      expect(driver.machine.nowMs).toBe(nowMs);
    }
  });
});

describe('blobs and time', () => {
  const args = (number: number) => ({
    ...{ bucketId: BUCKET_ID, key: 'a', versioning: 'unversioned', precondition: null },
    draft: draftOf('a', 100, 'e'),
    data: blobData(blobOf('a', number)),
  });

  it('B2: refuses a blob older than the commit age, which becomes garbage', async () => {
    const driver = await IndexDriver.open();
    driver.nowMs = START_MS + 12 * 3_600_000 + 1;
    expect(await driver.run('CommitVersion', args(1))).toMatchObject({ code: 'INVALID_ARGUMENT' });
    const { entries } = await driver.query('ListOutbox', {
      kind: 'garbage',
      afterId: null,
      limit: 10,
    });
    expect(entries.map(({ blob }) => blob.blobId)).toEqual([blobOf('a', 1).blobId]);
  });

  it('B1: refuses a blob that another record references, and leaves that record alone', async () => {
    const driver = await IndexDriver.open();
    await driver.run('CommitVersion', args(1));
    expect(await driver.run('CommitVersion', args(1))).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(await driver.query('CountOutbox', {})).toMatchObject({ garbageEntries: 0 });
  });

  it('O2: acknowledging a repair does not forget shards that were reported meanwhile', async () => {
    const driver = await IndexDriver.open();
    await driver.run('CommitVersion', { ...args(1), data: blobData(blobOf('a', 1), [1]) });
    const list = () => driver.query('ListOutbox', { kind: 'repair', afterId: null, limit: 10 });
    const [before] = (await list()).entries;
    const missing = [{ blobId: blobOf('a', 1).blobId, shardIndexes: [3] }];
    await driver.run('ReportMissingShards', { missing });
    await driver.run('AcknowledgeOutbox', { ids: [before!.id] });
    expect((await list()).entries.map(({ shardIndexes }) => shardIndexes)).toEqual([[1, 3]]);
  });

  it('M-6: a completed upload answers again for 24 h and not for ever', async () => {
    const driver = await IndexDriver.open();
    const at = { bucketId: BUCKET_ID, key: 'a', uploadId: 'u1' };
    const upload = {
      ...{ ...at, owner: 'me', storageClass: 'STANDARD', headers: {}, userMetadata: {} },
      ...{ checksumAlgorithm: null, checksumType: null, tags: {}, acl: null },
    };
    await driver.run('CreateUpload', { upload });
    const part = { partNumber: 1, etag: 'p', sizeBytes: 100, checksum: null };
    await driver.run('CommitPart', { ...at, part, data: blobData(blobOf('a', 1)) });
    const complete = {
      ...{ ...at, versioning: 'unversioned', draft: draftOf('a', 100, 'm-1'), precondition: null },
      parts: [{ partNumber: 1, etag: 'p' }],
    };
    const first = await driver.run('CompleteUpload', complete);
    expect(first).toMatchObject({ ok: true });
    driver.nowMs += 24 * 3_600_000;
    expect(await driver.run('CompleteUpload', complete)).toEqual(first);
    driver.nowMs += 1;
    expect(await driver.run('CompleteUpload', complete)).toMatchObject({
      code: 'UPLOAD_NOT_FOUND',
    });
  });
});
