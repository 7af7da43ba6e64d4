import { seededRandom } from '@azimuth/common';
import { planGroups } from '@azimuth/placement';
import type { ClusterMap } from '@azimuth/placement';
import { slotOfKey } from '@azimuth/proto';
import type { BlobRef, MissingShards } from '@azimuth/proto';
import { MemoryMetadataClient } from '@azimuth/testkit';

import type { CuratorContext } from '../src/curator-context';
import { RetrySchedule } from '../src/retry-schedule';
import { backfillGroup, groupsToBackfill } from '../src/tasks/backfill';
import { takeCensus } from '../src/tasks/census';
import { collectGarbage } from '../src/tasks/collect-garbage';
import { confirmDrainedDisks } from '../src/tasks/leaving-disks';
import { repairOutbox } from '../src/tasks/repair-outbox';
import { restripeOutbox } from '../src/tasks/restripe-outbox';
import { FakeCluster } from './fake-cluster';

const BUCKET_ID = '00112233445566778899aabbccddeeff';
const KEY = 'holiday/beach.jpg';
const BYTES = seededRandom(5).bytes(300_000);

/** The tasks against the real metadata state machines, with shards in memory. */
class Story {
  readonly cluster: FakeCluster;
  /** Nodes and disks as they are built; the map says what became of them. */
  readonly #hardware: ClusterMap;
  readonly metadata: MemoryMetadataClient;
  readonly index: string;

  private constructor(metadata: MemoryMetadataClient, cluster: FakeCluster) {
    this.metadata = metadata;
    this.cluster = cluster;
    this.#hardware = cluster.map;
    const slot = slotOfKey(BUCKET_ID, KEY);
    this.index = `index-${slot % cluster.map.settings.indexGroups}`;
  }

  static async begin(): Promise<Story> {
    const cluster = new FakeCluster([]);
    const { clock } = cluster.context();
    const { settings } = cluster.map;
    const random = seededRandom(2);
    const story = new Story(
      await MemoryMetadataClient.create({ clock, random, settings }),
      cluster,
    );
    for (const { nodeId } of cluster.map.nodes.values()) await story.register(nodeId, 'i1');
    await story.plan();
    return story;
  }

