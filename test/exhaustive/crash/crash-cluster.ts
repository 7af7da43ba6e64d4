import { seededRandom, StoreError } from '@azimuth/common';
import type { Random } from '@azimuth/common';
import { createCodec } from '@azimuth/erasure';
import { indexGroupOfSlot, planGroups } from '@azimuth/placement';
import { slotOfBlob } from '@azimuth/proto';
import type { BlobRef } from '@azimuth/proto';
import { MemoryMetadataClient } from '@azimuth/testkit';

import type { CuratorContext } from '../../../packages/curator/src/curator-context';
import { FakeCluster } from '../../../packages/curator/test/fake-cluster';

import { Actor } from './actor';
import { actorMetadata } from './actor-metadata';
import { actorControl, actorStorage, readStored } from './actor-storage';
import type { Machines } from './actor-storage';
import { KnownObjects } from './known-objects';
import { LeapClock } from './leap-clock';
import { LocalGateway } from './local-gateway';
import { StorageMachine } from './storage-machine';

export const BUCKET = 'bucket';
/** What the root leader takes to notice that a node is silent. */
const DOWN_AFTER_MS = 3_000;
const ARENA_BYTES = 32 * 1024 * 1024;
const SETTINGS = {
  clusterId: 'c'.repeat(32),
  region: 'here',
  zones: ['a', 'b', 'c'],
  erasureProfile: { k: 4, m: 2 },
  replicaProfile: { k: 1, m: 2 },
  inlineBytesMax: 1_000,
  replicaBytesMax: 20_000,
  blockBytes: 65_536,
  indexGroups: 1,
};

/** One for all clusters: every run gives back what it took, which {@link CrashCluster} checks. */
const codec = createCodec({ arenaBytes: ARENA_BYTES });

/**
 * A whole cluster in this process: the S3 operations and the data path, the tasks of the curator,
 * the state machines of the metadata service, and six storage nodes, two a zone, each with the real
 * store over a simulated disk. Time is virtual, and a run is a function of its inputs.
 */
export class CrashCluster implements Machines {
  readonly clock = new LeapClock();
  readonly known = new KnownObjects();
  readonly machines: readonly StorageMachine[];
  /** What an invariant found while the cluster ran. */
  readonly violations: string[] = [];
  readonly #random: Random;
  #metadata: MemoryMetadataClient | null = null;
  #downSince = new Set<string>();

