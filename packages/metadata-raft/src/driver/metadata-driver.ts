import { assert, hasCode, StoreError } from '@azimuth/common';
import type { Clock, Logger, Random } from '@azimuth/common';

import { DEFAULT_RAFT_CONFIG } from '../core/config';
import type { RaftConfig } from '../core/config';
import { configurationOf, configurationRecord } from '../core/configuration-entry';
import { LogView } from '../core/log-view';
import { staticConfiguration } from '../core/membership';
import type { ConfigurationRecord, LogIndex, Message, NodeId, Term } from '../core/message';
import { RaftNode } from '../core/raft-node';
import type { SnapshotMark } from '../core/ready';
import type { LogDisk } from '../disk/log-disk';
import type { GroupLog, GroupWrite, LogStorage } from '../log/log-storage';
import { Wal } from '../log/wal';
import type { WalOpening, WalOptions } from '../log/wal';
import type {
  GroupMessage,
  RaftTransport,
  SnapshotAnswer,
  SnapshotTransfer,
  TransportReceiver,
} from '../transport/transport';

import { isStateTrusted, recordBoot } from './boot-record';
import { condemnedGroups, condemnGroup, pardonGroup } from './condemned-groups';
import { DriverGroup } from './raft-group';
import type { GroupHost } from './raft-group';
import { SnapshotStore } from './snapshot-store';
import type { Finding, RaftGroup, StateMachine } from './state-machine';

export interface MetadataDriverOptions {
  readonly nodeId: NodeId;
  /**
   * All nodes that decide where a new cluster starts. A log that has had its first start knows by
   * itself who belongs to it.
   */
  readonly voters: readonly NodeId[];
  /** The directory of log, votes and snapshots. */
  readonly disk: LogDisk;
  /** See {@link WalOptions}. */
  readonly whenEmpty: WalOptions['whenEmpty'];
  /**
   * Identifies this boot of the machine (`readBootId`). The state machines are written without
   * fsync, so they are trusted after a restart of the process and rebuilt after one of the machine.
   */
  readonly bootId: string;
  readonly transport: RaftTransport;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /**
   * The disk failed or the state is wrong: nothing is acknowledged any more, and the process must
   * end. Called at most once.
   */
  readonly onFatal: (error: unknown) => void;
  /** Hears of damage that is being repaired. */
  readonly onFinding?: (finding: Finding) => void;
  /**
   * Whether the other voters have all of a group that may be committed and ends at `tail`: without
   * that its log is not thrown away, however wrong its state is. Absent: they have.
   */
  readonly isHeldByOthers?: (
    group: string,
    tail: { readonly index: LogIndex; readonly term: Term },
  ) => Promise<boolean>;
  /** Runs `callback` after what is already queued in this turn of the event loop. */
  readonly defer?: (callback: () => void) => void;
  readonly raft?: RaftConfig;
  readonly tickMs?: number;
  readonly compactionBytesMin?: number;
  /** A leader with a longer log takes no proposals; by default six snapshots' worth. */
  readonly logBytesMax?: number;
  readonly trailingEntries?: number;
  readonly wal?: Pick<WalOptions, 'segmentBytesMax' | 'cacheBytesMax' | 'groupBytesTarget'>;
  /** Sees every batch before it is written; for checkers. */
  readonly onWrite?: (batch: readonly GroupWrite[]) => void;
}

const TICK_MS = 100;
const TICKS_PER_CHECKPOINT = 5;
const COMPACTION_BYTES_MIN = 16 * 1024 * 1024;
/** A log that is not so many times as long yet keeps what a member still needs. */
const KEPT_LOG_SNAPSHOTS = 3;
/**
 * One that is so many times as long takes no more: snapshots do not keep up, and the disk and the
 * next start pay for what is waiting.
 */
const LOG_SNAPSHOTS_MAX = 6;
const TRAILING_ENTRIES = 4096;

/**
 * Runs all groups of one node over one log: collect what every group wants durable, write it with
 * one sync, send, apply, advance. While a sync is in flight the next batch gathers, and messages
 * that promise nothing leave at once, so a leader writes and replicates in parallel.
 */
