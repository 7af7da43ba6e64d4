import { createCipheriv, createHash } from 'node:crypto';

import { IdentityTable } from '@azimuth/clients';
import type { ClusterView, IdentitySnapshot } from '@azimuth/clients';
import { seededRandom, silentLogger } from '@azimuth/common';
import { createCodec } from '@azimuth/erasure';
import type { Codec } from '@azimuth/erasure';
import type {
  ClusterMap,
  DiskEntry,
  PlacementGroup,
  Profile,
  StorageNodeEntry,
} from '@azimuth/placement';
import type { VersionBody } from '@azimuth/proto';
import { VirtualClock } from '@azimuth/testkit';

import type { ByteSource } from '../../src/data-path/byte-source';
import type { WriteOptions, WrittenBody } from '../../src/data-path/data-path';
import { createDataPath } from '../../src/data-path/erasure-data-path';
import type { ErasureDataPath } from '../../src/data-path/erasure-data-path';

import { MemoryStorage } from './memory-storage';

const SUSPECT_MS = 2_000;

/** The watch, in a test's hand. */
export class TestView implements ClusterView {
  current: ClusterMap;
  viewAgeMs = 0;
  readonly reported: string[] = [];
  readonly #clock: VirtualClock;
  readonly #suspectUntil = new Map<string, number>();

  constructor(map: ClusterMap, clock: VirtualClock) {
    this.current = map;
    this.#clock = clock;
  }

  map(): ClusterMap {
    return this.current;
  }

  bucket(): Promise<null> {
    return Promise.resolve(null);
  }

  identities(): IdentitySnapshot {
    return IdentityTable.of(0, []);
  }

  ageMs(): number {
    return this.viewAgeMs;
  }

  waitForChange(timeoutMs: number): Promise<void> {
    return this.#clock.sleep(timeoutMs);
  }

  reportDiskFailure(diskId: string): void {
    this.reported.push(diskId);
    this.#suspectUntil.set(diskId, this.#clock.monotonicMs() + SUSPECT_MS);
  }

