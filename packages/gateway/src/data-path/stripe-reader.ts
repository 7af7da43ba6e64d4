import { PAGE_BYTES } from '@azimuth/clients';
import { hasCode, required, StoreError } from '@azimuth/common';
import { chooseReaders, isDiskReadable, isGivenUp } from '@azimuth/placement';
import type { DiskId, PlacementGroup, ShardReader } from '@azimuth/placement';
import type { BlobRef } from '@azimuth/proto';

import type { DataPathContext } from './data-path-context';

/** A part of every shard of a blob, and which data shards of it are wanted. */
export interface ShardWindow {
  readonly blob: BlobRef;
  /** Starts at a page, ends at a page or with the shard. */
  readonly fromBytes: number;
  readonly toBytes: number;
  readonly wanted: ReadonlySet<number>;
}

const ROUNDS_MAX = 3;
const ROUND_PAUSE_MS = 150;
/** A shard that is silent for this long is hedged in advance of what the budget has earned. */
const STALL_MS = 750;
/** So often one is looked at that the budget had nothing left for: its node may be known as down. */
const STALL_AGAIN_MS = 250;
const GROUP_WAIT_MS = 1_000;

interface ShardRead {
  readonly reader: ShardReader;
  readonly abort: AbortController;
  readonly settled: Promise<void>;
  readonly startedMs: number;
}

/**
 * Reads one window of a blob into the codec's memory.
 *
 * R1: it ends with every wanted data shard, read and verified, or computed from k that were.
 * R2: a shard that failed, or whose node is marked down meanwhile, is replaced at once; one that is
 *     slow is hedged within the budget.
 * R3: memory is given back only when no read can write into it any more.
 * R4: a shard is read once at a time: a second read into the same memory may put bytes there, not
 *     verified yet, when the first has ended and they count as right.
 */
export class StripeReader {
  readonly #context: DataPathContext;
  readonly #window: ShardWindow;
  readonly #lengthBytes: number;
  readonly #abort = new AbortController();
  readonly #signal = this.#abort.signal;
  readonly #parent: AbortSignal;
  readonly #onParentAbort = (): void => this.#abort.abort();
  /** Arena offset of each shard's bytes. */
  readonly #offsets = new Map<number, number>();
  readonly #allocations: number[] = [];
  readonly #done = new Set<number>();
  readonly #reading = new Map<number, ShardRead>();
  readonly #settling = new Set<Promise<void>>();
  /** Shards that answered that they are not there or not right: asking again is of no use. */
  readonly #damaged = new Set<number>();
  /** Disks whose node took no connection, or cut it, when last asked: other failures may be load. */
  readonly #unreached = new Set<DiskId>();
  #candidates: ShardReader[] = [];
  #isHedged = false;
  #isHedgeDue = false;
  #running: Promise<void> = Promise.resolve();
  #lastError: unknown = null;
  #wake: (() => void) | null = null;

  constructor(context: DataPathContext, window: ShardWindow, signal: AbortSignal) {
    this.#context = context;
    this.#window = window;
    this.#lengthBytes = window.toBytes - window.fromBytes;
    this.#parent = signal;
    if (signal.aborted) this.#abort.abort();
    else signal.addEventListener('abort', this.#onParentAbort, { once: true });
  }

  /** Errors: TOO_FEW_SHARDS, ZONE_OUT, OVERLOADED, CANCELLED. `release` must follow in any case. */
  read(): Promise<void> {
    const reading = this.#read();
    this.#running = reading.catch(() => undefined);
    return reading;
  }

  async #read(): Promise<void> {
    this.#throwIfAborted();
    for (let round = 1; ; round += 1) {
      const group = await this.#group();
      const readers = this.#choose(group);
      this.#probeSlow(readers);
      // R4.
      this.#candidates = readers.filter(
        ({ shardIndex }) => !this.#isAsked(shardIndex) && !this.#damaged.has(shardIndex),
      );
      await this.#startPrimaries();
      if (await this.#readUntilEnough()) break;
      this.#throwIfAborted();
      if (round === ROUNDS_MAX) throw this.#tooFew(group);
      await this.#context.clock.sleep(ROUND_PAUSE_MS * round, this.#signal);
    }
    await this.#giveUpReads();
    this.#throwIfAborted();
    this.#decode();
  }

