import type { ClusterMap, PlacementGroup } from '@azimuth/placement';
import type { BucketRecord, MetadataStatus, OutboxEntry } from '@azimuth/proto';

import { evenlySpaced, summarizeBucket } from '../src/bucket-explanation';
import type { BucketSample } from '../src/bucket-explanation';
import { durabilityStatement } from '../src/durability-statement';
import type { DurabilityAnswers, RepairAnswers } from '../src/durability-statement';
import type { Explanation } from '../src/explanation';
import { renderDurability } from '../src/output/durability-text';
import { renderBucket, renderExplanation, renderVersions } from '../src/output/explanation-text';

const ZONES = ['a', 'b', 'c'];
const LARGE = { k: 4, m: 2 };
const COPIES = { k: 1, m: 2 };

/** Two nodes a zone, one disk each; group 1 is 4+2, group 2 three copies. */
function makeMap(down: readonly string[] = [], more: readonly PlacementGroup[] = []): ClusterMap {
  const disks = ZONES.flatMap((zone) => [1, 2].map((number) => ({ zone, number }))).map(
    ({ zone, number }) => ({
      diskId: `disk-${zone}${number}`,
      nodeId: `${zone}${number}`,
      zone,
      capacityBytes: 1024,
      state: 'online' as const,
    }),
  );
  const group = { state: 'active' as const, isReduced: false, backfill: null };
  const groups: PlacementGroup[] = [
    { ...group, pgId: 1, profile: LARGE, slots: disks.map(({ diskId }) => diskId) },
    { ...group, pgId: 2, profile: COPIES, slots: ['disk-a1', 'disk-b1', 'disk-c1'] },
    ...more,
  ];
  return {
    version: 1,
    settings: {
      clusterId: '0'.repeat(32),
      region: 'us-east-1',
      zones: ZONES,
      erasureProfile: LARGE,
      replicaProfile: COPIES,
      inlineBytesMax: 0,
      replicaBytesMax: 0,
      blockBytes: 4096,
      indexGroups: 1,
    },
    nodes: new Map(
      disks.map(({ nodeId, zone }) => [
        nodeId,
        {
          ...{ nodeId, zone, host: '127.0.0.1', bulkPort: 1, rpcPort: 2, adminPort: 3 },
          incarnation: 'x',
          state: down.includes(nodeId) ? 'down' : 'up',
        },
      ]),
    ),
    disks: new Map(disks.map((disk) => [disk.diskId, disk])),
    groups: new Map(groups.map((entry) => [entry.pgId, entry])),
  };
}

const VOTERS = ZONES.map((zone) => ({
  ...{ nodeId: `${zone}-metadata-1`, zone },
  ...{ state: 'voter' as const, mayLead: true },
}));

function statusesOf(zones: readonly string[]): MetadataStatus[] {
  return zones.map((zone) => ({
    nodeId: `${zone}-metadata-1`,
    zone,
    groups: ['index-0', 'root'].map((group) => ({
      ...{ group, role: 'follower', term: 1, leader: null, commitIndex: 1, lastApplied: 1 },
    })),
    storage: [],
  }));
}

function repair(blobId: string, pgId: number, shardIndexes: readonly number[]): OutboxEntry {
  const profile = pgId === 1 ? LARGE : COPIES;
  const blob = { blobId, pgId, profile, sizeBytes: 1, blockBytes: 4096, isReduced: false };
  return { id: blobId, kind: 'repair', blob, shardIndexes, createdMs: 0 };
}

const NO_REPAIRS: RepairAnswers = { entries: [], total: 0, objects: new Map() };

function answers(more: Partial<DurabilityAnswers> = {}): DurabilityAnswers {
  return {
    map: makeMap(),
    metadataNodes: VOTERS,
    statuses: statusesOf(ZONES),
    repairs: NO_REPAIRS,
    ...more,
  };
}

