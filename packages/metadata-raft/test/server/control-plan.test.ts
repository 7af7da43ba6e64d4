import type {
  ClusterMap,
  DiskEntry,
  DiskState,
  NodeState,
  StorageNodeEntry,
} from '@azimuth/placement';

import { planNodes, planPlacement } from '../../src/server/control-plan';
import type { ControlInput } from '../../src/server/control-plan';
import { NodeMonitor } from '../../src/server/node-monitor';

const ZONES = ['a', 'b', 'c'];

function mapOf(
  states: Readonly<Record<string, NodeState>> = {},
  disks: Record<string, DiskState> = {},
): ClusterMap {
  const nodes: StorageNodeEntry[] = [];
  const entries: DiskEntry[] = [];
  for (const zone of ZONES) {
    for (const number of [1, 2]) {
      const nodeId = `${zone}-${number}`;
      nodes.push({
        ...{ nodeId, zone, host: '127.0.0.1', bulkPort: 1, rpcPort: 2, adminPort: 3 },
        ...{ incarnation: 'i1', state: states[nodeId] ?? 'up' },
        ...(states[nodeId] === 'down' ? { downSinceMs: 0 } : {}),
      });
      const diskId = `disk-${nodeId}`;
      const state = disks[diskId] ?? 'online';
      entries.push({ diskId, nodeId, zone, capacityBytes: 1e12, state });
    }
  }
  return {
    version: 1,
    settings: {
      ...{ clusterId: 'c', region: 'r', zones: ZONES, indexGroups: 1 },
      ...{ erasureProfile: { k: 4, m: 2 }, replicaProfile: { k: 1, m: 2 } },
      ...{ inlineBytesMax: 1, replicaBytesMax: 2, blockBytes: 3 },
    },
    nodes: new Map(nodes.map((node) => [node.nodeId, node])),
    disks: new Map(entries.map((disk) => [disk.diskId, disk])),
    groups: new Map(),
  };
}

function heard(
  times: Readonly<Record<string, readonly number[]>>,
  incarnation = 'i1',
): NodeMonitor {
  const monitor = new NodeMonitor(1_500);
  for (const [nodeId, all] of Object.entries(times)) {
    for (const nowMs of all) monitor.hear({ nodeId, incarnation, disks: [] }, nowMs);
  }
  return monitor;
}

function input(changes: Partial<ControlInput>): ControlInput {
  return {
    ...{ map: mapOf(), sightings: new Map(), nowMs: 10_000, listeningSinceMs: 0 },
    ...{ heartbeatTimeoutMs: 3_000, steadyMs: 1_000 },
    ...changes,
  };
}

const everyone = (last: number) =>
  Object.fromEntries([...mapOf().nodes.keys()].map((nodeId) => [nodeId, [last]]));

