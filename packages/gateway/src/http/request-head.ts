import { Buffer } from 'node:buffer';

import { invalidArgument, S3Error } from '../s3/s3-error';
import { isBucketName } from './bucket-name';
import { decodePercent } from './percent-encoding';
import type { Headers, Query } from './request';

const KEY_BYTES_MAX = 1024;
/** G-13: what AWS allows; Node's own limit (request line included) is above it. */
export const HEADER_SECTION_BYTES_MAX = 8 * 1024;

/**
 * Headers that decide who asks, for what and how much. Node keeps the first or joins; a second one
 * would let two readers of one request see two different requests.
 */
const SINGLE_HEADERS: ReadonlySet<string> = new Set([
  'host',
  'authorization',
  'date',
  'x-amz-date',
  'x-amz-content-sha256',
  'x-amz-decoded-content-length',
  'x-amz-security-token',
  'x-amz-copy-source',
  'content-length',
  'content-md5',
  'content-type',
  'transfer-encoding',
  'range',
]);

/** The one resource of S3 Control that there is; its SDKs put the account before the host too. */
const CONTROL_PATH = '/v20180820/configuration/publicAccessBlock';

/** Headers that only other parts of the system may set; refused from outside. */
const INTERNAL_HEADER_PREFIX = 'x-azimuth-';

/** A query parameter as it came, for the canonical request. */
export interface RawParameter {
  readonly name: string;
  readonly value: string;
}

/** A request as it arrived, parsed once: authentication and handlers see these same values. */
export interface RequestHead {
  readonly method: string;
  /** As received, not decoded, without the query. */
  readonly rawPath: string;
  /** As received, in order, not decoded. */
  readonly rawQuery: readonly RawParameter[];
  readonly query: Query;
  readonly headers: Headers;
  readonly bucket: string | null;
  readonly key: string | null;
  /** A request of S3 Control, which is about an account: names neither bucket nor key. */
  readonly isControl: boolean;
}

/** What the socket gave: `url` and `rawHeaders` of Node's IncomingMessage, nothing derived by Node. */
export interface RawRequest {
  readonly method: string;
  readonly url: string;
  readonly rawHeaders: readonly string[];
}

/**
 * Parses method, target and headers.
 *
 * @throws S3Error InvalidURI, InvalidBucketName, KeyTooLongError, InvalidArgument (a duplicate or
 *   an internal header, no Host), RequestHeaderSectionTooLarge.
 */
export function parseRequestHead(raw: RawRequest, domains: readonly string[]): RequestHead {
  const headers = parseHeaders(raw.rawHeaders);
  const { method, url } = raw;
  if (!url.startsWith('/')) throw new S3Error('InvalidURI');
  const questionMark = url.indexOf('?');
  const rawPath = questionMark < 0 ? url : url.slice(0, questionMark);
  const rawQuery = questionMark < 0 ? [] : splitQuery(url.slice(questionMark + 1));
  const query = decodeQuery(rawQuery);
  const host = requireHost(headers);
  // Without the header the path is that of an object in a bucket of that name.
  const isControl = rawPath === CONTROL_PATH && headers.has('x-amz-account-id');
  const { bucket, key } = isControl
    ? NO_ADDRESS
    : parseAddress(rawPath, bucketOfHost(host, domains));
  return { method, rawPath, rawQuery, query, headers, bucket, key, isControl };
}

export function parseHeaders(rawHeaders: readonly string[]): Headers {
  const headers = new Map<string, string>();
  let sectionBytes = 0;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const rawName = rawHeaders[index] ?? '';
    const value = rawHeaders[index + 1] ?? '';
    sectionBytes += rawName.length + value.length + 4;
    const name = rawName.toLowerCase();
    const previous = headers.get(name);
    if (previous === undefined) {
      if (name.startsWith(INTERNAL_HEADER_PREFIX)) {
        throw invalidArgument('This header is reserved', name, '');
      }
      headers.set(name, value);
    } else if (SINGLE_HEADERS.has(name)) {
      throw invalidArgument('This header may be given only once', name, '');
    } else {
      headers.set(name, `${previous},${value}`);
    }
  }
  if (sectionBytes > HEADER_SECTION_BYTES_MAX) {
    throw new S3Error('RequestHeaderSectionTooLarge', {
      MaxSizeAllowed: HEADER_SECTION_BYTES_MAX,
    });
  }
  return headers;
}

function splitQuery(text: string): RawParameter[] {
  const parameters: RawParameter[] = [];
  for (const part of text.split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    parameters.push(
      equals < 0
        ? { name: part, value: '' }
        : { name: part.slice(0, equals), value: part.slice(equals + 1) },
    );
  }
  return parameters;
}

const NO_QUERY: Query = new Map();

function decodeQuery(parameters: readonly RawParameter[]): Query {
  if (parameters.length === 0) return NO_QUERY;
  const query = new Map<string, string>();
  for (const parameter of parameters) {
    const name = decodePercent(parameter.name);
    if (!query.has(name)) query.set(name, decodePercent(parameter.value));
    // A second `X-Amz-Signature` must not be an alternative that somebody else verifies.
    else if (name.toLowerCase().startsWith('x-amz-')) {
      throw invalidArgument('This parameter may be given only once', name, '');
    }
  }
  return query;
}

function requireHost(headers: Headers): string {
  const host = headers.get('host');
  if (host === undefined || host === '') {
    throw new S3Error('InvalidArgument', { ArgumentName: 'Host' }, { message: 'Missing Host' });
  }
  return host;
}

/** The bucket of a virtual-hosted-style request, or null for path style. */
export function bucketOfHost(host: string, domains: readonly string[]): string | null {
  const colon = host.endsWith(']') ? -1 : host.lastIndexOf(':');
  const name = (colon < 0 ? host : host.slice(0, colon)).toLowerCase();
  for (const domain of domains) {
    const start = name.length - domain.length - 1;
    if (start > 0 && name.endsWith(domain) && name.charCodeAt(start) === 0x2e) {
      return name.slice(0, start);
    }
  }
  return null;
}

interface Address {
  readonly bucket: string | null;
  readonly key: string | null;
}

const NO_ADDRESS: Address = { bucket: null, key: null };

/** Slashes are found in the raw path, so an escaped one can never move the end of the bucket. */
function parseAddress(rawPath: string, hostBucket: string | null): Address {
  if (hostBucket !== null) {
    return { bucket: requireBucket(hostBucket), key: parseKey(rawPath.slice(1)) };
  }
  if (rawPath === '/' || rawPath === '/WriteGetObjectResponse') return NO_ADDRESS;
  const slash = rawPath.indexOf('/', 1);
  const bucket = decodePercent(slash < 0 ? rawPath.slice(1) : rawPath.slice(1, slash));
  return {
    bucket: requireBucket(bucket),
    key: slash < 0 ? null : parseKey(rawPath.slice(slash + 1)),
  };
}

function parseKey(rawKey: string): string | null {
  if (rawKey === '') return null;
  const key = decodePercent(rawKey);
  // A UTF-16 unit is at most 3 bytes: short keys need no count.
  if (key.length * 3 > KEY_BYTES_MAX) {
    const sizeBytes = Buffer.byteLength(key);
    if (sizeBytes > KEY_BYTES_MAX) {
      throw new S3Error('KeyTooLongError', { Size: sizeBytes, MaxSizeAllowed: KEY_BYTES_MAX });
    }
  }
  return key;
}

function requireBucket(name: string): string {
  if (!isBucketName(name)) throw new S3Error('InvalidBucketName', { BucketName: name });
  return name;
}
