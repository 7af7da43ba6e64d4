import { createServer, STATUS_CODES } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

import type { Clock, Logger } from '@azimuth/common';

import { AddressLimit } from './http/address-limit';
import { HttpConnection, readIntoOwnBuffers } from './http/http-connection';
import type { RequestIds } from './http/request-id';
import { errorDocument } from './http/xml/error-document';
import type { S3ErrorCode } from './s3/s3-error';
import { S3Error } from './s3/s3-error';

export interface ServerOptions {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly connectionsMax: number;
  /** Of them from one address: a client, or a proxy for many. */
  readonly connectionsPerAddressMax: number;
  /** For the whole header section of a request, from its first byte. */
  readonly headersTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  /** How long requests in flight may go on after `close`. */
  readonly drainMs: number;
  readonly hostId: string;
  readonly requestIds: RequestIds;
  readonly clock: Clock;
  readonly logger: Logger;
  /** HTTPS with this certificate; plain HTTP without one. */
  readonly certificate?: ServerCertificate;
}

/** PEM: the certificate with those of its issuers behind it, and its key. */
export interface ServerCertificate {
  readonly certPem: Buffer;
  readonly keyPem: Buffer;
}

/** What requests are handed to: the pipeline of S3, or the website endpoint. */
export interface RequestHandler {
  /** Serves one request; never rejects. */
  serve(
    request: IncomingMessage,
    response: ServerResponse,
    expectsContinue: boolean,
  ): Promise<void>;
  /** Makes every request in flight give up. */
  abortAll(): void;
}

export interface GatewayServer {
  readonly port: number;
  /** For connections from now on. @throws when key and certificate do not fit. */
  setCertificate(certificate: ServerCertificate): void;
  /** True from the first call of `close`. */
  readonly isDraining: boolean;
  /** Accepts nothing new, lets requests in flight end within `drainMs`, then cuts them off. */
  close(): Promise<void>;
}

/**
 * One read of the socket. Chunks kept beyond it while a body waits for the network outlive the
 * young generation, and their memory then comes back only by marking the whole heap.
 */
const SOCKET_BUFFER_BYTES = 64 * 1024;
/** Request line and headers; the 8 KiB of G-13 for headers alone are checked when they are parsed. */
const HEADER_BYTES_MAX = 16 * 1024;
const CONNECTIONS_CHECK_MS_MAX = 5_000;
/** After the drain, time for the error answers of what was cut off. */
const ABORT_GRACE_MS = 500;

/** Listens for S3 requests and hands them to the handler. */
export async function startGatewayServer(
  handler: RequestHandler,
  options: ServerOptions,
): Promise<GatewayServer> {
  const { headersTimeoutMs, keepAliveTimeoutMs, clock, certificate } = options;
  const httpOptions = {
    highWaterMark: SOCKET_BUFFER_BYTES,
    maxHeaderSize: HEADER_BYTES_MAX,
    headersTimeout: headersTimeoutMs,
    // Long uploads are legal; http/incoming-body.ts watches their progress instead.
    requestTimeout: 0,
    keepAliveTimeout: keepAliveTimeoutMs,
    connectionsCheckingInterval: Math.min(CONNECTIONS_CHECK_MS_MAX, headersTimeoutMs),
    noDelay: true,
    // Its absence is answered as S3 does, by the parser of the request head.
    requireHostHeader: false,
    insecureHTTPParser: false,
  };
  const tlsServer =
    certificate === undefined
      ? null
      : createTlsServer({
          ...httpOptions,
          ...tlsOptions(certificate),
          handshakeTimeout: headersTimeoutMs,
        });
  const server: Server = tlsServer ?? createServer(httpOptions);
  server.maxConnections = options.connectionsMax;
  // A limit here would drop headers silently, and with them what a signature covers.
  server.maxHeadersCount = 0;
  let isDraining = false;
  const serve = (expectsContinue: boolean) => {
    return (request: IncomingMessage, response: ServerResponse): void => {
      const connection: unknown = request.socket;
      const own = connection instanceof HttpConnection ? connection : null;
      own?.beginAnswer(response);
      response.on('finish', () => {
        own?.endAnswer(response);
        // A kept connection would hold `close` back until its client lets go.
        if (isDraining) request.socket.destroySoon();
      });
      void handler.serve(request, response, expectsContinue);
    };
  };
  server.on('request', serve(false));
  server.on('checkContinue', serve(true));
  // Clients send odd expectations; S3 serves their requests as if there were none.
  server.on('checkExpectation', serve(false));
  server.on('clientError', (error: Error, socket: Socket) => {
    answerMalformed(error, socket, options);
  });
  // TLS decrypts into buffers of its own.
  const connections = tlsServer === null ? readIntoOwnBuffers(server, clock) : [];
  limitAddresses(server, new AddressLimit(options.connectionsPerAddressMax));
  await listen(server, options);

  let closing: Promise<void> | null = null;
  return {
    port: (server.address() as AddressInfo).port,
    get isDraining() {
      return isDraining;
    },
    setCertificate: (renewed) => tlsServer?.setSecureContext(tlsOptions(renewed)),
    close() {
      isDraining = true;
      for (const connection of connections) connection.closeIfIdle();
      closing ??= drain(server, handler, { drainMs: options.drainMs, clock });
      return closing;
    },
  };
}

