import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

import { checksumTableBytes } from '@azimuth/clients';
import type { BulkMode, Clock, Logger } from '@azimuth/common';
import { StoreError } from '@azimuth/common';
import type { PeerIdentity, Role, TlsMaterial } from '@azimuth/rpc';
import { identityOfCertificate } from '@azimuth/rpc';

import { UNWRITTEN_BYTES_MAX, WRITE_BYTES } from '../segment/own-segment-writer';
import { SHARD_SIZE_BYTES_MAX } from '../segment/segment-format';
import { READ_PIECE_BYTES } from '../store/segment-shard-reader';
import type { ShardStore } from '../store/shard-store';
import type { BulkSessions } from './bulk-sessions';
import { InFlightBytes } from './in-flight-bytes';
import { receiveShard } from './receive-shard';
import { sendShard } from './send-shard';
import { statusOf } from './shard-error';
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

/**
 * One read of the socket. Chunks kept beyond it while a body waits for the disk outlive the young
 * generation, and their memory then comes back only by marking the whole heap.
 */
const SOCKET_BUFFER_BYTES = 64 * 1024;
/** Above the 60 s after which clients drop idle connections, so that they never meet a closing one. */
const KEEP_ALIVE_MS = 65_000;
/** A peer that sends or takes nothing for so long is gone. */
const STALLED_MS = 30_000;
const HEAD_BYTES_MAX = 16 * 1024;
/** The rest of a refused body up to this is read, so that the connection can stay. */
const DRAIN_BYTES_MAX = 1024 * 1024;
const DRAIN_MS = 1000;

