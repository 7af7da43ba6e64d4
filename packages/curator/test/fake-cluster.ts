import { IdentityTable } from '@azimuth/clients';
import type {
  ClusterView,
  MetadataClient,
  ShardAddress,
  ShardAttributes,
  StorageClient,
} from '@azimuth/clients';
import { Pace, seededRandom, Semaphore, silentLogger, StoreError } from '@azimuth/common';
import type { Clock } from '@azimuth/common';
import { createCodec, encodeShards, reconstructShards } from '@azimuth/erasure';
import { isDiskReadable, stripeLayout } from '@azimuth/placement';
import type { ClusterMap, DiskState, NodeState, PlacementGroup, Profile } from '@azimuth/placement';
import { newBlobId } from '@azimuth/proto';
import type {
  BlobRef,
  BlobWitness,
  BucketRecord,
  OutboxEntry,
  OutboxKind,
  RepairRecord,
  RepairReport,
} from '@azimuth/proto';
import { Registry } from 'prom-client';

import type { CuratorContext, CuratorSettings } from '../src/curator-context';
import { createCuratorMetrics } from '../src/curator-metrics';
import { RepairProgress } from '../src/repair-progress';
import type {
  RebuildOutcome,
  ShardFinding,
  ShardVerdict,
  StorageControl,
} from '../src/storage-control';
import { Throttle } from '../src/throttle';

interface StoredShard {
  bytes: Uint8Array;
  readonly attributes: ShardAttributes;
  isCorrupt: boolean;
}

/**
 * Every call to a fake passes here: it can be counted, refused or be the last one before a crash.
 */
export type Gate = (call: string) => void;

export const START_MS = 1_700_000_000_000;
const SHARDS_SEPARATOR = '/';

const codec = createCodec({ arenaBytes: 16 * 1024 * 1024 });

/**
 * A whole cluster in memory, as small as the contracts allow: what is referenced, the outboxes,
 * the shards on each disk. It stands for the metadata groups and the storage nodes in tests of the
 * tasks.
 */
export class FakeCluster {
  map: ClusterMap;
  readonly shards = new Map<string, StoredShard>();
  readonly references = new Map<string, BlobRef>();
  /** Changes what the replica of a metadata node, of three, says; null when it says nothing. */
  testimony: (nodeId: string, honest: BlobWitness) => BlobWitness | null = (_, honest) => honest;
  outbox: OutboxEntry[] = [];
  buckets: BucketRecord[] = [];
  readonly fenced = new Set<string>();
  readonly bucketsWithVersions = new Set<string>();
  readonly uploads = new Map<string, string[]>();
  readonly rootCommands: { name: string; args: unknown }[] = [];
  readonly findings: (ShardFinding & { diskId: string })[] = [];
  /** False: as storage nodes that do not know how to rebuild. */
  nodesRebuild = true;
  readonly progress = new RepairProgress();
  repairRecord: RepairRecord | null = null;
  nowMs = START_MS;
  gate: Gate = () => undefined;
  readonly random = seededRandom(7);
  #nextEntry = 1;

  constructor(groups: readonly Omit<PlacementGroup, 'backfill' | 'state'>[]) {
    const zones = ['a', 'a', 'b', 'b', 'c', 'c'];
    const ports = { host: '127.0.0.1', bulkPort: 1, rpcPort: 2, adminPort: 3, incarnation: 'i1' };
    const node = (zone: string, index: number) => ({
      ...ports,
      nodeId: `n${index}`,
      zone,
      state: 'up' as NodeState,
    });
    // A second disk on the first node, to move slots to.
    const diskIds = [...zones.map((_, index) => `n${index}d0`), 'n0d1'];
    this.map = {
      version: 1,
      settings: {
        clusterId: '0'.repeat(32),
        region: 'r',
        zones: ['a', 'b', 'c'],
        erasureProfile: { k: 4, m: 2 },
        replicaProfile: { k: 1, m: 2 },
        inlineBytesMax: 100,
        replicaBytesMax: 1_000,
        blockBytes: 65_536,
        indexGroups: 3,
      },
      nodes: new Map(zones.map((zone, index) => [`n${index}`, node(zone, index)])),
      disks: new Map(
        diskIds.map((diskId) => {
          const nodeId = diskId.slice(0, 2);
          const zone = zones[Number(nodeId.slice(1))]!;
          const state = 'online' as DiskState;
          return [diskId, { diskId, nodeId, zone, capacityBytes: 1e12, state }];
        }),
      ),
      groups: new Map(
        groups.map((group) => [group.pgId, { ...group, state: 'active', backfill: null }]),
      ),
    };
  }

