import { hasCode, StoreError } from '@azimuth/common';
import type { Clock, Logger } from '@azimuth/common';
import { decodeRecord, encodeRecord } from '@azimuth/proto';
import type {
  BlobWitness,
  HeartbeatResult,
  IndexQueryName,
  MetadataIntentResult,
  GroupLeader,
  MetadataStatus,
  RootCommandName,
  RootQueryName,
  SessionRequest,
  SessionResponse,
  WatchResult,
} from '@azimuth/proto';
import type { PeerIdentity } from '@azimuth/rpc';

import type { IndexCommandSet } from '../state-machine/index-commands';
import { queryIndex } from '../state-machine/index-queries';
import type { RootCommandSet } from '../state-machine/root-commands';
import { queryRoot, watchResult } from '../state-machine/root-queries';
import { checkAccess } from './access-policy';
import type { GroupEndpoint } from './group-endpoint';
import type { NodeMonitor } from './node-monitor';
import type { FindingsLog } from './findings-log';
import { integrityOf, membershipOf } from './integrity-guard';
import { RangeQueue } from './range-queue';
import { decodeRequest } from './session-request';
import { WatcherProgress } from './watcher-progress';

const REQUESTS_MAX = 8_192;
const WATCHES_MAX = 4_096;
const WATCH_MS_MAX = 10_000;
/** Watches end at multiples of this, so that those which end together share one confirmation. */
const WATCH_GRID_MS = 250;

/** What every gateway must have taken when its author is told that it is done. */
const SETTLING_COMMANDS: ReadonlySet<string> = new Set<RootCommandName>([
  'CreateBucket',
  'SetBucketConfiguration',
  'SetBucketVersioning',
  'MarkBucketDeleting',
  'RemoveBucket',
  'CommitIdentities',
]);

const RANGE_QUERIES: ReadonlySet<string> = new Set<IndexQueryName>([
  'ListObjects',
  'ListVersions',
  'ListParts',
  'ListUploads',
  'ListOutbox',
]);

type RequestOf<Kind extends SessionRequest['kind']> = Extract<SessionRequest, { kind: Kind }>;

export interface SessionServiceOptions {
  readonly nodeId: string;
  readonly zone: string;
  readonly root: GroupEndpoint<RootCommandSet>;
  readonly indexes: ReadonlyMap<string, GroupEndpoint<IndexCommandSet>>;
  readonly monitor: NodeMonitor;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly findings: FindingsLog;
  /** What an operator wants of the metadata nodes; on the root leader. */
  readonly onIntent: (request: RequestOf<'intent'>) => Promise<MetadataIntentResult>;
  /** Called when a read found a corrupt record: the replica is of no use any more. */
  readonly onCorrupt: (group: string, error: StoreError) => void;
}

/** Answers the requests of `Metadata/Session`. All failures are answers. */
export class SessionService {
  readonly #options: SessionServiceOptions;
  readonly #watchers: WatcherProgress;
  readonly #ranges = new RangeQueue();
  #requests = 0;
  #watches = 0;

  constructor(options: SessionServiceOptions) {
    this.#options = options;
    this.#watchers = new WatcherProgress(options.clock);
    options.root.group.onLeadershipChange(({ role }) => {
      if (role === 'leader') this.#watchers.lead();
    });
  }

