import { IdentityTable, SuspectDisks } from '@azimuth/clients';
import type { CallOptions, ClusterView, IdentitySnapshot, MetadataClient } from '@azimuth/clients';
import { isStoreErrorCode, StoreError } from '@azimuth/common';
import type { Clock, Random } from '@azimuth/common';
import {
  checkCommand,
  encodeEntry,
  GroupStateMachine,
  HybridClock,
  IndexCommandSet,
  MemoryKeyValueStore,
  queryIndex,
  queryRoot,
  RootCommandSet,
} from '@azimuth/metadata-raft';
import type { CommandSetFactory } from '@azimuth/metadata-raft';
import type { ClusterMap, ClusterSettings } from '@azimuth/placement';
import { COMMAND_VERSION, decodeRecord, encodeRecord } from '@azimuth/proto';
import type {
  BlobWitnesses,
  BucketRecord,
  Command,
  HeartbeatResult,
  IndexCommandName,
  IndexCommands,
  IndexQueries,
  IndexQueryName,
  MetadataStatus,
  NodeHeartbeat,
  RootCommandName,
  RootCommands,
  RootQueries,
  RootQueryName,
  SessionResponse,
} from '@azimuth/proto';

export interface MemoryMetadataOptions {
  readonly settings: ClusterSettings;
  readonly clock: Clock;
  readonly random: Random;
}

interface MemoryGroup<T extends RootCommandSet | IndexCommandSet> {
  readonly machine: GroupStateMachine<T>;
  nextIndex: number;
  /** Commands apply one after the other. */
  tail: Promise<unknown>;
}

/**
 * The metadata service without Raft, network and disk: the real state machines in this process, so
 * that every rule of theirs holds, at once and without a quorum. For tests of gateways and
 * curators.
 */
export class MemoryMetadataClient implements MetadataClient {
  readonly #root: MemoryGroup<RootCommandSet>;
  readonly #indexes: ReadonlyMap<string, MemoryGroup<IndexCommandSet>>;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #hybridClock: HybridClock;
  readonly #heartbeats = new Map<string, NodeHeartbeat>();
  readonly view: ClusterView;

