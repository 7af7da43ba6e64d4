import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';

import { assert, hasCode, StoreError } from '@azimuth/common';
import type { BulkMode, Clock, Logger } from '@azimuth/common';
import { isBlobId } from '@azimuth/proto';
import type { StorageNodeEntry } from '@azimuth/placement';
import { checkPeerIdentity, dialedAddress, secureContextOf } from '@azimuth/rpc';
import type { TlsMaterial } from '@azimuth/rpc';

import { BulkSessions, rpcSessionIssuer, sessionHeaders } from './bulk-session';
import type { SessionIssuer, SignedRequest } from './bulk-session';
import { ConnectionPool } from './connection-pool';
import { DocumentReceiver, ShardReceiver } from './response-receivers';
import type { ExchangeEnd } from './response-receivers';
import type {
  InPlaceReader,
  ResponseHead,
  ResponseReceiver,
  ShardConnection,
  SocketFactory,
} from './shard-connection';
import { formatShardSum } from './shard-sum';
import type { ShardSumRequest } from './shard-sum';
import { HttpShardWriter } from './shard-writer';
import { PAGE_BYTES } from './storage-client';
import type {
  ReadShardOptions,
  ShardAddress,
  ShardAttributes,
  ShardListEntry,
  ShardSumReader,
  ShardWriter,
  StorageClient,
} from './storage-client';

export interface StorageClientOptions {
  readonly tls: TlsMaterial;
  readonly clusterId: string;
  readonly bulkMode: BulkMode;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default 1 s. */
  readonly connectTimeoutMs?: number | undefined;
  /** A node that takes or gives no byte for this long has failed; default 3 s. */
  readonly progressTimeoutMs?: number | undefined;
  /** For the answer to a written shard, which waits for an fsync; default 5 s. */
  readonly answerTimeoutMs?: number | undefined;
  /** Connections to one node; default 512. */
  readonly connectionsMax?: number | undefined;
  /** Default: `IssueSession` over mutual TLS. */
  readonly issueSession?: SessionIssuer | undefined;
}

const SWEEP_INTERVAL_MS = 200;
const CONNECTION_WAITERS_MAX = 1_024;
/** Pools are kept by incarnation of a node; those of former ones go away. */
const POOL_UNUSED_MAX_MS = 60_000;

/** A storage client over HTTP/1.1; see `storage-client.ts` for what travels. */
export function createStorageClient(options: StorageClientOptions): StorageClient & ShardSumReader {
  return new HttpStorageClient(options);
}

interface ExchangeRequest extends SignedRequest {
  readonly node: StorageNodeEntry;
  readonly signal?: AbortSignal | undefined;
}

class HttpStorageClient implements StorageClient, ShardSumReader {
  readonly #options: StorageClientOptions;
  readonly #connectTimeoutMs: number;
  readonly #progressTimeoutMs: number;
  readonly #sessions: BulkSessions;
  readonly #pools = new Map<string, ConnectionPool>();
  #cancelSweep: (() => void) | null = null;
  #sweepDueMs = 0;
  #isClosed = false;

  constructor(options: StorageClientOptions) {
    this.#options = options;
    this.#connectTimeoutMs = options.connectTimeoutMs ?? 1_000;
    this.#progressTimeoutMs = options.progressTimeoutMs ?? 3_000;
    const issue = options.issueSession ?? rpcSessionIssuer(options.tls, options.clusterId);
    this.#sessions = new BulkSessions(issue, options.clock);
    if (options.bulkMode === 'insecure-plain') {
      options.logger.warn({}, 'shard requests are not authenticated: for loopback benchmarks only');
    }
  }

  openShard(address: ShardAddress, attributes: ShardAttributes, signal?: AbortSignal): ShardWriter {
    const { profile, shardSizeBytes } = attributes;
    const pageCount = Math.ceil(shardSizeBytes / PAGE_BYTES);
    const request = {
      method: 'PUT',
      target:
        `${shardPath(address)}?pg=${attributes.pgId}&k=${profile.k}&m=${profile.m}` +
        `&size=${attributes.blobSizeBytes}&block=${attributes.blockBytes}`,
      contentLength: shardSizeBytes + pageCount * 4,
    };
    return new HttpShardWriter({
      pool: this.#poolOf(address.node),
      signHead: () => this.#headOf(address.node, request),
      shardSizeBytes,
      nowMs: () => this.#options.clock.monotonicMs(),
      progressTimeoutMs: this.#progressTimeoutMs,
      answerTimeoutMs: this.#options.answerTimeoutMs ?? 5_000,
      onError: (error) => this.#onError(address.node, error),
      signal,
    });
  }

