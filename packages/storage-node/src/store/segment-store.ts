import { crc32c } from '@node-rs/crc32';

import type { ShardAttributes, ShardListEntry } from '@azimuth/clients';
import type { Clock, Logger, Random } from '@azimuth/common';
import { hasCode, StoreError } from '@azimuth/common';

import { AlignedBuffers } from '../disk/aligned-buffers';
import type { Disk } from '../disk/disk';
import { isSystemError } from '../disk/disk';
import { DiskHealth } from '../disk/disk-health';
import type { DiskIdentity } from '../disk/disk-identity';
import type { DiskSpaceOptions } from '../disk/disk-space';
import { DiskSpace } from '../disk/disk-space';
import { GroupSync } from '../disk/group-sync';
import type { IndexBackend } from '../index/index-backend';
import type { ShardLocation } from '../index/index-record';
import type { IndexChange } from '../index/shard-index';
import { ShardIndex, unlessDamaged } from '../index/shard-index';
import type { Finding } from '../scrubber/findings';
import { Findings } from '../scrubber/findings';
import type { ScrubSource } from '../scrubber/scrubber';
import type { CompactionAccess } from '../segment/compaction';
import { chooseSegment, compactSegment } from '../segment/compaction';
import { OwnSegmentWriter, WRITE_BYTES } from '../segment/own-segment-writer';
import type { RecordHead } from '../segment/segment-format';
import {
  encodeRecordEnd,
  encodeRecordHeader,
  entryBytes,
  FOOTER_ENTRY_BYTES,
  FOOTER_TAIL_BYTES,
  recordBytes,
  SEGMENT_HEADER_BYTES,
} from '../segment/segment-format';
import type { Appended, SegmentContext } from '../segment/segment-log';
import { SegmentLog } from '../segment/segment-log';
import { readSegment } from '../segment/segment-scan';
import { SEGMENT_DIRECTORY, SegmentTable } from '../segment/segment-table';
import type { ShardId } from '../segment/shard-id';
import { shardName } from '../segment/shard-id';
import { hasIntactTrailer, readTable } from '../segment/stored-record';
import { BufferPool } from './buffer-pool';
import { compareTarget } from './compare-target';
import { DamageReports } from './damage-reports';
import { KeyedMutex } from './keyed-mutex';
import { recoverStore } from './recover-store';
import { isSameAttributes, READ_PIECE_BYTES, SegmentShardReader } from './segment-shard-reader';
import type {
  ShardRange,
  ShardReader,
  ShardStore,
  ShardStoreStatistics,
  ShardUpload,
  ShardVerdict,
} from './shard-store';
import { NO_ATTRIBUTES, requireValid, requireValidRange } from './shard-validity';
import type { StoreObserver } from './store-observer';
import type { UploadTarget } from './wire-shard';
import { WireShardUpload } from './wire-shard';

export interface SegmentStoreOptions {
  readonly disk: Disk;
  readonly identity: DiskIdentity;
  readonly indexBackend: IndexBackend;
  /** Changes when the machine starts anew; see `recover-store.ts`. */
  readonly bootId: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly observer: StoreObserver;
  readonly space: DiskSpaceOptions;
  /** A shared segment is sealed once it is larger. */
  readonly segmentBytesMax: number;
  /** A larger shard gets a segment of its own. */
  readonly ownSegmentAboveBytes: number;
  /** The index cannot be written any more; another store over the same disk makes it again. */
  readonly onIndexDamaged?: () => void;
}

const FENCED_MARKER_PATH = 'fenced';
const OPEN_FILES_MAX = 256;
const IDLE_BUFFERS_MAX = 32;
export const LIST_LIMIT_MAX = 10_000;

/**
 * The shards of one disk in segments, with a rebuildable index.
 *
 * S1 Order is record → fdatasync → index → acknowledgement, so the index only ever lags the
 *    segments.
 * S2 One shard changes under one lock: what the index says and what is appended cannot cross.
 * S3 Shards are immutable: other bytes under a stored id are refused, unless what is stored is
 *    damaged.
 */
