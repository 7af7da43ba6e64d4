import { intentKey } from '../src/index';
import type {
  ClusterMap,
  DiskEntry,
  DiskState,
  Intent,
  IntentKind,
  IntentScope,
  NodeState,
  PlacementGroup,
  Profile,
  StorageNodeEntry,
} from '../src/index';

export interface NodeSketch {
  readonly zone: string;
  readonly state?: NodeState;
  /** One state a disk; default one online disk. */
  readonly disks?: readonly DiskState[];
  /** Of each of its disks; default 1 TB. */
  readonly capacityBytes?: number;
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
    readonly survive?: 'zone' | 'zone+1';
  } = {},
): ClusterMap {
  const nodeEntries = new Map<string, StorageNodeEntry>();
  const disks = new Map<string, DiskEntry>();
  nodes.forEach((sketch, index) => {
    const { zone, state = 'up', disks: states = ['online'], capacityBytes = 1e12 } = sketch;
    const nodeId = `n${index}`;
    const ports = { host: '127.0.0.1', bulkPort: 1, rpcPort: 2, adminPort: 3 };
    nodeEntries.set(nodeId, { nodeId, zone, ...ports, incarnation: 'i1', state });
    states.forEach((diskState, diskIndex) => {
      const diskId = `${nodeId}d${diskIndex}`;
      disks.set(diskId, { diskId, nodeId, zone, capacityBytes, state: diskState });
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
      ...(options.survive === undefined ? {} : { survive: options.survive }),
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

/** The map with an intent, or with null without it. */
export function withIntentOf(
  map: ClusterMap,
  scope: IntentScope,
  name: string,
  kind: IntentKind | null,
): ClusterMap {
  const intents = new Map<string, Intent>(map.intents);
  if (kind === null) intents.delete(intentKey(scope, name));
  else intents.set(intentKey(scope, name), { scope, name, kind, sinceMs: 0 });
  return { ...map, intents };
}
