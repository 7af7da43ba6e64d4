import type {
  ClusterMap,
  DiskEntry,
  DiskState,
  NodeState,
  PlacementGroup,
  Profile,
  StorageNodeEntry,
} from '../src/index';
import type { GroupPlan } from '../src/index';

export interface NodeSketch {
  readonly zone: string;
  readonly state?: NodeState;
  /** One state a disk; default one online disk. */
  readonly disks?: readonly DiskState[];
}

export const ERASURE: Profile = { k: 4, m: 2 };
export const REPLICA: Profile = { k: 1, m: 2 };

/** Nodes n0, n1, … with disks n0d0, n0d1, … */
export function buildMap(
  nodes: readonly NodeSketch[],
  options: {
    readonly zones?: readonly string[];
    readonly erasureProfile?: Profile;
    readonly replicaProfile?: Profile;
    readonly groups?: readonly PlacementGroup[];
  } = {},
): ClusterMap {
  const nodeEntries = new Map<string, StorageNodeEntry>();
  const disks = new Map<string, DiskEntry>();
  nodes.forEach(({ zone, state = 'up', disks: states = ['online'] }, index) => {
    const nodeId = `n${index}`;
    const ports = { host: '127.0.0.1', bulkPort: 1, rpcPort: 2, adminPort: 3 };
    nodeEntries.set(nodeId, { nodeId, zone, ...ports, incarnation: 'i1', state });
    states.forEach((diskState, diskIndex) => {
      const diskId = `${nodeId}d${diskIndex}`;
      disks.set(diskId, { diskId, nodeId, zone, capacityBytes: 1e12, state: diskState });
    });
  });
  return {
    version: 1,
    settings: {
      clusterId: '0'.repeat(32),
      region: 'r',
      zones: options.zones ?? [...new Set(nodes.map(({ zone }) => zone))],
      erasureProfile: options.erasureProfile ?? ERASURE,
      replicaProfile: options.replicaProfile ?? REPLICA,
      inlineBytesMax: 8192,
      replicaBytesMax: 131_072,
      blockBytes: 262_144,
      indexGroups: 1,
    },
    nodes: nodeEntries,
    disks,
    groups: new Map((options.groups ?? []).map((group) => [group.pgId, group])),
  };
}

/** The map with other node or disk states. */
export function withStates(
  map: ClusterMap,
  states: {
    readonly nodes?: Readonly<Record<string, NodeState>>;
    readonly disks?: Readonly<Record<string, DiskState>>;
  },
): ClusterMap {
  const nodes = new Map(map.nodes);
  for (const [nodeId, state] of Object.entries(states.nodes ?? {})) {
    nodes.set(nodeId, { ...nodes.get(nodeId)!, state });
  }
  const disks = new Map(map.disks);
  for (const [diskId, state] of Object.entries(states.disks ?? {})) {
    disks.set(diskId, { ...disks.get(diskId)!, state });
  }
  return { ...map, nodes, disks };
}

/** What the root state machine makes of a plan. */
export function carryOut(map: ClusterMap, plan: GroupPlan): ClusterMap {
  const groups = new Map(map.groups);
  let nextPgId = Math.max(0, ...groups.keys()) + 1;
  for (const { group } of plan.open) {
    groups.set(nextPgId, { ...group, pgId: nextPgId, state: 'active', backfill: null });
    nextPgId += 1;
  }
  for (const { pgId, isSealed } of plan.seal) {
    groups.set(pgId, { ...groups.get(pgId)!, state: isSealed ? 'sealed' : 'active' });
  }
  for (const { pgId, slot, targetDiskId } of plan.backfill) {
    const group = groups.get(pgId)!;
    groups.set(pgId, { ...group, state: 'sealed', backfill: { slot, targetDiskId } });
  }
  for (const { pgId } of plan.remove) groups.delete(pgId);
  return { ...map, version: map.version + 1, groups };
}

export function finishBackfills(map: ClusterMap): ClusterMap {
  const groups = new Map(map.groups);
  for (const group of groups.values()) {
    if (group.backfill === null) continue;
    const slots = group.slots.with(group.backfill.slot, group.backfill.targetDiskId);
    groups.set(group.pgId, { ...group, slots, backfill: null, state: 'active' });
  }
  return { ...map, groups };
}
