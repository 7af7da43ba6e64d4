import { checksumTableBytes } from '@azimuth/clients';
import type { BulkMode, Clock, Logger } from '@azimuth/common';
import { StoreError } from '@azimuth/common';
import type { Role, TlsMaterial } from '@azimuth/rpc';

import { UNWRITTEN_BYTES_MAX } from '../segment/own-segment-writer';
import { SHARD_SIZE_BYTES_MAX } from '../segment/segment-format';
import { READ_PIECE_BYTES } from '../store/segment-shard-reader';
import type { ShardStore } from '../store/shard-store';
import type { BulkSessions } from './bulk-sessions';
import { InFlightBytes } from './in-flight-bytes';
import { receiveShard } from './receive-shard';
import type { ShardExchange } from './request-connection';
import { sendShard } from './send-shard';
import { statusOf } from './shard-error';
import { ShardListener } from './shard-listener';
import type { ShardRequest } from './shard-request';
import { parseShardRequest } from './shard-request';

/** Seen by metrics, once for each request. */
export interface ShardTraffic {
  readonly operation: ShardRequest['kind'] | 'invalid';
  readonly code: string;
  readonly seconds: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

export interface ShardServerOptions {
  readonly stores: ReadonlyMap<string, ShardStore>;
  readonly sessions: BulkSessions;
  readonly mode: BulkMode;
  /** Used in mode `secure` only. */
  readonly tls: TlsMaterial;
  readonly clusterId: string;
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  readonly inFlightBytesMax: number;
  readonly clock: Clock;
  readonly logger: Logger;
  onTraffic(traffic: ShardTraffic): void;
}

export interface ShardServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Who may read and write shards in mode `secure`; in mode `crc` sessions go to the same roles. */
export const BULK_ROLES: readonly Role[] = ['gateway', 'curator', 'admin'];

/** Serves shards over HTTP/1.1; the dialect is in `request-connection.ts`. */
export async function startShardServer(options: ShardServerOptions): Promise<ShardServer> {
  const handler = new ShardRequestHandler(options);
  const onExchange = (exchange: ShardExchange): void => void handler.handle(exchange);
  const listener = await ShardListener.start({ ...options, onExchange });
  if (options.mode === 'insecure-plain') {
    options.logger.warn({}, 'shard requests are not authenticated: for loopback benchmarks only');
  }
  return { port: listener.port, close: () => listener.close() };
}

interface Outcome {
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

const NO_BYTES: Outcome = { receivedBytes: 0, sentBytes: 0 };

class ShardRequestHandler {
  readonly #options: ShardServerOptions;
  readonly #inFlight: InFlightBytes;

  constructor(options: ShardServerOptions) {
    this.#options = options;
    this.#inFlight = new InFlightBytes(options.inFlightBytesMax);
  }

  /** Never rejects. */
  async handle(exchange: ShardExchange): Promise<void> {
    const { clock } = this.#options;
    const startedMs = clock.monotonicMs();
    let operation: ShardTraffic['operation'] = 'invalid';
    let code = 'OK';
    let outcome = NO_BYTES;
    try {
      // Who asks comes before what is asked: a stranger learns nothing, not even what is well-formed.
      this.#authorize(exchange);
      const parsed = parseShardRequest(exchange.head.method, exchange.head.target);
      operation = parsed.kind;
      outcome = await this.#serve(parsed, exchange);
    } catch (error) {
      code = this.#refuse(error, exchange);
    }
    const seconds = (clock.monotonicMs() - startedMs) / 1000;
    this.#options.onTraffic({ operation, code, seconds, ...outcome });
  }

  #authorize({ identity, head }: ShardExchange): void {
    const { mode, sessions, clusterId } = this.#options;
    if (mode === 'insecure-plain') return;
    if (mode === 'secure') {
      if (identity?.clusterId !== clusterId) throw new StoreError('UNAUTHENTICATED');
      if (!BULK_ROLES.includes(identity.role)) throw new StoreError('PERMISSION_DENIED');
      return;
    }
    sessions.verify({
      method: head.method,
      target: head.target,
      contentLength: String(head.contentLength),
      sessionId: head.headers.get('x-azimuth-session') ?? '',
      expires: head.headers.get('x-azimuth-expires') ?? '',
      mac: head.headers.get('x-azimuth-mac') ?? '',
    });
  }

  async #serve(parsed: ShardRequest, exchange: ShardExchange): Promise<Outcome> {
    const store = this.#options.stores.get(parsed.diskId);
    if (store === undefined) throw new StoreError('DISK_UNKNOWN', { diskId: parsed.diskId });
    switch (parsed.kind) {
      case 'put':
        return this.#put(store, parsed, exchange);
      case 'get':
        return this.#get(store, parsed, exchange);
      case 'head': {
        const attributes = store.stat(parsed.id);
        if (attributes === null) throw new StoreError('SHARD_NOT_FOUND');
        exchange.answer(200, { 'x-azimuth-shard-size': attributes.shardSizeBytes });
        return NO_BYTES;
      }
      case 'delete':
        await store.delete(parsed.id);
        exchange.answer(204);
        return NO_BYTES;
      case 'list': {
        const page = await store.list(parsed.pgId, parsed.afterBlobId, parsed.limit);
        const body = Buffer.from(JSON.stringify(page));
        exchange.answer(200, { 'content-type': 'application/json' }, body);
        return { receivedBytes: 0, sentBytes: body.byteLength };
      }
    }
  }

  async #put(
    store: ShardStore,
    { id, attributes }: Extract<ShardRequest, { kind: 'put' }>,
    exchange: ShardExchange,
  ): Promise<Outcome> {
    const { shardSizeBytes } = attributes;
    const wireBytes = shardSizeBytes + checksumTableBytes(shardSizeBytes);
    if (exchange.head.contentLength !== wireBytes) {
      throw new StoreError('SHARD_SIZE_MISMATCH', { expectedBytes: wireBytes });
    }
    const heldBytes = Math.min(wireBytes, UNWRITTEN_BYTES_MAX);
    const release = this.#inFlight.reserve(heldBytes);
    try {
      const upload = await store.beginPut(id, attributes);
      await receiveShard(exchange, upload);
      exchange.answer(201);
      return { receivedBytes: wireBytes, sentBytes: 0 };
    } finally {
      release();
    }
  }

  async #get(
    store: ShardStore,
    { id, offsetBytes, lengthBytes }: Extract<ShardRequest, { kind: 'get' }>,
    exchange: ShardExchange,
  ): Promise<Outcome> {
    const release = this.#inFlight.reserve(READ_PIECE_BYTES);
    try {
      const range = { offsetBytes, lengthBytes: lengthBytes ?? SHARD_SIZE_BYTES_MAX };
      const reader = await store.openRead(id, range);
      try {
        return { receivedBytes: 0, sentBytes: await sendShard(exchange, reader) };
      } finally {
        reader.close();
      }
    } finally {
      release();
    }
  }

  /** Answers with the error, or cuts the connection when an answer has begun. Returns the code. */
  #refuse(error: unknown, exchange: ShardExchange): string {
    const { status, code } = statusOf(error);
    if (code === 'INTERNAL') {
      this.#options.logger.error({ error, method: exchange.head.method }, 'shard request failed');
    }
    if (exchange.isAnswerBegun) exchange.destroy();
    else exchange.answer(status, { 'x-azimuth-error': code });
    return code;
  }
}
