import { join } from 'node:path';

import { createMetadataClient } from '@azimuth/clients';
import type { MetadataAdministration } from '@azimuth/clients';
import { UnsettledStarts } from '@azimuth/common';
import type { Clock, FaultSource, Logger, MetadataPeer, Random, StoreError } from '@azimuth/common';
import type { ClusterSettings } from '@azimuth/placement';
import { metadataService } from '@azimuth/proto';
import { peerOf, serveSession, SessionClient, startRpcServer } from '@azimuth/rpc';
import type { Registration, RpcServer, TlsMaterial } from '@azimuth/rpc';

import { MetadataDriver } from '../driver/metadata-driver';
import type { Finding } from '../driver/state-machine';
import type { LogDisk } from '../disk/log-disk';
import type { CommandSet, GroupStateMachine } from '../state-machine/group-state-machine';
import { IndexCommandSet } from '../state-machine/index-commands';
import { RootCommandSet } from '../state-machine/root-commands';
import { createRpcTransport } from '../transport/rpc-transport';
import type { RaftPeer, RpcTransport } from '../transport/rpc-transport';
import { Controller } from './controller';
import type { FindingsLog } from './findings-log';
import { GroupEndpoint } from './group-endpoint';
import { IntegrityGuard } from './integrity-guard';
import { waitUntilHeldByOthers } from './log-holders';
import type { LogTail } from './log-holders';
import { meaningOfEmptyLog } from './lost-log';
import { MetadataSteward } from './metadata-steward';
import { NodeMonitor } from './node-monitor';
import { condemnStates, openMachine, openNodeDisk } from './node-storage';
import { PeerBook } from './peer-book';
import { NodeRegistration } from './node-registration';
import { SessionService } from './session-service';

/** A node heard again must have been steady for this long before it counts as up. */
const STEADY_MS = 1_000;
/** In this time the others elect a leader without this node, and catch up with its log. */
const HOLDERS_TIMEOUT_MS = 10_000;

export interface MetadataNodeOptions {
  readonly nodeId: string;
  readonly zone: string;
  readonly clusterId: string;
  readonly host: string;
  readonly rpcPort: number;
  readonly dataDirectory: string;
  readonly whenEmpty: 'bootstrap' | 'rejoin' | 'join';
  /** Who founds the cluster, or of whom this node hears who is there now. */
  readonly peers: readonly MetadataPeer[];
  readonly settings: ClusterSettings;
  readonly heartbeatTimeoutMs: number;
  /** Log bytes since the last snapshot of a group that make a new one due. */
  readonly snapshotLogBytes: number;
  /** Another one than at the last start says that unsynced writes are lost. */
  readonly bootId: string;
  /** Slots of a node that is down for longer move to other nodes of its zone. */
  readonly nodeGraceMs: number;
  readonly tls: TlsMaterial;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Null but in development clusters. */
  readonly faults: FaultSource | null;
  /** Everything this node stores is read and compared with its peers once in this time. */
  readonly scrubPeriodMs: number;
  readonly findings: FindingsLog;
  /** The node cannot go on; with STATE_CORRUPT or LOG_CORRUPT a new one over the same directory can. At most once. */
  readonly onFatal: (error: unknown) => void;
}

type Machine<T extends CommandSet> = GroupStateMachine<T>;

/** How a node reaches the others. */
interface Network {
  readonly book: PeerBook;
  readonly transport: RpcTransport;
  readonly client: MetadataAdministration;
}

/** One metadata node: all its groups, the service over them, and the control loop. */
export class MetadataNode {
  readonly root: GroupEndpoint<RootCommandSet>;
  readonly indexes: ReadonlyMap<string, GroupEndpoint<IndexCommandSet>>;
  readonly service: SessionService;
  readonly #driver: MetadataDriver;
  readonly #controller: Controller;
  readonly guard: IntegrityGuard;
  readonly #steward: MetadataSteward;
  readonly #registration: NodeRegistration;
  readonly #options: MetadataNodeOptions;
  readonly #network: Network;
  readonly #starts: UnsettledStarts;
  #server: RpcServer | null = null;
  #isFatal = false;
  #isClosed = false;

