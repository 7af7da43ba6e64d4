import { MemoryKeyValueStore } from '../../src/state-machine/memory-key-value-store';
import { checkCommand } from '../../src/state-machine/command-schema';
import { commandOf, entryOf } from './index-fixture';
import { openCluster, RootDriver, SETTINGS } from './root-fixture';

const GROUP = {
  profile: { k: 4, m: 2 },
  slots: ['d-a1', 'd-b1', 'd-c1', 'd-a2', 'd-b2', 'd-c2'],
  isReduced: false,
};
const OK = { ok: true };
const REFUSED = { code: 'INVALID_ARGUMENT' };

describe('topology commands', () => {
  const intent = (scope: string, name: string, kind: string | null, others: string[] = []) => ({
    ...{ scope, name, kind, others },
  });

  it('an intent is set once, watched, and taken back', async () => {
    const driver = await openCluster();
    const since = driver.machine.lastApplied();
    for (let times = 0; times < 2; times += 1) {
      expect(await driver.run('SetIntent', intent('node', 'a1', 'drain'))).toMatchObject(OK);
    }
    expect(driver.watch(since)).toMatchObject({
      kind: 'delta',
      map: { intents: [{ scope: 'node', name: 'a1', kind: 'drain' }], removedIntents: [] },
    });
    await driver.run('SetIntent', intent('node', 'a1', null));
    expect(driver.watch(since)).toMatchObject({
      map: { intents: [], removedIntents: ['node/a1'] },
    });
    expect(await driver.run('SetIntent', intent('disk', 'd-x', 'drain'))).toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it('a replica that read its state changes and refuses as one whose state grew', async () => {
    const grown = await openCluster();
    // Neither comes in the order of its name, in which a store is read.
    await grown.register('a0', ['z-2', 'd-0', 'z-1']);
    const read = await RootDriver.open();
    const { lastIncludedIndex, chunks } = await grown.machine.createSnapshot();
    await read.machine.installSnapshot(lastIncludedIndex, chunks);
    const nextOf = (name: string, args: unknown) =>
      entryOf(grown.machine.lastApplied() + 1, grown.nowMs, commandOf(name, args, grown.nowMs));
    const run = async (name: string, args: unknown) => {
      const entry = nextOf(name, args);
      const [answer] = await grown.machine.apply([entry]);
      expect(await read.machine.apply([entry])).toEqual([answer]);
      expect(await read.machine.stateHash()).toBe(await grown.machine.stateHash());
    };
    await run('SetIntent', intent('node', 'a0', 'drain'));
    for (const diskId of ['d-0', 'z-1', 'z-2']) await run('ConfirmDrained', { diskId });
    await run('SetIntent', intent('node', 'a0', null));
    await run('SetIntent', intent('zone', 'a', 'drain'));
    await run('RemoveZone', { zone: 'a' });
    await run('RegisterNode', { node: grown.machine.commands.state.get('node', 'a0'), disks: [] });
  });

  it('who watches hears of a snapshot once all of it is there', async () => {
    const leader = await openCluster();
    const follower = await RootDriver.open();
    const { state, watchLog } = follower.machine.commands;
    const heard: [number, number][] = [];
    const listen = (): void => {
      heard.push([state.counters.mapVersion, state.count('node')]);
      watchLog.onChange(listen);
    };
    watchLog.onChange(listen);
    const { lastIncludedIndex, chunks } = await leader.machine.createSnapshot();
    await follower.machine.installSnapshot(lastIncludedIndex, chunks);
    expect(heard).toEqual([[leader.machine.commands.state.counters.mapVersion, 6]]);
  });

  it('of two operators at once, who has not seen the other one is refused', async () => {
    const driver = await openCluster();
    await driver.run('SetIntent', intent('node', 'a1', 'drain'));
    expect(await driver.run('SetIntent', intent('node', 'a2', 'drain'))).toMatchObject({
      code: 'PRECONDITION_FAILED',
    });
    const seen = intent('node', 'a2', 'drain', ['node/a1']);
    expect(await driver.run('SetIntent', seen)).toMatchObject(OK);
  });

  it('no zone is drained when the profile needs it, and only one is in maintenance', async () => {
    const driver = await openCluster();
    expect(await driver.run('SetIntent', intent('zone', 'a', 'retire'))).toMatchObject(REFUSED);
    expect(await driver.run('SetIntent', intent('zone', 'a', 'maintenance'))).toMatchObject(OK);
    const second = intent('zone', 'b', 'maintenance', ['zone/a']);
    expect(await driver.run('SetIntent', second)).toMatchObject(REFUSED);
  });

  it('a disk goes only when no slot is on it and a census has proven that it is empty', async () => {
    const driver = await openCluster();
    const { state } = driver.machine.commands;
    await driver.register('a3', ['d-a3']);
    await driver.run('OpenGroups', { groups: [GROUP] });
    const diskId = 'd-a1';
    expect(await driver.run('ConfirmDrained', { diskId })).toMatchObject(REFUSED);
    await driver.run('SetIntent', intent('disk', diskId, 'drain'));
    expect(await driver.run('ConfirmDrained', { diskId })).toMatchObject(REFUSED);
    expect(await driver.run('RemoveDisk', { diskId })).toMatchObject(REFUSED);
    const move = { pgId: 1, slot: 0, targetDiskId: 'd-a3' };
    expect(await driver.run('BeginBackfill', move)).toMatchObject(OK);
    expect(await driver.run('FinishBackfill', move)).toMatchObject(OK);
    expect(await driver.run('RemoveDisk', { diskId })).toMatchObject(REFUSED);
    expect(await driver.run('ConfirmDrained', { diskId })).toMatchObject(OK);
    // While its node has it, the disk would come back with the next registration.
    expect(await driver.run('RemoveDisk', { diskId })).toMatchObject(REFUSED);
    expect(state.get('disk', diskId)?.drainedMs).toBe(driver.nowMs);

    // Back in service it is proven of no more.
    await driver.run('SetIntent', intent('disk', diskId, null));
    expect(state.get('disk', diskId)).not.toHaveProperty('drainedMs');
    await driver.run('SetIntent', intent('disk', diskId, 'drain'));
    await driver.run('ConfirmDrained', { diskId });
    await driver.run('SetNodeState', { nodeId: 'a1', incarnation: 'i1', state: 'down' });
    const since = driver.machine.lastApplied();
    for (let times = 0; times < 2; times += 1) {
      expect(await driver.run('RemoveDisk', { diskId })).toMatchObject(OK);
    }
    expect(state.map().disks.has(diskId)).toBe(false);
    expect(driver.watch(since)).toMatchObject({
      map: { removedDisks: ['d-a1'], removedIntents: ['disk/d-a1'] },
    });
  });

  it('a drained disk that an outage brings a slot to is to be proven anew', async () => {
    const driver = await openCluster();
    const { state } = driver.machine.commands;
    const diskId = 'd-a1';
    await driver.run('SetIntent', intent('disk', diskId, 'drain'));
    expect(await driver.run('ConfirmDrained', { diskId })).toMatchObject(OK);
    expect(state.get('disk', diskId)).toHaveProperty('drainedMs');
    await driver.run('OpenGroups', { groups: [{ ...GROUP, isReduced: true }] });
    await driver.run('SealGroup', { pgId: 1, isSealed: true });
    await driver.run('RemoveGroup', { pgId: 1 });
    await driver.run('SetNodeState', { nodeId: 'a1', incarnation: 'i1', state: 'down' });
    expect(await driver.run('RemoveDisk', { diskId })).toMatchObject(REFUSED);
  });

  it('a node that registers again while it is drained is to be proven anew', async () => {
    const driver = await openCluster();
    const { state } = driver.machine.commands;
    await driver.run('SetIntent', intent('node', 'a1', 'drain'));
    await driver.run('ConfirmDrained', { diskId: 'd-a1' });
    await driver.register('a1', ['d-a1'], 'i2');
    expect(state.map().intents?.get('node/a1')?.kind).toBe('drain');
    expect(await driver.run('RemoveNode', { nodeId: 'a1' })).toMatchObject(REFUSED);
    const stop = { nodeId: 'a1', incarnation: 'i2', state: 'down' };
    await driver.run('SetNodeState', stop);
    expect(await driver.run('RemoveNode', { nodeId: 'a1' })).toMatchObject(REFUSED);
    await driver.run('SetNodeState', { ...stop, state: 'up' });
    await driver.run('ConfirmDrained', { diskId: 'd-a1' });
    expect(await driver.run('RemoveNode', { nodeId: 'a1' })).toMatchObject(REFUSED);
    await driver.run('SetNodeState', stop);
    expect(await driver.run('RemoveNode', { nodeId: 'a1' })).toMatchObject(OK);
    expect(state.map().nodes.has('a1')).toBe(false);
    expect(state.map().disks.has('d-a1')).toBe(false);
    expect(state.map().intents?.size).toBe(0);
  });

  it('a node that is dead goes without a proof that nobody could give, once it is given up', async () => {
    const driver = await openCluster();
    expect(await driver.run('RemoveNode', { nodeId: 'b1' })).toMatchObject(REFUSED);
    await driver.run('SetNodeState', { nodeId: 'b1', incarnation: 'i1', state: 'down' });
    expect(driver.machine.commands.state.get('node', 'b1')?.downSinceMs).toBe(driver.nowMs);
    expect(await driver.run('RemoveNode', { nodeId: 'b1' })).toMatchObject(REFUSED);
    await driver.run('SetIntent', intent('node', 'b1', 'replace'));
    expect(await driver.run('RemoveNode', { nodeId: 'b1' })).toMatchObject(OK);
  });

  it('a node that returns is down since no time', async () => {
    const driver = await openCluster();
    const { state } = driver.machine.commands;
    const before = Object.keys(state.get('node', 'b1')!);
    for (const next of ['down', 'up']) {
      await driver.run('SetNodeState', { nodeId: 'b1', incarnation: 'i1', state: next });
    }
    // The order of fields is part of the bytes that replicas must agree on.
    expect(Object.keys(state.get('node', 'b1')!)).toEqual(before);
  });

  it('a zone is added, and goes when it is drained and has no nodes', async () => {
    const driver = await openCluster();
    const { state } = driver.machine.commands;
    for (let times = 0; times < 2; times += 1) {
      expect(await driver.run('AddZone', { zone: 'd' })).toMatchObject(OK);
    }
    await driver.register('d1', ['d-d1']);
    expect(await driver.run('RemoveZone', { zone: 'd' })).toMatchObject(REFUSED);
    expect(await driver.run('SetIntent', intent('zone', 'd', 'drain'))).toMatchObject(OK);
    expect(await driver.run('RemoveZone', { zone: 'd' })).toMatchObject(REFUSED);
    await driver.run('ConfirmDrained', { diskId: 'd-d1' });
    await driver.run('SetNodeState', { nodeId: 'd1', incarnation: 'i1', state: 'down' });
    await driver.run('RemoveNode', { nodeId: 'd1' });
    expect(await driver.run('RemoveZone', { zone: 'd' })).toMatchObject(OK);
    expect(state.map().settings.zones).toEqual(['a', 'b', 'c']);
    expect(state.map().intents?.size).toBe(0);
  });

  it('zone+1 is refused for profiles that do not have the parity for it', async () => {
    const settings = { ...SETTINGS, survive: 'zone+1' };
    const driver = await RootDriver.open();
    expect(await driver.run('InitializeCluster', { settings })).toMatchObject(REFUSED);
    const wide = { ...settings, erasureProfile: { k: 5, m: 4 } };
    expect(await driver.run('InitializeCluster', { settings: wide })).toMatchObject(OK);
  });

  it('a replica that was restarted has the same intents', async () => {
    const store = new MemoryKeyValueStore();
    const driver = await openCluster(store);
    await driver.run('SetIntent', intent('zone', 'a', 'maintenance'));
    const again = await RootDriver.open(store);
    expect(again.machine.commands.state.map().intents).toEqual(
      driver.machine.commands.state.map().intents,
    );
  });

  it('passes the schema before it is logged', () => {
    const check = (name: string, args: unknown) => (): void =>
      checkCommand('root', commandOf(name, args, 0));
    expect(check('SetIntent', intent('zone', 'a', 'retire'))).not.toThrow();
    expect(check('SetIntent', intent('rack', 'a', 'retire'))).toThrow('INVALID_ARGUMENT');
    expect(check('SetIntent', intent('zone', 'a', 'explode'))).toThrow('INVALID_ARGUMENT');
    expect(check('RemoveDisk', { diskId: '' })).toThrow('INVALID_ARGUMENT');
  });
});
