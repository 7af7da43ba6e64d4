import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

import { decodePercent } from '../http/percent-encoding';
import type { RequestHead } from '../http/request-head';
import { invalidArgument, S3Error } from '../s3/s3-error';
import type { AuthMechanism } from './signed-request';
import { requestExpired, requireNoSkew } from './signature-checks';

/**
 * Signature Version 2, for clients of the last decade: off unless the operator asks for it. It
 * covers neither the body nor ordinary headers, and only those query parameters that are listed.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html
 */
export interface SignatureV2 {
  readonly mechanism: AuthMechanism;
  readonly accessKeyId: string;
  /** Base64 of 20 bytes. */
  readonly signature: string;
  /** Third line of the string to sign: a date, seconds, or nothing. */
  readonly dateLine: string;
  /** When it was signed; null when the request says only when it ends. */
  readonly timestampMs: number | null;
}

const EXPIRES_SECONDS_MAX = 7 * 24 * 3600;

/** Query parameters that are signed: all that select an operation, a version or an answer. */
const SIGNED_PARAMETERS: ReadonlySet<string> = new Set([
  'accelerate',
  'acl',
  'analytics',
  'attributes',
  'cors',
  'delete',
  'encryption',
  'id',
  'intelligent-tiering',
  'inventory',
  'legal-hold',
  'lifecycle',
  'location',
  'logging',
  'metrics',
  'notification',
  'object-lock',
  'ownershipControls',
  'partNumber',
  'policy',
  'policyStatus',
  'publicAccessBlock',
  'renameObject',
  'replication',
  'requestPayment',
  'response-cache-control',
  'response-content-disposition',
  'response-content-encoding',
  'response-content-language',
  'response-content-type',
  'response-expires',
  'restore',
  'retention',
  'select',
  'select-type',
  'tagging',
  'torrent',
  'uploadId',
  'uploads',
  'versionId',
  'versioning',
  'versions',
  'website',
]);

/**
 * @throws S3Error AccessDenied (a part is missing, too early or expired), RequestTimeTooSkewed,
 *   InvalidArgument.
 */
export function parseSignatureV2(
  head: RequestHead,
  mechanism: AuthMechanism,
  nowMs: number,
): SignatureV2 {
  return mechanism === 'header' ? parseHeader(head, nowMs) : parseQuery(head, nowMs);
}

function parseHeader({ headers }: RequestHead, nowMs: number): SignatureV2 {
  const authorization = headers.get('authorization') ?? '';
  const match = /^AWS ([^:]+):([A-Za-z0-9+/]{27}=)$/.exec(authorization);
  if (match === null) {
    throw invalidArgument(
      'AWS authorization header is invalid. Expected AwsAccessKeyId:signature, got something else.',
      'Authorization',
      '',
    );
  }
  const amzDate = headers.get('x-amz-date');
  const text = amzDate ?? headers.get('date') ?? '';
  const timestampMs = Date.parse(text);
  if (Number.isNaN(timestampMs) || timestampMs < 0) {
    throw denied('AWS authentication requires a valid Date or x-amz-date header');
  }
  requireNoSkew(text, timestampMs, nowMs);
  const [, accessKeyId = '', signature = ''] = match;
  const dateLine = amzDate === undefined ? text : '';
  return { mechanism: 'header', accessKeyId, signature, dateLine, timestampMs };
}

function parseQuery({ query }: RequestHead, nowMs: number): SignatureV2 {
  const accessKeyId = query.get('AWSAccessKeyId') ?? '';
  const signature = query.get('Signature') ?? '';
  const expires = query.get('Expires') ?? '';
  if (accessKeyId === '' || signature === '' || expires === '') {
    throw denied(
      'Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters',
    );
  }
  if (!/^\d{1,11}$/.test(expires)) throw denied(`Invalid date (should be seconds since epoch)`);
  const expiresMs = Number(expires) * 1000;
  if (nowMs > expiresMs) throw requestExpired(expiresMs, nowMs, null);
  // V2 knows no such limit; without one a URL that leaks is good for ever.
  if (expiresMs - nowMs > EXPIRES_SECONDS_MAX * 1000) {
    throw denied('Expires must be less than a week in the future');
  }
  return { mechanism: 'query', accessKeyId, signature, dateLine: expires, timestampMs: null };
}

function denied(message: string): S3Error {
  return new S3Error('AccessDenied', {}, { message });
}

/**
 * Compares in constant time. A bucket is the same resource with and without a slash behind it: the
 * AWS SDK for Python signs `/bucket/` and asks for `/bucket`.
 */
export function isSignatureV2(signed: SignatureV2, head: RequestHead, secretKey: string): boolean {
  const { signature } = signed;
  if (isSignedByV2(stringToSignV2(signed, head), signature, secretKey)) return true;
  if (head.bucket === null || head.key !== null || head.rawPath.endsWith('/')) return false;
  const withSlash = stringToSignV2(signed, { ...head, rawPath: `${head.rawPath}/` });
  return isSignedByV2(withSlash, signature, secretKey);
}

/** The same for a text that is signed as it is: the policy of a POST form. */
export function isSignedByV2(text: string, signature: string, secretKey: string): boolean {
  const expected = createHmac('sha1', secretKey).update(text, 'latin1').digest('base64');
  // Hashes, because the texts may differ in length.
  const digest = (value: string): Buffer => createHash('sha256').update(value, 'latin1').digest();
  return timingSafeEqual(digest(expected), digest(signature));
}

export function stringToSignV2(signed: SignatureV2, head: RequestHead): string {
  const { headers, method } = head;
  return [
    method,
    headers.get('content-md5') ?? '',
    headers.get('content-type') ?? '',
    signed.dateLine,
    `${amzHeaderLines(signed, head)}${canonicalResource(head)}`,
  ].join('\n');
}

/** Every `x-amz-` header; in a query, the parameters that stand for such headers too. */
function amzHeaderLines({ mechanism }: SignatureV2, { headers, query }: RequestHead): string {
  const lines = new Map<string, string>();
  for (const [name, value] of headers) if (name.startsWith('x-amz-')) lines.set(name, value.trim());
  if (mechanism === 'query') {
    for (const [name, value] of query) {
      const header = name.toLowerCase();
      if (header.startsWith('x-amz-')) lines.set(header, Buffer.from(value).toString('latin1'));
    }
  }
  return [...lines]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}:${value}\n`)
    .join('');
}

/** The path as it came, the bucket of the host before it, and the parameters that are signed. */
function canonicalResource(head: RequestHead): string {
  const { bucket, key, rawPath, query } = head;
  const isHostStyle = bucket !== null && (key ?? '') === decodePercent(rawPath.slice(1));
  const parameters = [...query]
    .filter(([name]) => SIGNED_PARAMETERS.has(name))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => (value === '' ? name : `${name}=${value}`));
  const signedQuery = parameters.length === 0 ? '' : `?${parameters.join('&')}`;
  const resource = `${isHostStyle ? `/${bucket}` : ''}${rawPath}${signedQuery}`;
  return Buffer.from(resource, 'utf8').toString('latin1');
}