  private constructor(
    options: MetadataNodeOptions,
    driver: MetadataDriver,
    network: Network,
    machines: {
      readonly root: Machine<RootCommandSet>;
      readonly indexes: ReadonlyMap<string, Machine<IndexCommandSet>>;
    },
    starts: UnsettledStarts,
  ) {
    const { clock, random, logger } = options;
    this.#options = options;
    this.#driver = driver;
    this.#network = network;
    this.#starts = starts;
    const endpoint = <T extends CommandSet>(name: string, machine: Machine<T>): GroupEndpoint<T> =>
      new GroupEndpoint({ name, machine, group: driver.addGroup(name, machine), clock, random });
    this.root = endpoint('root', machines.root);
    this.indexes = new Map(
      [...machines.indexes].map(([name, machine]) => [name, endpoint(name, machine)]),
    );
    const { client } = network;
    this.#steward = new MetadataSteward({
      ...{ root: this.root, client, clock, logger },
      groupCount: 1 + this.indexes.size,
      founders: () =>
        options.peers.map(({ nodeId, zone, host, port }) => ({
          ...{ nodeId, zone, host, port, incarnation: null },
          ...{ state: 'voter' as const, mayLead: true },
        })),
    });
    this.#registration = new NodeRegistration({
      ...{ client, clock, logger, isRejoining: options.whenEmpty === 'rejoin' },
      onRefused: (error) => this.fail(error),
    });
    const monitor = new NodeMonitor(options.heartbeatTimeoutMs / 2);
    this.service = new SessionService({
      nodeId: options.nodeId,
      zone: options.zone,
      ...{ root: this.root, indexes: this.indexes, monitor, clock, logger },
      findings: options.findings,
      onIntent: (request) => this.#steward.onIntent(request),
      onCorrupt: (group, error) => this.#rebuild(group, error),
    });
    this.guard = new IntegrityGuard({
      nodeId: options.nodeId,
      endpoints: this.endpoints(),
      driver,
      periodMs: options.scrubPeriodMs,
      findings: options.findings,
      askPeers: async () =>
        (await client.status()).filter(({ nodeId }) => nodeId !== options.nodeId),
      onCorrupt: (group, error) => this.#rebuild(group, error),
      clock,
      logger,
    });
    this.#controller = new Controller({
      root: this.root,
      monitor,
      settings: options.settings,
      heartbeatTimeoutMs: options.heartbeatTimeoutMs,
      steadyMs: STEADY_MS,
      nodeGraceMs: options.nodeGraceMs,
      clock,
      logger,
    });
  }

  static async start(options: MetadataNodeOptions): Promise<MetadataNode> {
    const starts = new UnsettledStarts(join(options.dataDirectory, 'state.starts'), options);
    try {
      if (starts.begin()) condemnStates(options);
      const node = await MetadataNode.#open(options, starts);
      starts.settleLater();
      return node;
    } catch (error) {
      starts.settle();
      throw error;
    }
  }

  static async #open(options: MetadataNodeOptions, starts: UnsettledStarts): Promise<MetadataNode> {
    const { clock, random, logger, dataDirectory, settings } = options;
    const root = await openMachine(
      options,
      'root',
      (records, counters) => new RootCommandSet(records, counters),
    );
    const indexes = new Map<string, Machine<IndexCommandSet>>();
    for (let group = 0; group < settings.indexGroups; group += 1) {
      const name = `index-${group}`;
      const machine = await openMachine(
        options,
        name,
        (records, counters) => new IndexCommandSet(records, counters),
      );
      indexes.set(name, machine);
    }
    const book = new PeerBook(dataDirectory, options.peers);
    const transport = createRpcTransport({ ...options, peers: book.peers });
    const client = createMetadataClient({ ...options, peers: book.peers });
    const disk = await openNodeDisk(join(dataDirectory, 'log'), options);
    let node: MetadataNode | null = null;
    const driver = new MetadataDriver({
      nodeId: options.nodeId,
      voters: options.peers.map(({ nodeId }) => nodeId),
      disk,
      whenEmpty: await askPeers(options, disk),
      bootId: options.bootId,
      compactionBytesMin: options.snapshotLogBytes,
      transport,
      ...{ clock, random, logger },
      isHeldByOthers: (group, tail) => askHolders(options, book.peers, group, tail),
      onFinding: (finding) => options.findings.add(finding),
      onFatal: (error) => node?.fail(error),
    });
    const network = { book, transport, client };
    node = new MetadataNode(options, driver, network, { root, indexes }, starts);
    await driver.start();
    node.#server = await startRpcServer({ ...options, port: options.rpcPort }, [
      node.#serviceRegistration(),
      transport.registration,
    ]);
    node.#controller.start();
    node.guard.start();
    node.#steward.start();
    node.#followPeers();
    const { nodeId, zone, host } = options;
    const { incarnation } = driver;
    node.#registration.start({ nodeId, zone, host, port: node.rpcPort, incarnation });
    return node;
  }

  get rpcPort(): number {
    return this.#server?.port ?? 0;
  }

  /** True while every group knows a leader. */
  get isReady(): boolean {
    return this.#driver.isRunning && this.endpoints().every(({ group }) => group.leader() !== null);
  }

  get isRunning(): boolean {
    return this.#driver.isRunning;
  }

  endpoints(): (GroupEndpoint<RootCommandSet> | GroupEndpoint<IndexCommandSet>)[] {
    return [this.root, ...this.indexes.values()];
  }

  /** Since the process started, whichever node object found it. */
  countFindings(problem: Finding['problem']): number {
    return this.#options.findings.count(problem);
  }

  fail(error: unknown): void {
    if (this.#isFatal) return;
    this.#isFatal = true;
    this.#starts.settle();
    this.#options.onFatal(error);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#registration.close();
    await this.#steward.close();
    await this.#controller.close();
    await this.guard.close();
    await this.#network.client.close();
    await this.#server?.close();
    await this.#driver.close();
    for (const { machine } of this.endpoints()) await machine.close();
    this.#starts.settle();
  }

  #rebuild(group: string, error: StoreError): void {
    const endpoint = group === 'root' ? this.root : this.indexes.get(group);
    endpoint?.machine.condemn();
    this.fail(error);
  }

  /** Talks to the metadata nodes that `root` names, from each of its changes on. */
  #followPeers(): void {
    if (this.#isClosed) return;
    const { book, transport, client } = this.#network;
    const { state, watchLog } = this.root.commands;
    const nodes = state.metadataNodes();
    const { mapVersion } = state.counters;
    if (book.follow(nodes, mapVersion)) {
      transport.setPeers(book.peers);
      this.#options.logger.info({ peers: book.peers }, 'metadata nodes are others now');
    }
    if (!book.isAheadOf(mapVersion)) client.follow(nodes);
    watchLog.onChange(() => this.#followPeers());
  }

  #serviceRegistration(): Registration {
    const { logger } = this.#options;
    return {
      service: metadataService,
      allow: { Session: ['gateway', 'curator', 'storage', 'admin', 'metadata'] },
      implementation: {
        Session: (call: Parameters<typeof serveSession>[0]) => {
          const end = (): void => this.service.forget(peerOf(call));
          call.once('end', end).once('cancelled', end);
          serveSession(call, (body, peer) => this.service.handle(body, peer), { logger });
        },
      },
    };
  }
}