  get inFlight(): { readonly requests: number; readonly watches: number } {
    return { requests: this.#requests, watches: this.#watches };
  }

  async handle(body: Buffer, peer: PeerIdentity): Promise<Buffer> {
    try {
      const request = decodeRequest(body);
      checkAccess(request, peer);
      // Watches wait most of their time, so they have a limit of their own.
      if (request.kind === 'watch') return encodeAnswer(await this.#watchBounded(request, peer));
      if (this.#requests >= REQUESTS_MAX) throw new StoreError('OVERLOADED');
      this.#requests += 1;
      try {
        return await this.#dispatch(request, body);
      } finally {
        this.#requests -= 1;
      }
    } catch (error) {
      return this.#encodeFailure(error);
    }
  }

  /** The session of `peer` is over. */
  forget(peer: PeerIdentity): void {
    this.#watchers.forget(peer);
  }

  async #dispatch(
    request: Exclude<SessionRequest, { kind: 'watch' }>,
    body: Buffer,
  ): Promise<Buffer> {
    switch (request.kind) {
      case 'propose':
        return this.#propose(request, body);
      case 'query':
        return this.#answerQuery(request);
      case 'heartbeat':
        return encodeAnswer(this.#heartbeat(request));
      case 'witness':
        return encodeAnswer(this.#witness(request));
      case 'status':
        return encodeAnswer(this.status());
      case 'leaders':
        return encodeAnswer(this.#leaders());
      case 'lead':
        await this.#endpoint(request.group).group.transferLeadership(request.target);
        return encodeAnswer(null);
      case 'members':
        await this.#changeMembers(request);
        return encodeAnswer(null);
      case 'intent':
        return encodeAnswer(await this.#options.onIntent(request));
    }
  }

  #changeMembers(request: RequestOf<'members'>): Promise<void> {
    const { group, voters, learners, expectedIndex } = request;
    return this.#endpoint(group).group.changeMembership({ voters, learners }, expectedIndex);
  }

  async #propose(
    { group, command, wantsIndex }: RequestOf<'propose'>,
    body: Buffer,
  ): Promise<Buffer> {
    let logIndex: number | null = null;
    const onApplied = (index: number): void => {
      logIndex = index;
    };
    const answer = await this.#endpoint(group).submit(command, onApplied, body);
    if (group === 'root' && SETTLING_COMMANDS.has(command.name)) {
      await this.#watchers.settled(this.#options.root.commands.state.counters.mapVersion);
    }
    if (wantsIndex !== true) return answer;
    return encodeRecord({ ...(decodeRecord(answer) as SessionResponse), logIndex });
  }

  async #answerQuery(request: RequestOf<'query'>): Promise<Buffer> {
    if (request.wantsIndex !== true) return encodeAnswer(await this.#query(request));
    const { machine } = this.#endpoint(request.group);
    let confirmedIndex = 0;
    const result = await this.#query(request, () => {
      confirmedIndex = machine.visibleIndex;
    });
    const logIndex = machine.visibleIndex === confirmedIndex ? confirmedIndex : null;
    return encodeRecord({ ok: true, result, logIndex } satisfies SessionResponse);
  }

  async #query(
    { group, name, args }: RequestOf<'query'>,
    onConfirmed: () => void = () => undefined,
  ): Promise<unknown> {
    const { root, indexes } = this.#options;
    try {
      if (group === 'root') {
        await root.confirm();
        onConfirmed();
        return queryRoot(root.commands.state, name as RootQueryName, args as never);
      }
      const endpoint = indexes.get(group);
      if (endpoint === undefined) throw new StoreError('INVALID_ARGUMENT', { group });
      await endpoint.confirm();
      onConfirmed();
      const { state } = endpoint.commands;
      const read = (): unknown => queryIndex(state, name as IndexQueryName, args as never);
      return await (RANGE_QUERIES.has(name) ? this.#ranges.run(read) : read());
    } catch (error) {
      throw this.#afterRead(group, error);
    }
  }

  /** Reads this replica as it is, leader or not: what it says holds for its own time. */
  #witness({ group, blobIds }: RequestOf<'witness'>): BlobWitness {
    const { nodeId, indexes } = this.#options;
    const endpoint = indexes.get(group);
    if (endpoint === undefined) throw new StoreError('INVALID_ARGUMENT', { group });
    const { machine, commands } = endpoint;
    try {
      const isReferenced = blobIds.map((blobId) => commands.state.blobs.find(blobId) !== null);
      return { nodeId, appliedMs: machine.nowMs, isReferenced };
    } catch (error) {
      throw this.#afterRead(group, error);
    }
  }

  /** A corrupt record ends this replica; the caller asks another one. */
  #afterRead(group: string, error: unknown): unknown {
    if (!hasCode(error, 'STATE_CORRUPT')) return error;
    this.#options.onCorrupt(group, error);
    return new StoreError('UNAVAILABLE', { group, reason: 'the replica is being rebuilt' });
  }

  async #watchBounded(request: RequestOf<'watch'>, peer: PeerIdentity): Promise<WatchResult> {
    if (this.#watches >= WATCHES_MAX) throw new StoreError('OVERLOADED');
    this.#watches += 1;
    // The object stands for the session: two processes may share a certificate.
    if (peer.role === 'gateway') this.#watchers.hear(peer, request.since);
    try {
      return await this.#watch(request);
    } finally {
      this.#watches -= 1;
    }
  }