/** Asks before whoever takes connections sees one; a connection too many is closed unheard. */
function limitAddresses(server: Server, limit: AddressLimit): void {
  const listeners = server.listeners('connection') as ((socket: Socket) => void)[];
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    if (!limit.admit(socket)) {
      socket.destroy();
      return;
    }
    for (const listener of listeners) listener.call(server, socket);
  });
}

function tlsOptions({ certPem, keyPem }: ServerCertificate): {
  cert: Buffer;
  key: Buffer;
  minVersion: 'TLSv1.2';
} {
  return { cert: certPem, key: keyPem, minVersion: 'TLSv1.2' };
}

function listen(server: Server, { host, port }: ServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function drain(
  server: Server,
  handler: RequestHandler,
  { drainMs, clock }: { readonly drainMs: number; readonly clock: Clock },
): Promise<void> {
  return new Promise((resolve) => {
    let cancelGrace = (): void => undefined;
    const cancelDrain = clock.schedule(drainMs, () => {
      handler.abortAll();
      cancelGrace = clock.schedule(ABORT_GRACE_MS, () => server.closeAllConnections());
    });
    server.close(() => {
      cancelDrain();
      cancelGrace();
      resolve();
    });
  });
}

interface ParserError extends Error {
  readonly code?: string;
  /** What the parser was given last. */
  readonly rawPacket?: Buffer;
}

/** Answers what Node's parser refused: there is a socket, but no request. */
function answerMalformed(
  error: ParserError,
  socket: Socket,
  { hostId, requestIds, logger }: ServerOptions,
): void {
  if (error.code === 'ECONNRESET' || !socket.writable || socket.bytesWritten > 0) {
    // Bytes of an earlier answer may be on the way: a second one would be taken for its rest.
    socket.destroy();
    return;
  }
  const s3Error = new S3Error(codeOfParserError(error));
  const { status, code } = s3Error;
  const requestId = requestIds.next();
  logger.debug({ requestId, code, parserCode: error.code }, 'request malformed');
  const document = errorDocument(s3Error, { resource: '', requestId, hostId });
  const allow = status === 405 ? `allow: ${METHODS}\r\n` : '';
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\ncontent-type: application/xml\r\n` +
      `content-length: ${Buffer.byteLength(document)}\r\nconnection: close\r\n${allow}` +
      `x-amz-request-id: ${requestId}\r\nx-amz-id-2: ${hostId}\r\n\r\n${document}`,
  );
}

/** Of S3; what is allowed where, the router says. */
const METHODS = 'GET, HEAD, PUT, POST, DELETE, OPTIONS';
/** A request line whose method the parser does not know. */
const REQUEST_LINE = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32} \/[^ \r\n]* HTTP\/1\.[01]\r?\n/;

function codeOfParserError({ code, rawPacket }: ParserError): S3ErrorCode {
  switch (code) {
    case 'HPE_INVALID_METHOD': {
      const line = rawPacket?.toString('latin1') ?? '';
      return REQUEST_LINE.test(line) ? 'MethodNotAllowed' : 'BadRequest';
    }
    case 'HPE_HEADER_OVERFLOW':
      return 'RequestHeaderSectionTooLarge';
    case 'HPE_INVALID_EOF_STATE':
      return 'IncompleteBody';
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return 'RequestTimeout';
    default:
      return 'BadRequest';
  }
}