  /**
   * Of a group inside one zone it is told apart why: that the zone is out, by the map or by what
   * this read just saw, and will return; or load, damage, or disks that will not (S-4).
   */
  #tooFew({ zone, slots, profile }: PlacementGroup): StoreError {
    const map = this.#context.view.map();
    const detail = { blobId: this.#window.blob.blobId, read: this.#done.size };
    const kept = slots.filter((diskId) => !isGivenUp(map, diskId));
    const reached = kept.filter(
      (diskId) => isDiskReadable(map, diskId) && !this.#unreached.has(diskId),
    );
    const isZoneOut = kept.length >= profile.k && reached.length < profile.k;
    return zone !== undefined && isZoneOut
      ? new StoreError('ZONE_OUT', { ...detail, zone }, this.#lastError)
      : new StoreError('TOO_FEW_SHARDS', detail, this.#lastError);
  }

  /** Read, or being read. */
  #isAsked(shardIndex: number): boolean {
    return this.#done.has(shardIndex) || this.#reading.has(shardIndex);
  }

  /** Bytes `[from, to)` of a wanted shard. */
  bytes(shardIndex: number, from: number, to: number): Uint8Array {
    const { blob, fromBytes } = this.#window;
    const [anyCopy] = this.#done;
    const source = blob.profile.k === 1 ? required(anyCopy, 'a copy') : shardIndex;
    const start = required(this.#offsets.get(source), 'shard offset') - fromBytes;
    return this.#context.codec.memory.subarray(start + from, start + to);
  }

  /** Gives the memory back once nothing writes into it. Never throws. */
  release(): void {
    this.#parent.removeEventListener('abort', this.#onParentAbort);
    this.#abort.abort();
    void this.#running
      .then(() => this.#giveUpReads())
      .then(() => {
        for (const offset of this.#allocations.splice(0)) this.#context.readPool.free(offset);
      });
  }

  async #group(): Promise<PlacementGroup> {
    const { view } = this.#context;
    const { pgId, blobId } = this.#window.blob;
    for (let attempt = 0; attempt < ROUNDS_MAX; attempt += 1) {
      const group = view.map().groups.get(pgId);
      if (group !== undefined) return group;
      await view.waitForChange(GROUP_WAIT_MS);
      this.#throwIfAborted();
    }
    throw new StoreError('TOO_FEW_SHARDS', { blobId, pgId, reason: 'unknown group' });
  }

  #choose(group: PlacementGroup): readonly ShardReader[] {
    const { view, zone, random, pacing } = this.#context;
    return chooseReaders(view.map(), group, {
      zone,
      prefer: 'data',
      isSuspect: (diskId) => view.isSuspect(diskId) || pacing.isSlow(diskId),
      random,
    });
  }

  /** Small reads of disks that were slow, into memory of their own; nobody waits for them. */
  #probeSlow(readers: readonly ShardReader[]): void {
    const { pacing, storage, clock } = this.#context;
    const { blobId } = this.#window.blob;
    for (const { diskId, node, shardIndex } of readers) {
      if (!pacing.takeProbe(diskId)) continue;
      const startedMs = clock.monotonicMs();
      const lengthBytes = Math.min(PAGE_BYTES, this.#window.toBytes);
      storage
        .readShard({ node, diskId, blobId, shardIndex }, { offsetBytes: 0, lengthBytes })
        .then(
          () => pacing.recordProbe(diskId, lengthBytes, clock.monotonicMs() - startedMs),
          (error: unknown) => {
            // Other reads go around the disk, so nobody else may see it. It stays slow: an answer
            // that a shard is gone says nothing of how long reading one takes.
            if (isDamage(error)) this.#noteDamage({ shardIndex, diskId }, error);
          },
        )
        .catch(() => undefined);
    }
  }

  /**
   * The wanted shards alone when all of them look healthy, else whatever k come first. Memory for
   * them and for the result is taken in one piece: no reader holds some and waits for more.
   */
  async #startPrimaries(): Promise<void> {
    const { blob, wanted } = this.#window;
    const { k } = blob.profile;
    const primaries = this.#choosePrimaries();
    const shards = new Set(primaries.map(({ shardIndex }) => shardIndex));
    if (k > 1) for (const shard of wanted) shards.add(shard);
    const missing = [...shards].filter((shard) => !this.#offsets.has(shard));
    if (missing.length > 0) {
      const base = await this.#allocate(missing.length * this.#lengthBytes);
      missing.forEach((shard, index) => this.#offsets.set(shard, base + index * this.#lengthBytes));
    }
    const needed = [...wanted].filter((shard) => !this.#done.has(shard)).length;
    this.#context.pacing.earn(k > 1 ? Math.min(needed, primaries.length) : primaries.length);
    for (const reader of primaries) this.#start(reader);
  }

  /** What is more than the wanted shards is extra, whether a disk is out or only slow. */
  #choosePrimaries(): readonly ShardReader[] {
    const { blob, wanted } = this.#window;
    const { view, pacing } = this.#context;
    const any = this.#candidates.slice(0, Math.max(0, this.#shortfall()));
    if (blob.profile.k === 1) return any;
    const direct = this.#candidates.filter(({ shardIndex }) => wanted.has(shardIndex));
    const isPossible = [...wanted].every(
      (shard) => this.#isAsked(shard) || direct.some(({ shardIndex }) => shardIndex === shard),
    );
    if (isPossible && direct.every(({ isSuspect }) => !isSuspect)) return direct;
    const extra = Math.max(0, any.length - direct.length);
    const isOnlySlow = isPossible && direct.every(({ diskId }) => !view.isSuspect(diskId));
    if (isOnlySlow && extra > 0) return pacing.trySpend(extra) ? any : direct;
    pacing.replace(extra);
    return any;
  }

  /** True once there is enough; false when all that could be asked has failed. */
  async #readUntilEnough(): Promise<boolean> {
    const { clock, pacing } = this.#context;
    const delayMs = pacing.hedgeDelayMs(this.#lengthBytes);
    const onDue = (): void => {
      this.#isHedgeDue = true;
      this.#wake?.();
    };
    let cancelTimer = clock.schedule(delayMs, onDue);
    let isStalled = false;
    try {
      for (;;) {
        this.#throwIfAborted();
        if (this.#isEnough()) return true;
        if (!this.#canBecomeEnough()) {
          const count = Math.min(this.#shortfall(), this.#candidates.length);
          pacing.replace(count);
          await this.#startMore(count);
          if (!this.#canBecomeEnough()) return this.#isEnough();
        }
        if (this.#isHedgeDue && !this.#isHedged) {
          this.#isHedgeDue = false;
          this.#abandonDown();
          await this.#hedge(isStalled);
          const againMs = isStalled ? STALL_AGAIN_MS : Math.max(1, STALL_MS - delayMs);
          isStalled = true;
          cancelTimer = clock.schedule(againMs, onDue);
        }
        if (!this.#isEnough() && this.#canBecomeEnough() && !this.#signal.aborted) {
          await this.#nextEvent();
        }
      }
    } finally {
      cancelTimer();
    }
  }

  #isEnough(): boolean {
    const { blob, wanted } = this.#window;
    if (this.#done.size >= blob.profile.k) return true;
    return blob.profile.k > 1 && [...wanted].every((shard) => this.#done.has(shard));
  }

  /** Whether it suffices to wait for the reads under way. */
  #canBecomeEnough(): boolean {
    const { blob, wanted } = this.#window;
    if (this.#shortfall() <= 0) return true;
    if (blob.profile.k === 1) return false;
    return [...wanted].every((shard) => this.#isAsked(shard));
  }

  /** How many reads more are needed for k shards. */
  #shortfall(): number {
    return this.#window.blob.profile.k - this.#done.size - this.#reading.size;
  }

  /**
   * Asks as many others as could replace every read that is still outstanding: those of other zones
   * first, as what is silent may be behind a link that is cut. Again when they are silent too.
   */
  async #hedge(isStalled: boolean): Promise<void> {
    const silent = new Set([...this.#reading.values()].map(({ reader }) => reader.node.zone));
    this.#candidates.sort(
      (a, b) => Number(silent.has(a.node.zone)) - Number(silent.has(b.node.zone)),
    );
    const extra = this.#window.blob.profile.k - this.#done.size;
    const count = Math.min(extra, this.#candidates.length);
    if (count > 0 && !this.#context.pacing.trySpend(count, isStalled)) return;
    await this.#startMore(count);
    this.#isHedged = this.#candidates.length === 0;
  }

  /** A frozen node ends no read, and the leader knows of it before any time-out does. */
  #abandonDown(): void {
    const map = this.#context.view.map();
    for (const { reader, abort } of this.#reading.values()) {
      if (!isDiskReadable(map, reader.diskId)) abort.abort();
    }
  }

  async #startMore(count: number): Promise<void> {
    for (const reader of this.#candidates.slice(0, Math.max(0, count))) {
      if (!this.#offsets.has(reader.shardIndex)) {
        this.#offsets.set(reader.shardIndex, await this.#allocate(this.#lengthBytes));
      }
      this.#start(reader);
    }
  }

  async #allocate(sizeBytes: number): Promise<number> {
    const offset = await this.#context.readPool.allocate(sizeBytes, this.#signal);
    this.#allocations.push(offset);
    return offset;
  }

  #start(reader: ShardReader): void {
    const { shardIndex, node, diskId } = reader;
    const { blob, fromBytes } = this.#window;
    const { storage, codec, clock } = this.#context;
    this.#candidates = this.#candidates.filter((other) => other.shardIndex !== shardIndex);
    const offset = required(this.#offsets.get(shardIndex), 'shard offset');
    const target = codec.memory.subarray(offset, offset + this.#lengthBytes);
    const abort = new AbortController();
    if (this.#signal.aborted) abort.abort();
    const reading = storage.readShard(
      { node, diskId, blobId: blob.blobId, shardIndex },
      { offsetBytes: fromBytes, lengthBytes: this.#lengthBytes },
      { target, signal: abort.signal },
    );
    const settled = reading.then(
      () => this.#onRead(shardIndex, null),
      (error: unknown) => this.#onRead(shardIndex, error),
    );
    this.#settling.add(settled);
    void settled.then(() => this.#settling.delete(settled));
    this.#reading.set(shardIndex, { reader, abort, settled, startedMs: clock.monotonicMs() });
  }

  #onRead(shardIndex: number, error: unknown): void {
    const read = this.#reading.get(shardIndex);
    if (read === undefined) return;
    this.#reading.delete(shardIndex);
    if (error === null) this.#recordPace(read);
    if (error === null) this.#done.add(shardIndex);
    else this.#onFailure(read.reader, error);
    this.#wake?.();
  }

  #onFailure({ shardIndex, diskId }: ShardReader, error: unknown): void {
    const { view } = this.#context;
    this.#lastError = error;
    if (isUnreached(error)) this.#unreached.add(diskId);
    else if (!hasCode(error, 'CANCELLED')) this.#unreached.delete(diskId);
    if (isDamage(error)) {
      this.#damaged.add(shardIndex);
      this.#noteDamage({ shardIndex, diskId }, error);
    } else if (!hasCode(error, 'CANCELLED', 'OVERLOADED', 'INTERNAL')) {
      view.reportDiskFailure(diskId);
    }
  }

  #noteDamage(
    { shardIndex, diskId }: Pick<ShardReader, 'shardIndex' | 'diskId'>,
    error: StoreError,
  ): void {
    const { onShardDamaged, logger } = this.#context;
    const { blob } = this.#window;
    logger.warn({ blobId: blob.blobId, shardIndex, diskId, code: error.code }, 'shard damaged');
    onShardDamaged(blob, shardIndex);
  }

  #recordPace({ reader, startedMs }: ShardRead): void {
    const elapsedMs = this.#context.clock.monotonicMs() - startedMs;
    this.#context.pacing.record(reader.diskId, this.#lengthBytes, elapsedMs);
  }

  /** Aborts what is still under way and waits until it writes no more. */
  async #giveUpReads(): Promise<void> {
    for (const [shardIndex, read] of [...this.#reading]) {
      this.#reading.delete(shardIndex);
      const elapsedMs = this.#context.clock.monotonicMs() - read.startedMs;
      this.#context.pacing.recordGivenUp(read.reader.diskId, this.#lengthBytes, elapsedMs);
      read.abort.abort();
    }
    await Promise.all(this.#settling);
  }

  #decode(): void {
    const { blob, wanted } = this.#window;
    const { k, m } = blob.profile;
    const missing = [...wanted].filter((shard) => !this.#done.has(shard));
    if (k === 1 || missing.length === 0) return;
    const blocks = Array.from({ length: k + m }, (_, shard) =>
      this.#done.has(shard) ? required(this.#offsets.get(shard), 'shard offset') : null,
    );
    const targets = missing.map((shardIndex) => ({
      shardIndex,
      offset: required(this.#offsets.get(shardIndex), 'target offset'),
    }));
    this.#context.codec.reconstruct({ k, m }, blocks, targets, this.#lengthBytes);
  }

  #nextEvent(): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        this.#wake = null;
        this.#signal.removeEventListener('abort', end);
        resolve();
      };
      this.#wake = end;
      this.#signal.addEventListener('abort', end, { once: true });
    });
  }

  #throwIfAborted(): void {
    if (this.#signal.aborted) throw new StoreError('CANCELLED');
  }
}

/** The disk has answered that the shard is not there, or not right. */
function isDamage(error: unknown): error is StoreError {
  return hasCode(error, 'SHARD_NOT_FOUND', 'SHARD_CORRUPT', 'SHARD_SIZE_MISMATCH');
}

/** A node that is overloaded still takes connections: its system does. */
function isUnreached(error: unknown): boolean {
  if (hasCode(error, 'TIMEOUT')) return error.detail['phase'] === 'connect';
  return hasCode(error, 'UNAVAILABLE');
}