describe('plan of the root leader for nodes', () => {
  it('marks down who was silent for longer than the time-out, and only those', () => {
    const times = { ...everyone(9_000), 'b-2': [6_999] };
    const plan = planNodes(input({ sightings: heard(times).sightings }));
    expect(plan).toMatchObject([{ name: 'SetNodeState', args: { nodeId: 'b-2', state: 'down' } }]);
  });

  it('C1: a new leader gives every node the whole time-out', () => {
    expect(planNodes(input({ listeningSinceMs: 7_000 }))).toEqual([]);
    expect(planNodes(input({ listeningSinceMs: 6_999 }))).toHaveLength(6);
  });

  it('C2: heartbeats of an earlier incarnation do not count', () => {
    const sightings = heard(everyone(10_000), 'i0').sightings;
    expect(planNodes(input({ sightings }))).toHaveLength(6);
  });

  it('takes a node back only after steady heartbeats', () => {
    const map = mapOf({ 'a-1': 'down' });
    const plan = (times: readonly number[]) =>
      planNodes(input({ map, sightings: heard({ ...everyone(10_000), 'a-1': times }).sightings }));
    expect(plan([10_000])).toEqual([]);
    expect(plan([9_500, 10_000])).toEqual([]);
    expect(plan([7_000, 9_500, 10_000])).toEqual([]);
    expect(plan([9_000, 9_500, 10_000])).toMatchObject([
      { name: 'SetNodeState', args: { nodeId: 'a-1', incarnation: 'i1', state: 'up' } },
    ]);
  });

  it('C3: a node that flaps must be steady for twice as long each time, up to a minute', () => {
    const map = mapOf({ 'a-1': 'down' });
    const monitor = new NodeMonitor(1_500);
    for (const nodeId of map.nodes.keys()) {
      monitor.hear({ nodeId, incarnation: 'i1', disks: [] }, 0);
    }
    const takenBackAfterMs = (): number => {
      const fromMs = [...monitor.sightings.values()][0]!.lastSeenMs + 10_000;
      for (let nowMs = fromMs; ; nowMs += 500) {
        for (const nodeId of map.nodes.keys()) {
          monitor.hear({ nodeId, incarnation: 'i1', disks: [] }, nowMs);
        }
        const { sightings } = monitor;
        if (planNodes(input({ map, sightings, nowMs })).length > 0) return nowMs - fromMs;
      }
    };
    const waits: number[] = [];
    for (let flap = 1; flap <= 8; flap += 1) {
      monitor.noteDown('a-1', monitor.sightings.get('a-1')!.lastSeenMs);
      waits.push(takenBackAfterMs());
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
    monitor.noteDown('a-1', monitor.sightings.get('a-1')!.lastSeenMs + 700_000);
    expect(takenBackAfterMs()).toBe(1_000);
  });

  it('C3: a node that starts again and again is held down, though it is never silent', () => {
    const monitor = heard(everyone(0));
    const nodeId = 'a-1';
    const disks: never[] = [];
    const planAt = (nowMs: number, incarnation: string, state: NodeState) => {
      for (const other of mapOf().nodes.keys()) {
        if (other !== nodeId) monitor.hear({ nodeId: other, incarnation: 'i1', disks }, nowMs);
      }
      monitor.hear({ nodeId, incarnation, disks }, nowMs);
      const map = mapOf({ [nodeId]: state });
      const nodes = new Map(map.nodes);
      nodes.set(nodeId, { ...nodes.get(nodeId)!, incarnation });
      const { sightings } = monitor;
      return planNodes(input({ map: { ...map, nodes }, sightings, nowMs, listeningSinceMs: 0 }));
    };
    // Whoever restarts a node once may.
    expect(planAt(1_000, 'i2', 'up')).toEqual([]);
    for (const [life, nowMs] of [2_000, 3_000, 4_000].entries()) {
      const incarnation = `i${3 + life}`;
      expect(planAt(nowMs, incarnation, 'up')).toMatchObject([
        { args: { nodeId, incarnation, state: 'down' }, reason: 'it starts again and again' },
      ]);
      monitor.noteDown(nodeId, nowMs);
    }
    // The third repetition is held for four times as long as the first would be.
    for (let nowMs = 5_000; nowMs < 12_000; nowMs += 1_000) {
      expect(planAt(nowMs, 'i5', 'down')).toEqual([]);
    }
    expect(planAt(12_000, 'i5', 'down')).toMatchObject([{ args: { nodeId, state: 'up' } }]);
    expect(planAt(12_500, 'i5', 'up')).toEqual([]);
  });

  it('C3: a node that was marked down and starts anew has flapped once, not twice', () => {
    const monitor = heard({ 'a-1': [0] });
    monitor.noteDown('a-1', 3_500);
    monitor.hear({ nodeId: 'a-1', incarnation: 'i2', disks: [] }, 5_000);
    expect(monitor.sightings.get('a-1')?.downs).toBe(1);
  });

  it('C4: a node that is down since nobody knows when is marked again, so that its grace ends', () => {
    const map = mapOf({ 'a-1': 'down' });
    const nodes = new Map(map.nodes);
    const { downSinceMs, ...unknown } = nodes.get('a-1')!;
    expect(downSinceMs).toBe(0);
    nodes.set('a-1', unknown);
    const { 'a-1': silent, ...others } = everyone(10_000);
    expect(silent).toBeDefined();
    const plan = planNodes(input({ map: { ...map, nodes }, sightings: heard(others).sightings }));
    expect(plan).toMatchObject([{ args: { nodeId: 'a-1', state: 'down' } }]);
    expect(planNodes(input({ map, sightings: heard(others).sightings }))).toEqual([]);
  });

  it('takes over disk states, except that fenced and lost disks stay so until they register', () => {
    const stats = { capacityBytes: 1, usedBytes: 1, shardCount: 0, corruptShards: 0 };
    const plan = (from: DiskState, to: DiskState) => {
      const monitor = heard(everyone(10_000));
      const disks = [{ diskId: 'disk-a-1', state: to, ...stats }];
      monitor.hear({ nodeId: 'a-1', incarnation: 'i1', disks }, 10_000);
      return planNodes(
        input({ map: mapOf({}, { 'disk-a-1': from }), sightings: monitor.sightings }),
      );
    };
    expect(plan('online', 'full')).toMatchObject([
      { name: 'SetDiskState', args: { state: 'full' } },
    ]);
    expect(plan('full', 'online')).toHaveLength(1);
    expect(plan('online', 'fenced')).toHaveLength(1);
    expect(plan('fenced', 'online')).toEqual([]);
    expect(plan('lost', 'online')).toEqual([]);
    expect(plan('online', 'online')).toEqual([]);
  });

  it('opens groups over the nodes that are up', () => {
    const options = { isSettled: true, nowMs: 0, nodeGraceMs: 1 };
    expect(planPlacement(mapOf(), options)).toMatchObject([{ name: 'OpenGroups' }]);
  });
});
