import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';

import { crc32 } from '@node-rs/crc32';
import type { StorageNodeEntry } from '@azimuth/placement';
import type { TlsMaterial } from '@azimuth/rpc';

import { PAGE_BYTES } from '../src/storage-client';

/** What the reference server does with the next request of a method. */
export type Fault =
  | { readonly kind: 'hang' }
  | { readonly kind: 'hang-midway' }
  | { readonly kind: 'reset' }
  | { readonly kind: 'refuse'; readonly status: number; readonly code: string }
  | { readonly kind: 'flip' }
  | { readonly kind: 'no-length' };

/** The storage node's side of the wire format, in the fewest lines: shards in a map. */
export class ReferenceShardServer {
  readonly shards = new Map<string, Buffer>();
  readonly targets: string[] = [];
  readonly faults = new Map<string, Fault>();
  readonly session = {
    sessionId: 'session-1',
    key: Buffer.from('the key of this session'),
    expiresMs: Date.now() + 3_600_000,
    issuedMs: Date.now(),
    generation: 'incarnation-1',
  };
  connectionCount = 0;
  isSigned = true;
  #server: Server;

  /** With `tls` it asks for a certificate of the same authority, as in mode `secure`. */
  constructor(tls: TlsMaterial | null = null) {
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      this.#answer(request, response).catch(() => response.destroy());
    };
    this.#server =
      tls === null
        ? createServer(answer)
        : createSecureServer(
            {
              ca: tls.caPem,
              cert: tls.certPem,
              key: tls.keyPem,
              requestCert: true,
              rejectUnauthorized: true,
            },
            answer,
          );
    this.#server.on('connection', () => (this.connectionCount += 1));
  }

  async start(): Promise<StorageNodeEntry> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const { port } = this.#server.address() as AddressInfo;
    return {
      nodeId: `node-${port}`,
      zone: 'a',
      host: '127.0.0.1',
      bulkPort: port,
      rpcPort: 1,
      adminPort: 1,
      incarnation: this.session.generation,
      state: 'up',
    };
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  closeIdleConnections(): void {
    this.#server.closeIdleConnections();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = request.url ?? '';
    const method = request.method ?? '';
    this.targets.push(`${method} ${target}`);
    const fault = this.faults.get(method);
    this.faults.delete(method);
    if (fault?.kind === 'hang') return;
    if (fault?.kind === 'reset') {
      request.socket.resetAndDestroy();
      return;
    }
    if (fault?.kind === 'refuse') {
      refuse(response, fault.status, fault.code);
      return;
    }
    if (!this.#isSignatureRight(request)) {
      refuse(response, 403, 'UNAUTHENTICATED');
      return;
    }
    const url = new URL(target, 'http://node');
    if (method === 'PUT') return this.#put(url, request, response);
    if (method === 'DELETE') {
      this.shards.delete(url.pathname);
      response.writeHead(204).end();
      return;
    }
    this.#get(url, response, fault);
  }

  #isSignatureRight(request: IncomingMessage): boolean {
    if (!this.isSigned) return true;
    const expires = String(request.headers['x-azimuth-expires']);
    const text =
      `${request.method}\n${request.url}\n${request.headers['content-length']}\n` +
      `${this.session.generation}\n${expires}`;
    const mac = createHmac('sha256', this.session.key).update(text).digest('hex');
    return request.headers['x-azimuth-mac'] === mac && Number(expires) > Date.now();
  }

  async #put(url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    // length + 4 · ceil(length / page) = body length
    const pages = Math.ceil(body.length / (PAGE_BYTES + 4));
    const shard = body.subarray(0, body.length - pages * 4);
    if (!checksums(shard).equals(body.subarray(shard.length))) {
      refuse(response, 400, 'CHECKSUM_MISMATCH');
      return;
    }
    this.shards.set(url.pathname, shard);
    response.writeHead(201, { 'content-length': 0 }).end();
  }

  #get(url: URL, response: ServerResponse, fault: Fault | undefined): void {
    if (url.pathname.split('/').length === 3) {
      const body = JSON.stringify({ shards: [], isTruncated: false });
      response.writeHead(200, { 'content-length': body.length }).end(body);
      return;
    }
    const shard = this.shards.get(url.pathname);
    if (shard === undefined) {
      refuse(response, 404, 'SHARD_NOT_FOUND');
      return;
    }
    const offset = Number(url.searchParams.get('offset'));
    const length = Number(url.searchParams.get('length'));
    const bytes = Buffer.from(shard.subarray(offset, offset + length));
    const table = checksums(bytes);
    if (fault?.kind === 'flip') bytes.writeUInt8(bytes.readUInt8(0) ^ 1, 0);
    const contentLength = bytes.length + table.length;
    response.writeHead(200, fault?.kind === 'no-length' ? {} : { 'content-length': contentLength });
    if (fault?.kind === 'hang-midway') {
      response.write(bytes.subarray(0, bytes.length >> 1));
      return;
    }
    response.write(bytes);
    response.end(table);
  }
}

function refuse(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'x-azimuth-error': code, 'content-length': 0 }).end();
}

function checksums(bytes: Buffer): Buffer {
  const pages = Math.ceil(bytes.length / PAGE_BYTES);
  const table = Buffer.alloc(pages * 4);
  for (let page = 0; page < pages; page += 1) {
    const from = page * PAGE_BYTES;
    table.writeUInt32BE(crc32(bytes.subarray(from, from + PAGE_BYTES)), page * 4);
  }
  return table;
}
