import { intentKey } from '@azimuth/placement';
import type { ClusterMap, PlacementGroup } from '@azimuth/placement';
import type { MetadataStatus } from '@azimuth/proto';

import { summarizeCluster, unreadableSlots } from '../src/cluster-status';
import type { ClusterAnswers } from '../src/cluster-status';
import { parseS3Url } from '../src/commands/explain';
import type { KnownMetadataNode } from '../src/metadata-answers';
import { renderStatus } from '../src/output/status-text';
import { renderBytes, renderTable } from '../src/output/table';

const ZONES = ['a', 'b', 'c'];

function makeMap(downZone: string | null = null, more: readonly PlacementGroup[] = []): ClusterMap {
  const disks = ZONES.map((zone) => ({
    diskId: `disk-${zone}`,
    nodeId: `${zone}-storage-1`,
    zone,
    capacityBytes: 1024,
    state: 'online' as const,
  }));
  const group: PlacementGroup = {
    pgId: 1,
    profile: { k: 2, m: 1 },
    slots: disks.map(({ diskId }) => diskId),
    state: 'active',
    isReduced: false,
    backfill: null,
  };
  return {
    version: 1,
    settings: {
      clusterId: '0'.repeat(32),
      region: 'us-east-1',
      zones: ZONES,
      erasureProfile: { k: 2, m: 1 },
      replicaProfile: { k: 1, m: 2 },
      inlineBytesMax: 0,
      replicaBytesMax: 0,
      blockBytes: 4096,
      indexGroups: 1,
    },
    nodes: new Map(
      disks.map(({ nodeId, zone }) => [
        nodeId,
        {
          nodeId,
          zone,
          host: '127.0.0.1',
          bulkPort: 1,
          rpcPort: 2,
          adminPort: 3,
          incarnation: 'x',
          state: zone === downZone ? ('down' as const) : ('up' as const),
        },
      ]),
    ),
    disks: new Map(disks.map((disk) => [disk.diskId, disk])),
    groups: new Map([group, ...more].map((entry) => [entry.pgId, entry])),
  };
}

function makeStatus(zone: string, role: string, term: number): MetadataStatus {
  return {
    nodeId: `${zone}-metadata-1`,
    zone,
    groups: [{ group: 'root', role, term, leader: null, commitIndex: 10, lastApplied: 8 }],
    storage: [],
  };
}

const OUTBOX = { repairEntries: 1, missingShards: 2, garbageEntries: 3, restripeEntries: 4 };

function voterOf(zone: string): KnownMetadataNode {
  return { nodeId: `${zone}-metadata-1`, zone, state: 'voter', mayLead: true };
}

function answers(more: Partial<ClusterAnswers> = {}): ClusterAnswers {
  return {
    map: makeMap(),
    metadataNodes: ZONES.map((zone) => voterOf(zone)),
    statuses: [makeStatus('a', 'leader', 3), makeStatus('b', 'follower', 3)],
    outboxes: [{ group: 'index-0', counts: OUTBOX }],
    unreadableShards: 0,
    corruptShards: new Map(),
    repairs: { entries: [], total: 0, objects: new Map() },
    repair: null,
    scrubs: [],
    ...more,
  };
}