describe('the durability statement of a cluster', () => {
  it('says of a healthy cluster what its weakest part survives', () => {
    const statement = durabilityStatement(answers());
    expect(renderDurability(statement)).toEqual([
      'the cluster survives any one zone',
      '',
      'PROFILE  GROUPS  SHARDS BY ZONE  SURVIVES NOW',
      '4+2           1  a 2, b 2, c 2   any one zone, or any two nodes',
      '1+2           1  a 1, b 1, c 1   any two zones',
      '',
      'METADATA  VOTERS BY ZONE  SURVIVES NOW',
      'root      a 1, b 1, c 1   any one zone',
      'index-0   a 1, b 1, c 1   any one zone',
    ]);
  });

  it('says during a zone outage what is left, which groups and why', () => {
    const reduced: PlacementGroup = {
      pgId: 3,
      profile: { k: 2, m: 2 },
      slots: ['disk-a1', 'disk-a2', 'disk-c1', 'disk-c2'],
      state: 'active',
      isReduced: true,
      backfill: null,
    };
    const map = makeMap(['b1', 'b2'], [reduced]);
    const statement = durabilityStatement(answers({ map, statuses: statusesOf(['a', 'c']) }));
    expect(renderDurability(statement)).toEqual([
      'the cluster survives nothing more',
      '',
      'PROFILE      GROUPS  SHARDS BY ZONE  SURVIVES NOW',
      '4+2               1  a 2, b 2, c 2   nothing more',
      '1+2               1  a 1, b 1, c 1   any one zone',
      '2+2 reduced       1  a 2, c 2        any one zone, or any two nodes',
      '',
      'METADATA  VOTERS BY ZONE      SURVIVES NOW',
      'root      a 1, b 0 of 1, c 1  nothing more',
      'index-0   a 1, b 0 of 1, c 1  nothing more',
      '',
      '3 placement groups below normal protection:',
      '  group 1, 4+2: survives nothing more (zone b is down with 2 shards)',
      '  group 2, 1+2: survives any one zone (zone b is down with 1 shard)',
      '  group 3, 2+2: survives any one zone, or any two nodes (reduced profile, to be re-striped)',
    ]);
  });

  it('is at rest after an outage, though sealed reduced groups are still there', () => {
    const reduced: PlacementGroup = {
      ...{ pgId: 3, profile: COPIES, slots: ['disk-a1', 'disk-b1', 'disk-c1'] },
      ...{ state: 'sealed', isReduced: true, backfill: null },
    };
    const atRest = durabilityStatement(answers({ map: makeMap([], [reduced]) }));
    expect(atRest.groupsAtRiskTotal).toBe(0);
    const again = durabilityStatement(answers({ map: makeMap(['b1'], [reduced]) }));
    expect(again.groupsAtRisk.map(({ pgId }) => pgId)).toContain(3);
  });

  it('says the same of many groups once', () => {
    const copies = { profile: COPIES, slots: ['disk-a1', 'disk-b1', 'disk-c1'] };
    const more = [4, 5, 6].map((pgId) => ({
      ...{ ...copies, pgId, state: 'active' as const, isReduced: false, backfill: null },
    }));
    const lines = renderDurability(durabilityStatement(answers({ map: makeMap(['b1'], more) })));
    expect(lines.slice(-3)).toEqual([
      '5 placement groups below normal protection:',
      '  group 1, 4+2: survives any one node (node b1 is down with 1 shard)',
      '  4 groups from 2 to 6, 1+2: survives any one zone (node b1 is down with 1 shard)',
    ]);
  });

  it('names the objects that lack shards, weakest first, and counts them in', () => {
    const statement = durabilityStatement(
      answers({
        repairs: {
          entries: [
            repair('blob-1', 1, [5]),
            repair('blob-2', 1, [0, 3]),
            repair('blob-3', 9, [0]),
          ],
          total: 7,
          objects: new Map([['blob-2', { bucket: 'photos', key: 'a b' }]]),
        },
      }),
    );
    expect(renderDurability(statement).slice(-4)).toEqual([
      '',
      '7 blobs with missing shards, 3 looked at, the weakest 2:',
      '  s3://photos/a b, 4+2: survives nothing more (shards 0, 3 missing)',
      '  blob blob-1, 4+2: survives any one node (shard 5 missing)',
    ]);
    expect(statement.losses).toEqual([0]);
  });

  it('never calls unknown repair work none, nor a group without a majority safe', () => {
    const statement = durabilityStatement(answers({ repairs: null, statuses: statusesOf(['a']) }));
    const lines = renderDurability(statement);
    expect(lines[0]).toBe('the cluster does not serve everything now; see below');
    expect(lines.at(-1)).toBe(
      'blobs with missing shards: unknown, a part of the metadata does not answer',
    );
    expect(lines).toContain(
      'root      a 1, b 0 of 1, c 0 of 1  no majority: neither reads nor writes',
    );
  });

  it('says apart what is all in one zone, so that it weakens nothing else', () => {
    const pair: PlacementGroup = {
      pgId: 3,
      profile: { k: 1, m: 1 },
      slots: ['disk-a1', 'disk-a2'],
      state: 'active',
      isReduced: false,
      backfill: null,
      zone: 'a',
    };
    const text = renderDurability(durabilityStatement(answers({ map: makeMap([], [pair]) })));
    expect(text.slice(0, 2)).toEqual([
      'the cluster survives any one zone',
      'objects that are all in one zone (ONEZONE_IA) survive any one node, and not the loss of ' +
        'their zone',
    ]);
    expect(text).toContain('1+1 in one zone       1  a 2             any one node');
    const out = durabilityStatement(answers({ map: makeMap(['a1', 'a2'], [pair]) }));
    expect(renderDurability(out)[1]).toBe(
      'objects that are all in one zone (ONEZONE_IA) cannot all be read now, as a zone is out',
    );
  });

  it('has the fields that docs/operations/status.md documents', () => {
    const map = makeMap(['b1']);
    const repairs = { entries: [repair('blob-1', 2, [0])], total: 1, objects: new Map() };
    expect(JSON.parse(JSON.stringify(durabilityStatement(answers({ map, repairs }))))).toEqual({
      losses: [0],
      survives: 'nothing more',
      oneZone: null,
      profiles: [
        {
          profile: '4+2',
          isReduced: false,
          isOneZone: false,
          groups: 1,
          slotsByZone: { a: 2, b: 2, c: 2 },
          losses: [1],
          survives: 'any one node',
        },
        {
          profile: '1+2',
          isReduced: false,
          isOneZone: false,
          groups: 1,
          slotsByZone: { a: 1, b: 1, c: 1 },
          losses: [1, 0],
          survives: 'any one zone',
        },
      ],
      groupsAtRisk: [
        {
          pgId: 1,
          profile: '4+2',
          risk: 'degraded',
          zones: [
            { zone: 'a', live: 2, slots: 2 },
            { zone: 'b', live: 1, slots: 2 },
            { zone: 'c', live: 2, slots: 2 },
          ],
          fatalZones: ['a', 'c'],
          reasons: ['node b1 is down with 1 shard'],
          losses: [1],
          survives: 'any one node',
        },
        {
          pgId: 2,
          profile: '1+2',
          risk: 'degraded',
          zones: [
            { zone: 'a', live: 1, slots: 1 },
            { zone: 'b', live: 0, slots: 1 },
            { zone: 'c', live: 1, slots: 1 },
          ],
          fatalZones: [],
          reasons: ['node b1 is down with 1 shard'],
          losses: [1, 0],
          survives: 'any one zone',
        },
      ],
      groupsAtRiskTotal: 2,
      blobsAtRisk: [
        {
          blobId: 'blob-1',
          object: null,
          pgId: 2,
          profile: '1+2',
          risk: 'at-risk',
          missingShards: [0],
          reasons: ['node b1 is down with 1 shard', 'shard 0 missing'],
          losses: [0],
          survives: 'nothing more',
        },
      ],
      blobsAtRiskTotal: 1,
      blobsInspected: 1,
      metadata: ['root', 'index-0'].map((group) => ({
        group,
        votersByZone: ZONES.map((zone) => ({ zone, live: 1, voters: 1 })),
        hasQuorum: true,
        losses: [1, 0],
        survives: 'any one zone',
      })),
    });
  });
});

