import type { VersionHead } from '@azimuth/proto';

import type { Headers, Query } from '../http/request';
import { httpDate } from './http-date';
import { invalidArgument, S3Error } from './s3-error';

/** Sum of the bytes of names (without `x-amz-meta-`) and values (G-13). */
export const USER_METADATA_BYTES_MAX = 2048;
export const DEFAULT_CONTENT_TYPE = 'binary/octet-stream';
export const DEFAULT_STORAGE_CLASS = 'STANDARD';

const METADATA_PREFIX = 'x-amz-meta-';
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
  'ONEZONE_IA',
  'INTELLIGENT_TIERING',
  'GLACIER_IR',
]);
/** Known, but they promise that a read needs RestoreObject first, which is not there yet. */
const ARCHIVE_CLASSES: ReadonlySet<string> = new Set(['GLACIER', 'DEEP_ARCHIVE']);

/** What a client says about an object when it writes it. */
export interface ObjectAttributes {
  readonly headers: Readonly<Record<string, string>>;
  readonly userMetadata: Readonly<Record<string, string>>;
  readonly storageClass: string;
}

/**
 * Reads what PutObject, CopyObject (with REPLACE) and CreateMultipartUpload store beside the bytes.
 *
 * @throws S3Error MetadataTooLarge, InvalidStorageClass, and what `refuseUnimplementedHeaders`
 *   throws.
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
  return stored;
}

function nonEmpty(value: string | undefined): string | null {
  return value === undefined || value === '' ? null : value;
}

/** aws-chunked is how the body travelled, not what it is (G-5). */
function withoutAwsChunked(value: string): string {
  const codings = value.split(',').map((coding) => coding.trim());
  return codings.filter((coding) => coding.toLowerCase() !== 'aws-chunked').join(',');
}

/** Values as sent, one byte a character: RFC 2047 words stay encoded words. */
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
  'x-amz-tagging',
  'x-amz-website-redirect-location',
  'x-amz-write-offset-bytes',
  'x-amz-object-annotation-directive',
] as const;

/** Canned ACLs that mean what is so anyway: the bucket owner owns and controls everything. */
const ACCEPTED_ACLS: ReadonlySet<string> = new Set(['private', 'bucket-owner-full-control']);
const REFUSED_ACLS: ReadonlySet<string> = new Set([
  'public-read',
  'public-read-write',
  'authenticated-read',
  'aws-exec-read',
  'bucket-owner-read',
  'log-delivery-write',
]);

/**
 * The canned ACL of a request, null when absent.
 *
 * @throws S3Error InvalidArgument for a name that does not exist.
 */
export function parseCannedAcl(headers: Headers): string | null {
  const acl = headers.get('x-amz-acl');
  if (acl === undefined || acl === '') return null;
  if (ACCEPTED_ACLS.has(acl) || REFUSED_ACLS.has(acl)) return acl;
  throw invalidArgument('The canned ACL you specified is not valid.', 'x-amz-acl', acl);
}

/** @throws S3Error NotImplemented with the header named, AccessControlListNotSupported, InvalidArgument. */
export function refuseUnimplementedHeaders(headers: Headers): void {
  for (const name of headers.keys()) {
    if (!name.startsWith('x-amz-')) continue;
    if (UNIMPLEMENTED_PREFIXES.some((prefix) => name.startsWith(prefix))) {
      throw new S3Error('NotImplemented', { Header: name });
    }
    if (name.startsWith('x-amz-grant-')) throw new S3Error('AccessControlListNotSupported');
  }
  for (const name of UNIMPLEMENTED_HEADERS) {
    // An empty one, which some SDKs send, promises nothing.
    if (nonEmpty(headers.get(name)) !== null) throw new S3Error('NotImplemented', { Header: name });
  }
  const acl = parseCannedAcl(headers);
  if (acl !== null && !ACCEPTED_ACLS.has(acl)) {
    throw new S3Error('AccessControlListNotSupported');
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
    headers[METADATA_PREFIX + name] = value;
  }
  if (head.storageClass !== DEFAULT_STORAGE_CLASS) {
    headers['x-amz-storage-class'] = head.storageClass;
  }
  if (isVersioned) headers['x-amz-version-id'] = head.versionId;
  return headers;
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
 * @throws S3Error InvalidArgument for a value that is no header value: a line break in it would let
 * whoever wrote the link add headers of their own.
 */
export function parseResponseOverrides(query: Query): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [parameter, header] of Object.entries(OVERRIDES)) {
    const value = query.get(parameter);
    if (value === undefined) continue;
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

/** Metadata-directive of CopyObject; COPY when absent. */
export function parseMetadataDirective(headers: Headers): 'COPY' | 'REPLACE' {
  const name = 'x-amz-metadata-directive';
  const directive = headers.get(name) ?? 'COPY';
  if (directive === 'COPY' || directive === 'REPLACE') return directive;
  throw invalidArgument('Unknown metadata directive.', name, directive);
}

/** Tagging-directive of CopyObject: there are no tags to copy, so both directives do nothing. */
export function checkTaggingDirective(headers: Headers): void {
  const name = 'x-amz-tagging-directive';
  const directive = headers.get(name) ?? 'COPY';
  if (directive !== 'COPY' && directive !== 'REPLACE') {
    throw invalidArgument('Unknown tagging directive.', name, directive);
  }
}