/** What an empty log means, by the setting and by what the other nodes know. */
async function askPeers(
  options: MetadataNodeOptions,
  disk: LogDisk,
): Promise<MetadataNodeOptions['whenEmpty']> {
  const { logger, nodeId, whenEmpty } = options;
  const sessions = openPeerSessions(options, options.peers);
  try {
    const meaning = await meaningOfEmptyLog({ nodeId, whenEmpty }, disk, sessions);
    if (meaning !== whenEmpty) {
      logger.warn({}, 'the log is gone but the cluster has one; abstaining until repaired');
    }
    return meaning;
  } finally {
    for (const session of sessions) session.close();
  }
}

/** Whether the other nodes have what a condemned replica would throw away. */
async function askHolders(
  options: MetadataNodeOptions,
  peers: readonly RaftPeer[],
  group: string,
  tail: LogTail,
): Promise<boolean> {
  const { nodeId: self, clock } = options;
  const sessions = openPeerSessions(options, peers);
  try {
    const timeoutMs = HOLDERS_TIMEOUT_MS;
    return await waitUntilHeldByOthers({ self, group, tail }, sessions, { clock, timeoutMs });
  } finally {
    for (const session of sessions) session.close();
  }
}

/** Sessions to the others of `peers`. */
function openPeerSessions(
  options: MetadataNodeOptions,
  peers: readonly RaftPeer[],
): SessionClient[] {
  const { tls, clusterId, clock, random, nodeId } = options;
  return peers
    .filter((peer) => peer.nodeId !== nodeId)
    .map(({ host, port, nodeId: expectedNodeId }) => {
      const address = { host, port, tls, clusterId, expectedRole: 'metadata' as const };
      return new SessionClient({ ...address, expectedNodeId }, { clock, random });
    });
}