describe('the explanation of a bucket', () => {
  const record = {
    name: 'photos',
    versioning: 'enabled',
    configurations: {},
  } as Partial<BucketRecord> as BucketRecord;
  const sample: BucketSample = {
    versionsListed: 3,
    isListComplete: true,
    versions: [
      { isDeleteMarker: true, hasInline: false, blobs: [] },
      { isDeleteMarker: false, hasInline: true, blobs: [] },
      { isDeleteMarker: false, hasInline: false, blobs: [{ pgId: 2 }, { pgId: 2 }] },
    ],
  };

  it('speaks of the groups that hold it, the metadata, and of all there is', () => {
    const map = makeMap(['b1']);
    expect(renderBucket(summarizeBucket(record, sample, answers({ map })))).toEqual([
      's3://photos',
      '  versioning enabled, writes during an outage reduced',
      '  all 3 versions were looked at: 1 in 2 blobs, 1 inline with the metadata, 1 delete markers',
      '  the bucket survives any one zone',
      '  everything in the cluster but what is all in one zone (ONEZONE_IA) survives any one node',
      '',
      'PROFILE  GROUPS  SHARDS BY ZONE  SURVIVES NOW',
      '1+2           1  a 1, b 1, c 1   any one zone',
      '',
      'METADATA  VOTERS BY ZONE  SURVIVES NOW',
      'root      a 1, b 1, c 1   any one zone',
      'index-0   a 1, b 1, c 1   any one zone',
    ]);
  });

  it('says what writes do in an outage', () => {
    const strict = { ...record, configurations: { 'outage-policy': '"strict"' } };
    const lines = renderBucket(summarizeBucket(strict, sample, answers()));
    expect(lines[1]).toBe('  versioning enabled, writes during an outage strict');
  });

  it('says that a sample is one, and lists only its own repair work', () => {
    const repairs: RepairAnswers = {
      entries: [repair('blob-1', 1, [0, 1]), repair('blob-2', 2, [0])],
      total: 9,
      objects: new Map([
        ['blob-1', { bucket: 'other', key: 'k' }],
        ['blob-2', { bucket: 'photos', key: 'k' }],
      ]),
    };
    const some = { ...sample, isListComplete: false, versionsListed: 1000 };
    const lines = renderBucket(summarizeBucket(record, some, answers({ repairs })));
    expect(lines[2]).toContain('a sample: 3 versions of the first 1000 listed: 1 in 2 blobs');
    expect(lines[3]).toBe('  what was looked at survives any one zone');
    expect(lines[4]).toBe(
      '  what was not looked at: unknown, not all repair work could be looked at',
    );
    expect(lines.slice(-2)).toEqual([
      'blobs that wait for repair:',
      '  s3://photos/k, 1+2: survives any one zone (shard 0 missing)',
    ]);
  });

  it('takes versions from everywhere in the list', () => {
    const entries = Array.from({ length: 10 }, (_, i) => ({ key: `${i}` }) as never);
    expect(evenlySpaced(entries, 3)).toEqual([{ key: '0' }, { key: '3' }, { key: '6' }]);
    expect(evenlySpaced(entries, 10)).toBe(entries);
  });
});

