import { StoreError } from '@azimuth/common';
import type { ClusterMap, PlacementGroup } from '@azimuth/placement';
import type { MetadataStatus } from '@azimuth/proto';

import { countCorruptShards } from '../src/corrupt-shards';
import type { ShardFinding } from '../src/storage-inspector';

const TIMEOUT_MS = 1_000;
const LIVE = '00'.repeat(16);
const DELETED = '01'.repeat(16);
const DISKS = ['disk-a', 'disk-b', 'disk-c'];

const GROUP: PlacementGroup = {
  pgId: 1,
  profile: { k: 2, m: 1 },
  slots: DISKS,
  state: 'active',
  isReduced: false,
  backfill: null,
};

/** Two of its fields are looked at beside these. */
const MAP = {
  settings: { indexGroups: 2 },
  nodes: new Map(DISKS.map((diskId) => [`node-of-${diskId}`, { state: 'up' }])),
  disks: new Map(
    DISKS.map((diskId) => [diskId, { diskId, nodeId: `node-of-${diskId}`, state: 'online' }]),
  ),
  groups: new Map([[1, GROUP]]),
} as unknown as ClusterMap;

/** What the heartbeat of each disk says. */
function heard(counts: Readonly<Record<string, number>>): MetadataStatus[] {
  const disks = Object.entries(counts).map(([diskId, corruptShards]) => ({
    ...{ diskId, corruptShards, shardCount: 9, state: 'online' as const },
    ...{ capacityBytes: 1, usedBytes: 1 },
  }));
  const storage = [{ nodeId: 'n', incarnation: 'x', ageMs: 1, disks }];
  return [{ nodeId: 'm', zone: 'a', groups: [], storage }];
}

function finding(blobId: string, more: Partial<ShardFinding> = {}): ShardFinding {
  return { pgId: 1, blobId, shardIndex: 0, ...more };
}

async function count(options: {
  readonly findings: Readonly<Record<string, readonly ShardFinding[] | null>>;
  readonly resolve?: (blobIds: readonly string[]) => readonly unknown[];
  readonly heartbeats?: Readonly<Record<string, number>>;
}): Promise<Record<string, number>> {
  const resolve =
    options.resolve ?? ((blobIds) => blobIds.map((id) => (id === DELETED ? null : { owner: id })));
  const cluster = {
    storage: {
      findingsOf: (_node: unknown, diskId: string) =>
        Promise.resolve(options.findings[diskId] ?? null),
    },
    metadata: {
      queryIndex: async (_group: string, _name: string, args: { blobIds: readonly string[] }) =>
        Promise.resolve(resolve(args.blobIds)),
    },
  } as unknown as Parameters<typeof countCorruptShards>[0];
  const statuses = heard(options.heartbeats ?? { 'disk-a': 7 });
  return Object.fromEntries(await countCorruptShards(cluster, MAP, statuses, TIMEOUT_MS));
}

describe('corrupt shards that count as missing', () => {
  it('are not those of deleted objects, which wait for the collection of garbage', async () => {
    const findings = { 'disk-a': [finding(LIVE), finding(DELETED)] };
    expect(await count({ findings })).toEqual({ 'disk-a': 1 });
    expect(await count({ findings: { 'disk-a': [finding(DELETED)] } })).toEqual({ 'disk-a': 0 });
  });

  it('are in their slot; what a backfill left behind protects nothing', async () => {
    const findings = { 'disk-a': [finding(LIVE, { shardIndex: 1 })] };
    expect(await count({ findings })).toEqual({ 'disk-a': 0 });
  });

  it('are also those whose index entry does not say where they belong', async () => {
    const findings = { 'disk-a': [finding(LIVE, { pgId: 0, shardIndex: 2 })] };
    expect(await count({ findings })).toEqual({ 'disk-a': 1 });
  });

  it('unknown is never absent: without proof the count of the node stands', async () => {
    const findings = { 'disk-a': [finding(DELETED)] };
    const silent = () => {
      throw new StoreError('UNAVAILABLE');
    };
    expect(await count({ findings, resolve: silent })).toEqual({});
    expect(await count({ findings: { 'disk-a': null } })).toEqual({});
    const tooMany = Array.from({ length: 1_000 }, (_, shardIndex) =>
      finding(DELETED, { shardIndex }),
    );
    expect(await count({ findings: { 'disk-a': tooMany } })).toEqual({});
    expect(await count({ findings, resolve: () => [] })).toEqual({ 'disk-a': 1 });
  });

  it('are asked for only where a heartbeat speaks of any', async () => {
    const findings = { 'disk-a': [finding(LIVE)], 'disk-b': [finding(LIVE, { shardIndex: 1 })] };
    expect(await count({ findings, heartbeats: { 'disk-a': 0, 'disk-b': 1 } })).toEqual({
      'disk-b': 1,
    });
  });
});
