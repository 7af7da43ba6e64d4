import { assert, hasCode, required, StoreError } from '@azimuth/common';
import type { Command, SessionResponse, StateMark } from '@azimuth/proto';
import { decodeRecord, encodeRecord } from '@azimuth/proto';

import type { CommittedEntry, StateMachine, StateMachineSnapshot } from '../driver/state-machine';
import { CheckedStore } from './checked-store';
import type { CommandContext } from './command-context';
import { CommandLedger } from './command-ledger';
import { counterValues, countersOf, newCounters } from './counters';
import type { Counters } from './counters';
import { decodeEntry } from './entry-codec';
import type { DecodedEntry } from './entry-codec';
import type { KeyValueStore, ValueReference } from './key-value-store';
import { plainKey } from './record-keys';
import { changedChunks, decodeChunks, snapshotChunks, wholeChunks } from './snapshot-codec';
import { mergedChunks } from './snapshot-merge';
import { StateCensus } from './state-census';

const META_KEY = plainKey('m', Buffer.alloc(0));
const FORMAT_VERSION = 1;
const NO_PAGE = new Uint8Array(0);
/**
 * Raised with whatever changes the effect of an entry, or how it is hashed: while nodes are
 * upgraded one by one, only those of one version are compared. 1: chains that never ended; 2:
 * answers in records of their own.
 */
export const APPLY_VERSION = 3;
/** Of a chain over entries that were not all applied by one version. */
const MIXED_VERSIONS = 0;
/**
 * Behind multiples of this a chain of digests begins anew. Nodes that are upgraded apply the same
 * entries by different versions; from the next chain on they can be compared again.
 */
const ENTRIES_PER_CHAIN = 100_000;
/** Replicas are seldom at the same index, so they compare digests at multiples of this. */
const ENTRIES_PER_DIGEST = 1_000;
const DIGESTS_MAX = 16;

/** The commands and queries of one kind of group. */
export interface CommandSet {
  /**
   * Computes and records the effect of a command, synchronously, from records and context alone.
   *
   * @throws StoreError the refusal, before anything was changed
   */
  execute(command: Command, context: CommandContext): unknown;
  /** What follows from a refusal: the data of the command is not needed. */
  abandon(command: Command, context: CommandContext): void;
  /** Forgets what has expired, a bounded amount of it. */
  evict(nowMs: number): void;
  /** Reads into memory what is kept there; called after open, install and reset. */
  load(): Promise<void>;
  /** Hears that everything up to `index` is written. */
  afterApply(index: number): void;
}

export type CommandSetFactory<T extends CommandSet> = (
  records: CheckedStore,
  counters: Counters,
) => T;

type Meta = [
  version: number,
  index: number,
  nowMs: number,
  digestHigh: number,
  digestLow: number,
  counters: number[],
  /** Which applied all entries of the chain of digests; absent in states of version 1. */
  chainVersion?: number,
  /** Absent in states of version 2. */
  openPage?: Uint8Array,
];

/**
 * What is common to the replicated state machines: time, retries, one write for many entries,
 * snapshots. Answers of `apply` are encoded `SessionResponse`s, ready to be sent; null for a no-op.
 *
 * A1 The state after an entry is a function of the state before and the entry, nothing else.
 * A2 The applied index is written with the effects: after a crash both are there or neither.
 */
export class GroupStateMachine<T extends CommandSet> implements StateMachine {
  readonly #store: KeyValueStore;
  readonly #records: CheckedStore;
  readonly #counters: Counters;
  readonly #ledger: CommandLedger;
  readonly commands: T;
  readonly census: StateCensus;
  /** Which code this is. */
  readonly applyVersion: number;
  #digests: StateMark[] = [];
  #chainVersion: number;
  #lastApplied = 0;
  #visibleIndex = 0;
  #nowMs = 0;
  #isCondemned = false;

  private constructor(
    store: KeyValueStore,
    create: CommandSetFactory<T>,
    censusPeriodMs: number,
    applyVersion: number,
  ) {
    this.applyVersion = applyVersion;
    this.#chainVersion = applyVersion;
    this.#store = store;
    this.#records = new CheckedStore(store);
    this.#counters = newCounters();
    this.#ledger = new CommandLedger(this.#records, this.#counters);
    this.commands = create(this.#records, this.#counters);
    this.census = new StateCensus(this.#records, {
      metaKey: META_KEY,
      periodMs: censusPeriodMs,
      indexOf: (content) => (decodeRecord(content) as Meta)[1],
    });
  }