export class SegmentStore implements ShardStore, ScrubSource {
  readonly diskId: string;
  readonly #options: SegmentStoreOptions;
  readonly #context: SegmentContext;
  readonly #health: DiskHealth;
  readonly #space: DiskSpace;
  readonly #table: SegmentTable;
  readonly #index: ShardIndex;
  readonly #findings: Findings;
  readonly #damage: DamageReports;
  readonly #log: SegmentLog;
  readonly #mutex = new KeyedMutex();
  readonly #pool = new BufferPool(READ_PIECE_BYTES, IDLE_BUFFERS_MAX);
  readonly #uploads = new Set<ShardUpload>();
  readonly #operations = new Set<Promise<void>>();
  #sequence = 0;
  #shardCount = 0;
  #liveBytes = 0;
  #hasLeftovers = false;
  #compaction: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  private constructor(options: SegmentStoreOptions, index: ShardIndex) {
    const { disk, identity, observer, clock, random } = options;
    this.#options = options;
    this.diskId = identity.diskId;
    this.#index = index;
    this.#findings = new Findings(index);
    this.#damage = new DamageReports({
      diskId: this.diskId,
      index,
      findings: this.#findings,
      logger: options.logger,
      exclusive: (id, task) => this.#exclusive(id, task),
      apply: (changes) => this.#applyOrFence(changes),
    });
    this.#health = new DiskHealth(this.diskId, (reason) => this.#onFenced(reason));
    this.#table = new SegmentTable(disk, OPEN_FILES_MAX);
    this.#space = new DiskSpace(disk, this.#health, options.space, () => this.#table.usedBytes);
    this.#context = {
      disk,
      diskId: this.diskId,
      table: this.#table,
      health: this.#health,
      clock,
      random,
      writeBuffers: new AlignedBuffers(WRITE_BYTES),
      directorySync: new GroupSync(() => this.#syncDirectory()),
      onNoSpace: () => this.#space.markFull(),
      onSync: (seconds) => observer.synced(seconds),
    };
    this.#log = new SegmentLog(this.#context, options.segmentBytesMax);
  }

  /**
   * Opens the store of a formatted disk, whatever state a crash left it in.
   *
   * @throws StoreError UNAVAILABLE (another process has it open) · STATE_CORRUPT (a newer format).
   */
  static async open(options: SegmentStoreOptions): Promise<SegmentStore> {
    await options.disk.makeDirectory(SEGMENT_DIRECTORY);
    await options.disk.syncDirectory('').catch(() => undefined);
    const index = await ShardIndex.open(options.indexBackend);
    try {
      const store = new SegmentStore(options, index);
      await store.#recover();
      return store;
    } catch (error) {
      await index.close();
      throw error;
    }
  }

  async beginPut(id: ShardId, attributes: ShardAttributes): Promise<ShardUpload> {
    requireValid(id, attributes);
    this.#health.requireUnfenced();
    const { shardSizeBytes } = attributes;
    const existing = await this.#findIntact(id, attributes);
    if (existing !== null) {
      return this.#track(
        shardSizeBytes,
        compareTarget(id, () => this.#readTable(existing)),
      );
    }
    const head: RecordHead = { kind: 'shard', id, attributes };
    const isOwn = shardSizeBytes > this.#options.ownSegmentAboveBytes;
    const overheadBytes = isOwn
      ? SEGMENT_HEADER_BYTES + FOOTER_ENTRY_BYTES + FOOTER_TAIL_BYTES
      : FOOTER_ENTRY_BYTES;
    const release = await this.#space.reserve(recordBytes(shardSizeBytes) + overheadBytes);
    try {
      const target = isOwn
        ? await this.#ownTarget(head, release)
        : this.#sharedTarget(head, release);
      return this.#track(shardSizeBytes, target);
    } catch (error) {
      release();
      throw error;
    }
  }

  async openRead(id: ShardId, range: ShardRange): Promise<ShardReader> {
    // A shard that compaction moves between the look-up and the open is found at its new place.
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const location = this.#locateOrFinding(id);
      requireValidRange(range, location.attributes.shardSizeBytes);
      const opened = this.#table.acquire(location.segment);
      if (opened === null) continue;
      try {
        const file = await opened.file;
        const source = {
          file,
          diskId: this.diskId,
          location,
          pool: this.#pool,
          release: () => opened.release(),
          onCorrupt: (problem: string) => void this.#damage.met(location, problem),
        };
        return await SegmentShardReader.open(source, range);
      } catch (error) {
        opened.release();
        if (!isSystemError(error, 'ENOENT')) throw error;
      }
    }
    throw await this.#lostFile(id);
  }

  stat(id: ShardId): ShardAttributes | null {
    return this.#index.get(id)?.attributes ?? null;
  }

  async delete(id: ShardId): Promise<void> {
    await this.#exclusive(id, async () => {
      this.#health.requireUnfenced();
      const location = this.#locateOrDamaged(id);
      if (location === null && !this.#findings.has(id)) return;
      // Without a location the record may still exist: the tombstone is what a rebuild goes by.
      const attributes = { ...(location?.attributes ?? NO_ATTRIBUTES), shardSizeBytes: 0 };
      const head: RecordHead = { kind: 'tombstone', id, attributes };
      const { entry } = await this.#append(head, [], Buffer.alloc(0));
      const change: IndexChange =
        location === null ? { kind: 'deleteEntry', id } : { kind: 'delete', location };
      await this.#applyOrFence([change, ...this.#findings.clear(id)], entry.sequence);
      if (location === null) return;
      this.#shardCount -= 1;
      await this.#discardRecord(location);
    });
  }

  async list(
    pgId: number,
    afterBlobId: string | null,
    limit: number,
  ): Promise<{ readonly shards: readonly ShardListEntry[]; readonly isTruncated: boolean }> {
    const shards: ShardListEntry[] = [];
    for await (const id of this.#index.groupIds(pgId, afterBlobId)) {
      const isFull = shards.length >= Math.min(limit, LIST_LIMIT_MAX);
      if (isFull && shards.at(-1)?.blobId !== id.blobId) return { shards, isTruncated: true };
      const location = this.#locateOrDamaged(id);
      // The group key outlived its shard, or speaks of another group: an index is only a hint.
      if (location?.attributes.pgId !== pgId) continue;
      const { profile, blobSizeBytes, blockBytes, shardSizeBytes } = location.attributes;
      shards.push({ ...id, profile, blobSizeBytes, blockBytes, shardSizeBytes });
    }
    return { shards, isTruncated: false };
  }

  async verify(id: ShardId): Promise<ShardVerdict> {
    let location: ShardLocation | null;
    try {
      location = this.#index.get(id);
    } catch (error) {
      if (!hasCode(error, 'SHARD_CORRUPT')) throw error;
      return 'corrupt';
    }
    if (location === null) return this.#findings.has(id) ? 'corrupt' : 'absent';
    return (await this.#readsIntact(location)) ? 'intact' : 'corrupt';
  }

  findings(limit: number): readonly Finding[] {
    return this.#findings.list(limit);
  }

  statistics(): ShardStoreStatistics {
    return {
      state: this.#health.state,
      capacityBytes: this.#space.capacityBytes,
      usedBytes: this.#table.usedBytes,
      shardCount: this.#shardCount,
      corruptShards: this.#findings.count,
    };
  }

  /** Regular upkeep: measures free space, then compacts one segment if one is worth it. */
  async maintain(): Promise<void> {
    if (this.#isClosed) return;
    await this.#space.measure();
    if (this.#health.state === 'fenced') return;
    const segment = chooseSegment(this.#table.all(), this.#options.segmentBytesMax);
    if (segment === null) return;
    const compaction = compactSegment(this.#compactionAccess(), segment);
    this.#compaction = compaction.catch(() => undefined);
    this.#options.observer.compacted(await compaction);
  }

  scrubSegments(): readonly { readonly number: number; readonly sizeBytes: number }[] {
    return this.#table.all();
  }

  async scrubSegment(number: number, pace: (bytes: number) => Promise<void>): Promise<void> {
    const content = await this.#table.withFile(number, (file) =>
      readSegment(file, { diskId: this.diskId, segment: number }),
    );
    if (content === null) return;
    const entries = this.#log.openEntries(number) ?? content.entries;
    for (const entry of entries) {
      if (this.#isClosed) return;
      if (entry.kind === 'tombstone') continue;
      const current = this.#locateOrDamaged(entry.id);
      if (current === null)
        await this.#restoreIndexEntry({ ...entry, kind: 'shard', segment: number });
      if (current?.segment !== number || current.offsetBytes !== entry.offsetBytes) continue;
      await this.#readsIntact(current);
      this.#options.observer.scrubbed(entryBytes(entry));
      await pace(entryBytes(entry));
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await Promise.all([...this.#uploads].map((upload) => upload.abort()));
    while (this.#operations.size > 0) await Promise.all(this.#operations);
    await this.#compaction;
    await this.#log.close().catch(() => undefined);
    await this.#table.close();
    // A damaged index is rebuilt by the next start, whatever it says of itself.
    await this.#writeState(this.#health.state !== 'fenced').catch(unlessDamaged);
    await this.#index.close();
  }

  async #recover(): Promise<void> {
    const { disk, bootId, logger } = this.#options;
    const rootNames = await disk.list('');
    const wasFenced = rootNames.includes(FENCED_MARKER_PATH);
    if (wasFenced) this.#health.fence('an fsync failed in an earlier run');
    const result = await recoverStore({
      context: this.#context,
      index: this.#index,
      bootId,
      isReadOnly: wasFenced,
      logger,
    });
    this.#sequence = result.maxSequence;
    this.#shardCount = result.shardCount;
    this.#liveBytes = result.liveBytes;
    await this.#findings.load();
    for (const finding of result.findings) await this.#findings.add(finding);
    await this.#writeState(false);
    await this.#space.measure();
  }

  async #writeState(isClean: boolean): Promise<void> {
    await this.#index.writeState({
      diskId: this.diskId,
      bootId: this.#options.bootId,
      isClean,
      shardCount: this.#shardCount,
      liveBytes: this.#liveBytes,
    });
  }

  #track(shardSizeBytes: number, target: UploadTarget): ShardUpload {
    const upload: ShardUpload = new WireShardUpload(shardSizeBytes, {
      room: () => target.room(),
      fill: (count) => target.fill(count),
      commit: async (table) => {
        await target.commit(table);
        this.#uploads.delete(upload);
      },
      discard: async () => {
        this.#uploads.delete(upload);
        await target.discard();
      },
    });
    this.#uploads.add(upload);
    return upload;
  }

  #sharedTarget(head: RecordHead, release: () => void): UploadTarget {
    const bytes = Buffer.allocUnsafe(head.attributes.shardSizeBytes);
    let filledBytes = 0;
    return {
      room: () => bytes.subarray(filledBytes),
      fill: (count) => {
        filledBytes += count;
        return undefined;
      },
      commit: async (table) => {
        await this.#commit(head, table, () => this.#append(head, [bytes], table));
        release();
      },
      discard: () => {
        release();
        return Promise.resolve();
      },
    };
  }

  async #ownTarget(head: RecordHead, release: () => void): Promise<UploadTarget> {
    const writer = await OwnSegmentWriter.create(this.#context, head);
    return {
      room: () => writer.room(),
      fill: (count) => writer.fill(count),
      commit: async (table) => {
        const isStored = await this.#commit(head, table, () =>
          writer.commit(table, this.#takeSequence()),
        );
        if (!isStored) await writer.discard();
        release();
      },
      discard: async () => {
        release();
        await writer.discard();
      },
    };
  }

  /** Stores and indexes a received shard (S1, S2). False when another PUT of the same was first. */
  #commit(head: RecordHead, table: Buffer, write: () => Promise<Appended>): Promise<boolean> {
    const { id, attributes } = head;
    return this.#exclusive(id, async () => {
      const present = this.#locateOrDamaged(id);
      if (present !== null && !this.#findings.has(id)) {
        const isSame =
          isSameAttributes(present.attributes, attributes) &&
          (await this.#readTable(present)).equals(table);
        if (isSame) return false;
        throw new StoreError('SHARD_EXISTS', { ...id });
      }
      const { segment, entry } = await write();
      const location: ShardLocation = { ...entry, kind: 'shard', segment: segment.number };
      const replaced: IndexChange[] =
        present === null ? [] : [{ kind: 'delete', location: present }];
      await this.#applyOrFence(
        [...replaced, { kind: 'put', location }, ...this.#findings.clear(id)],
        entry.sequence,
      );
      this.#liveBytes += entryBytes(entry);
      if (present === null) this.#shardCount += 1;
      else await this.#discardRecord(present);
      return true;
    });
  }

  #append(head: RecordHead, chunks: readonly Uint8Array[], table: Buffer): Promise<Appended> {
    const { shardSizeBytes } = head.attributes;
    return this.#log.append({
      sizeBytes: recordBytes(shardSizeBytes),
      encode: (binding, offsetBytes) => {
        const sequence = this.#takeSequence();
        const tableChecksum = crc32c(table);
        const header = encodeRecordHeader(head, binding, offsetBytes);
        const end = encodeRecordEnd(header, { sequence, tableChecksum }, shardSizeBytes);
        const entry = { ...head, offsetBytes, sequence, tableChecksum };
        return { buffers: [header, ...chunks, table, end], entry };
      },
    });
  }

  /** Runs while nobody else changes the shard; `close` waits for it. */
  async #exclusive<T>(id: ShardId, task: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new StoreError('UNAVAILABLE', { reason: 'the store is closed' });
    const operation = this.#mutex.run(shardName(id), task);
    const settled = operation.then(
      () => undefined,
      () => undefined,
    );
    this.#operations.add(settled);
    try {
      return await operation;
    } finally {
      this.#operations.delete(settled);
    }
  }

  #takeSequence(): number {
    this.#sequence += 1;
    return this.#sequence;
  }

  /** Settles the accounts of a record that is dead now; a file of its own goes at once. */
  async #discardRecord(location: ShardLocation): Promise<void> {
    const bytes = entryBytes(location);
    this.#liveBytes -= bytes;
    const segment = this.#table.get(location.segment);
    if (segment === null) return;
    segment.liveBytes -= bytes;
    if (segment.kind !== 'own') return;
    try {
      await this.#table.remove(segment);
    } catch (error) {
      // The tombstone is durable; the next start removes the file. Until then tombstones stay.
      this.#hasLeftovers = true;
      this.#options.logger.error({ diskId: this.diskId, error }, 'segment could not be removed');
    }
  }

  /** The stored shard when it is there and intact; null when there is none, or a damaged one (S3). */
  async #findIntact(id: ShardId, attributes: ShardAttributes): Promise<ShardLocation | null> {
    const present = this.#locateOrDamaged(id);
    if (present === null || this.#findings.has(id)) return null;
    if (!(await this.#readsIntact(present))) return null;
    if (!isSameAttributes(present.attributes, attributes)) {
      throw new StoreError('SHARD_EXISTS', { ...id });
    }
    return present;
  }

  /** Looks up; an entry that fails its checksum becomes a finding and counts as absent. */
  #locateOrDamaged(id: ShardId): ShardLocation | null {
    try {
      return this.#index.get(id);
    } catch (error) {
      if (!hasCode(error, 'SHARD_CORRUPT')) throw error;
      void this.#damage.metEntry(id);
      return null;
    }
  }

  #locateOrFinding(id: ShardId): ShardLocation {
    const location = this.#locateOrDamaged(id);
    if (location !== null) return location;
    if (this.#findings.has(id)) throw new StoreError('SHARD_CORRUPT', { ...id });
    throw new StoreError('SHARD_NOT_FOUND', { ...id });
  }

  async #lostFile(id: ShardId): Promise<StoreError> {
    const location = this.#locateOrFinding(id);
    const problem = 'segment file is missing';
    await this.#damage.met(location, problem);
    return new StoreError('SHARD_CORRUPT', { ...id, problem });
  }

  async #readTable(location: ShardLocation): Promise<Buffer> {
    const table = await this.#table.withFile(location.segment, (file) => readTable(file, location));
    if (table === null) throw new StoreError('UNAVAILABLE', { ...location.id });
    return table;
  }

  /** Reads the whole shard and its table; damage becomes a finding, and no damage ends one. */
  async #readsIntact(location: ShardLocation): Promise<boolean> {
    const known = this.#findings.get(location.id);
    let reader: ShardReader | null = null;
    try {
      const { shardSizeBytes } = location.attributes;
      reader = await this.openRead(location.id, { offsetBytes: 0, lengthBytes: shardSizeBytes });
      while ((await reader.next()) !== null);
      const problem =
        crc32c(reader.table) === location.tableChecksum
          ? await this.#trailerProblem(location)
          : 'page checksum table';
      if (problem !== null) await this.#damage.met(location, problem);
      else if (known !== undefined) await this.#damage.over(known, location);
      return problem === null;
    } catch (error) {
      if (!hasCode(error, 'SHARD_CORRUPT', 'SHARD_NOT_FOUND')) throw error;
      return error.code === 'SHARD_NOT_FOUND';
    } finally {
      reader?.close();
    }
  }

  /** A reader does not need the trailer, but a rebuild does. */
  async #trailerProblem(location: ShardLocation): Promise<string | null> {
    const isIntact = await this.#table.withFile(location.segment, (file) =>
      hasIntactTrailer(file, location),
    );
    return isIntact === false ? 'record trailer' : null;
  }

  /**
   * A file of its own exists only while its shard does, so a missing entry was lost by the index.
   * Of a shared segment nobody can tell: its dead records have no entry either.
   */
  async #restoreIndexEntry(location: ShardLocation): Promise<void> {
    if (this.#table.get(location.segment)?.kind !== 'own') return;
    await this.#exclusive(location.id, async () => {
      if (this.#table.get(location.segment) === null) return;
      if (this.#locateOrDamaged(location.id) !== null) return;
      const { diskId } = this;
      this.#options.logger.error({ diskId, ...location.id }, 'index had lost a shard');
      await this.#applyOrFence([{ kind: 'put', location }], location.sequence);
      this.#shardCount += 1;
      this.#liveBytes += entryBytes(location);
    });
  }

  #compactionAccess(): CompactionAccess {
    return {
      context: this.#context,
      log: this.#log,
      exclusive: (id, task) => this.#exclusive(id, task),
      locate: (id) => this.#index.get(id),
      moved: (location) => this.#applyOrFence([{ kind: 'put', location }], location.sequence),
      damaged: ({ id, attributes }, problem) =>
        this.#damage.note({ id, pgId: attributes.pgId, problem }),
      hasNoLeftovers: () => !this.#hasLeftovers,
    };
  }

  /** An index that cannot be written is a disk that cannot. */
  async #applyOrFence(changes: readonly IndexChange[], sequence = 0): Promise<void> {
    try {
      await this.#index.apply(changes, sequence);
    } catch (error) {
      if (!hasCode(error, 'STATE_CORRUPT')) throw this.#health.fence('index write failed', error);
      // Not the disk but a file of LevelDB: a start makes the index again from the segments.
      this.#options.onIndexDamaged?.();
      throw new StoreError('UNAVAILABLE', { reason: 'the index is being rebuilt' }, error);
    }
  }

  async #syncDirectory(): Promise<void> {
    try {
      await this.#options.disk.syncDirectory(SEGMENT_DIRECTORY);
    } catch (error) {
      throw this.#health.fence('directory fsync failed', error);
    }
  }

  /** The marker is a best effort: the disk that should keep it has just failed. */
  #onFenced(reason: string): void {
    this.#options.logger.error({ diskId: this.diskId, reason }, 'disk fenced');
    this.#options.observer.fenced(reason);
    const mark = async (): Promise<void> => {
      const file = await this.#options.disk.open(FENCED_MARKER_PATH, 'create');
      await file.write([Buffer.from(`${reason}\n`)], 0);
      await file.close();
    };
    mark().catch(() => undefined);
  }
}