describe('azimuth status', () => {
  it('adds up what waits for repair and what lies on disks that cannot be read', () => {
    const status = summarizeCluster(answers({ unreadableShards: 40 }));
    expect(status.shardsMissing).toBe(42);
    expect(renderStatus(status, 0).at(-1)).toBe('42 shards missing');
  });

  it('counts shards that a scrub tour found corrupt', () => {
    const disk = { diskId: 'disk-a', state: 'online' as const, capacityBytes: 1024, usedBytes: 1 };
    const heartbeat = {
      nodeId: 'a-storage-1',
      incarnation: 'x',
      ageMs: 1,
      disks: [{ ...disk, shardCount: 9, corruptShards: 5 }],
    };
    const statuses = [{ ...makeStatus('a', 'leader', 3), storage: [heartbeat] }];
    expect(summarizeCluster(answers({ statuses })).shardsMissing).toBe(7);
    const corruptShards = new Map([['disk-a', 1]]);
    expect(summarizeCluster(answers({ statuses, corruptShards })).shardsMissing).toBe(3);
  });

  it.each([
    ['no map', { map: null }],
    ['an index group that does not answer', { outboxes: [{ group: 'index-0', counts: null }] }],
    ['a group that nobody was asked about', { outboxes: [] }],
    ['a placement group that cannot be listed anywhere', { unreadableShards: null }],
  ])('never says zero when it cannot know: %s', (_what, more) => {
    const status = summarizeCluster(answers(more));
    expect(status.shardsMissing).toBeNull();
    expect(renderStatus(status, 0).at(-1)).toContain('unknown');
  });

  it('takes a leader of an old term for none', () => {
    const statuses = [makeStatus('a', 'leader', 3), makeStatus('b', 'candidate', 4)];
    expect(summarizeCluster(answers({ statuses })).raftGroups).toEqual([
      { group: 'root', leader: null, term: 4, commitIndex: 10, applyLag: 2 },
    ]);
  });

  it('shows a zone that is out, and its slots as unreadable', () => {
    const map = makeMap('b');
    expect(summarizeCluster(answers({ map })).zones[1]).toEqual({
      zone: 'b',
      state: 'down',
      intent: null,
      storageNodesUp: 0,
      storageNodes: 1,
      metadataNodesUp: 1,
      metadataNodes: 1,
    });
    expect(unreadableSlots(map)).toMatchObject([{ group: { pgId: 1 }, slots: [1] }]);
    expect(summarizeCluster(answers({ map })).placementGroups).toEqual({
      whole: 0,
      degraded: 1,
      reduced: 0,
    });
  });

  it('shows the metadata nodes of the cluster, who leads, and a zone in maintenance that is down', () => {
    const intent = { scope: 'zone' as const, name: 'b', kind: 'maintenance' as const, sinceMs: 0 };
    const map = { ...makeMap('b'), intents: new Map([[intentKey('zone', 'b'), intent]]) };
    const joining = { ...voterOf('c'), nodeId: 'c-metadata-2', state: 'joining' as const };
    const metadataNodes = [voterOf('a'), { ...voterOf('b'), mayLead: false }, joining];
    const status = summarizeCluster(answers({ map, metadataNodes }));
    expect(status.metadata).toMatchObject([
      { nodeId: 'a-metadata-1', isReachable: true, leads: ['root'] },
      { nodeId: 'b-metadata-1', isReachable: true, leads: [], mayLead: false },
      { nodeId: 'c-metadata-2', isReachable: false, state: 'joining' },
    ]);
    // Who only joins has no vote yet.
    expect(status.zones[2]).toMatchObject({ zone: 'c', metadataNodes: 0, intent: null });
    const text = renderStatus(status, 0).join('\n');
    expect(text).toMatch(/^b +down, maintenance +0 of 1 +1 of 1$/m);
    expect(text).toMatch(/^c-metadata-2 +c +joining, unreachable +yes +-$/m);
  });

  it('says what an operator wants of a disk, and when it is drained', () => {
    const intent = { scope: 'zone', name: 'b', kind: 'drain', sinceMs: 0 } as const;
    const map = { ...makeMap(), intents: new Map([['zone/b', intent]]) };
    const intents = (at: typeof map): unknown[] =>
      summarizeCluster(answers({ map: at })).storage.map(({ disks }) => disks[0]?.intent);
    expect(intents(map)).toEqual([null, 'drain', null]);
    const disk = { ...map.disks.get('disk-b')!, drainedMs: 1 };
    const drained = { ...map, disks: new Map([...map.disks, ['disk-b', disk]]) };
    expect(intents(drained)).toEqual([null, 'drained', null]);
    const lines = renderStatus(summarizeCluster(answers({ map: drained })), 0);
    expect(lines.join()).toContain('online, drained');
  });

  it('counts each placement group once', () => {
    const base = makeMap().groups.get(1)!;
    const map = makeMap(null, [
      { ...base, pgId: 2, isReduced: true },
      { ...base, pgId: 3, state: 'sealed', backfill: { slot: 0, targetDiskId: 'disk-b' } },
    ]);
    expect(summarizeCluster(answers({ map })).placementGroups).toEqual({
      whole: 1,
      degraded: 1,
      reduced: 1,
    });
  });
});

describe('azimuth explain', () => {
  it('takes keys with slashes, spaces and newlines', () => {
    expect(parseS3Url('s3://photos/a/b c\nd')).toEqual({ bucket: 'photos', key: 'a/b c\nd' });
  });

  it.each(['s3://photos', 's3://photos/'])('takes %p for the bucket', (url) => {
    expect(parseS3Url(url)).toEqual({ bucket: 'photos', key: null });
  });

  it.each(['photos/a', 's3://', 's3:///a'])('refuses %p', (url) => {
    expect(() => parseS3Url(url)).toThrow('INVALID_ARGUMENT');
  });
});

describe('output', () => {
  it('aligns text to the left and numbers to the right', () => {
    expect(
      renderTable(
        ['NAME', 'N'],
        [
          ['a', 7],
          ['long-name', 12],
        ],
      ),
    ).toEqual(['NAME       N', 'a           7', 'long-name  12']);
  });

  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1536, '1.5 KiB'],
    [270_553_174_016, '252.0 GiB'],
  ])('%d bytes are %s', (bytes, text) => {
    expect(renderBytes(bytes)).toBe(text);
  });
});