  setNode(nodeId: string, state: NodeState, incarnation = 'i1'): void {
    const nodes = new Map(this.map.nodes);
    nodes.set(nodeId, { ...nodes.get(nodeId)!, state, incarnation });
    this.map = { ...this.map, nodes };
  }

  setDisk(diskId: string, state: DiskState): void {
    const disks = new Map(this.map.disks);
    disks.set(diskId, { ...disks.get(diskId)!, state });
    this.map = { ...this.map, disks };
  }

  setGroup(pgId: number, change: Partial<PlacementGroup>): void {
    const groups = new Map(this.map.groups);
    groups.set(pgId, { ...groups.get(pgId)!, ...change });
    this.map = { ...this.map, groups };
  }

  /** Stores every shard of a new blob, encoded here independently of the code under test. */
  putBlob(
    bytes: Uint8Array,
    pgId: number,
    options: {
      readonly isReferenced?: boolean;
      readonly ageMs?: number;
      readonly slot?: number;
    } = {},
  ): BlobRef {
    const group = this.map.groups.get(pgId)!;
    const { profile, isReduced } = group;
    const { blockBytes } = this.map.settings;
    const slot = options.slot ?? this.random.below(256);
    const blobId = newBlobId(slot, this.nowMs - (options.ageMs ?? 0), this.random);
    const sizeBytes = bytes.length;
    const blob: BlobRef = { blobId, pgId, sizeBytes, profile, blockBytes, isReduced };
    encodeBlob(bytes, profile, blockBytes).forEach((shard, index) => {
      this.shards.set(this.#key(group.slots[index]!, blobId, index), {
        bytes: shard,
        attributes: {
          pgId,
          profile,
          blobSizeBytes: sizeBytes,
          blockBytes,
          shardSizeBytes: shard.length,
        },
        isCorrupt: false,
      });
    });
    if (options.isReferenced !== false) this.references.set(blobId, blob);
    return blob;
  }

  addEntry(kind: OutboxKind, blob: BlobRef, shardIndexes: readonly number[] = []): OutboxEntry {
    const id = String(this.#nextEntry).padStart(8, '0');
    this.#nextEntry += 1;
    const entry = { id, kind, blob, shardIndexes, createdMs: this.nowMs };
    this.outbox.push(entry);
    return entry;
  }

  dropShard(blob: BlobRef, index: number): void {
    const group = this.map.groups.get(blob.pgId)!;
    this.shards.delete(this.#key(group.slots[index]!, blob.blobId, index));
  }

  shard(diskId: string, blob: BlobRef, index: number): StoredShard | undefined {
    return this.shards.get(this.#key(diskId, blob.blobId, index));
  }

  /** Slots of the blob's group whose disk holds the right bytes. */
  intactSlots(blob: BlobRef, bytes: Uint8Array): number[] {
    const group = this.map.groups.get(blob.pgId)!;
    const expected = encodeBlob(bytes, blob.profile, blob.blockBytes);
    return expected.flatMap((shard, index) => {
      const stored = this.shard(group.slots[index]!, blob, index);
      const isIntact = stored?.isCorrupt === false && Buffer.compare(stored.bytes, shard) === 0;
      return isIntact ? [index] : [];
    });
  }

  shardsOf(blobId: string): string[] {
    return [...this.shards.keys()].filter((key) => key.includes(blobId));
  }

  context(settings: Partial<CuratorSettings> = {}, signal?: AbortSignal): CuratorContext {
    const clock = this.#clock();
    return {
      metadata: this.#metadata(),
      storage: this.#storage(),
      control: this.#control(),
      view: this.#view(),
      codec,
      clock,
      random: this.random,
      logger: silentLogger,
      metrics: createCuratorMetrics(new Registry()),
      throttle: new Throttle(clock, 0),
      repairPace: new Pace(clock, { bytesPerSecond: 1e12, operationsPerSecond: 1e9 }),
      progress: this.progress,
      zone: 'a',
      holder: 'curator-1',
      rebuilds: new Semaphore(4, 1_000),
      settings: {
        garbageGraceMs: 600_000,
        orphanAgeMinMs: 86_400_000,
        sealedAgeMinMs: 13 * 3_600_000,
        bucketDeletionAgeMinMs: 60_000,
        leavingAgeMinMs: 60_000,
        censusIntervalMs: 3_600_000,
        ...settings,
      },
      leaderNowMs: () => this.nowMs,
      signal: signal ?? new AbortController().signal,
    };
  }

  #key(diskId: string, blobId: string, index: number): string {
    return [diskId, blobId, index].join(SHARDS_SEPARATOR);
  }

  #clock(): Clock {
    return {
      wallMs: () => this.nowMs,
      monotonicMs: () => this.nowMs,
      schedule: () => () => undefined,
      sleep: (delayMs) => {
        this.nowMs += delayMs;
        return Promise.resolve();
      },
    };
  }

  #view(): ClusterView {
    const suspects = new Set<string>();
    return {
      map: () => this.map,
      bucket: (name) => Promise.resolve(this.buckets.find((b) => b.name === name) ?? null),
      identities: () => IdentityTable.of(0, []),
      ageMs: () => 0,
      waitForChange: () => Promise.resolve(),
      reportDiskFailure: (diskId) => suspects.add(diskId),
      isSuspect: (diskId) => suspects.has(diskId),
    };
  }

  /** Passes the gate, and refuses like a node that is out. */
  #reach(call: string, diskId: string): void {
    this.gate(call);
    if (!isDiskReadable(this.map, diskId)) throw new StoreError('UNAVAILABLE', { diskId });
  }

  #find(address: ShardAddress): StoredShard {
    const { diskId, blobId, shardIndex } = address;
    const stored = this.shards.get(this.#key(diskId, blobId, shardIndex));
    if (stored === undefined) throw new StoreError('SHARD_NOT_FOUND', { diskId });
    if (stored.isCorrupt) throw new StoreError('SHARD_CORRUPT', { diskId });
    return stored;
  }

  #storage(): StorageClient {
    const close = (): Promise<void> => Promise.resolve();
    return {
      close,
      openShard: (address, attributes) => {
        const pieces: Buffer[] = [];
        let isAborted = false;
        return {
          write: async (block) => {
            await Promise.resolve();
            this.#reach('write', address.diskId);
            pieces.push(Buffer.from(block));
          },
          finish: async () => {
            await Promise.resolve();
            if (isAborted) throw new StoreError('CANCELLED');
            this.#reach('finish', address.diskId);
            const bytes = Buffer.concat(pieces);
            if (bytes.length !== attributes.shardSizeBytes) {
              throw new StoreError('SHARD_SIZE_MISMATCH');
            }
            const key = this.#key(address.diskId, address.blobId, address.shardIndex);
            const existing = this.shards.get(key);
            if (existing?.isCorrupt === false && Buffer.compare(existing.bytes, bytes) !== 0) {
              throw new StoreError('SHARD_EXISTS');
            }
            this.shards.set(key, { bytes, attributes, isCorrupt: false });
          },
          abort: () => {
            isAborted = true;
          },
        };
      },
      readShard: async (address, range) => {
        await Promise.resolve();
        this.#reach('readShard', address.diskId);
        const { bytes } = this.#find(address);
        const to = range.offsetBytes + range.lengthBytes;
        if (range.offsetBytes % 65_536 !== 0 || to > bytes.length) {
          throw new StoreError('INVALID_ARGUMENT');
        }
        return bytes.slice(range.offsetBytes, to);
      },
      deleteShard: async ({ diskId, blobId, shardIndex }) => {
        await Promise.resolve();
        this.#reach('deleteShard', diskId);
        this.shards.delete(this.#key(diskId, blobId, shardIndex));
      },
      listShards: async (_node, { diskId, pgId, afterBlobId, limit }) => {
        await Promise.resolve();
        this.#reach('listShards', diskId);
        const all = [...this.shards]
          .map(([key, shard]) => ({ key: key.split(SHARDS_SEPARATOR), shard }))
          .filter(({ key, shard }) => key[0] === diskId && shard.attributes.pgId === pgId)
          .map(({ key, shard }) => ({
            ...shard.attributes,
            blobId: key[1]!,
            shardIndex: Number(key[2]),
          }))
          .filter(({ blobId }) => afterBlobId === null || blobId > afterBlobId)
          .sort((a, b) => (a.blobId < b.blobId ? -1 : 1));
        return { shards: all.slice(0, limit), isTruncated: all.length > limit };
      },
    };
  }

  /** What a storage node does when it is asked for a rebuild, without the streams. */
  async #rebuild(
    target: ShardAddress,
    attributes: ShardAttributes,
    sources: readonly ShardAddress[],
  ): Promise<RebuildOutcome> {
    await Promise.resolve();
    this.#reach('rebuildShard', target.diskId);
    if (!this.nodesRebuild) throw new StoreError('INTERNAL');
    const { profile } = attributes;
    const shards: (Uint8Array | null)[] = new Array(profile.k + profile.m).fill(null);
    for (const source of sources) {
      try {
        this.#reach('pull', source.diskId);
        shards[source.shardIndex] = this.#find(source).bytes;
      } catch (error) {
        const code = error instanceof StoreError ? error.code : 'INTERNAL';
        const failedSources = [{ shardIndex: source.shardIndex, code }];
        return { isWritten: false, failedSources };
      }
    }
    const [bytes] = reconstructShards(codec, profile, shards, [target.shardIndex]);
    this.#reach('store', target.diskId);
    const key = this.#key(target.diskId, target.blobId, target.shardIndex);
    this.shards.set(key, { bytes: bytes!, attributes, isCorrupt: false });
    return { isWritten: true, failedSources: [] };
  }

  #control(): StorageControl {
    return {
      verifyShards: async (_node, diskId, names) => {
        await Promise.resolve();
        this.#reach('verifyShards', diskId);
        return names.map(({ blobId, shardIndex }): ShardVerdict => {
          const stored = this.shards.get(this.#key(diskId, blobId, shardIndex));
          if (stored === undefined) return 'absent';
          return stored.isCorrupt ? 'corrupt' : 'intact';
        });
      },
      rebuildShard: (target, attributes, sources) => this.#rebuild(target, attributes, sources),
      listFindings: async (_node, diskId) => {
        await Promise.resolve();
        this.#reach('listFindings', diskId);
        return this.findings.filter((finding) => finding.diskId === diskId);
      },
      close: () => undefined,
    };
  }

  #metadata(): MetadataClient {
    const handlers = this.#handlers();
    const call = async (name: string, args: unknown): Promise<never> => {
      await Promise.resolve();
      this.gate(name);
      const handler = handlers[name];
      if (handler === undefined) throw new Error(`the fake does not know ${name}`);
      return handler(args as never) as never;
    };
    return {
      root: (name, args) => call(name, args),
      queryRoot: (name, args) => call(name, args),
      index: (group, name, args) => call(name, { ...args, group }),
      queryIndex: (group, name, args) => call(name, { ...args, group }),
      heartbeat: () => Promise.reject(new Error('not used')),
      witnessBlobs: async (_group, blobIds) => {
        await Promise.resolve();
        this.gate('witnessBlobs');
        const isReferenced = blobIds.map((blobId) => this.references.has(blobId));
        const witnesses = ['m1', 'm2', 'm3']
          .map((nodeId) => this.testimony(nodeId, { nodeId, appliedMs: this.nowMs, isReferenced }))
          .filter((witness) => witness !== null);
        return { nodeCount: 3, witnesses };
      },
      status: () => Promise.resolve([]),
      close: () => Promise.resolve(),
    };
  }

  #handlers(): Record<string, (args: never) => unknown> {
    const groupOf = (blobId: string): string =>
      `index-${Number.parseInt(blobId.slice(0, 2), 16) % 3}`;
    return {
      ListOutbox: ({ group, kind, afterId, limit }: ListOutboxArgs) => {
        const all = this.outbox.filter(
          (entry) =>
            entry.kind === kind &&
            groupOf(entry.blob.blobId) === group &&
            (afterId === null || entry.id > afterId),
        );
        return { entries: all.slice(0, limit), isTruncated: all.length > limit };
      },
      AcknowledgeOutbox: ({ ids }: { ids: readonly string[] }) => {
        this.outbox = this.outbox.filter(({ id }) => !ids.includes(id));
        return null;
      },
      ResolveBlobs: ({ group, blobIds }: { group: string; blobIds: readonly string[] }) =>
        blobIds.map((blobId) => {
          if (groupOf(blobId) !== group) throw new Error('asked the wrong index group');
          const blob = this.references.get(blobId);
          return blob === undefined ? null : { blob, owner: null };
        }),
      ReportMissingShards: ({ missing }: ReportArgs) => {
        for (const { blobId, shardIndexes } of missing) {
          const blob = this.references.get(blobId);
          if (blob !== undefined) this.addEntry('repair', blob, shardIndexes);
        }
        return null;
      },
      ReplaceBlob: ({ oldBlobId, blob }: { oldBlobId: string; blob: BlobRef }) => {
        const old = this.references.get(oldBlobId);
        if (old === undefined) {
          this.addEntry('garbage', blob);
          return { isReplaced: false };
        }
        this.references.delete(oldBlobId);
        this.references.set(blob.blobId, blob);
        this.addEntry('garbage', old);
        return { isReplaced: true };
      },
      FenceBucket: ({ group, bucketId, isFenced }: FenceArgs) => {
        const key = `${group}/${bucketId}`;
        if (isFenced) this.fenced.add(key);
        else this.fenced.delete(key);
        return {
          hasVersions: this.bucketsWithVersions.has(key),
          hasUploads: (this.uploads.get(key)?.length ?? 0) > 0,
        };
      },
      FenceGroup: () => null,
      ListUploads: ({ group, bucketId }: { group: string; bucketId: string }) => ({
        uploads: (this.uploads.get(`${group}/${bucketId}`) ?? []).map((uploadId) => ({
          key: 'k',
          uploadId,
        })),
        isTruncated: false,
      }),
      AbortUpload: ({ group, bucketId }: { group: string; bucketId: string }) => {
        this.uploads.delete(`${group}/${bucketId}`);
        return null;
      },
      GetRepair: () => this.repairRecord,
      ReportRepair: ({ report }: { report: RepairReport }) => {
        const { censusRequestedMs = 0 } = this.repairRecord ?? {};
        this.repairRecord = { reportedMs: this.nowMs, report, censusRequestedMs };
        return null;
      },
      ListBuckets: () => ({ buckets: this.buckets, isTruncated: false }),
      FinishBackfill: (args: { pgId: number; slot: number; targetDiskId: string }) => {
        const { slots } = this.map.groups.get(args.pgId)!;
        this.rootCommands.push({ name: 'FinishBackfill', args });
        this.setGroup(args.pgId, {
          slots: slots.with(args.slot, args.targetDiskId),
          backfill: null,
          state: 'active',
        });
        return null;
      },
      ConfirmDrained: (args: { diskId: string }) => {
        this.rootCommands.push({ name: 'ConfirmDrained', args });
        return null;
      },
      RemoveGroup: (args: unknown) => {
        this.rootCommands.push({ name: 'RemoveGroup', args });
        return null;
      },
      MarkBucketDeleting: (args: unknown) => {
        this.rootCommands.push({ name: 'MarkBucketDeleting', args });
        return { mark: 1 };
      },
      RemoveBucket: ({ name }: { name: string }) => {
        this.rootCommands.push({ name: 'RemoveBucket', args: { name } });
        this.buckets = this.buckets.filter((bucket) => bucket.name !== name);
        return null;
      },
    };
  }
}