  async register(nodeId: string, incarnation: string, lostDiskId?: string): Promise<void> {
    const { zone, host, bulkPort, rpcPort, adminPort } = this.#hardware.nodes.get(nodeId)!;
    const node = { nodeId, zone, host, bulkPort, rpcPort, adminPort, incarnation };
    const disks = [...this.#hardware.disks.values()]
      .filter((disk) => disk.nodeId === nodeId && disk.diskId !== lostDiskId)
      .map(({ diskId, capacityBytes }) => ({ diskId, capacityBytes, state: 'online' as const }));
    await this.metadata.root('RegisterNode', { node, disks });
    this.sync();
  }

  async setNode(nodeId: string, state: 'up' | 'down'): Promise<void> {
    await this.metadata.root('SetNodeState', { nodeId, incarnation: 'i1', state });
    this.sync();
  }

  /** What the root leader does all the time. */
  async plan(): Promise<void> {
    const plan = planGroups(this.metadata.view.map(), {
      groupsPerKind: 6,
      groupsPerOutage: 2,
      oneZoneGroupsPerKind: 0,
      backfillsMax: 4,
      isSettled: true,
      nowMs: 0,
      nodeGraceMs: 900_000,
      drainedGroups: new Set(),
    });
    const groups = plan.open.map(({ group }) => group);
    if (groups.length > 0) await this.metadata.root('OpenGroups', { groups });
    for (const { pgId, isSealed } of plan.seal) {
      await this.metadata.root('SealGroup', { pgId, isSealed });
    }
    for (const { pgId, slot, targetDiskId } of plan.backfill) {
      await this.metadata.root('BeginBackfill', { pgId, slot, targetDiskId });
    }
    this.sync();
  }

  sync(): void {
    this.cluster.map = this.metadata.view.map();
  }

  context(): CuratorContext {
    const { metadata } = this;
    return { ...this.cluster.context(), metadata, view: metadata.view };
  }

  groupOf(isReduced: boolean): number {
    const groups = [...this.cluster.map.groups.values()];
    return groups.find((g) => g.profile.k > 1 && g.isReduced === isReduced)!.pgId;
  }

  async put(pgId: number, missing: readonly number[]): Promise<BlobRef> {
    const blob = this.cluster.putBlob(BYTES, pgId, { slot: slotOfKey(BUCKET_ID, KEY) });
    for (const index of missing) this.cluster.dropShard(blob, index);
    await this.commit(blob, missing);
    return blob;
  }

  /** As a gateway that looked at the map of version `mapVersion`, if it says so. */
  async commit(blob: BlobRef, missing: readonly number[] = [], mapVersion?: number): Promise<void> {
    const { blobId } = blob;
    const named: MissingShards[] = missing.length === 0 ? [] : [{ blobId, shardIndexes: missing }];
    await this.metadata.index(this.index, 'CommitVersion', {
      bucketId: BUCKET_ID,
      key: KEY,
      versioning: 'unversioned',
      draft: {
        key: KEY,
        sizeBytes: BYTES.length,
        etag: 'e',
        storageClass: 'STANDARD',
        owner: 'me',
        headers: {},
        userMetadata: {},
        checksum: null,
        tags: {},
        acl: null,
      },
      data: {
        inline: null,
        blobs: [blob],
        missing: named,
        ...(mapVersion === undefined ? {} : { mapVersion }),
      },
      precondition: null,
    });
  }

  /** What the root leader and the curator do until nothing is left to move. */
  async moveAll(): Promise<void> {
    for (let round = 0; round < 40; round += 1) {
      await this.plan();
      const groups = groupsToBackfill(this.context());
      if (groups.length === 0) return;
      for (const group of groups) await backfillGroup(this.context(), group);
      this.sync();
    }
    throw new Error('slots move without end');
  }

  async currentBlob(): Promise<BlobRef> {
    const args = { bucketId: BUCKET_ID, key: KEY, versionId: null, withBody: true };
    const version = await this.metadata.queryIndex(this.index, 'GetVersion', args);
    return version!.body!.blobs[0]!;
  }

  counts(): Promise<{ repairEntries: number; garbageEntries: number; restripeEntries: number }> {
    return this.metadata.queryIndex(this.index, 'CountOutbox', {});
  }

  retries(): RetrySchedule {
    return new RetrySchedule(this.context().clock, 0);
  }
}

describe('the tasks on the real state machines', () => {
  it('repair what a commit names as missing, and what a census finds', async () => {
    const story = await Story.begin();
    const blob = await story.put(story.groupOf(false), [3]);
    await repairOutbox(story.context(), story.retries());
    expect(story.cluster.intactSlots(blob, BYTES)).toHaveLength(6);
    expect(await story.counts()).toMatchObject({ repairEntries: 0, missingShards: 0 });

    for (const index of [0, 5]) story.cluster.dropShard(blob, index);
    await takeCensus(story.context(), story.cluster.map.groups.get(blob.pgId)!);
    expect(await story.counts()).toMatchObject({ repairEntries: 1, missingShards: 2 });
    await repairOutbox(story.context(), story.retries());
    expect(story.cluster.intactSlots(blob, BYTES)).toHaveLength(6);
    expect(await story.counts()).toMatchObject({ repairEntries: 0, missingShards: 0 });
  });

  it('take a blob written during a zone outage back to full protection, and its traces away', async () => {
    const story = await Story.begin();
    for (const nodeId of ['n0', 'n1']) await story.setNode(nodeId, 'down');
    await story.plan();
    const old = await story.put(story.groupOf(true), []);
    expect(old.profile).toEqual({ k: 2, m: 2 });
    expect(await story.counts()).toMatchObject({ restripeEntries: 1 });
    await restripeOutbox(story.context(), story.retries());
    expect((await story.currentBlob()).blobId).toBe(old.blobId);

    for (const nodeId of ['n0', 'n1']) await story.register(nodeId, 'i2');
    await story.plan();
    await restripeOutbox(story.context(), story.retries());
    const blob = await story.currentBlob();
    expect(blob).toMatchObject({ profile: { k: 4, m: 2 }, isReduced: false });
    expect(story.cluster.intactSlots(blob, BYTES)).toHaveLength(6);
    expect(await story.counts()).toMatchObject({ restripeEntries: 0, garbageEntries: 1 });

    story.cluster.nowMs += 600_001;
    await collectGarbage(story.context());
    expect(story.cluster.shardsOf(old.blobId)).toEqual([]);
    expect(story.cluster.shardsOf(blob.blobId)).toHaveLength(6);
    expect(await story.counts()).toMatchObject({ garbageEntries: 0 });
  });

  it('collect an overwritten blob, and never the one that replaced it', async () => {
    const story = await Story.begin();
    const first = await story.put(story.groupOf(false), []);
    const second = await story.put(story.groupOf(false), []);
    story.cluster.nowMs += 600_001;
    await collectGarbage(story.context());
    expect(story.cluster.shardsOf(first.blobId)).toEqual([]);
    expect(story.cluster.shardsOf(second.blobId)).toHaveLength(6);
  });

  it('move every slot off a lost disk', async () => {
    const story = await Story.begin();
    const blobs = new Map<number, BlobRef>();
    const blob = await story.put(story.groupOf(false), []);
    blobs.set(blob.pgId, blob);
    await story.register('n0', 'i2', 'n0d0');
    expect(story.cluster.map.disks.get('n0d0')?.state).toBe('lost');
    await story.moveAll();
    const used = [...story.cluster.map.groups.values()].flatMap(({ slots }) => slots);
    expect(used).not.toContain('n0d0');
    expect(story.cluster.intactSlots(blob, BYTES)).toHaveLength(6);
  });

  it('leave no blob behind whose writer did not know that the slot moves', async () => {
    const story = await Story.begin();
    const { metadata, cluster } = story;
    const held = [...cluster.map.groups.values()].find(
      ({ slots, profile }) => profile.k > 1 && slots.includes('n0d0'),
    )!;
    const early = cluster.putBlob(BYTES, held.pgId, { slot: slotOfKey(BUCKET_ID, KEY) });
    const late = cluster.putBlob(BYTES, held.pgId, { slot: slotOfKey(BUCKET_ID, KEY) });
    const { version } = cluster.map;
    const intent = { scope: 'disk', name: 'n0d0', kind: 'drain', others: [] } as const;
    await metadata.root('SetIntent', intent);
    // A commit that comes before the fence is in the walk; the gateway of the other one stalls.
    await story.plan();
    await story.commit(early, [], version);
    await story.moveAll();
    expect(cluster.intactSlots(early, BYTES)).toHaveLength(6);
    await expect(story.commit(late, [], version)).rejects.toThrow('QUORUM_NOT_REACHED');
    // What was refused is garbage at once, and what it would have replaced is still there.
    const [resolved] = await metadata.queryIndex(story.index, 'ResolveBlobs', {
      blobIds: [early.blobId],
    });
    expect(resolved?.blob.blobId).toBe(early.blobId);
    await story.commit(late, [], cluster.map.version);
  });

  it('drain a disk, and let it go only when a write that came too late is safe elsewhere too', async () => {
    const story = await Story.begin();
    const { metadata, cluster } = story;
    const disk = { diskId: 'n0d0' };
    const held = [...cluster.map.groups.values()].find(
      ({ slots, profile }) => profile.k > 1 && slots.includes(disk.diskId),
    )!;
    const slot = held.slots.indexOf(disk.diskId);
    const blob = await story.put(held.pgId, []);
    // A gateway has chosen the group, and will commit when the slot has long moved.
    const late = cluster.putBlob(BYTES, held.pgId, { slot: slotOfKey(BUCKET_ID, KEY) });
    const intent = { scope: 'disk', name: disk.diskId, others: [] } as const;
    await metadata.root('SetIntent', { ...intent, kind: 'drain' });
    await expect(metadata.root('RemoveDisk', disk)).rejects.toThrow('INVALID_ARGUMENT');
    await story.moveAll();
    expect(cluster.map.groups.get(held.pgId)!.slots[slot]).toBe('n0d1');
    expect(cluster.intactSlots(blob, BYTES)).toHaveLength(6);

    // The walk of the backfill knew it as a shard that nothing references.
    cluster.references.delete(late.blobId);
    cluster.dropShard(late, slot);
    await story.commit(late);
    expect(cluster.intactSlots(late, BYTES)).toHaveLength(5);
    await confirmDrainedDisks(story.context());
    await expect(metadata.root('RemoveDisk', disk)).rejects.toThrow('INVALID_ARGUMENT');
    await repairOutbox(story.context(), story.retries());
    expect(cluster.intactSlots(late, BYTES)).toHaveLength(6);

    story.cluster.nowMs += 60_001;
    await confirmDrainedDisks(story.context());
    // Its node starts without it.
    await story.register('n0', 'i2', disk.diskId);
    await metadata.root('RemoveDisk', disk);
    expect(metadata.view.map().disks.has(disk.diskId)).toBe(false);
    expect(metadata.view.map().intents?.size).toBe(0);
    story.sync();
    expect(cluster.intactSlots(late, BYTES)).toHaveLength(6);
  });
});