/** Serves shards over HTTP/1.1. */
export async function startShardServer(options: ShardServerOptions): Promise<ShardServer> {
  const handler = new ShardRequestHandler(options);
  const onRequest: RequestListener = (request, response) => void handler.handle(request, response);
  const limits = {
    highWaterMark: SOCKET_BUFFER_BYTES,
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: HEAD_BYTES_MAX,
    // Node's limit on a whole request would cut long uploads; STALLED_MS is the limit on no progress.
    requestTimeout: 0,
    noDelay: true,
  };
  const server: Server =
    options.mode === 'secure'
      ? createSecureServer(
          {
            ...limits,
            ca: options.tls.caPem,
            cert: options.tls.certPem,
            key: options.tls.keyPem,
            requestCert: true,
            rejectUnauthorized: true,
            minVersion: 'TLSv1.3',
          },
          onRequest,
        )
      : createServer(limits, onRequest);
  server.setTimeout(STALLED_MS);
  if (options.mode === 'insecure-plain') {
    options.logger.warn({}, 'shard requests are not authenticated: for loopback benchmarks only');
  }
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Outcome {
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

const NO_BYTES: Outcome = { receivedBytes: 0, sentBytes: 0 };

class ShardRequestHandler {
  readonly #options: ShardServerOptions;
  readonly #inFlight: InFlightBytes;
  /** A certificate does not change while its connection lives. */
  readonly #identities = new WeakMap<TLSSocket, PeerIdentity | null>();

  constructor(options: ShardServerOptions) {
    this.#options = options;
    this.#inFlight = new InFlightBytes(options.inFlightBytesMax);
  }

  /** Never rejects. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { clock } = this.#options;
    const startedMs = clock.monotonicMs();
    let operation: ShardTraffic['operation'] = 'invalid';
    let code = 'OK';
    let outcome = NO_BYTES;
    try {
      // Who asks comes before what is asked: a stranger learns nothing, not even what is well-formed.
      this.#authorize(request);
      const parsed = parseShardRequest(request.method ?? '', request.url ?? '');
      operation = parsed.kind;
      outcome = await this.#serve(parsed, request, response);
    } catch (error) {
      code = this.#refuse(error, request, response);
    }
    const seconds = (clock.monotonicMs() - startedMs) / 1000;
    this.#options.onTraffic({ operation, code, seconds, ...outcome });
  }

  #authorize(request: IncomingMessage): void {
    const { mode, sessions, clusterId } = this.#options;
    if (mode === 'insecure-plain') return;
    if (mode === 'secure') {
      const identity = this.#identityOf(request.socket);
      if (identity?.clusterId !== clusterId) throw new StoreError('UNAUTHENTICATED');
      if (!BULK_ROLES.includes(identity.role)) throw new StoreError('PERMISSION_DENIED');
      return;
    }
    sessions.verify({
      method: request.method ?? '',
      target: request.url ?? '',
      contentLength: request.headers['content-length'] ?? '0',
      sessionId: headerOf(request, 'x-azimuth-session'),
      expires: headerOf(request, 'x-azimuth-expires'),
      mac: headerOf(request, 'x-azimuth-mac'),
    });
  }

  #identityOf(socket: Socket): PeerIdentity | null {
    if (!(socket instanceof TLSSocket)) return null;
    let identity = this.#identities.get(socket);
    if (identity === undefined) {
      identity = identityOfCertificate(socket.getPeerCertificate());
      this.#identities.set(socket, identity);
    }
    return identity;
  }

  async #serve(
    parsed: ShardRequest,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<Outcome> {
    const store = this.#options.stores.get(parsed.diskId);
    if (store === undefined) throw new StoreError('DISK_UNKNOWN', { diskId: parsed.diskId });
    switch (parsed.kind) {
      case 'put':
        return this.#put(store, parsed, request, response);
      case 'get':
        return this.#get(store, parsed, response);
      case 'head': {
        const attributes = store.stat(parsed.id);
        if (attributes === null) throw new StoreError('SHARD_NOT_FOUND');
        response.writeHead(200, {
          'content-length': 0,
          'x-azimuth-shard-size': attributes.shardSizeBytes,
        });
        response.end();
        return NO_BYTES;
      }
      case 'delete':
        await store.delete(parsed.id);
        response.writeHead(204).end();
        return NO_BYTES;
      case 'list': {
        const page = await store.list(parsed.pgId, parsed.afterBlobId, parsed.limit);
        const body = Buffer.from(JSON.stringify(page));
        response.writeHead(200, {
          'content-type': 'application/json',
          'content-length': body.byteLength,
        });
        response.end(body);
        return { receivedBytes: 0, sentBytes: body.byteLength };
      }
    }
  }

  async #put(
    store: ShardStore,
    { id, attributes }: Extract<ShardRequest, { kind: 'put' }>,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<Outcome> {
    const { shardSizeBytes } = attributes;
    const wireBytes = shardSizeBytes + checksumTableBytes(shardSizeBytes);
    if (request.headers['content-length'] !== String(wireBytes)) {
      throw new StoreError('SHARD_SIZE_MISMATCH', { expectedBytes: wireBytes });
    }
    const heldBytes = Math.min(wireBytes, UNWRITTEN_BYTES_MAX + WRITE_BYTES);
    const release = this.#inFlight.reserve(heldBytes);
    try {
      const upload = await store.beginPut(id, attributes);
      const receivedBytes = await receiveShard(request, upload);
      response.writeHead(201, { 'content-length': 0 }).end();
      return { receivedBytes, sentBytes: 0 };
    } finally {
      release();
    }
  }

  async #get(
    store: ShardStore,
    { id, offsetBytes, lengthBytes }: Extract<ShardRequest, { kind: 'get' }>,
    response: ServerResponse,
  ): Promise<Outcome> {
    const release = this.#inFlight.reserve(READ_PIECE_BYTES);
    try {
      const range = { offsetBytes, lengthBytes: lengthBytes ?? SHARD_SIZE_BYTES_MAX };
      const reader = await store.openRead(id, range);
      try {
        return { receivedBytes: 0, sentBytes: await sendShard(response, reader) };
      } finally {
        reader.close();
      }
    } finally {
      release();
    }
  }

  /** Answers with the error, or cuts the connection when an answer has begun. Returns the code. */
  #refuse(error: unknown, request: IncomingMessage, response: ServerResponse): string {
    const { status, code } = statusOf(error);
    if (code === 'INTERNAL') {
      this.#options.logger.error({ error, method: request.method }, 'shard request failed');
    }
    if (response.headersSent) {
      response.destroy();
      return code;
    }
    const isShort =
      request.complete || Number(request.headers['content-length'] ?? 0) <= DRAIN_BYTES_MAX;
    response.writeHead(status, {
      'x-azimuth-error': code,
      'content-length': 0,
      ...(isShort ? {} : { connection: 'close' }),
    });
    if (isShort) {
      response.end();
      return code;
    }
    // Closing with bytes unread resets the connection, and the peer may lose the answer with it.
    response.flushHeaders();
    request.resume();
    const finish = (): void => {
      response.end();
    };
    const cancel = this.#options.clock.schedule(DRAIN_MS, finish);
    request.once('close', () => {
      cancel();
      finish();
    });
    return code;
  }
}

function headerOf(request: IncomingMessage, name: string): string {
  const value = request.headers[name];
  return typeof value === 'string' ? value : '';
}