  /** Answers only what the quorum confirmed after the last wait: a deposed leader says NOT_LEADER. */
  async #watch(request: RequestOf<'watch'>): Promise<WatchResult> {
    const { root, clock } = this.#options;
    const { since, waitMs } = request;
    const { commands } = root;
    const waitMsBounded = Math.min(Math.max(0, waitMs), WATCH_MS_MAX);
    let deadlineMs = clock.monotonicMs() + waitMsBounded;
    if (waitMsBounded > WATCH_GRID_MS) deadlineMs -= deadlineMs % WATCH_GRID_MS;
    for (;;) {
      const waitableMs = deadlineMs - clock.monotonicMs();
      const isCurrent = isInitialized(commands) && commands.state.counters.mapVersion === since;
      // Nothing is said before the wait, so nothing has to be confirmed before it.
      if (waitableMs > 0 && isCurrent && root.isLeader) await this.#nextChange(waitableMs);
      await root.confirm();
      const result = isInitialized(commands) ? watchResult(commands, request) : null;
      const leftMs = deadlineMs - clock.monotonicMs();
      if (result !== null && (result.kind !== 'unchanged' || leftMs <= 0)) return result;
      if (leftMs <= 0) throw new StoreError('UNAVAILABLE', { reason: 'not initialized yet' });
      if (result === null) await this.#nextChange(leftMs);
    }
  }

  #nextChange(timeoutMs: number): Promise<void> {
    const { clock, root } = this.#options;
    return new Promise((resolve) => {
      const stopWaiting = root.commands.watchLog.onChange(() => {
        cancelTimer();
        stopListening();
        resolve();
      });
      const cancelTimer = clock.schedule(timeoutMs, () => {
        stopWaiting();
        stopListening();
        resolve();
      });
      const stopListening = root.group.onLeadershipChange(() => {
        cancelTimer();
        stopWaiting();
        stopListening();
        resolve();
      });
    });
  }

  #heartbeat({ heartbeat }: RequestOf<'heartbeat'>): HeartbeatResult {
    const { root, monitor, clock } = this.#options;
    if (!root.isLeader) throw root.notLeader();
    monitor.hear(heartbeat, clock.monotonicMs());
    // Waiting for a quorum here would make nodes look silent after a stall. What a leader that has
    // just been elected has not applied yet, it does not deny: the next heartbeat tells.
    if (!root.group.status().isTermApplied) return { isRegistered: true };
    const node = root.commands.state.get('node', heartbeat.nodeId);
    return {
      isRegistered: node?.incarnation === heartbeat.incarnation,
      metadataNodes: root.commands.state.metadataNodes(),
    };
  }

  #leaders(): GroupLeader[] {
    const { root, indexes } = this.#options;
    return [root, ...indexes.values()].map((endpoint) => {
      const { term, leader } = endpoint.group.status();
      return { group: endpoint.name, term, leader };
    });
  }

  status(): MetadataStatus {
    const { nodeId, zone, root, indexes, monitor, clock, findings } = this.#options;
    const nowMs = clock.monotonicMs();
    const groups = [root, ...indexes.values()].map((endpoint) => {
      const { role, term, leader, commitIndex, lastApplied } = endpoint.group.status();
      return {
        ...{ group: endpoint.name, role, term, leader, commitIndex, lastApplied },
        membership: membershipOf(endpoint.group.membership()),
        integrity: integrityOf(endpoint),
      };
    });
    const storage = !root.isLeader
      ? []
      : [...monitor.sightings.values()].map(({ heartbeat, lastSeenMs }) => ({
          ...heartbeat,
          ageMs: Math.round(nowMs - lastSeenMs),
        }));
    const metadataNodes = root.commands.state.metadataNodes();
    return { nodeId, zone, groups, storage, metadataNodes, findings: findings.list };
  }

  #endpoint(group: string): GroupEndpoint<RootCommandSet> | GroupEndpoint<IndexCommandSet> {
    const { root, indexes } = this.#options;
    const endpoint = group === 'root' ? root : indexes.get(group);
    if (endpoint === undefined) throw new StoreError('INVALID_ARGUMENT', { group });
    return endpoint;
  }

  /** Where a leader is whom the asker may never have heard of. */
  #addressOf(error: StoreError): { readonly host?: string; readonly port?: number } {
    const { leader } = error.detail;
    if (error.code !== 'NOT_LEADER' || typeof leader !== 'string') return {};
    const node = this.#options.root.commands.state.get('metadata', leader);
    return node === null ? {} : { host: node.host, port: node.port };
  }

  #encodeFailure(error: unknown): Buffer {
    if (error instanceof StoreError) {
      const { code } = error;
      const detail = { ...error.detail, ...this.#addressOf(error) };
      return encodeRecord({ ok: false, code, detail } satisfies SessionResponse);
    }
    this.#options.logger.error({ error }, 'request failed unexpectedly');
    return encodeRecord({ ok: false, code: 'INTERNAL', detail: {} } satisfies SessionResponse);
  }
}

function isInitialized(commands: RootCommandSet): boolean {
  return commands.state.settings() !== null;
}

function encodeAnswer(result: unknown): Buffer {
  return encodeRecord({ ok: true, result } satisfies SessionResponse);
}