  private constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.machines = ['a', 'b', 'c'].flatMap((zone, at) =>
      [0, 1].map(
        (number) =>
          new StorageMachine({
            ...{ nodeId: `${zone}${String(number)}`, zone, clock: this.clock },
            ...{ clusterId: SETTINGS.clusterId, seed: 100 * seed + 10 * at + number },
          }),
      ),
    );
  }

  static async start(seed = 1): Promise<CrashCluster> {
    const cluster = new CrashCluster(seed);
    const { clock } = cluster;
    cluster.#metadata = await MemoryMetadataClient.create({
      ...{ clock, random: cluster.#random, settings: SETTINGS },
    });
    for (const machine of cluster.machines) {
      await machine.start();
      await cluster.register(machine);
    }
    await cluster.plan();
    const gateway = cluster.gateway(new Actor('setup'));
    const made = await clock.settle(gateway.send('CreateBucket', { bucket: BUCKET, key: null }));
    if (made.status !== 200) throw new Error('the bucket was not made');
    return cluster;
  }

  get metadata(): MemoryMetadataClient {
    if (this.#metadata === null) throw new Error('not started');
    return this.#metadata;
  }

  machineOf(diskId: string): StorageMachine {
    const machine = this.machines.find((each) => each.diskId === diskId);
    if (machine === undefined) throw new StoreError('DISK_UNKNOWN', { diskId });
    return machine;
  }

  machine(nodeId: string): StorageMachine {
    const machine = this.machines.find((each) => each.nodeId === nodeId);
    if (machine === undefined) throw new Error(`no node ${nodeId}`);
    return machine;
  }

  /** R2: whoever deletes, and whatever it believes, nothing referenced is deleted. */
  async beforeDelete(blobId: string, actor: Actor): Promise<void> {
    const { witnesses } = await this.metadata.witnessBlobs(groupOfBlob(blobId), [blobId]);
    if (witnesses[0]?.isReferenced[0] === true) {
      this.violations.push(`${actor.name} deletes a shard of the referenced blob ${blobId}`);
    }
  }

  gateway(actor: Actor): LocalGateway {
    return new LocalGateway({
      metadata: actorMetadata(actor, this.metadata),
      storage: actorStorage(actor, this),
      ...{ view: this.metadata.view, codec, clock: this.clock, random: this.#random },
    });
  }

  curator(actor: Actor): CuratorContext {
    return {
      ...new FakeCluster([]).context(),
      metadata: actorMetadata(actor, this.metadata),
      storage: actorStorage(actor, this),
      control: actorControl(actor, this),
      ...{ view: this.metadata.view, codec, clock: this.clock, random: this.#random },
      leaderNowMs: () => this.clock.wallMs(),
    };
  }

  async register({ nodeId, zone, incarnation, diskId }: StorageMachine): Promise<void> {
    const ports = { host: nodeId, bulkPort: 1, rpcPort: 2, adminPort: 3 };
    await this.metadata.root('RegisterNode', {
      node: { nodeId, zone, incarnation, ...ports },
      disks: [{ diskId, capacityBytes: 1e12, state: 'online' }],
    });
  }

  async markDown(nodeId: string): Promise<void> {
    const { incarnation } = this.machine(nodeId);
    await this.metadata.root('SetNodeState', { nodeId, incarnation, state: 'down' });
    await this.plan();
  }

  /** The root leader notices machines that died, each a while after it did. */
  noticeCrashes(): void {
    for (const { nodeId, disk } of this.machines) {
      if (!disk.isCrashed || this.#downSince.has(nodeId)) continue;
      this.#downSince.add(nodeId);
      this.clock.schedule(DOWN_AFTER_MS, () => void this.markDown(nodeId));
    }
  }

  async restart(machine: StorageMachine, kind: 'process' | 'power'): Promise<void> {
    await machine.restart(kind);
    this.#downSince.delete(machine.nodeId);
    await this.register(machine);
  }

  /** What the root leader does all the time. */
  async plan(): Promise<void> {
    const plan = planGroups(this.metadata.view.map(), {
      ...{ groupsPerKind: 1, groupsPerOutage: 1, oneZoneGroupsPerKind: 0 },
      ...{ backfillsMax: 4, isSettled: true },
      ...{ nowMs: this.clock.wallMs(), nodeGraceMs: Number.MAX_SAFE_INTEGER },
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
  }

  /** Every shard that lies on a machine, as `diskId/blobId/index`. */
  async storedShards(): Promise<Set<string>> {
    const found = new Set<string>();
    for (const { store, diskId } of this.machines) {
      if (store === null) throw new Error('a machine is down');
      for (const pgId of this.metadata.view.map().groups.keys()) {
        const { shards } = await store.list(pgId, null, 1_000);
        for (const { blobId, shardIndex } of shards) {
          found.add(`${diskId}/${blobId}/${String(shardIndex)}`);
        }
      }
    }
    return found;
  }

  /** Every shard that should lie somewhere, by the manifests of `blobs`. */
  expectedShards(blobs: readonly BlobRef[]): Set<string> {
    const { groups } = this.metadata.view.map();
    return new Set(
      blobs.flatMap(({ blobId, pgId }) =>
        (groups.get(pgId)?.slots ?? []).map(
          (diskId, slot) => `${diskId}/${blobId}/${String(slot)}`,
        ),
      ),
    );
  }

  readShard(diskId: string, blobId: string, shardIndex: number): Promise<Buffer> {
    const { store } = this.machineOf(diskId);
    if (store === null) throw new Error('a machine is down');
    return readStored(store, { blobId, shardIndex });
  }

  /** Bytes of the codec that are not free: what a process that failed has not given back. */
  get leakedBytes(): number {
    return ARENA_FREE_BYTES - codec.arena.freeBytes;
  }
}

const ARENA_FREE_BYTES = codec.arena.freeBytes;

function groupOfBlob(blobId: string): string {
  return indexGroupOfSlot(slotOfBlob(blobId), SETTINGS.indexGroups);
}