  async readShard(
    address: ShardAddress,
    range: { readonly offsetBytes: number; readonly lengthBytes: number },
    options: ReadShardOptions = {},
  ): Promise<Uint8Array> {
    const { offsetBytes, lengthBytes } = range;
    const target = `${shardPath(address)}?offset=${offsetBytes}&length=${lengthBytes}`;
    return this.#readRange(address.node, { target, ...range }, options);
  }

  readSum(
    node: StorageNodeEntry,
    sum: ShardSumRequest,
    options: ReadShardOptions = {},
  ): Promise<Uint8Array> {
    return this.#readRange(node, { ...sum, target: formatShardSum(sum) }, options);
  }

  async #readRange(
    node: StorageNodeEntry,
    range: { readonly target: string; readonly offsetBytes: number; readonly lengthBytes: number },
    options: ReadShardOptions,
  ): Promise<Uint8Array> {
    const { target, offsetBytes, lengthBytes } = range;
    const { signal } = options;
    assert(offsetBytes % PAGE_BYTES === 0, 'shard range does not start at a page');
    assert(lengthBytes > 0, 'empty shard range');
    const memory = options.target ?? Buffer.allocUnsafe(lengthBytes);
    assert(memory.length >= lengthBytes, 'target shorter than the shard range');
    const bytes = memory.subarray(0, lengthBytes);
    await this.#exchange<undefined>(
      { node, method: 'GET', target, contentLength: 0, signal },
      (end) => new ShardReceiver(bytes, end),
    );
    return bytes;
  }

  async deleteShard(address: ShardAddress, signal?: AbortSignal): Promise<void> {
    const target = shardPath(address);
    await this.#document({
      node: address.node,
      method: 'DELETE',
      target,
      contentLength: 0,
      signal,
    });
  }

  async listShards(
    node: StorageNodeEntry,
    query: Parameters<StorageClient['listShards']>[1],
    signal?: AbortSignal,
  ): Promise<{ readonly shards: readonly ShardListEntry[]; readonly isTruncated: boolean }> {
    const after = query.afterBlobId === null ? '' : `&after=${query.afterBlobId}`;
    const target = `/shards/${query.diskId}?pg=${query.pgId}${after}&limit=${query.limit}`;
    const { body } = await this.#document({
      node,
      method: 'GET',
      target,
      contentLength: 0,
      signal,
    });
    return parseShardList(body);
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelSweep?.();
    this.#cancelSweep = null;
    for (const pool of this.#pools.values()) pool.close();
    return Promise.resolve();
  }

  #document(
    request: ExchangeRequest,
  ): Promise<{ readonly head: ResponseHead; readonly body: Buffer }> {
    return this.#exchange(request, (end) => new DocumentReceiver(end));
  }

  /** Repeats an idempotent request once when a kept-alive connection turned out to be closed. */
  async #exchange<Result>(
    request: ExchangeRequest,
    receive: (end: ExchangeEnd<Result>) => ResponseReceiver,
  ): Promise<Result> {
    try {
      for (let attempt = 0; ; attempt += 1) {
        if (request.signal?.aborted === true) throw new StoreError('CANCELLED');
        const head = await this.#headOf(request.node, request);
        const pool = this.#poolOf(request.node);
        const connection = await pool.acquire(attempt > 0);
        const isReused = connection.exchangeCount > 0;
        try {
          return await this.#run({ pool, connection, head }, request, receive);
        } catch (error) {
          const isLost = hasCode(error, 'UNAVAILABLE') && connection.isUnanswered;
          const isStale = isReused && attempt === 0 && isLost;
          const isSessionOld = attempt === 0 && hasCode(error, 'UNAUTHENTICATED');
          if (isSessionOld) this.#sessions.forget(request.node);
          if (!isStale && !isSessionOld) throw error;
        }
      }
    } catch (error) {
      const failure = error instanceof StoreError ? error : new StoreError('INTERNAL', {}, error);
      this.#onError(request.node, failure);
      throw failure;
    }
  }

  #run<Result>(
    opened: {
      readonly pool: ConnectionPool;
      readonly connection: ShardConnection;
      readonly head: string;
    },
    request: ExchangeRequest,
    receive: (end: ExchangeEnd<Result>) => ResponseReceiver,
  ): Promise<Result> {
    const { clock } = this.#options;
    const { pool, connection, head } = opened;
    return new Promise((resolve, reject) => {
      const onProgress = (): void => {
        connection.deadlineMs = clock.monotonicMs() + this.#progressTimeoutMs;
      };
      const onAbort = (): void => connection.destroy(new StoreError('CANCELLED'));
      const settle = (): void => {
        request.signal?.removeEventListener('abort', onAbort);
        pool.release(connection);
      };
      const receiver = receive({
        resolve(result) {
          settle();
          resolve(result);
        },
        reject(error) {
          settle();
          reject(error);
        },
        onProgress,
      });
      onProgress();
      connection.begin(receiver, { hasNoBody: request.method === 'HEAD' });
      connection.send([head], () => undefined);
      if (request.signal?.aborted === true) onAbort();
      else request.signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  #headOf(node: StorageNodeEntry, request: SignedRequest): string | Promise<string> {
    const start =
      `${request.method} ${request.target} HTTP/1.1\r\nhost: ${node.host}:${node.bulkPort}\r\n` +
      `content-length: ${request.contentLength}\r\n`;
    if (this.#options.bulkMode !== 'crc') return `${start}\r\n`;
    const { clock } = this.#options;
    const session = this.#sessions.sessionOf(node);
    if (!(session instanceof Promise)) {
      return `${start}${sessionHeaders(session, request, clock.monotonicMs())}\r\n`;
    }
    return session.then(
      (key) => `${start}${sessionHeaders(key, request, clock.monotonicMs())}\r\n`,
    );
  }

  #onError(node: StorageNodeEntry, error: StoreError): void {
    if (hasCode(error, 'UNAUTHENTICATED', 'PERMISSION_DENIED')) this.#sessions.forget(node);
    if (hasCode(error, 'CANCELLED', 'SHARD_NOT_FOUND')) return;
    this.#options.logger.debug({ nodeId: node.nodeId, error }, 'shard request failed');
  }

  #poolOf(node: StorageNodeEntry): ConnectionPool {
    const key = `${node.nodeId} ${node.host}:${node.bulkPort} ${node.incarnation}`;
    let pool = this.#pools.get(key);
    if (pool === undefined) {
      assert(!this.#isClosed, 'storage client used after close');
      pool = new ConnectionPool({
        open: this.#socketFactory(node),
        clock: this.#options.clock,
        connectTimeoutMs: this.#connectTimeoutMs,
        connectionsMax: this.#options.connectionsMax ?? 512,
        waitersMax: CONNECTION_WAITERS_MAX,
      });
      this.#pools.set(key, pool);
    }
    this.#scheduleSweep();
    return pool;
  }

  #socketFactory(node: StorageNodeEntry): SocketFactory {
    const address = { host: node.host, port: node.bulkPort };
    const { host, port } = dialedAddress(this.#options.tls.addressMap, address);
    if (this.#options.bulkMode !== 'secure') {
      return (reader: InPlaceReader) => ({
        socket: connect({
          host,
          port,
          onread: reader,
        }),
        isInPlace: true,
        connectEvent: 'connect',
      });
    }
    const expected = {
      clusterId: this.#options.clusterId,
      expectedRole: 'storage' as const,
      expectedNodeId: node.nodeId,
    };
    return () => ({
      socket: connectTls({
        host,
        port,
        secureContext: secureContextOf(this.#options.tls),
        checkServerIdentity: (_host, certificate) => checkPeerIdentity(certificate, expected),
      }),
      isInPlace: false,
      connectEvent: 'secureConnect',
    });
  }

  #scheduleSweep(): void {
    if (this.#cancelSweep !== null || this.#isClosed) return;
    const { clock } = this.#options;
    this.#sweepDueMs = clock.monotonicMs() + SWEEP_INTERVAL_MS;
    this.#cancelSweep = clock.schedule(SWEEP_INTERVAL_MS, () => {
      this.#cancelSweep = null;
      this.#sweep();
    });
  }

  #sweep(): void {
    const nowMs = this.#options.clock.monotonicMs();
    const lateMs = nowMs - this.#sweepDueMs;
    for (const [key, pool] of this.#pools) {
      if (lateMs > SWEEP_INTERVAL_MS) pool.postpone(lateMs);
      pool.sweep(nowMs);
      if (pool.unusedSinceMs() < nowMs - POOL_UNUSED_MAX_MS) this.#pools.delete(key);
    }
    if (this.#pools.size > 0) this.#scheduleSweep();
  }
}

function shardPath(address: ShardAddress): string {
  return `/shards/${address.diskId}/${address.blobId}/${address.shardIndex}`;
}

function parseShardList(body: Buffer): {
  shards: readonly ShardListEntry[];
  isTruncated: boolean;
} {
  const document = JSON.parse(body.toString('utf8')) as {
    readonly shards?: readonly ShardListEntry[];
    readonly isTruncated?: boolean;
  };
  const { shards, isTruncated } = document;
  if (!Array.isArray(shards) || typeof isTruncated !== 'boolean') {
    throw new StoreError('UNAVAILABLE', { reason: 'malformed shard list' });
  }
  for (const shard of document.shards ?? []) {
    if (!isBlobId(shard.blobId)) throw new StoreError('UNAVAILABLE', { reason: 'malformed id' });
  }
  return { shards: document.shards ?? [], isTruncated };
}
