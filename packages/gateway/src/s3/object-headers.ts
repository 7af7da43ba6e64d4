import { Buffer, isUtf8 } from 'node:buffer';

import type { VersionHead } from '@azimuth/proto';

import type { Headers, S3Request } from '../http/request';
import { httpDate } from './http-date';
import { invalidArgument, invalidRequest, S3Error } from './s3-error';

/** Sum of the bytes of names (without `x-amz-meta-`) and values (G-13). */
export const USER_METADATA_BYTES_MAX = 2048;
export const DEFAULT_CONTENT_TYPE = 'binary/octet-stream';
export const DEFAULT_STORAGE_CLASS = 'STANDARD';
/** The class of objects that need not survive the loss of their zone (S-4). */
export const ONE_ZONE_STORAGE_CLASS = 'ONEZONE_IA';

const METADATA_PREFIX = 'x-amz-meta-';
export const REDIRECT_HEADER = 'x-amz-website-redirect-location';
const REDIRECT_BYTES_MAX = 2048;
const STORED_HEADERS = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'expires',
] as const;

const STORAGE_CLASSES: ReadonlySet<string> = new Set([
  'STANDARD',
  'REDUCED_REDUNDANCY',
  'STANDARD_IA',
  ONE_ZONE_STORAGE_CLASS,
  'INTELLIGENT_TIERING',
  'GLACIER_IR',
]);
/** Known, but they promise that a read needs RestoreObject first, which is not there yet. */
const ARCHIVE_CLASSES: ReadonlySet<string> = new Set(['GLACIER', 'DEEP_ARCHIVE']);

/** What a client says about an object when it writes it. */
export interface ObjectAttributes {
  /** System headers that come back as they are stored. */
  readonly headers: Readonly<Record<string, string>>;
  readonly userMetadata: Readonly<Record<string, string>>;
  readonly storageClass: string;
}

/**
 * Reads what PutObject, CopyObject (with REPLACE) and CreateMultipartUpload store beside the bytes.
 *
 * @throws S3Error MetadataTooLarge, InvalidStorageClass, InvalidRedirectLocation, and what
 *   `refuseUnimplementedHeaders` throws.
 */
export function parseObjectAttributes(headers: Headers): ObjectAttributes {
  refuseUnimplementedHeaders(headers);
  return {
    headers: parseStoredHeaders(headers),
    userMetadata: parseUserMetadata(headers),
    storageClass: parseStorageClass(headers) ?? DEFAULT_STORAGE_CLASS,
  };
}

function parseStoredHeaders(headers: Headers): Record<string, string> {
  const stored: Record<string, string> = {
    'content-type': nonEmpty(headers.get('content-type')) ?? DEFAULT_CONTENT_TYPE,
  };
  for (const name of STORED_HEADERS) {
    const value = nonEmpty(headers.get(name));
    if (value === null) continue;
    const kept = name === 'content-encoding' ? withoutAwsChunked(value) : value;
    if (kept !== '') stored[name] = kept;
  }
  const redirect = parseRedirectLocation(headers);
  if (redirect !== null) stored[REDIRECT_HEADER] = redirect;
  return stored;
}

/**
 * Where the website endpoint sends who asks for the object; null when the header is absent.
 *
 * @throws S3Error InvalidRedirectLocation.
 */
export function parseRedirectLocation(headers: Headers): string | null {
  const location = nonEmpty(headers.get(REDIRECT_HEADER));
  if (location === null) return null;
  if (!/^(?:\/|https?:\/\/)/.test(location)) throw new S3Error('InvalidRedirectLocation');
  if (location.length > REDIRECT_BYTES_MAX) {
    throw new S3Error(
      'InvalidRedirectLocation',
      {},
      { message: 'The length of website redirect location cannot exceed 2,048 characters.' },
    );
  }
  return location;
}

/** Stored headers of a source that a copy takes over: where it redirects to is not among them. */
export function copiedHeaders(stored: VersionHead['headers']): Record<string, string> {
  return Object.fromEntries(Object.entries(stored).filter(([name]) => name !== REDIRECT_HEADER));
}

function nonEmpty(value: string | undefined): string | null {
  return value === undefined || value === '' ? null : value;
}

/** aws-chunked is how the body travelled, not what it is (G-5). */
function withoutAwsChunked(value: string): string {
  const codings = value.split(',').map((coding) => coding.trim());
  const kept = codings.filter((coding) => coding.toLowerCase() !== 'aws-chunked');
  return kept.length === codings.length ? value : kept.join(',');
}

/** Values as sent, one byte a character; `mailSafe` is for the way back. */
function parseUserMetadata(headers: Headers): Record<string, string> {
  const metadata: [string, string][] = [];
  let sizeBytes = 0;
  for (const [name, value] of headers) {
    if (!name.startsWith(METADATA_PREFIX)) continue;
    const key = name.slice(METADATA_PREFIX.length);
    // The one name that a record cannot hold, and better refused than changed.
    if (key === '' || key === '__proto__') {
      throw invalidArgument('The name of this metadata header is not supported', name, value);
    }
    sizeBytes += key.length + value.length;
    metadata.push([key, value]);
  }
  if (sizeBytes > USER_METADATA_BYTES_MAX) {
    throw new S3Error('MetadataTooLarge', {
      Size: sizeBytes,
      MaxSizeAllowed: USER_METADATA_BYTES_MAX,
    });
  }
  return Object.fromEntries(metadata);
}

