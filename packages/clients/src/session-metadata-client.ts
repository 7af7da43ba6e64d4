import { backoffMs, hasCode, isStoreErrorCode, required, StoreError } from '@azimuth/common';
import type { Clock, ErrorDetail, Logger, Random } from '@azimuth/common';
import { COMMAND_VERSION, decodeRecord, encodeRecord } from '@azimuth/proto';
import type {
  BlobWitness,
  BlobWitnesses,
  GroupLeader,
  HeartbeatResult,
  IndexCommandName,
  IndexCommands,
  IndexQueries,
  IndexQueryName,
  MetadataIntent,
  MetadataIntentResult,
  MetadataNodeEntry,
  MetadataStatus,
  NodeHeartbeat,
  RootCommandName,
  RootCommands,
  RootQueries,
  RootQueryName,
  SessionRequest,
  SessionResponse,
  WatchResult,
} from '@azimuth/proto';
import { SessionClient } from '@azimuth/rpc';
import type { TlsMaterial } from '@azimuth/rpc';

import type { LeaderTable } from './leader-table';
import type { CallOptions, MetadataClient } from './metadata-client';
import type { NodeAddress } from './node-address';
import { SessionTable } from './session-table';
import type { MetadataSession } from './session-table';

const TIMEOUT_MS = 10_000;
/** A leader that says nothing for this long may be dead: another node is asked. */
const ATTEMPT_TIMEOUT_MS = 1_500;
const STATUS_TIMEOUT_MS = 2_000;
const BACKOFF = { baseMs: 25, maxMs: 250 };
/** Failures of a session that another node, or the same one later, may not have. */
const NODE_FAILURES = [
  'UNAVAILABLE',
  'TIMEOUT',
  'OVERLOADED',
  'UNAUTHENTICATED',
  'PERMISSION_DENIED',
] as const;

export interface MetadataClientOptions {
  /** Where to start; the cluster tells of the others. */
  readonly peers: readonly NodeAddress[];
  readonly tls: TlsMaterial;
  readonly clusterId: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export type WatchRequest = Omit<Extract<SessionRequest, { kind: 'watch' }>, 'kind'>;

/** Told that `nodeId` answered; `groups` is null when it refused to say who leads. */
export type LeadersListener = (nodeId: string, groups: readonly GroupLeader[] | null) => void;

/** A metadata client that can also watch the root state, and who leads the groups. */
export interface WatchingMetadataClient extends MetadataClient {
  /**
   * Asks every metadata node who leads the groups, as it sees it, and tells each answer when it
   * comes. Answers whom it asked: a node that joins may lead before anybody has told where it is.
   */
  askLeaders(listener: LeadersListener, options?: CallOptions): readonly string[];
  /** A long poll: answers at the next change after `since`, or after `waitMs`. */
  watch(request: WatchRequest, options?: CallOptions): Promise<WatchResult>;
}

/** What the metadata nodes and operators ask of each other. */
export interface MetadataAdministration extends WatchingMetadataClient {
  /** Takes over who the metadata nodes are. */
  follow(nodes: readonly MetadataNodeEntry[] | undefined): void;
  /** Moves the lead of `group`; resolves when the old leader has let go. */
  lead(group: string, target: string, options?: CallOptions): Promise<void>;
  /** Changes who belongs to a group. @throws StoreError as `RaftGroup.changeMembership` */
  changeMembers(request: MembersRequest, options?: CallOptions): Promise<void>;
  /** @throws StoreError INVALID_ARGUMENT (`reason`) what would cost a quorum */
  intend(
    intent: MetadataIntent,
    isDryRun: boolean,
    options?: CallOptions,
  ): Promise<MetadataIntentResult>;
}

export type MembersRequest = Omit<Extract<SessionRequest, { kind: 'members' }>, 'kind'>;

/** The metadata client over one session to each metadata node. */
export function createMetadataClient(options: MetadataClientOptions): MetadataAdministration {
  const { tls, clusterId, clock, random } = options;
  const open = ({ nodeId, host, port }: NodeAddress): MetadataSession => {
    const peer = {
      ...{ host, port, tls, clusterId },
      expectedRole: 'metadata' as const,
      expectedNodeId: nodeId,
    };
    return new SessionClient(peer, { clock, random });
  };
  const sessions = new Map(options.peers.map((peer) => [peer.nodeId, open(peer)]));
  return new SessionMetadataClient(sessions, { ...options, open });
}

/** What one request needs over its attempts. */
interface Request {
  readonly group: string;
  /** Waits inside the server count on top of the attempt's own time-out. */
  readonly waitMs: number;
  body: Buffer;
  /** Makes the body anew with the given time; null for what is not a command. */
  readonly reissue: ((nowMs: number) => Buffer) | null;
}

type Verdict = 'hop' | 'retry';

/**
 * Follows leaders and retries.
 *
 * F1 A command keeps its id over all attempts, so the state machine applies it once.
 * F2 An attempt that may have reached a leader makes the outcome uncertain until an answer to the
 *    same id comes; at the deadline an uncertain command ends as OUTCOME_UNKNOWN.
 *    The same when its caller gives up by the signal; CANCELLED says that it was not applied.
 * F3 Only a command that certainly was not applied may be issued again under another id.
 */
export class SessionMetadataClient implements MetadataAdministration {
  readonly #sessions: SessionTable;
  readonly #leaders: LeaderTable;
  readonly #clock: Clock;
  readonly #random: Random;
  /** How far the cluster's time was ahead of ours when it last told us. */
  #clockOffsetMs = 0;