export class MetadataDriver implements TransportReceiver {
  readonly #options: MetadataDriverOptions;
  readonly #defer: (callback: () => void) => void;
  readonly #groups = new Map<string, DriverGroup>();
  #storage: Wal | null = null;
  #condition: WalOpening['condition'] = 'created';
  #state: 'new' | 'running' | 'failed' | 'closed' = 'new';
  #isTurnScheduled = false;
  #syncing: Promise<void> | null = null;
  #isCheckpointDue = false;
  #isVoteCheckDue = false;
  #ticks = 0;
  #cancelTick: (() => void) | null = null;

  constructor(options: MetadataDriverOptions) {
    const isFounder = options.voters.includes(options.nodeId);
    assert(isFounder || options.whenEmpty === 'join', 'this node is not a voter');
    this.#options = options;
    this.#defer = options.defer ?? ((callback) => void setImmediate(callback));
  }

  /** Adds a group, before {@link start}. Every voter must have the same groups. */
  addGroup(name: string, stateMachine: StateMachine): RaftGroup {
    assert(this.#state === 'new' && !this.#groups.has(name), `group ${name} cannot be added`);
    const group = new DriverGroup(name, stateMachine);
    this.#groups.set(name, group);
    return group;
  }

  get isRunning(): boolean {
    return this.#state === 'running';
  }

  /** Names the log of this node; empty before {@link start}. A new directory has another one. */
  get incarnation(): string {
    return this.#storage?.incarnation ?? '';
  }

  /** How the log was found at the start. */
  get logCondition(): WalOpening['condition'] {
    return this.#condition;
  }

  /**
   * Opens the log, brings the state machines in agreement with it, and joins the cluster.
   *
   * @throws StoreError STATE_CORRUPT, LOG_CORRUPT when the disk cannot be trusted with this
   *   identity.
   */
  async start(): Promise<void> {
    assert(this.#state === 'new', 'a driver starts once');
    const { disk, whenEmpty, wal: walOptions, transport, logger, nodeId } = this.#options;
    const incarnation = this.#options.random.bytes(16).toString('hex');
    const { wal, condition } = await Wal.open({ disk, whenEmpty, incarnation, ...walOptions });
    this.#storage = wal;
    this.#condition = condition;
    this.#isVoteCheckDue = true;
    if (condition === 'damaged') {
      this.#options.onFinding?.({ group: null, problem: 'log', remedy: 'peers' });
      logger.error({ nodeId }, 'the log lost acknowledged entries; abstaining until repaired');
    }
    const snapshots = await SnapshotStore.open(disk);
    const isTrusted = await isStateTrusted(disk, this.#options.bootId);
    const host = this.#makeHost(snapshots);
    for (const name of await condemnedGroups(disk)) await this.#forgetCondemned(name, snapshots);
    for (const group of this.#groups.values()) await this.#startGroup(group, host, isTrusted);
    if (!isTrusted) await recordBoot(disk, this.#options.bootId);
    this.#state = 'running';
    transport.start(this);
    this.#scheduleTick();
    this.#wake();
  }

  /**
   * Ends this node's part in everything: the next start forgets `name` here and takes it from its
   * leader. For a replica that differs from the majority of the others.
   *
   * @throws StoreError DISK_FENCED
   */
  async condemn(name: string): Promise<void> {
    const group = this.#groups.get(name);
    assert(group !== undefined, 'no such group');
    assert(!this.#isAlone(group.node.membership().configuration), 'nobody else has the group');
    await condemnGroup(this.#options.disk, name);
    this.#fail(new StoreError('STATE_CORRUPT', { group: name, reason: 'differs from its peers' }));
  }

  /** Asks for a look at the copies of terms and votes; a damaged one is written again. */
  verifyVotes(): void {
    this.#isVoteCheckDue = true;
    this.#wake();
  }

  /**
   * One tour over the log, in use as it is. Where it is damaged every group is compacted: the state
   * has what the entries led to, and the damaged segment goes.
   */
  async verifyLog(pace: (bytes: number) => Promise<void>): Promise<void> {
    if (this.#state !== 'running' || this.#storage === null) return;
    if (await this.#storage.verify(pace)) return;
    this.#options.logger.error({ nodeId: this.#options.nodeId }, 'the log is damaged');
    this.#options.onFinding?.({ group: null, problem: 'log', remedy: 'local' });
    for (const group of this.#groups.values()) {
      if (this.isRunning) group.requestCompaction();
    }
  }

  /** One tour over the snapshot files; see {@link DriverGroup.verifySnapshot}. */
  async verifySnapshots(pace: (bytes: number) => Promise<void>): Promise<void> {
    for (const group of this.#groups.values()) {
      if (this.#state === 'running') await group.verifySnapshot(pace);
    }
  }

  receive(messages: readonly GroupMessage[]): void {
    if (this.#state !== 'running') return;
    this.#guard(() => {
      for (const { group: name, message } of messages) {
        const group = this.#groups.get(name);
        if (group === undefined || message.to !== this.#options.nodeId) {
          this.#options.logger.warn({ group: name, to: message.to }, 'message for nobody here');
          continue;
        }
        group.node.step(message);
        group.noteStatus();
      }
      this.#wake();
    });
  }

  async receiveSnapshot(transfer: SnapshotTransfer): Promise<SnapshotAnswer> {
    const group = this.#groups.get(transfer.group);
    if (group === undefined || this.#state !== 'running') throw new StoreError('UNAVAILABLE');
    return group.receiveSnapshot(transfer);
  }

  /** Stops taking part, and closes the log after what is in flight. Safe to call twice. */
  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    const wasFailed = this.#state === 'failed';
    this.#state = 'closed';
    this.#cancelTick?.();
    await this.#options.transport.close();
    for (const group of this.#groups.values()) await group.close();
    await this.#syncing;
    if (wasFailed) await this.#storage?.abandon();
    else await this.#storage?.close();
  }

  #makeHost(snapshots: SnapshotStore): GroupHost {
    const { clock, logger, transport, raft = DEFAULT_RAFT_CONFIG } = this.#options;
    const { tickMs = TICK_MS, compactionBytesMin = COMPACTION_BYTES_MIN } = this.#options;
    const electionMs = raft.electionTimeoutTicksMax * tickMs;
    return {
      clock,
      logger,
      snapshots,
      readTimeoutMs: 2 * electionMs,
      transferTimeoutMs: 2 * electionMs,
      compactionBytesMin,
      trailingEntries: this.#options.trailingEntries ?? TRAILING_ENTRIES,
      keptLogBytesMax: KEPT_LOG_SNAPSHOTS * compactionBytesMin,
      logBytesMax: this.#options.logBytesMax ?? LOG_SNAPSHOTS_MAX * compactionBytesMin,
      wake: () => this.#wake(),
      fail: (error) => this.#fail(error),
      found: (finding) => this.#options.onFinding?.(finding),
      sendSnapshot: (to, transfer) => transport.sendSnapshot(to, transfer),
    };
  }

  async #startGroup(group: DriverGroup, host: GroupHost, isTrusted: boolean): Promise<void> {
    assert(this.#storage !== null);
    const { name, stateMachine } = group;
    const log = this.#storage.group(name);
    const isDamaged = log.hardState().repairIndex > 0;
    const isAhead = stateMachine.lastApplied() > log.lastIndex();
    if ((!isTrusted || isDamaged || isAhead) && stateMachine.lastApplied() > 0) {
      this.#options.logger.info({ group: name, isDamaged, isAhead }, 'state is rebuilt');
      await stateMachine.reset();
    } else if (isTrusted && !isDamaged && stateMachine.lastApplied() === 0 && log.lastIndex() > 0) {
      // It was kept, and turned out to be damaged when it was opened.
      this.#options.onFinding?.({ group: name, problem: 'state', remedy: 'local' });
    }
    await this.#restoreFromSnapshot(group, host, log).catch(async (error: unknown) => {
      if (!hasCode(error, 'STATE_CORRUPT', 'CHECKSUM_MISMATCH')) throw error;
      await this.#forgetGroup(group, host.snapshots, error);
    });
    const configuration = await this.#recordStart(name, log);
    const node = new RaftNode({
      id: this.#options.nodeId,
      config: this.#options.raft ?? DEFAULT_RAFT_CONFIG,
      configuration: configurationOf(configuration),
      random: this.#options.random,
      log,
      hardState: log.hardState(),
      lastApplied: stateMachine.lastApplied(),
    });
    group.run({ host, node, log }, host.snapshots.newest(name));
    // Nobody to ask: waiting for the time-out would only delay the start.
    if (this.#isAlone(node.membership().configuration)) node.campaign();
  }

  /** This node is a majority by itself, so nobody else need have what it has. */
  #isAlone({ voters, outgoing }: ConfigurationRecord): boolean {
    return [voters, outgoing].some((set) => set?.length === 1 && set[0] === this.#options.nodeId);
  }

  /** Makes sure that the start of the log has a configuration, and answers it. */
  async #recordStart(group: string, log: GroupLog): Promise<ConfigurationRecord> {
    const configuration = log.snapshotConfiguration() ?? this.#initialConfiguration();
    if (log.snapshotConfiguration() === null) {
      const start = { index: log.snapshotIndex(), term: log.snapshotTerm() };
      await this.#writeStart(group, { ...start, configuration });
    }
    return configuration;
  }

  /** Of a node that has never been part of a cluster. */
  #initialConfiguration(): ConfigurationRecord {
    const { whenEmpty, voters } = this.#options;
    return configurationRecord(staticConfiguration(whenEmpty === 'join' ? [] : voters));
  }

  async #writeStart(group: string, snapshot: SnapshotMark): Promise<void> {
    assert(this.#storage !== null);
    await this.#storage.write([{ group, hardState: null, snapshot, entries: [] }]);
  }

  /** @throws StoreError STATE_CORRUPT, CHECKSUM_MISMATCH when there is no way from file and log. */
  async #restoreFromSnapshot(group: DriverGroup, host: GroupHost, log: GroupLog): Promise<void> {
    const { name, stateMachine } = group;
    const snapshot = host.snapshots.newest(name);
    const isOlder = snapshot !== null && snapshot.index < log.snapshotIndex();
    if (snapshot !== null && !isOlder && log.term(snapshot.index) !== snapshot.term) {
      // It ends behind what is left of a damaged log, or the node stopped before the log adopted it.
      // What a snapshot covers is committed, so it replaces the log as one from a leader would.
      assert(snapshot.index > log.snapshotIndex(), 'the snapshot belongs to another log');
      const { index, term } = snapshot;
      const configuration = snapshot.configuration ?? (await this.#recordStart(name, log));
      await this.#writeStart(name, { index, term, configuration });
    }
    if (stateMachine.lastApplied() < Math.max(log.snapshotIndex(), snapshot?.index ?? 0)) {
      // The file that belongs to the log is gone, or its header cannot be read.
      if (snapshot === null || isOlder) {
        throw new StoreError('STATE_CORRUPT', { group: name, snapshot: 'none' });
      }
      const chunks = group.readSnapshot(host.snapshots, snapshot.index);
      await stateMachine.installSnapshot(snapshot.index, chunks);
    }
  }

  /**
   * Without a snapshot that can be read the log leads nowhere. The group is as one whose disk was
   * lost: it abstains, and a leader brings it what there is.
   *
   * @throws StoreError the `reason`, when no other voter could bring anything
   */
  async #forgetGroup(
    { name, stateMachine }: DriverGroup,
    snapshots: SnapshotStore,
    reason: unknown,
  ): Promise<void> {
    assert(this.#storage !== null);
    const log = this.#storage.group(name);
    const start = configurationOf(await this.#recordStart(name, log));
    // Where the log starts it may have been another one, which had other voters or none but this.
    const { configuration } = new LogView(log, log.snapshotIndex(), start);
    if (this.#isAlone(configurationRecord(configuration))) throw reason;
    this.#options.logger.error({ group: name, error: reason }, 'group is rebuilt from its peers');
    // The order matters for a crash in between: without files and log there is nothing to trust.
    await this.#storage.forget(name, configurationRecord(configuration));
    await snapshots.removeAll(name);
    await stateMachine.releaseSnapshots?.(Number.MAX_SAFE_INTEGER);
    await stateMachine.reset();
    this.#options.onFinding?.({ group: name, problem: 'state', remedy: 'peers' });
  }

  async #forgetCondemned(name: string, snapshots: SnapshotStore): Promise<void> {
    const group = this.#groups.get(name);
    const reason = new StoreError('STATE_CORRUPT', { group: name, reason: 'condemned' });
    if (group !== undefined && (await this.#isHeldByOthers(name))) {
      await this.#forgetGroup(group, snapshots, reason);
    }
    await pardonGroup(this.#options.disk, name);
  }

  /**
   * The state of a condemned replica is wrong, its log is not: an acknowledged entry may be on the
   * disks of this node and of one other alone. Then this replica goes on as it was, and is
   * condemned again when the others have caught up.
   */
  async #isHeldByOthers(name: string): Promise<boolean> {
    assert(this.#storage !== null);
    const { isHeldByOthers, logger } = this.#options;
    const log = this.#storage.group(name);
    const index = log.lastIndex();
    const tail = { index, term: log.term(index) ?? log.snapshotTerm() };
    if (isHeldByOthers === undefined || (await isHeldByOthers(name, tail))) return true;
    logger.error({ group: name, tail }, 'nobody says that others have the log: it is kept');
    return false;
  }

  #scheduleTick(): void {
    this.#cancelTick = this.#options.clock.schedule(this.#options.tickMs ?? TICK_MS, () => {
      if (this.#state !== 'running') return;
      this.#guard(() => this.#tick());
      this.#scheduleTick();
    });
  }

  #tick(): void {
    this.#ticks += 1;
    for (const group of this.#groups.values()) group.tick();
    if (this.#ticks % TICKS_PER_CHECKPOINT === 0) {
      this.#isCheckpointDue = true;
      for (const name of this.#storage?.groupsToCompact() ?? []) {
        this.#groups.get(name)?.requestCompaction();
      }
    }
    this.#wake();
  }

  #wake(): void {
    if (this.#isTurnScheduled || this.#state !== 'running') return;
    this.#isTurnScheduled = true;
    this.#defer(() => {
      this.#isTurnScheduled = false;
      if (this.#state === 'running') this.#guard(() => this.#turn());
    });
  }

  #turn(): void {
    for (const group of this.#groups.values()) {
      group.startTurn();
      this.#send(group, group.node.takeMessages());
    }
    this.#flush();
    this.#syncing ??= this.#sync()
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#syncing = null;
      });
  }

  async #sync(): Promise<void> {
    const storage = this.#storage;
    assert(storage !== null);
    while (this.#state === 'running') {
      if (this.#isVoteCheckDue) await this.#checkVotes(storage);
      const work = [...this.#groups.values()].filter((group) => group.hasWork);
      if (work.length === 0) {
        if (!this.#isCheckpointDue) return;
        this.#isCheckpointDue = false;
        await storage.checkpoint();
        continue;
      }
      await this.#syncGroups(storage, work);
    }
  }

  async #checkVotes(storage: LogStorage): Promise<void> {
    this.#isVoteCheckDue = false;
    if (await storage.verifyVotes()) return;
    this.#options.logger.error({ nodeId: this.#options.nodeId }, 'a copy of the votes was damaged');
    this.#options.onFinding?.({ group: null, problem: 'votes', remedy: 'local' });
  }

  async #syncGroups(storage: LogStorage, groups: readonly DriverGroup[]): Promise<void> {
    const jobs = groups.map((group) => {
      const ready = group.node.ready();
      this.#send(group, ready.messages);
      return { group, ready, write: group.takeWrite(ready) };
    });
    this.#flush();
    const batch = jobs.map(({ write }) => write).filter((write) => write !== null);
    if (batch.length > 0) {
      this.#options.onWrite?.(batch);
      await storage.write(batch);
    }
    for (const { group, ready, write } of jobs) {
      this.#send(group, ready.messagesAfterSync);
      await group.written(write);
      group.startTurn();
      this.#send(group, group.node.takeMessages());
    }
    this.#flush();
  }

  readonly #outbox = new Map<NodeId, GroupMessage[]>();

  #send(group: DriverGroup, messages: readonly Message[]): void {
    for (const message of messages) {
      if (message.type === 'InstallSnapshot') {
        group.sendSnapshot(message);
        continue;
      }
      let queue = this.#outbox.get(message.to);
      if (queue === undefined) {
        queue = [];
        this.#outbox.set(message.to, queue);
      }
      queue.push({ group: group.name, message });
    }
  }

  #flush(): void {
    for (const [to, messages] of this.#outbox) this.#options.transport.send(to, messages);
    this.#outbox.clear();
  }

  #guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (this.#state !== 'running') return;
    this.#state = 'failed';
    this.#cancelTick?.();
    this.#options.logger.error({ error }, 'metadata node stopped');
    for (const group of this.#groups.values()) void group.close();
    this.#options.onFatal(error);
  }
}

export function createMetadataDriver(options: MetadataDriverOptions): MetadataDriver {
  return new MetadataDriver(options);
}
