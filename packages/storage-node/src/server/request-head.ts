import { StoreError } from '@azimuth/common';

/** A request head of the dialect in `request-connection.ts`. */
export interface RequestHead {
  readonly method: string;
  /** Path and query as received. */
  readonly target: string;
  /** Lower-case names, none of them twice. */
  readonly headers: ReadonlyMap<string, string>;
  /** 0 without a body. */
  readonly contentLength: number;
  /** False when the peer asked to close the connection behind the answer. */
  readonly canStay: boolean;
}

const REQUEST_LINE = /^([A-Z]{1,16}) (\/[\x21-\x7e]*) HTTP\/1\.1$/;
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const HEADER_VALUE = /^[\x20-\x7e]*$/;
/** One spelling for each length, so that what a MAC covers is what was sent. */
const CONTENT_LENGTH = /^(?:0|[1-9][0-9]{0,15})$/;
/** Each of them would let two readers see two different ends of one request (RFC 9112, 11.2). */
const REFUSED_HEADERS = ['transfer-encoding', 'upgrade', 'expect', 'trailer'];

/**
 * Parses a head without its final empty line. Stricter than HTTP: no folded or repeated headers, no
 * bytes above ASCII, no transfer coding.
 *
 * @throws StoreError INVALID_ARGUMENT.
 */
export function parseRequestHead(text: string): RequestHead {
  const [requestLine = '', ...lines] = text.split('\r\n');
  const match = REQUEST_LINE.exec(requestLine);
  if (match === null) throw malformed('request line');
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon)).toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (!HEADER_NAME.test(name) || !HEADER_VALUE.test(value)) throw malformed('header');
    if (headers.has(name)) throw malformed('repeated header');
    headers.set(name, value);
  }
  if (!headers.has('host')) throw malformed('no host');
  if (REFUSED_HEADERS.some((name) => headers.has(name))) throw malformed('refused header');
  const connection = headers.get('connection')?.toLowerCase() ?? 'keep-alive';
  if (connection !== 'keep-alive' && connection !== 'close') throw malformed('connection');
  const [, method = '', target = ''] = match;
  const contentLength = parseContentLength(headers.get('content-length'));
  return { method, target, headers, contentLength, canStay: connection !== 'close' };
}

function parseContentLength(text: string | undefined): number {
  if (text === undefined) return 0;
  const value = Number(text);
  if (!CONTENT_LENGTH.test(text) || !Number.isSafeInteger(value)) throw malformed('content-length');
  return value;
}

function malformed(reason: string): StoreError {
  return new StoreError('INVALID_ARGUMENT', { reason: `malformed request: ${reason}` });
}