/** Null when the client named none. */
export function parseStorageClass(headers: Headers): string | null {
  const storageClass = headers.get('x-amz-storage-class');
  if (storageClass === undefined) return null;
  if (ARCHIVE_CLASSES.has(storageClass)) {
    throw new S3Error('NotImplemented', { Header: 'x-amz-storage-class' });
  }
  if (!STORAGE_CLASSES.has(storageClass)) {
    throw new S3Error('InvalidStorageClass', { StorageClassRequested: storageClass });
  }
  return storageClass;
}

/** Headers that promise something which is not there. Ignoring one would be a lie to the client. */
const UNIMPLEMENTED_PREFIXES = [
  'x-amz-server-side-encryption',
  'x-amz-copy-source-server-side-encryption',
  'x-amz-object-lock-',
] as const;
const UNIMPLEMENTED_HEADERS = [
  'x-amz-write-offset-bytes',
  'x-amz-object-annotation-directive',
  // A PUT replaces the whole object (RFC 9110, section 14.5).
  'content-range',
] as const;

/** @throws S3Error NotImplemented with the header named. */
export function refuseUnimplementedHeaders(headers: Headers): void {
  for (const name of headers.keys()) {
    if (!name.startsWith('x-amz-')) continue;
    if (UNIMPLEMENTED_PREFIXES.some((prefix) => name.startsWith(prefix))) {
      throw new S3Error('NotImplemented', { Header: name });
    }
  }
  for (const name of UNIMPLEMENTED_HEADERS) {
    // An empty one, which some SDKs send, promises nothing.
    if (nonEmpty(headers.get(name)) !== null) throw new S3Error('NotImplemented', { Header: name });
  }
}

/** Headers of a version as GET and HEAD show it, without length, range and checksum. */
export function versionHeaders(head: VersionHead, isVersioned: boolean): Record<string, string> {
  const headers: Record<string, string> = {
    ...head.headers,
    'accept-ranges': 'bytes',
    etag: quoteEtag(head.etag),
    'last-modified': httpDate(head.lastModifiedMs),
  };
  for (const [name, value] of Object.entries(head.userMetadata)) {
    headers[METADATA_PREFIX + name] = mailSafe(value);
  }
  if (head.storageClass !== DEFAULT_STORAGE_CLASS) {
    headers['x-amz-storage-class'] = head.storageClass;
  }
  if (isVersioned) headers['x-amz-version-id'] = head.versionId;
  return headers;
}

/**
 * User metadata beyond ASCII as an encoded word, which is how AWS returns it: `Q` when most of it
 * is ASCII, else `B`. Bytes that are no UTF-8 have no characters to encode and go out as they came.
 *
 * @see https://www.rfc-editor.org/rfc/rfc2047
 */
function mailSafe(value: string): string {
  if (!/[\u0080-\u00ff]/.test(value)) return value;
  const bytes = Buffer.from(value, 'latin1');
  if (!isUtf8(bytes)) return value;
  const asciiCount = bytes.filter((byte) => byte < 0x80).length;
  const charactersCount = Array.from(bytes.toString('utf8')).length;
  if (asciiCount * 2 <= charactersCount) return `=?UTF-8?B?${bytes.toString('base64')}?=`;
  let quoted = '';
  for (const byte of bytes) {
    const character = String.fromCharCode(byte);
    if (character === ' ') quoted += '_';
    else if (/[!-~]/.test(character) && !/[=?_]/.test(character)) quoted += character;
    else quoted += `=${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return `=?UTF-8?Q?${quoted}?=`;
}

export function quoteEtag(etag: string): string {
  return `"${etag}"`;
}

const OVERRIDES: Readonly<Record<string, string>> = {
  'response-cache-control': 'cache-control',
  'response-content-disposition': 'content-disposition',
  'response-content-encoding': 'content-encoding',
  'response-content-language': 'content-language',
  'response-content-type': 'content-type',
  'response-expires': 'expires',
};

/**
 * The `response-*` query parameters as headers.
 *
 * @throws S3Error InvalidRequest for an anonymous request (G-10); InvalidArgument for a value that
 * is no header value: a line break in it would let whoever wrote the link add headers of their own.
 */
export function parseResponseOverrides({
  query,
  principal,
}: Pick<S3Request, 'query' | 'principal'>): Record<string, string> {
  const headers: Record<string, string> = {};
  if (query.size === 0) return headers;
  for (const [parameter, header] of Object.entries(OVERRIDES)) {
    const value = query.get(parameter);
    if (value === undefined) continue;
    if (principal.kind === 'anonymous') {
      throw invalidRequest(
        'Request specific response headers cannot be used for anonymous GET requests.',
      );
    }
    if (/[^\t\u0020-\u007e\u0080-\u00ff]/.test(value)) {
      throw invalidArgument(
        'Header value cannot be represented using ISO-8859-1.',
        parameter,
        value,
      );
    }
    headers[header] = value;
  }
  return headers;
}

/** Metadata-directive or tagging-directive of CopyObject; COPY when absent. */
export function parseCopyDirective(
  headers: Headers,
  about: 'metadata' | 'tagging',
): 'COPY' | 'REPLACE' {
  const name = `x-amz-${about}-directive`;
  const directive = headers.get(name) ?? 'COPY';
  if (directive === 'COPY' || directive === 'REPLACE') return directive;
  throw invalidArgument(`Unknown ${about} directive.`, name, directive);
}