describe('the explanation of an object', () => {
  const [root] = durabilityStatement(answers()).metadata;
  const inline: Explanation = {
    bucket: 'photos',
    head: {
      key: 'k',
      versionId: 'null',
      sizeBytes: 5,
      etag: 'e',
      storageClass: 'STANDARD',
      lastModifiedMs: 0,
      isDeleteMarker: false,
    },
    indexGroup: 'index-0',
    metadata: root ?? null,
    inlineBytes: 5,
    blobs: [],
    losses: [1, 0],
    survives: 'any one zone',
  };
  const blob: Explanation['blobs'][number] = {
    blobId: 'B',
    pgId: 1,
    profile: '1+1',
    sizeBytes: 7,
    isReduced: false,
    zone: null,
    shards: [
      { shardIndex: 0, zone: 'a', nodeId: 'a1', diskId: 'disk-a1', presence: 'intact' },
      { shardIndex: 1, zone: 'b', nodeId: 'b1', diskId: 'disk-b1', presence: 'absent' },
    ],
    zones: [
      { zone: 'a', live: 1, slots: 1 },
      { zone: 'b', live: 0, slots: 1 },
    ],
    risk: 'at-risk',
    fatalZones: ['a'],
    reasons: ['shard 1 missing'],
    losses: [0],
    survives: 'nothing more',
  };

  it('gives inline bytes the protection of the metadata', () => {
    expect(renderExplanation(inline)).toEqual([
      's3://photos/k',
      '  version null',
      '  5 bytes, ETag "e", STANDARD, 1970-01-01T00:00:00.000Z',
      '  metadata in index-0, voters a 1, b 1, c 1: survives any one zone',
      '  5 bytes are kept inline, with the metadata and as safe as it',
      '  survives any one zone',
    ]);
  });

  it('says of a blob that is all in one zone that it does not survive its loss', () => {
    const there = { ...blob, zone: 'a', reasons: [], survives: 'any one node' };
    const version = { ...inline, inlineBytes: null, blobs: [there], survives: 'any one node' };
    const lines = renderExplanation(version);
    expect(lines).toContain('blob B: 7 bytes, 1+1 in group 1, all in zone a');
    expect(lines.at(-1)).toBe('  survives any one node, and not the loss of zone a');
  });

  it('says of each blob where it is, what it survives and why not more', () => {
    const large = { ...inline, inlineBytes: null, blobs: [blob], survives: 'nothing more' };
    expect(renderExplanation(large).slice(4)).toEqual([
      '  survives nothing more',
      '',
      'blob B: 7 bytes, 1+1 in group 1',
      '  SHARD  ZONE  NODE  DISK     STATE',
      '      0  a     a1    disk-a1  intact',
      '      1  b     b1    disk-b1  absent',
      '  zone a: 1 of 1, zone b: 0 of 1',
      '  survives nothing more',
      '  at risk: shard 1 missing',
    ]);
  });

  it('says when there are more versions than it looked at', () => {
    const versions = { bucket: 'photos', key: 'k', versions: [inline, inline], isTruncated: true };
    expect(renderVersions(versions)).toHaveLength(15);
    expect(renderVersions(versions).at(-1)).toBe('the newest 2 versions; others by --version-id');
  });
});
