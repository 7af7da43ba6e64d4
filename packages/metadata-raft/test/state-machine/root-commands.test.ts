import type { BucketRecord } from '@azimuth/proto';

import { MemoryKeyValueStore } from '../../src/state-machine/memory-key-value-store';
import { queryRoot } from '../../src/state-machine/root-queries';
import { BUCKET_ID } from './index-fixture';
import { newBucket, openCluster, RootDriver, SETTINGS } from './root-fixture';

const GROUP = {
  profile: { k: 4, m: 2 },
  slots: ['d-a1', 'd-b1', 'd-c1', 'd-a2', 'd-b2', 'd-c2'],
  isReduced: false,
};

describe('root state machine', () => {
  it('initializes once; equal settings change nothing, other settings are refused', async () => {
    const driver = await openCluster();
    expect(await driver.run('InitializeCluster', { settings: SETTINGS })).toMatchObject({
      ok: true,
    });
    const other = { ...SETTINGS, region: 'elsewhere' };
    expect(await driver.run('InitializeCluster', { settings: other })).toMatchObject({
      code: 'ALREADY_EXISTS',
    });
  });

  it('V-1: a bucket never returns to unversioned', async () => {
    const driver = await openCluster();
    await driver.run('CreateBucket', newBucket());
    expect(await driver.run('CreateBucket', newBucket({ owner: 'you' }))).toMatchObject({
      code: 'BUCKET_EXISTS',
      detail: { owner: 'me' },
    });
    for (const versioning of ['enabled', 'suspended']) {
      const set = { name: 'photos', versioning };
      expect(await driver.run('SetBucketVersioning', set)).toMatchObject({ ok: true });
      const bucket = driver.machine.commands.state.get('bucket', 'photos');
      expect(bucket).toMatchObject({ versioning });
    }
    expect(
      await driver.run('SetBucketVersioning', { name: 'photos', versioning: 'unversioned' }),
    ).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('holds no more buckets than the first answer to a watcher can', async () => {
    const driver = await openCluster();
    await driver.run('CreateBucket', newBucket());
    const { state } = driver.machine.commands;
    const bucket = state.get('bucket', 'photos')!;
    const index = driver.machine.lastApplied();
    for (let at = 1; at < 49_999; at += 1) {
      state.put('bucket', `b-${at}`, { ...bucket, name: `b-${at}` }, index);
    }
    expect(await driver.run('CreateBucket', newBucket({ name: 'last' }))).toMatchObject({
      ok: true,
    });
    expect(await driver.run('CreateBucket', newBucket({ name: 'one-more' }))).toMatchObject({
      ...{ code: 'INVALID_ARGUMENT', detail: { limit: 'buckets' } },
    });
  });

  it('applies and loads buckets of the time before there were configurations', async () => {
    const store = new MemoryKeyValueStore();
    const driver = await openCluster(store);
    const old = { name: 'photos', bucketId: BUCKET_ID, owner: 'me' };
    expect(await driver.run('CreateBucket', old)).toMatchObject({ ok: true });
    const { state } = driver.machine.commands;
    const bucket = state.get('bucket', 'photos');
    expect(bucket).toMatchObject({ versioning: 'unversioned', configurations: {} });
    const stored: Partial<BucketRecord> = Object.fromEntries(
      Object.entries(bucket!).filter(([field]) => field !== 'configurations'),
    );
    state.put('bucket', 'photos', stored as BucketRecord, driver.machine.lastApplied());
    await driver.run('AcquireLease', { name: 'l', holder: 'h', ttlMs: 1000 });
    const again = await RootDriver.open(store);
    const loaded = again.machine.commands.state.get('bucket', 'photos');
    expect(loaded).toEqual(bucket);
    // A replica that was restarted must write the same bytes as one that was not.
    expect(Object.keys(loaded!)).toEqual(Object.keys(bucket!));
  });

  it('changes the versioning of the bucket that is meant, not of the next of its name', async () => {
    const driver = await openCluster();
    await driver.run('CreateBucket', newBucket());
    const set = { name: 'photos', versioning: 'enabled' };
    const other = { ...set, bucketId: 'f'.repeat(32) };
    expect(await driver.run('SetBucketVersioning', other)).toMatchObject({
      code: 'BUCKET_NOT_FOUND',
    });
    const { state } = driver.machine.commands;
    expect(state.get('bucket', 'photos')).toMatchObject({ versioning: 'unversioned' });
    const meant = { ...set, bucketId: BUCKET_ID };
    expect(await driver.run('SetBucketVersioning', meant)).toMatchObject({ ok: true });
    expect(state.get('bucket', 'photos')).toMatchObject({ versioning: 'enabled' });
  });

  it('removes only the bucket that was marked, and is idempotent', async () => {
    const driver = await openCluster();
    const at = { name: 'photos', bucketId: BUCKET_ID };
    await driver.run('CreateBucket', newBucket());
    const refused = { code: 'INVALID_ARGUMENT' };
    expect(await driver.run('RemoveBucket', { ...at, mark: 0 })).toMatchObject(refused);
    const marked = await driver.run('MarkBucketDeleting', { ...at, isDeleting: true });
    const { mark } = (marked as { result: { mark: number } }).result;
    const removal = { ...at, mark };
    const other = { name: 'photos', bucketId: 'f'.repeat(32), mark };
    expect(await driver.run('RemoveBucket', other)).toMatchObject({ ok: true });
    expect(
      queryRoot(driver.machine.commands.state, 'GetBucket', { name: 'photos' }),
    ).not.toBeNull();
    for (let times = 0; times < 2; times += 1) {
      expect(await driver.run('RemoveBucket', removal)).toMatchObject({ ok: true });
    }
    expect(queryRoot(driver.machine.commands.state, 'GetBucket', { name: 'photos' })).toBeNull();
  });

  it('a mark that was taken back never removes the bucket, whoever marks it again', async () => {
    const driver = await openCluster();
    const at = { name: 'photos', bucketId: BUCKET_ID };
    await driver.run('CreateBucket', newBucket());
    const mark = async (): Promise<number> => {
      const response = await driver.run('MarkBucketDeleting', { ...at, isDeleting: true });
      return (response as { result: { mark: number } }).result.mark;
    };
    const first = await mark();
    expect(await mark()).toBe(first);
    await driver.run('MarkBucketDeleting', { ...at, isDeleting: false, mark: first });
    const second = await mark();
    expect(second).toBeGreaterThan(first);
    const refused = { code: 'INVALID_ARGUMENT' };
    expect(await driver.run('RemoveBucket', { ...at, mark: first })).toMatchObject(refused);
    await driver.run('MarkBucketDeleting', { ...at, isDeleting: false, mark: first });
    expect(await driver.run('RemoveBucket', { ...at, mark: second })).toMatchObject({ ok: true });
  });

  it('disks a node no longer has are lost; a disk of another node is refused', async () => {
    const driver = await openCluster();
    await driver.register('a1', ['d-new'], 'i2');
    const map = driver.machine.commands.state.map();
    expect(map.disks.get('d-a1')?.state).toBe('lost');
    expect(map.disks.get('d-new')).toMatchObject({ nodeId: 'a1', zone: 'a', state: 'online' });
    expect(map.nodes.get('a1')?.incarnation).toBe('i2');
    expect(await driver.register('b1', ['d-b1', 'd-a2'])).toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    expect(await driver.register('x1', [])).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('a state meant for an earlier incarnation of a node changes nothing', async () => {
    const driver = await openCluster();
    const down = { nodeId: 'a1', incarnation: 'i0', state: 'down' };
    await driver.run('SetNodeState', down);
    expect(driver.machine.commands.state.map().nodes.get('a1')?.state).toBe('up');
    await driver.run('SetNodeState', { ...down, incarnation: 'i1' });
    expect(driver.machine.commands.state.map().nodes.get('a1')?.state).toBe('down');
  });

  it('a node that is down since nobody knows when gets the time when it is marked again', async () => {
    const driver = await openCluster();
    const { state } = driver.machine.commands;
    const { downSinceMs, ...node } = state.map().nodes.get('a1')!;
    expect(downSinceMs).toBeUndefined();
    state.put('node', 'a1', { ...node, state: 'down' }, driver.machine.lastApplied());
    const down = { nodeId: 'a1', incarnation: 'i1', state: 'down' };
    await driver.run('SetNodeState', down);
    const since = state.map().nodes.get('a1')?.downSinceMs;
    expect(since).toBe(driver.nowMs);
    driver.nowMs += 1_000;
    await driver.run('SetNodeState', down);
    expect(state.map().nodes.get('a1')?.downSinceMs).toBe(since);
  });

  it('P1: refuses groups that break the zone condition', async () => {
    const driver = await openCluster();
    expect(await driver.run('OpenGroups', { groups: [GROUP, GROUP] })).toMatchObject({
      result: { pgIds: [1, 2] },
    });
    const bad = { ...GROUP, slots: GROUP.slots.with(1, 'd-a1') };
    expect(await driver.run('OpenGroups', { groups: [bad] })).toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    expect(driver.machine.commands.state.map().groups.size).toBe(2);
  });

  it('backfill seals the group, keeps the zone condition, flips the slot once', async () => {
    const driver = await openCluster();
    await driver.run('OpenGroups', { groups: [GROUP] });
    await driver.register('a1', ['d-new'], 'i2');
    const move = { pgId: 1, slot: 0, targetDiskId: 'd-new' };
    expect(await driver.run('FinishBackfill', move)).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(await driver.run('BeginBackfill', { ...move, slot: 1 })).toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    expect(await driver.run('BeginBackfill', move)).toMatchObject({ ok: true });
    const group = () => driver.machine.commands.state.map().groups.get(1);
    expect(group()).toMatchObject({
      state: 'sealed',
      backfill: { slot: 0, targetDiskId: 'd-new' },
    });
    expect(await driver.run('SealGroup', { pgId: 1, isSealed: false })).toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    for (let times = 0; times < 2; times += 1) {
      expect(await driver.run('FinishBackfill', move)).toMatchObject({ ok: true });
    }
    expect(group()).toMatchObject({ state: 'active', backfill: null });
    expect(group()?.slots[0]).toBe('d-new');
  });

  it('a backfill of a reduced group does not take a retired one into use again', async () => {
    const driver = await openCluster();
    await driver.run('OpenGroups', { groups: [{ ...GROUP, isReduced: true }] });
    await driver.register('a1', ['d-new'], 'i2');
    await driver.run('SealGroup', { pgId: 1, isSealed: true });
    const move = { pgId: 1, slot: 0, targetDiskId: 'd-new' };
    expect(await driver.run('BeginBackfill', move)).toMatchObject({ ok: true });
    expect(await driver.run('FinishBackfill', move)).toMatchObject({ ok: true });
    const group = driver.machine.commands.state.map().groups.get(1);
    expect(group).toMatchObject({ state: 'sealed', backfill: null });
    // The next outage says so.
    expect(await driver.run('SealGroup', { pgId: 1, isSealed: false })).toMatchObject({ ok: true });
  });

  it('a lease has one holder until it expires by the time of the log', async () => {
    const driver = await openCluster();
    const acquire = (holder: string) =>
      driver.run('AcquireLease', { name: 'curator', holder, ttlMs: 1_000 });
    expect(await acquire('x')).toMatchObject({ result: { holder: 'x', epoch: 1 } });
    driver.nowMs += 999;
    expect(await acquire('y')).toMatchObject({ result: { holder: 'x', epoch: 1 } });
    expect(await acquire('x')).toMatchObject({ result: { expiresMs: driver.nowMs + 1_000 } });
    driver.nowMs += 1_000;
    expect(await acquire('y')).toMatchObject({ result: { holder: 'y', epoch: 2 } });
  });

  it('what the curator says of repair, and what was asked of it, leave each other alone', async () => {
    const driver = await openCluster();
    const counts = { shardsToDo: 3, bytesToDo: 9, bytesPerSecond: 1, groupsUnproven: 2 };
    const report = { census: null, blobsAtRisk: [0, 1], ...counts, holder: 'c' };
    const { version } = driver.watch(0);
    const repair = () => queryRoot(driver.machine.commands.state, 'GetRepair', {});
    expect(repair()).toBeNull();
    await driver.run('ReportRepair', { report });
    const reportedMs = driver.nowMs;
    driver.nowMs += 5;
    await driver.run('RequestCensus', {});
    expect(repair()).toEqual({
      ...{ reportedMs, report, censusRequestedMs: driver.nowMs },
    });
    driver.nowMs += 5;
    await driver.run('ReportRepair', { report: { ...report, shardsToDo: 0 } });
    expect(repair()).toMatchObject({
      ...{ reportedMs: driver.nowMs, report: { shardsToDo: 0 } },
      censusRequestedMs: driver.nowMs - 5,
    });
    expect(driver.watch(version).kind).toBe('unchanged');
  });

  it('deltas of the watch rebuild what a full document says, also after a restart', async () => {
    const store = new MemoryKeyValueStore();
    const driver = await openCluster(store);
    const first = driver.watch(0);
    expect(first).toMatchObject({ kind: 'full' });
    expect(driver.watch(first.version)).toEqual({ kind: 'unchanged', version: first.version });
    await driver.run('CreateBucket', newBucket());
    await driver.run('SetDiskState', { diskId: 'd-a1', state: 'full' });
    const delta = driver.watch(first.version);
    expect(delta).toMatchObject({
      kind: 'delta',
      map: { disks: [{ diskId: 'd-a1', state: 'full' }], buckets: [{ name: 'photos' }], nodes: [] },
    });
    await driver.run('AcquireLease', { name: 'curator', holder: 'x', ttlMs: 1_000 });
    expect(driver.watch(delta.version).kind).toBe('unchanged');

    const again = await RootDriver.open(store);
    expect(again.watch(delta.version).kind).toBe('unchanged');
    expect(again.watch(first.version)).toEqual(driver.watch(0));
    expect(again.watch(delta.version + 1_000).kind).toBe('full');
  });
});