  constructor(
    sessions: ReadonlyMap<string, MetadataSession>,
    options: Pick<MetadataClientOptions, 'clock' | 'random'> & {
      /** Reaches nodes that are not among `sessions`; without it there are no others. */
      readonly open?: (address: NodeAddress) => MetadataSession;
    },
  ) {
    this.#sessions = new SessionTable(sessions, options.open ?? null, options.clock);
    this.#leaders = this.#sessions.leaders;
    this.#clock = options.clock;
    this.#random = options.random;
  }

  root<Name extends RootCommandName>(
    name: Name,
    args: RootCommands[Name]['args'],
    options?: CallOptions,
  ): Promise<RootCommands[Name]['result']> {
    return this.#propose('root', name, args, options);
  }

  queryRoot<Name extends RootQueryName>(
    name: Name,
    args: RootQueries[Name]['args'],
    options?: CallOptions,
  ): Promise<RootQueries[Name]['result']> {
    return this.#ask('root', { kind: 'query', group: 'root', name, args }, options);
  }

  index<Name extends IndexCommandName>(
    group: string,
    name: Name,
    args: IndexCommands[Name]['args'],
    options?: CallOptions,
  ): Promise<IndexCommands[Name]['result']> {
    return this.#propose(group, name, args, options);
  }

  queryIndex<Name extends IndexQueryName>(
    group: string,
    name: Name,
    args: IndexQueries[Name]['args'],
    options?: CallOptions,
  ): Promise<IndexQueries[Name]['result']> {
    return this.#ask(group, { kind: 'query', group, name, args }, options);
  }

  async heartbeat(heartbeat: NodeHeartbeat, options?: CallOptions): Promise<HeartbeatResult> {
    const request = { kind: 'heartbeat' as const, heartbeat };
    const result = await this.#ask<HeartbeatResult>('root', request, options);
    this.follow(result.metadataNodes);
    return result;
  }

  async watch(request: WatchRequest, options?: CallOptions): Promise<WatchResult> {
    const asked = { kind: 'watch' as const, ...request };
    const result = await this.#ask<WatchResult>('root', asked, options, request.waitMs);
    if (result.kind !== 'unchanged') this.follow(result.map.metadataNodes);
    return result;
  }

  follow(nodes: readonly MetadataNodeEntry[] | undefined): void {
    this.#sessions.follow(nodes);
  }

  async lead(group: string, target: string, options?: CallOptions): Promise<void> {
    await this.#ask(group, { kind: 'lead', group, target }, options);
  }

  async changeMembers(request: MembersRequest, options?: CallOptions): Promise<void> {
    await this.#ask(request.group, { kind: 'members', ...request }, options);
  }

  intend(
    intent: MetadataIntent,
    isDryRun: boolean,
    options?: CallOptions,
  ): Promise<MetadataIntentResult> {
    return this.#ask('root', { kind: 'intent', intent, isDryRun }, options);
  }