  isSuspect(diskId: string): boolean {
    return (this.#suspectUntil.get(diskId) ?? 0) > this.#clock.monotonicMs();
  }
}

export const INLINE_MAX = 8_192;
export const REPLICA_MAX = 131_072;
export const BLOCK_BYTES = 65_536;

/** Three zones of two nodes with one disk; disk `a0` is on node `a0` in zone `a`. */
export function makeMap(groups: readonly PlacementGroup[] = makeGroups()): ClusterMap {
  const nodes = new Map<string, StorageNodeEntry>();
  const disks = new Map<string, DiskEntry>();
  for (const zone of ['a', 'b', 'c']) {
    for (const number of [0, 1]) {
      const id = `${zone}${number}`;
      nodes.set(id, {
        nodeId: id,
        zone,
        host: id,
        bulkPort: 1,
        rpcPort: 2,
        adminPort: 3,
        incarnation: 'i',
        state: 'up',
      });
      disks.set(id, { diskId: id, nodeId: id, zone, capacityBytes: 1e12, state: 'online' });
    }
  }
  return {
    version: 1,
    settings: {
      clusterId: 'c'.repeat(32),
      region: 'local',
      zones: ['a', 'b', 'c'],
      erasureProfile: { k: 4, m: 2 },
      replicaProfile: { k: 1, m: 2 },
      inlineBytesMax: INLINE_MAX,
      replicaBytesMax: REPLICA_MAX,
      blockBytes: BLOCK_BYTES,
      indexGroups: 1,
    },
    nodes,
    disks,
    groups: new Map(groups.map((group) => [group.pgId, group])),
  };
}

export function makeGroup(
  pgId: number,
  profile: Profile,
  slots: readonly string[],
  isReduced = false,
): PlacementGroup {
  return { pgId, profile, slots, state: 'active', isReduced, backfill: null };
}

export function makeGroups(): PlacementGroup[] {
  const erasure = { k: 4, m: 2 };
  const replica = { k: 1, m: 2 };
  return [
    makeGroup(1, erasure, ['a0', 'b0', 'c0', 'a1', 'b1', 'c1']),
    makeGroup(2, erasure, ['c1', 'b0', 'a1', 'b1', 'a0', 'c0']),
    makeGroup(11, replica, ['a0', 'b0', 'c0']),
    makeGroup(12, replica, ['b1', 'c1', 'a1']),
  ];
}

/** The map after the leader gave zone `c` up: reduced groups over `a` and `b`. */
export function withoutZoneC(map: ClusterMap): ClusterMap {
  const nodes = new Map(map.nodes);
  for (const id of ['c0', 'c1']) {
    nodes.set(id, { ...(map.nodes.get(id) as StorageNodeEntry), state: 'down' });
  }
  const groups = new Map(map.groups);
  groups.set(21, makeGroup(21, { k: 2, m: 2 }, ['a0', 'b0', 'a1', 'b1'], true));
  groups.set(22, makeGroup(22, { k: 1, m: 1 }, ['a0', 'b1'], true));
  return { ...map, version: map.version + 1, nodes, groups };
}

export interface Fixture {
  readonly clock: VirtualClock;
  readonly view: TestView;
  readonly storage: MemoryStorage;
  readonly codec: Codec;
  readonly dataPath: ErasureDataPath;
  readonly damaged: string[];
  /** Lets virtual time pass until the promise settles. */
  settle<T>(promise: Promise<T>): Promise<T>;
  write(body: Buffer, more?: Partial<WriteOptions>): Promise<WrittenBody>;
  read(body: VersionBody, from: number, to: number): Promise<Buffer>;
}

export function makeFixture(
  options: {
    readonly seed?: number;
    readonly arenaBytes?: number;
    readonly map?: ClusterMap;
    readonly onReadPressure?: () => void;
  } = {},
): Fixture {
  const clock = new VirtualClock();
  const view = new TestView(options.map ?? makeMap(), clock);
  const storage = new MemoryStorage(clock);
  const codec = createCodec({ arenaBytes: options.arenaBytes ?? 16 * 1024 * 1024 });
  const random = seededRandom(options.seed ?? 1);
  const damaged: string[] = [];
  const dataPath = createDataPath({
    view,
    storage,
    codec,
    clock,
    random,
    logger: silentLogger,
    zone: 'a',
    onShardDamaged: (blob, shardIndex) => damaged.push(`${blob.blobId}/${shardIndex}`),
    onReadPressure: options.onReadPressure,
  });
  const settle = async <T>(promise: Promise<T>): Promise<T> => {
    const progress = { isSettled: false };
    const mark = (): void => {
      progress.isSettled = true;
    };
    promise.then(mark, mark);
    await new Promise((resolve) => setImmediate(resolve));
    while (!progress.isSettled) {
      await clock.runUntil(clock.monotonicMs() + 10);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return promise;
  };
  const write = (body: Buffer, more: Partial<WriteOptions> = {}): Promise<WrittenBody> =>
    settle(
      dataPath.write(sourceOf(body, 50_000), {
        sizeBytes: body.length,
        slot: 3,
        digests: ['MD5'],
        ...more,
      }),
    );
  const read = async (body: VersionBody, from: number, to: number): Promise<Buffer> => {
    const pieces: Buffer[] = [];
    await settle(
      dataPath.read(body, { from, to }, (chunk) => {
        pieces.push(Buffer.from(chunk));
        return pieces.length % 3 === 0 ? clock.sleep(1) : undefined;
      }),
    );
    return Buffer.concat(pieces);
  };
  return { clock, view, storage, codec, dataPath, damaged, settle, write, read };
}

/** A body in pieces; the piece is overwritten once the sink gave it back, as a socket's buffer is. */
export function sourceOf(body: Buffer, pieceBytes: number): ByteSource {
  return {
    async readInto(sink) {
      for (let from = 0; from < body.length; from += pieceBytes) {
        const piece = Buffer.from(body.subarray(from, from + pieceBytes));
        const wait = sink(piece);
        if (wait !== undefined) await wait;
        piece.fill(0xcc);
      }
    },
  };
}

export function bodyOf(written: WrittenBody): VersionBody {
  return { inline: written.data.inline, blobs: written.data.blobs, parts: null };
}

/** Bytes that follow from the seed: a key stream, which is quick to make. */
export function makeBody(sizeBytes: number, seed = 1): Buffer {
  const key = createHash('md5').update(String(seed)).digest();
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(sizeBytes));
}

export function md5(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('hex');
}
