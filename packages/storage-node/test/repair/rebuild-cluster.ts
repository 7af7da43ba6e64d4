import { PageChecksums } from '@azimuth/clients';
import { Pace, seededRandom, silentLogger, systemClock } from '@azimuth/common';
import { createCodec, encodeShards } from '@azimuth/erasure';
import type { Profile } from '@azimuth/placement';
import { stripeLayout } from '@azimuth/placement';
import { newBlobId } from '@azimuth/proto';
import type { ShardFixture, SimDisk } from '@azimuth/testkit';
import { putShard, readShard } from '@azimuth/testkit';

import type { RepairService } from '../../src/repair/repair-service';
import { startRepairService } from '../../src/repair/repair-service';
import type { RebuildRequest } from '../../src/repair/shard-rebuilder';
import type { RepairTraffic } from '../../src/repair/term-reader';
import { BulkSessions } from '../../src/server/bulk-sessions';
import { startShardServer } from '../../src/server/shard-server';
import type { ShardServer } from '../../src/server/shard-server';
import type { SegmentStore } from '../../src/store/segment-store';
import { MIB, openStore, OWNER, simMachine } from '../store-fixture';

const tls = { caPem: Buffer.alloc(0), certPem: Buffer.alloc(0), keyPem: Buffer.alloc(0) };
const random = seededRandom(99);
/** Blobs of at least four times this have a page of theirs decoded twice. */
export const CROSS_CHECK_EVERY_BYTES = MIB;
const codec = createCodec({ arenaBytes: 8 * MIB });

/** One storage node as repair sees it: a disk, a shard server, a repair service. */
export interface RebuildNode {
  readonly nodeId: string;
  readonly zone: string;
  readonly disk: SimDisk;
  readonly store: SegmentStore;
  readonly server: ShardServer;
  readonly repair: RepairService;
  /** Sums that it was asked for. */
  sums: number;
  /** Runs before each sum. */
  beforeSum: () => Promise<void> | void;
  /** Changes the bytes of each sum, under a right checksum. */
  distort: (bytes: Uint8Array) => void;
}

export interface StoredBlob {
  readonly profile: Profile;
  readonly shards: readonly ShardFixture[];
}

/** Storage nodes that talk over loopback; node i is in zone `zones[i % zones]` and holds shard i. */
export class RebuildCluster {
  readonly nodes: RebuildNode[] = [];
  readonly traffic: RepairTraffic[] = [];

  static async start(nodeCount: number, zones = ['a', 'b', 'c']): Promise<RebuildCluster> {
    const cluster = new RebuildCluster();
    for (let index = 0; index < nodeCount; index += 1) {
      await cluster.#add(`n${index}`, zones[index % zones.length]!, index + 1);
    }
    return cluster;
  }

  async close(): Promise<void> {
    for (const { repair, server, store } of this.nodes) {
      await repair.close();
      await server.close();
      await store.close();
    }
  }

  async put(profile: Profile, sizeBytes: number, without: readonly number[] = []) {
    const blockBytes = 65_536;
    const { shardSizeBytes } = stripeLayout(sizeBytes, profile, blockBytes);
    const data = Array.from({ length: profile.k }, () => {
      const pattern = random.bytes(251);
      return Buffer.alloc(shardSizeBytes, pattern);
    });
    const blobId = newBlobId(1, 1_700_000_000_000, random);
    const attributes = { pgId: 7, profile, blobSizeBytes: sizeBytes, blockBytes, shardSizeBytes };
    const shards = [...data, ...encodeShards(codec, profile, data)].map((bytes, shardIndex) => ({
      id: { blobId, shardIndex },
      attributes,
      bytes: Buffer.from(bytes),
    }));
    for (const shard of shards) {
      const { shardIndex } = shard.id;
      if (!without.includes(shardIndex)) await putShard(this.nodes[shardIndex]!.store, shard);
    }
    return { profile, shards } satisfies StoredBlob;
  }

  request(blob: StoredBlob, target: number, sources: readonly number[]): RebuildRequest {
    const { id, attributes } = blob.shards[target]!;
    return {
      id,
      attributes,
      sources: sources.map((shardIndex) => {
        const { nodeId, zone, server, store } = this.nodes[shardIndex]!;
        const reach = { incarnation: 'i', host: '127.0.0.1', bulkPort: server.port, rpcPort: 1 };
        const node = shardIndex === target ? null : { nodeId, ...reach };
        return { shardIndex, diskId: store.diskId, zone, node };
      }),
    };
  }

  rebuild(blob: StoredBlob, target: number, sources: readonly number[], signal?: AbortSignal) {
    const { repair, store } = this.nodes[target]!;
    const request = this.request(blob, target, sources);
    return repair.rebuild(store, request, signal ?? new AbortController().signal);
  }

  async isIntact(blob: StoredBlob, index: number): Promise<boolean> {
    const { store } = this.nodes[index]!;
    const { id, bytes } = blob.shards[index]!;
    if ((await store.verify(id)) !== 'intact') return false;
    return Buffer.from(await readShard(store, id)).equals(bytes);
  }

  crossZoneBytes(purpose: RepairTraffic['purpose'] = 'repair'): number {
    return this.traffic
      .filter((one) => one.purpose === purpose && one.fromZone !== one.toZone)
      .reduce((sum, { bytes }) => sum + bytes, 0);
  }

  async #add(nodeId: string, zone: string, seed: number): Promise<void> {
    const machine = simMachine(seed);
    const store = await openStore(machine, { random: seededRandom(seed) });
    const stores = new Map([[store.diskId, store]]);
    const shared = { tls, clock: systemClock, random, logger: silentLogger };
    const repair = startRepairService({
      ...shared,
      settings: {
        bytesPerSecond: 1e12,
        operationsPerSecond: 1e9,
        arenaBytes: 16 * MIB,
        crossCheckEveryBytes: CROSS_CHECK_EVERY_BYTES,
      },
      stores,
      zone,
      clusterId: OWNER.clusterId,
      bulkMode: 'insecure-plain',
      onTraffic: (one) => this.traffic.push(one),
    });
    const node = { nodeId, zone, disk: machine.disk, store, repair, sums: 0 };
    const hooks = { beforeSum: () => undefined, distort: () => undefined };
    const full: Omit<RebuildNode, 'server'> = { ...node, ...hooks };
    const server = await startShardServer({
      ...shared,
      stores,
      sessions: new BulkSessions('i', systemClock, random),
      mode: 'insecure-plain',
      clusterId: OWNER.clusterId,
      host: '127.0.0.1',
      port: 0,
      inFlightBytesMax: 64 * MIB,
      repairPace: new Pace(systemClock, { bytesPerSecond: 1e12, operationsPerSecond: 1e9 }),
      clientLoad: repair.clientLoad,
      sum: async (request) => {
        full.sums += 1;
        await full.beforeSum();
        const sum = await repair.sum(request);
        full.distort(sum.bytes);
        return { ...sum, table: tableOf(sum.bytes) };
      },
      onTraffic: () => undefined,
    });
    this.nodes.push(Object.assign(full, { server }));
  }
}

function tableOf(bytes: Uint8Array): Buffer {
  const checksums = new PageChecksums(bytes.byteLength);
  checksums.update(bytes);
  return checksums.table();
}

/** Flips a byte of the shard's page as it lies on the disk. */
export function damage(disk: SimDisk, shard: Buffer): void {
  for (const path of disk.paths().filter((name) => name.endsWith('.segment'))) {
    const at = disk.contentOf(path).indexOf(shard.subarray(0, 65_536));
    if (at >= 0) disk.flip(path, at + 40_000);
  }
}