  async witnessBlobs(
    group: string,
    blobIds: readonly string[],
    options?: CallOptions,
  ): Promise<BlobWitnesses> {
    const answers = await this.#askAll({ kind: 'witness', group, blobIds }, options);
    return { nodeCount: this.#sessions.size, witnesses: answers as BlobWitness[] };
  }

  async status(options?: CallOptions): Promise<readonly MetadataStatus[]> {
    return (await this.#askAll({ kind: 'status' }, options)) as MetadataStatus[];
  }

  askLeaders(listener: LeadersListener, options?: CallOptions): readonly string[] {
    const body = encodeRecord({ kind: 'leaders' } satisfies SessionRequest);
    const timeoutMs = options?.timeoutMs ?? STATUS_TIMEOUT_MS;
    const ask = async (nodeId: string, session: MetadataSession): Promise<void> => {
      const response = decodeRecord(await session.call(body, timeoutMs)) as SessionResponse;
      listener(nodeId, response.ok ? (response.result as GroupLeader[]) : null);
    };
    const asked = this.#sessions.byNode();
    void Promise.allSettled(asked.map((each) => ask(...each)));
    return asked.map(([nodeId]) => nodeId);
  }

  close(): Promise<void> {
    this.#sessions.close();
    return Promise.resolve();
  }

  /** The results of the nodes that answered. Never rejects. */
  async #askAll(request: SessionRequest, options: CallOptions | undefined): Promise<unknown[]> {
    const body = encodeRecord(request);
    const timeoutMs = options?.timeoutMs ?? STATUS_TIMEOUT_MS;
    const answers = await Promise.allSettled(
      this.#sessions.all().map((session) => session.call(body, timeoutMs)),
    );
    return answers
      .filter((answer) => answer.status === 'fulfilled')
      .map((answer) => decodeRecord(answer.value) as SessionResponse)
      .filter((response) => response.ok)
      .map((response) => response.result);
  }

  #propose<Result>(
    group: string,
    name: string,
    args: unknown,
    options: CallOptions | undefined,
  ): Promise<Result> {
    const issue = (issuedMs: number): Buffer => {
      const commandId = this.#random.bytes(16).toString('hex');
      const command = { version: COMMAND_VERSION, name, commandId, issuedMs, args };
      const request: SessionRequest = { kind: 'propose', group, command };
      return encodeRecord(options?.onLogIndex === undefined ? request : wantingIndex(request));
    };
    const body = issue(Math.floor(this.#clock.wallMs()) + this.#clockOffsetMs);
    return this.#send({ group, waitMs: 0, body, reissue: issue }, options) as Promise<Result>;
  }

  #ask<Result>(
    group: string,
    request: SessionRequest,
    options: CallOptions | undefined,
    waitMs = 0,
  ): Promise<Result> {
    const body = encodeRecord(options?.onLogIndex === undefined ? request : wantingIndex(request));
    return this.#send({ group, waitMs, body, reissue: null }, options) as Promise<Result>;
  }

  #send(request: Request, options: CallOptions | undefined): Promise<unknown> {
    const signal = options?.signal;
    const attempts = new Attempts();
    if (signal === undefined) return this.#attemptAll(request, attempts, options);
    if (signal.aborted) return Promise.reject(new StoreError('CANCELLED'));
    return new Promise((resolve, reject) => {
      const onAbort = (): void => reject(attempts.abandonedError(request.reissue !== null));
      signal.addEventListener('abort', onAbort, { once: true });
      const settle =
        <T>(take: (value: T) => void) =>
        (value: T): void => {
          signal.removeEventListener('abort', onAbort);
          take(value);
        };
      this.#attemptAll(request, attempts, options).then(settle(resolve), settle(reject));
    });
  }

  async #attemptAll(
    request: Request,
    attempts: Attempts,
    options: CallOptions | undefined,
  ): Promise<unknown> {
    const deadlineMs = this.#clock.monotonicMs() + (options?.timeoutMs ?? TIMEOUT_MS);
    for (;;) {
      const leftMs = deadlineMs - this.#clock.monotonicMs();
      if (leftMs <= 0 || options?.signal?.aborted === true) {
        throw attempts.finalError(request.reissue !== null);
      }
      const nodeId = this.#leaders.choose(request.group, attempts.failed);
      const session = required(this.#sessions.get(nodeId), 'session');
      let response: SessionResponse;
      try {
        const timeoutMs = Math.min(leftMs, request.waitMs + ATTEMPT_TIMEOUT_MS);
        attempts.isAsking = true;
        response = decodeRecord(await session.call(request.body, timeoutMs)) as SessionResponse;
      } catch (error) {
        if (!hasCode(error, ...NODE_FAILURES)) throw error;
        this.#leaders.forget(request.group, nodeId);
        attempts.note(nodeId, error, error.detail['sent'] !== false);
        await this.#pause(attempts, deadlineMs);
        continue;
      }
      tellLogIndex(request, response, attempts, options);
      if (response.ok) {
        this.#leaders.set(request.group, nodeId);
        return response.result;
      }
      const verdict = this.#judge(request, nodeId, response, attempts);
      if (verdict === 'retry') await this.#pause(attempts, deadlineMs);
    }
  }

  /** What to do after an answer that is a failure. @throws StoreError when it is final */
  #judge(
    request: Request,
    nodeId: string,
    response: Extract<SessionResponse, { ok: false }>,
    attempts: Attempts,
  ): Verdict {
    const code = isStoreErrorCode(response.code) ? response.code : 'INTERNAL';
    const error = new StoreError(code, response.detail);
    if (code === 'NOT_LEADER') {
      attempts.note(nodeId, error, false);
      const { leader } = response.detail;
      const isKnown = typeof leader === 'string' && this.#isReachable(leader, response.detail);
      if (!isKnown || attempts.failed.has(leader)) {
        this.#leaders.forget(request.group, nodeId);
        return 'retry';
      }
      this.#leaders.set(request.group, leader);
      return 'hop';
    }
    if (code === 'COMMAND_EXPIRED') return this.#reissue(request, error, attempts);
    if (code !== 'OUTCOME_UNKNOWN' && code !== 'UNAVAILABLE' && code !== 'OVERLOADED') throw error;
    this.#leaders.forget(request.group, nodeId);
    attempts.note(nodeId, error, code === 'OUTCOME_UNKNOWN');
    return 'retry';
  }

