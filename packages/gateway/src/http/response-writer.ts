import { Buffer } from 'node:buffer';
import type { ServerResponse } from 'node:http';

import type { Clock } from '@azimuth/common';
import { assert, StoreError } from '@azimuth/common';

import type { ByteSink } from '../data-path/byte-source';
import { invalidArgument } from '../s3/s3-error';
import type { ResponseBody, S3Response } from './response';
import type { SlowReaders } from './slow-readers';

/** Bodies up to this are collected and sent with their headers in one write: a failure while they are
 * read can still become an error answer. */
const SINGLE_WRITE_BYTES_MAX = 64 * 1024;
/** Bodies up to this go to Node as a text of one byte a character: it joins only texts with the head
 * and writes them at once; a buffer is a second system call and a second packet. */
const JOINED_WRITE_BYTES_MAX = 16 * 1024;
/** A client that reads slower than this holds buffers that others need. */
const READ_RATE_BYTES_PER_S_MIN = 1024;
const READ_GRACE_MS = 30_000;

export interface ResponseOptions {
  readonly isHead: boolean;
  /** Sent with every answer: ids, server. */
  readonly baseHeaders: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly slowReaders: SlowReaders;
}

/**
 * Sends an answer up to its last byte, but does not end it: what is left of the request may have to
 * be read first. Returns the number of body bytes.
 *
 * @throws S3Error InvalidArgument when a header (from a `response-*` parameter) holds a line end;
 *   what the body's `write` throws; StoreError CANCELLED when the client is gone or reads too
 *   slowly.
 */
export async function writeResponse(
  target: ServerResponse,
  response: S3Response,
  options: ResponseOptions,
): Promise<number> {
  // Two spreads would be right as well, and take fifteen times as long.
  const headers: Record<string, string> = Object.assign({}, options.baseHeaders, response.headers);
  const { status, body } = response;
  if (status === 304 || status === 204) {
    writeHead(target, status, headers);
    return 0;
  }
  if (body === undefined) {
    // The length of a HEAD answer is that of the GET, which the operation may have stated itself.
    if (!options.isHead) headers['content-length'] ??= '0';
    writeHead(target, status, headers);
    return 0;
  }
  if (body.kind !== 'bytes') {
    const [text, contentType] =
      body.kind === 'xml' ? [body.document, 'application/xml'] : [body.text, body.contentType];
    const document = Buffer.from(text, 'utf8');
    headers['content-type'] ??= contentType;
    headers['content-length'] = String(document.length);
    writeHead(target, status, headers);
    if (options.isHead) return 0;
    target.write(document);
    return document.length;
  }
  headers['content-length'] = String(body.sizeBytes);
  if (options.isHead || body.sizeBytes === 0) {
    writeHead(target, status, headers);
    return 0;
  }
  if (body.sizeBytes <= SINGLE_WRITE_BYTES_MAX) {
    const bytes = await collect(body);
    writeHead(target, status, headers);
    if (bytes.length > JOINED_WRITE_BYTES_MAX) target.write(bytes);
    else target.write(bytes.toString('latin1'), 'latin1');
  } else {
    const sink = socketSink(target, () => writeHead(target, status, headers), options);
    let pushedBytes = 0;
    await body.write((chunk) => {
      pushedBytes += chunk.length;
      return sink(chunk);
    });
    assert(pushedBytes === body.sizeBytes, 'the operation pushed another length than it announced');
  }
  return body.sizeBytes;
}

async function collect(body: Extract<ResponseBody, { kind: 'bytes' }>): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(body.sizeBytes);
  let lengthBytes = 0;
  await body.write((chunk) => {
    assert(lengthBytes + chunk.length <= bytes.length, 'the operation pushed too many bytes');
    bytes.set(chunk, lengthBytes);
    lengthBytes += chunk.length;
    return undefined;
  });
  assert(lengthBytes === bytes.length, 'the operation pushed too few bytes');
  return bytes;
}

/** Headers leave with the first byte, so that a failure before it can still be answered. */
function socketSink(
  target: ServerResponse,
  start: () => void,
  { clock, slowReaders }: Pick<ResponseOptions, 'clock' | 'slowReaders'>,
): ByteSink {
  let isStarted = false;
  return (chunk) => {
    if (!isStarted) {
      isStarted = true;
      start();
    }
    return new Promise<void>((resolve, reject) => {
      if (target.destroyed || target.writableEnded) {
        reject(clientGone());
        return;
      }
      const waitMs =
        READ_GRACE_MS + ((target.writableLength + chunk.length) / READ_RATE_BYTES_PER_S_MIN) * 1000;
      const cut = (): void => void target.destroy();
      const cancelTimer = clock.schedule(waitMs, cut);
      const noteTaken = slowReaders.begin(cut);
      const stopWaiting = (): void => {
        cancelTimer();
        noteTaken();
      };
      const onClose = (): void => {
        stopWaiting();
        reject(clientGone());
      };
      target.once('close', onClose);
      // Called when the bytes are with the kernel: only then may the source use its buffer again.
      target.write(chunk, (error) => {
        stopWaiting();
        target.off('close', onClose);
        if (error == null) resolve();
        else reject(clientGone(error));
      });
    });
  };
}

function clientGone(cause?: unknown): StoreError {
  return new StoreError('CANCELLED', { reason: 'the client closed the connection' }, cause);
}

function writeHead(
  target: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
): void {
  try {
    target.writeHead(status, headers);
  } catch (error) {
    if (!hasErrorCode(error, 'ERR_INVALID_CHAR')) throw error;
    target.writeHead(status, encodeHeaders(headers));
  }
}

/** Values beyond one byte a character are sent as UTF-8; a line end is refused. */
function encodeHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const encoded: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (/[\u0000-\u0008\u000a-\u001f\u007f]/.test(value)) {
      throw invalidArgument('A header value must not hold control characters', name, '');
    }
    const isWide = Array.from(value).some((character) => character.charCodeAt(0) > 0xff);
    encoded[name] = isWide ? Buffer.from(value, 'utf8').toString('latin1') : value;
  }
  return encoded;
}

function hasErrorCode(error: unknown, code: string): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === code;
}
