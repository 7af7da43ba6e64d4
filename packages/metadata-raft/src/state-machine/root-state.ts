import { StoreError } from '@azimuth/common';
import type {
  ClusterMap,
  ClusterSettings,
  DiskEntry,
  Intent,
  PlacementGroup,
  StorageNodeEntry,
} from '@azimuth/placement';
import { decodeRecord, encodeRecord } from '@azimuth/proto';
import type {
  BucketRecord,
  IdentityEntry,
  LeaseRecord,
  MetadataNodeEntry,
  RepairRecord,
} from '@azimuth/proto';

import type { CheckedStore } from './checked-store';
import type { Counters } from './counters';
import type { WatchLog } from './watch-log';

/** Kinds of root records and their type. Keys are a letter and a name; values are MessagePack. */
interface RootRecords {
  readonly settings: ClusterSettings;
  readonly node: StorageNodeEntry;
  readonly disk: DiskEntry;
  readonly group: PlacementGroup;
  readonly bucket: BucketRecord;
  readonly lease: LeaseRecord;
  readonly repair: RepairRecord;
  readonly metadata: MetadataNodeEntry;
  /** Named by `intentKey`. */
  readonly intent: Intent;
  /** Named `kind/name`. */
  readonly identity: IdentityEntry;
}

export type RootKind = keyof RootRecords;
type Mirror = { [Kind in RootKind]: Map<string, RootRecords[Kind]> };

const LETTERS: Readonly<Record<RootKind, string>> = {
  settings: 'S',
  node: 'N',
  disk: 'D',
  group: 'G',
  bucket: 'B',
  lease: 'L',
  repair: 'P',
  metadata: 'M',
  intent: 'T',
  identity: 'I',
};
const KINDS = Object.keys(LETTERS) as RootKind[];
const READ_SIZE = 1_000;

/**
 * The root state: small, so all of it is in memory too, and every change goes to both. Records in
 * memory are never changed in place, so what was handed out stays as it was.
 */
export class RootState {
  readonly counters: Counters;
  readonly #records: CheckedStore;
  readonly #watchLog: WatchLog;
  readonly #mirror: Mirror = {
    settings: new Map(),
    node: new Map(),
    disk: new Map(),
    group: new Map(),
    bucket: new Map(),
    lease: new Map(),
    repair: new Map(),
    metadata: new Map(),
    intent: new Map(),
    identity: new Map(),
  };
  /** Kinds whose records in memory stand in the order in which they came. */
  readonly #unordered = new Set<RootKind>(KINDS);
  #map: ClusterMap | null = null;

  constructor(records: CheckedStore, counters: Counters, watchLog: WatchLog) {
    this.#records = records;
    this.counters = counters;
    this.#watchLog = watchLog;
  }

  get<Kind extends RootKind>(kind: Kind, name: string): RootRecords[Kind] | null {
    return this.#mirror[kind].get(name) ?? null;
  }

  count(kind: RootKind): number {
    return this.#mirror[kind].size;
  }

  /** By name, on every replica: commands change, and name in refusals, what comes first here. */
  all<Kind extends RootKind>(kind: Kind): IterableIterator<RootRecords[Kind]> {
    return this.#ordered(kind).values();
  }

  /** `index` is that of the entry that makes the change. */
  put<Kind extends RootKind>(
    kind: Kind,
    name: string,
    record: RootRecords[Kind],
    index: number,
  ): void {
    const mirror = this.#mirror[kind];
    if (!mirror.has(name)) this.#unordered.add(kind);
    mirror.set(name, record);
    this.#records.put(rootKey(kind, name), encodeRecord(record));
    this.#changed(kind, name, index);
  }

  delete(kind: RootKind, name: string, index: number): void {
    if (!this.#mirror[kind].delete(name)) return;
    this.#records.delete(rootKey(kind, name));
    this.#changed(kind, name, index);
  }

  /** By name. */
  metadataNodes(): MetadataNodeEntry[] {
    return [...this.#mirror.metadata.values()].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  }

  settings(): ClusterSettings | null {
    return this.get('settings', '');
  }

  /**
   * The map as it is now; the same object until it changes.
   *
   * @throws StoreError INVALID_ARGUMENT before InitializeCluster
   */
  map(): ClusterMap {
    const settings = this.settings();
    if (settings === null) {
      throw new StoreError('INVALID_ARGUMENT', { reason: 'the cluster is not initialized' });
    }
    this.#map ??= {
      version: this.counters.mapVersion,
      settings,
      nodes: new Map(this.#ordered('node')),
      disks: new Map(this.#ordered('disk')),
      groups: new Map([...this.all('group')].map((group) => [group.pgId, group])),
      intents: new Map(this.#ordered('intent')),
    };
    return this.#map;
  }

  async load(): Promise<void> {
    for (const kind of KINDS) await this.#loadKind(kind);
    this.#map = null;
    // Who is woken reads at once: before, there would be the records of another index.
    this.#watchLog.restart(this.counters.mapVersion);
  }

  async #loadKind(kind: RootKind): Promise<void> {
    const mirror: Map<string, unknown> = this.#mirror[kind];
    mirror.clear();
    this.#unordered.add(kind);
    const letter = LETTERS[kind].charCodeAt(0);
    const range = this.#records.range({
      from: Buffer.from([letter]),
      to: Buffer.from([letter + 1]),
    });
    try {
      for (;;) {
        const pairs = await range.next(READ_SIZE);
        if (pairs.length === 0) return;
        for (const [key, content] of pairs) {
          const record = decodeRecord(content);
          mirror.set(key.toString('utf8', 1), kind === 'bucket' ? bucketOf(record) : record);
        }
      }
    } finally {
      await range.close();
    }
  }

  /** A mirror that was loaded has its records in another order than one that grew. */
  #ordered<Kind extends RootKind>(kind: Kind): ReadonlyMap<string, RootRecords[Kind]> {
    if (this.#unordered.delete(kind)) {
      const entries = [...this.#mirror[kind]].sort(([a], [b]) => (a < b ? -1 : 1));
      this.#mirror[kind] = new Map(entries) as Mirror[Kind];
    }
    return this.#mirror[kind];
  }

  #changed(kind: RootKind, name: string, index: number): void {
    // Leases are nobody's business but their holder's; how repair goes is asked for.
    if (kind === 'lease' || kind === 'repair') return;
    this.#map = null;
    this.counters.mapVersion = index;
    this.#watchLog.add(index, kind, name);
  }
}

/**
 * A bucket that was stored before there were configurations has none. The fields are in the order
 * in which CreateBucket makes them: it is part of the bytes that replicas must agree on.
 */
function bucketOf(record: unknown): BucketRecord {
  const stored = record as Omit<BucketRecord, 'configurations'> & Partial<BucketRecord>;
  const { name, bucketId, createdMs, owner, versioning, configurations = {} } = stored;
  const { deletingSinceMs, deletionMark } = stored;
  return {
    ...{ name, bucketId, createdMs, owner, versioning, configurations },
    ...{ deletingSinceMs, deletionMark },
  };
}

function rootKey(kind: RootKind, name: string): Buffer {
  return Buffer.from(LETTERS[kind] + name, 'utf8');
}