  /** A leader that joined after our settings were written comes with its address. */
  #isReachable(nodeId: string, { host, port }: ErrorDetail): boolean {
    if (this.#sessions.get(nodeId) !== undefined) return true;
    if (typeof host !== 'string' || typeof port !== 'number') return false;
    return this.#sessions.learn({ nodeId, host, port });
  }

  /** Our clock is far from the cluster's: the command is issued again in the cluster's time (F3). */
  #reissue(request: Request, error: StoreError, attempts: Attempts): Verdict {
    const { nowMs } = error.detail;
    if (request.reissue === null || typeof nowMs !== 'number' || attempts.isReissued) throw error;
    if (attempts.isUncertain) throw new StoreError('OUTCOME_UNKNOWN', {}, error);
    attempts.isReissued = true;
    this.#clockOffsetMs = nowMs - Math.floor(this.#clock.wallMs());
    request.body = request.reissue(nowMs);
    return 'hop';
  }

  async #pause(attempts: Attempts, deadlineMs: number): Promise<void> {
    // While some node was not asked yet it is asked at once.
    if (attempts.failed.size < this.#sessions.size) return;
    attempts.failed.clear();
    const delayMs = backoffMs(attempts.rounds, BACKOFF, this.#random);
    attempts.rounds += 1;
    await this.#clock.sleep(Math.min(delayMs, deadlineMs - this.#clock.monotonicMs()));
  }
}

function tellLogIndex(
  request: Request,
  { logIndex }: SessionResponse,
  attempts: Attempts,
  options: CallOptions | undefined,
): void {
  if (logIndex === undefined || options?.onLogIndex === undefined) return;
  // An answer that was kept from an earlier attempt holds at an earlier index.
  const isKept = request.reissue !== null && attempts.isUncertain;
  options.onLogIndex(isKept ? null : logIndex);
}

function wantingIndex(request: SessionRequest): SessionRequest {
  const { kind } = request;
  return kind === 'propose' || kind === 'query' ? { ...request, wantsIndex: true } : request;
}

/** The history of one request. */
class Attempts {
  /** Nodes that could not answer since the last pause. */
  readonly failed = new Set<string>();
  rounds = 0;
  /** True once an attempt may have been applied without our knowing. */
  isUncertain = false;
  isReissued = false;
  /** True while a node may be at work on it. */
  isAsking = false;
  #lastError: StoreError | null = null;

  /** An attempt has ended without a result. */
  note(nodeId: string, error: StoreError, isUncertain: boolean): void {
    this.isAsking = false;
    this.failed.add(nodeId);
    this.isUncertain ||= isUncertain;
    this.#lastError = error;
  }

  /** For a caller who waits no longer. */
  abandonedError(isCommand: boolean): StoreError {
    const isUncertain = isCommand && (this.isUncertain || this.isAsking);
    return new StoreError(isUncertain ? 'OUTCOME_UNKNOWN' : 'CANCELLED');
  }

  finalError(isCommand: boolean): StoreError {
    const cause = this.#lastError ?? undefined;
    if (isCommand && this.isUncertain) return new StoreError('OUTCOME_UNKNOWN', {}, cause);
    if (cause === undefined || cause.code === 'TIMEOUT') {
      return new StoreError('TIMEOUT', {}, cause);
    }
    if (cause.code === 'NOT_LEADER') return new StoreError('UNAVAILABLE', {}, cause);
    return cause;
  }
}