interface ListOutboxArgs {
  readonly group: string;
  readonly kind: OutboxKind;
  readonly afterId: string | null;
  readonly limit: number;
}

interface ReportArgs {
  readonly missing: readonly {
    readonly blobId: string;
    readonly shardIndexes: readonly number[];
  }[];
}

interface FenceArgs {
  readonly group: string;
  readonly bucketId: string;
  readonly isFenced: boolean;
}

/** All shards of a blob, stripe by stripe, as the layout says. */
export function encodeBlob(bytes: Uint8Array, profile: Profile, blockBytes: number): Uint8Array[] {
  const layout = stripeLayout(bytes.length, profile, blockBytes);
  const shards: Uint8Array[][] = Array.from({ length: profile.k + profile.m }, () => []);
  const stripes = layout.fullStripes + (layout.tailBlockBytes > 0 ? 1 : 0);
  for (let stripe = 0; stripe < stripes; stripe += 1) {
    const block = stripe < layout.fullStripes ? blockBytes : layout.tailBlockBytes;
    const padded = new Uint8Array(profile.k * block);
    const start = stripe * profile.k * blockBytes;
    padded.set(bytes.subarray(start, start + padded.length));
    const data = Array.from({ length: profile.k }, (_, index) =>
      padded.slice(index * block, (index + 1) * block),
    );
    [...data, ...encodeShards(codec, profile, data)].forEach((piece, index) => {
      shards[index]!.push(piece);
    });
  }
  return shards.map((pieces) => Buffer.concat(pieces));
}

/** Lets `calls` calls pass, refuses all later ones: what a process that dies there has done. */
export function crashAfter(calls: number): Gate {
  let left = calls;
  return () => {
    left -= 1;
    if (left < 0) throw new StoreError('UNAVAILABLE', { crashed: true });
  };
}
