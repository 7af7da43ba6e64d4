import type { ShardSumRequest } from '@azimuth/clients';
import { checksumTableBytes } from '@azimuth/clients';
import type { BulkMode, Clock, Logger } from '@azimuth/common';
import { StoreError } from '@azimuth/common';
import type { Pace } from '@azimuth/common';
import type { Role, TlsMaterial } from '@azimuth/rpc';

import type { ClientLoad } from '../repair/client-load';
import type { ShardSum } from '../repair/shard-summer';
import { UNWRITTEN_BYTES_MAX } from '../segment/own-segment-writer';
import { SHARD_SIZE_BYTES_MAX } from '../segment/segment-format';
import { READ_PIECE_BYTES } from '../store/segment-shard-reader';
import type { ShardStore } from '../store/shard-store';
import type { BulkSessions } from './bulk-sessions';
import { InFlightBytes } from './in-flight-bytes';
import { PACED_PIECE_BYTES, PacedBody } from './paced-body';
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
  /** Bounds what repair asks of this node. */
  readonly repairPace: Pace;
  readonly clientLoad: ClientLoad;
  sum(request: ShardSumRequest): Promise<ShardSum>;
  onTraffic(traffic: ShardTraffic): void;
}

export interface ShardServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Who may read and write shards in mode `secure`; in mode `crc` sessions go to the same roles. */
export const BULK_ROLES: readonly Role[] = ['gateway', 'curator', 'admin'];
/** Who gets a session key in mode `crc`. */
export const SESSION_ROLES: readonly Role[] = [...BULK_ROLES, 'storage'];

/** They pull what they rebuild, and may do nothing else. */
const PULLING_ROLE: Role = 'storage';
/** Roles that work in the background: they give way to all others. */
const REPAIR_ROLES: readonly (Role | null)[] = ['curator', PULLING_ROLE];
/** Below the time in which peers expect a byte. Repair that is refused comes back later. */
const REPAIR_WAIT_MAX_MS = 1_500;

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
      const role = this.#authorize(exchange);
      const parsed = parseShardRequest(exchange.head.method, exchange.head.target);
      operation = parsed.kind;
      checkRole(role, parsed.kind);
      const isRepair = parsed.kind === 'sum' || REPAIR_ROLES.includes(role);
      outcome = isRepair
        ? await this.#serveRepair(parsed, exchange)
        : await this.#serveClient(parsed, exchange);
    } catch (error) {
      code = this.#refuse(error, exchange);
    }
    const seconds = (clock.monotonicMs() - startedMs) / 1000;
    this.#options.onTraffic({ operation, code, seconds, ...outcome });
  }

  /** Who asks; null where nobody says. */
  #authorize({ identity, head }: ShardExchange): Role | null {
    const { mode, sessions, clusterId } = this.#options;
    if (mode === 'insecure-plain') return null;
    if (mode === 'secure') {
      if (identity?.clusterId !== clusterId) throw new StoreError('UNAUTHENTICATED');
      if (!SESSION_ROLES.includes(identity.role)) throw new StoreError('PERMISSION_DENIED');
      return identity.role;
    }
    return sessions.verify({
      method: head.method,
      target: head.target,
      contentLength: String(head.contentLength),
      sessionId: head.headers.get('x-azimuth-session') ?? '',
      expires: head.headers.get('x-azimuth-expires') ?? '',
      mac: head.headers.get('x-azimuth-mac') ?? '',
    });
  }

  /** Waits for its turn, so that clients find the node as they left it. */
  async #serveRepair(parsed: ShardRequest, exchange: ShardExchange): Promise<Outcome> {
    const bytes = repairBytesOf(parsed, exchange.head.contentLength);
    if (bytes > 0) {
      const cost = { bytes, operations: 1 };
      await this.#options.repairPace.take(cost, { waitMaxMs: REPAIR_WAIT_MAX_MS });
    }
    return this.#serve(parsed, exchange, true);
  }

  async #serveClient(parsed: ShardRequest, exchange: ShardExchange): Promise<Outcome> {
    const { clientLoad, clock } = this.#options;
    const startedMs = clock.monotonicMs();
    const end = clientLoad.begin();
    let readMs: number | null = null;
    try {
      const outcome = await this.#serve(parsed, exchange, false);
      if (parsed.kind === 'get') readMs = clock.monotonicMs() - startedMs;
      return outcome;
    } finally {
      end(readMs);
    }
  }

  async #serve(parsed: ShardRequest, exchange: ShardExchange, isRepair: boolean): Promise<Outcome> {
    if (parsed.kind === 'sum') return this.#sum(parsed.sum, exchange);
    const store = this.#options.stores.get(parsed.diskId);
    if (store === undefined) throw new StoreError('DISK_UNKNOWN', { diskId: parsed.diskId });
    switch (parsed.kind) {
      case 'put':
        return this.#put(store, parsed, exchange, isRepair);
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
    isRepair: boolean,
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
      const paced = isRepair ? new PacedBody(upload, this.#options.repairPace) : upload;
      await receiveShard(exchange, upload, paced);
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

  async #sum(request: ShardSumRequest, exchange: ShardExchange): Promise<Outcome> {
    const release = this.#inFlight.reserve(request.lengthBytes * (request.terms.length + 1));
    try {
      const sum = await this.#options.sum(request);
      try {
        const { bytes, table } = sum;
        const sentBytes = bytes.byteLength + table.byteLength;
        await exchange.begin(200, { 'content-length': sentBytes }, [bytes, table], true);
        return { receivedBytes: 0, sentBytes };
      } finally {
        sum.release();
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

/** @throws StoreError PERMISSION_DENIED. */
function checkRole(role: Role | null, kind: ShardRequest['kind']): void {
  const isPull = kind === 'get' || kind === 'sum';
  const isDenied = role === PULLING_ROLE ? !isPull : role === 'gateway' && kind === 'sum';
  if (isDenied) throw new StoreError('PERMISSION_DENIED', { kind });
}

/**
 * What a request of repair makes the disks and the network of this node do; of a body that is
 * received, the first piece.
 */
function repairBytesOf(parsed: ShardRequest, contentLength: number): number {
  if (parsed.kind === 'sum') return parsed.sum.lengthBytes * (parsed.sum.terms.length + 1);
  if (parsed.kind === 'get') return parsed.lengthBytes ?? READ_PIECE_BYTES;
  return Math.min(contentLength, PACED_PIECE_BYTES);
}