  private constructor(
    options: MemoryMetadataOptions,
    root: MemoryGroup<RootCommandSet>,
    indexes: ReadonlyMap<string, MemoryGroup<IndexCommandSet>>,
  ) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.#hybridClock = new HybridClock(options.clock);
    this.#root = root;
    this.#indexes = indexes;
    this.view = new MemoryClusterView(root.machine.commands, options.clock);
  }

  /** A new, initialized cluster; nodes register and groups are opened by commands. */
  static async create(options: MemoryMetadataOptions): Promise<MemoryMetadataClient> {
    const root = await openGroup((records, counters) => new RootCommandSet(records, counters));
    const indexes = new Map<string, MemoryGroup<IndexCommandSet>>();
    for (let group = 0; group < options.settings.indexGroups; group += 1) {
      indexes.set(
        `index-${group}`,
        await openGroup((records, counters) => new IndexCommandSet(records, counters)),
      );
    }
    const client = new MemoryMetadataClient(options, root, indexes);
    await client.root('InitializeCluster', { settings: options.settings });
    return client;
  }

  root<Name extends RootCommandName>(
    name: Name,
    args: RootCommands[Name]['args'],
    options?: CallOptions,
  ): Promise<RootCommands[Name]['result']> {
    return this.#propose('root', this.#root, this.#command(name, args), options);
  }

  queryRoot<Name extends RootQueryName>(
    name: Name,
    args: RootQueries[Name]['args'],
    options?: CallOptions,
  ): Promise<RootQueries[Name]['result']> {
    return this.#query(options, () => queryRoot(this.#root.machine.commands.state, name, args));
  }

  index<Name extends IndexCommandName>(
    group: string,
    name: Name,
    args: IndexCommands[Name]['args'],
    options?: CallOptions,
  ): Promise<IndexCommands[Name]['result']> {
    return this.#propose('index', this.#indexGroup(group), this.#command(name, args), options);
  }

  queryIndex<Name extends IndexQueryName>(
    group: string,
    name: Name,
    args: IndexQueries[Name]['args'],
    options?: CallOptions,
  ): Promise<IndexQueries[Name]['result']> {
    const { machine } = this.#indexGroup(group);
    return this.#query(options, () => queryIndex(machine.commands.state, name, args));
  }

  heartbeat(heartbeat: NodeHeartbeat): Promise<HeartbeatResult> {
    this.#heartbeats.set(heartbeat.nodeId, heartbeat);
    const node = this.#root.machine.commands.state.get('node', heartbeat.nodeId);
    return Promise.resolve({ isRegistered: node?.incarnation === heartbeat.incarnation });
  }

  async witnessBlobs(group: string, blobIds: readonly string[]): Promise<BlobWitnesses> {
    const { machine, tail } = this.#indexGroup(group);
    await tail;
    const { blobs } = machine.commands.state;
    const isReferenced = blobIds.map((blobId) => blobs.find(blobId) !== null);
    const witness = { nodeId: 'memory', appliedMs: machine.nowMs, isReferenced };
    return { nodeCount: 1, witnesses: [witness] };
  }

  status(): Promise<readonly MetadataStatus[]> {
    const groups = [['root', this.#root] as const, ...this.#indexes].map(
      ([group, { machine }]) => ({
        group,
        role: 'leader',
        term: 1,
        leader: 'memory',
        commitIndex: machine.lastApplied(),
        lastApplied: machine.lastApplied(),
      }),
    );
    const storage = [...this.#heartbeats.values()].map((heartbeat) => ({ ...heartbeat, ageMs: 0 }));
    const zone = this.#root.machine.commands.state.map().settings.zones[0] ?? '';
    return Promise.resolve([{ nodeId: 'memory', zone, groups, storage }]);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #command<Name extends string>(name: Name, args: unknown): Command<Name> {
    return {
      version: COMMAND_VERSION,
      name,
      commandId: this.#random.bytes(16).toString('hex'),
      issuedMs: Math.floor(this.#clock.wallMs()),
      args,
    };
  }

  async #propose<Result>(
    kind: 'root' | 'index',
    group: MemoryGroup<RootCommandSet | IndexCommandSet>,
    command: Command,
    options: CallOptions | undefined,
  ): Promise<Result> {
    throwIfAborted(options);
    checkCommand(kind, command);
    const data = encodeEntry(this.#hybridClock.now(), command);
    const index = group.nextIndex;
    group.nextIndex += 1;
    const answers = group.tail.then(() => group.machine.apply([{ index, term: 1, data }]));
    group.tail = answers;
    const [answer] = await answers;
    return unwrap(answer ?? null) as Result;
  }

  /** Answers pass through the codec, so that a caller sees what the network would give. */
  async #query<Result>(
    options: CallOptions | undefined,
    read: () => Result | Promise<Result>,
  ): Promise<Result> {
    throwIfAborted(options);
    await Promise.all([this.#root, ...this.#indexes.values()].map(({ tail }) => tail));
    return decodeRecord(encodeRecord(await read())) as Result;
  }

  #indexGroup(group: string): MemoryGroup<IndexCommandSet> {
    const found = this.#indexes.get(group);
    if (found === undefined) throw new StoreError('INVALID_ARGUMENT', { group });
    return found;
  }
}

class MemoryClusterView implements ClusterView {
  readonly #commands: RootCommandSet;
  readonly #clock: Clock;
  readonly #suspects: SuspectDisks;
  #identities = IdentityTable.of(0, []);

  constructor(commands: RootCommandSet, clock: Clock) {
    this.#commands = commands;
    this.#clock = clock;
    this.#suspects = new SuspectDisks(clock);
  }

  map(): ClusterMap {
    return this.#commands.state.map();
  }

  bucket(name: string): Promise<BucketRecord | null> {
    return Promise.resolve(this.#commands.state.get('bucket', name));
  }

  identities(): IdentitySnapshot {
    const { state } = this.#commands;
    const { identityRevision } = state.counters;
    if (this.#identities.revision !== identityRevision) {
      this.#identities = IdentityTable.of(identityRevision, state.all('identity'));
    }
    return this.#identities;
  }

  ageMs(): number {
    return 0;
  }

  waitForChange(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const stopWaiting = this.#commands.watchLog.onChange(() => {
        cancelTimer();
        resolve();
      });
      const cancelTimer = this.#clock.schedule(timeoutMs, () => {
        stopWaiting();
        resolve();
      });
    });
  }

  reportDiskFailure(diskId: string): void {
    this.#suspects.report(diskId);
  }

  isSuspect(diskId: string): boolean {
    return this.#suspects.has(diskId);
  }
}

async function openGroup<T extends RootCommandSet | IndexCommandSet>(
  create: CommandSetFactory<T>,
): Promise<MemoryGroup<T>> {
  const machine = await GroupStateMachine.open(new MemoryKeyValueStore(), create);
  return { machine, nextIndex: 1, tail: Promise.resolve() };
}

function throwIfAborted(options: CallOptions | undefined): void {
  if (options?.signal?.aborted === true) throw new StoreError('CANCELLED');
}

function unwrap(answer: Buffer | null): unknown {
  if (answer === null) throw new StoreError('INTERNAL');
  const response = decodeRecord(answer) as SessionResponse;
  if (response.ok) return response.result;
  throw new StoreError(
    isStoreErrorCode(response.code) ? response.code : 'INTERNAL',
    response.detail,
  );
}