  /**
   * A store that is damaged already is emptied: its content comes from a snapshot and the log. With
   * a `censusPeriodMs` somebody must read the censuses that begin, as each holds on to a view.
   */
  static async open<T extends CommandSet>(
    store: KeyValueStore,
    create: CommandSetFactory<T>,
    censusPeriodMs = Infinity,
    applyVersion = APPLY_VERSION,
  ): Promise<GroupStateMachine<T>> {
    const machine = new GroupStateMachine(store, create, censusPeriodMs, applyVersion);
    try {
      // Without its index record the store is new, or the install of a snapshot was cut short.
      if (store.get(META_KEY) === undefined) await store.clear();
      await machine.#load();
    } catch (error) {
      if (!hasCode(error, 'STATE_CORRUPT')) throw error;
      await machine.reset();
    }
    return machine;
  }

  lastApplied(): number {
    return this.#lastApplied;
  }

  /** The last entry that reads see: ahead of `lastApplied` while its batch is being written. */
  get visibleIndex(): number {
    return this.#visibleIndex;
  }

  /** The time of the last entry; the leader's clock continues from here. */
  get nowMs(): number {
    return this.#nowMs;
  }

  get counters(): Readonly<Counters> {
    return this.#counters;
  }

  /** @throws StoreError STATE_CORRUPT: the store is condemned and this replica must be opened anew */
  async apply(entries: readonly CommittedEntry[]): Promise<readonly (Buffer | null)[]> {
    const answers: (Buffer | null)[] = [];
    do answers.push(...(await this.#applyBatch(entries, answers.length)));
    while (answers.length < entries.length);
    return answers;
  }

  /**
   * Digests at indexes that other replicas have, too; the last one is of the state as it is. None
   * while the chain has entries of another version: no other replica need have applied the same.
   */
  get digests(): readonly StateMark[] {
    if (this.#chainVersion === MIXED_VERSIONS) return [];
    // While a write is on its way the digest is ahead of what is applied.
    return [...this.#digests, { index: this.#visibleIndex, hash: this.#hash() }];
  }

  /** One write for the entries from `first` on, up to where a census has to look at the store. */
  async #applyBatch(entries: readonly CommittedEntry[], first: number): Promise<(Buffer | null)[]> {
    const answers: (Buffer | null)[] = [];
    let index = this.#lastApplied;
    this.#records.beginBatch();
    try {
      for (const entry of entries.slice(first)) {
        assert(entry.index === index + 1, 'entry does not follow the last applied');
        const decoded = entry.data.length === 0 ? null : decodeEntry(entry.data);
        const nowMs = Math.max(this.#nowMs, decoded?.nowMs ?? 0);
        const isCensusDue = this.census.isDue(this.#nowMs, nowMs);
        if (isCensusDue && answers.length > 0) break;
        if (isCensusDue) this.census.begin();
        this.#nowMs = nowMs;
        index = entry.index;
        if (index % ENTRIES_PER_CHAIN === 1) this.#beginChain();
        answers.push(decoded === null ? null : this.#applyCommand({ index, nowMs }, decoded));
        if (index % ENTRIES_PER_DIGEST === 0) this.#noteDigest(index);
      }
      this.#putMeta(index);
      this.#visibleIndex = index;
      await this.#records.write();
    } catch (error) {
      throw this.#condemnIfCorrupt(error);
    }
    this.#lastApplied = index;
    this.commands.afterApply(index);
    return answers;
  }

  /** @throws StoreError STATE_CORRUPT when the state is known to be damaged */
  createSnapshot(baseIndex: number | null = null): Promise<StateMachineSnapshot> {
    if (this.#isCondemned) return Promise.reject(new StoreError('STATE_CORRUPT'));
    const lastIncludedIndex = this.#lastApplied;
    const changes =
      baseIndex === null ? null : changedChunks(this.#store, baseIndex, lastIncludedIndex);
    return Promise.resolve({
      lastIncludedIndex,
      baseIndex: changes === null ? null : baseIndex,
      chunks: this.#soundChunks(changes ?? snapshotChunks(this.#store, lastIncludedIndex)),
    });
  }

  mergedSnapshot(parts: readonly AsyncIterable<Buffer>[]): AsyncIterable<Buffer> {
    return mergedChunks(parts);
  }

  wholeSnapshot(chunks: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
    const { separation } = this.#store;
    if (separation === undefined) return chunks;
    // A value that a snapshot refers to is most likely the one that the state refers to.
    const resolve = (reference: ValueReference): Buffer => {
      try {
        return separation.read(reference);
      } catch (error) {
        throw this.#condemnIfCorrupt(error);
      }
    };
    return wholeChunks(chunks, resolve);
  }

  async releaseSnapshots(index: number): Promise<void> {
    await this.#store.separation?.release(index);
  }

  async installSnapshot(lastIncludedIndex: number, chunks: AsyncIterable<Buffer>): Promise<void> {
    // Until it is loaded the content vouches for no time at all.
    this.#nowMs = 0;
    await this.census.discard();
    await this.#store.clear();
    let meta: Buffer | null = null;
    const { separation } = this.#store;
    const resolve =
      separation === undefined ? null : (at: ValueReference): Buffer => separation.read(at);
    for await (const batch of decodeChunks(chunks, resolve)) {
      meta = batch.find(({ key }) => key.equals(META_KEY))?.value ?? meta;
      const operations = batch.filter(({ key }) => !key.equals(META_KEY));
      if (operations.length > 0) await this.#store.write(operations);
    }
    await this.#store.write([{ key: META_KEY, value: required(meta, 'index of the snapshot') }]);
    await this.#load();
    assert(this.#lastApplied === lastIncludedIndex, 'snapshot of another index');
  }

  async reset(): Promise<void> {
    this.#nowMs = 0;
    await this.census.discard();
    await this.#store.clear();
    await this.#load();
  }

  stateHash(): Promise<string> {
    return Promise.resolve(this.#hash());
  }

  /** The content proved to be damaged: after a restart it is rebuilt from a peer. */
  condemn(): void {
    this.#isCondemned = true;
    this.#store.condemn();
  }

  async close(): Promise<void> {
    await this.census.discard();
    await this.#store.close();
  }

  #noteDigest(index: number): void {
    this.#digests = [...this.#digests, { index, hash: this.#hash() }].slice(-DIGESTS_MAX);
  }

  #beginChain(): void {
    if (this.#chainVersion === MIXED_VERSIONS) this.#digests = [];
    this.#chainVersion = this.applyVersion;
    this.#records.digest = { high: 0, low: 0 };
  }

  #hash(): string {
    const { high, low } = this.#records.digest;
    const bytes = Buffer.alloc(8);
    bytes.writeInt32BE(high, 0);
    bytes.writeInt32BE(low, 4);
    return bytes.toString('hex');
  }

  /** Without the mark on the store each start would come to the same damage again. */
  async *#soundChunks(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    try {
      yield* chunks;
    } catch (error) {
      throw this.#condemnIfCorrupt(error);
    }
  }

  #condemnIfCorrupt(error: unknown): unknown {
    if (hasCode(error, 'STATE_CORRUPT')) this.condemn();
    return error;
  }

  #applyCommand(context: CommandContext, { command, isPaged }: DecodedEntry): Buffer {
    this.#ledger.evict(context.nowMs);
    this.commands.evict(context.nowMs);
    const recalled = this.#ledger.recall(command);
    if (recalled !== null) return recalled;
    if (this.#ledger.isExpired(command, context)) {
      return refusalOf(new StoreError('COMMAND_EXPIRED', { nowMs: context.nowMs }));
    }
    const answer = this.#execute(command, context);
    this.#ledger.remember(command, answer, context.nowMs, isPaged);
    return answer;
  }

  #execute(command: Command, context: CommandContext): Buffer {
    const before = this.#records.digest;
    try {
      const result = this.commands.execute(command, context);
      return encodeRecord({ ok: true, result } satisfies SessionResponse);
    } catch (error) {
      // A corrupt record or a bug stops this replica; it is no answer to the command.
      if (!(error instanceof StoreError) || error.code === 'STATE_CORRUPT') throw error;
      const after = this.#records.digest;
      assert(before.high === after.high && before.low === after.low, 'refused after a change');
      this.commands.abandon(command, context);
      return refusalOf(error);
    }
  }

  #putMeta(index: number): void {
    const { high, low } = this.#records.digest;
    const meta: Meta = [
      FORMAT_VERSION,
      index,
      this.#nowMs,
      high,
      low,
      counterValues(this.#counters),
      this.#chainVersion,
      this.#ledger.openPage,
    ];
    this.#records.putUnchained(META_KEY, encodeRecord(meta));
  }

  async #load(): Promise<void> {
    this.#records.discard();
    this.#digests = [];
    const content = this.#records.get(META_KEY);
    const [version, index, nowMs, high, low, counters, chainVersion = 1, openPage = NO_PAGE] =
      content === null
        ? ([FORMAT_VERSION, 0, 0, 0, 0, [], this.applyVersion] satisfies Meta)
        : (decodeRecord(content) as Meta);
    assert(version === FORMAT_VERSION, 'state of a newer format');
    this.#lastApplied = index;
    this.#visibleIndex = index;
    this.#nowMs = nowMs;
    this.#records.digest = { high, low };
    this.#chainVersion = chainVersion === this.applyVersion ? chainVersion : MIXED_VERSIONS;
    Object.assign(this.#counters, countersOf(counters));
    this.#ledger.reload(openPage);
    await this.commands.load();
  }
}

function refusalOf(error: StoreError): Buffer {
  const response: SessionResponse = { ok: false, code: error.code, detail: error.detail };
  return encodeRecord(response);
}
