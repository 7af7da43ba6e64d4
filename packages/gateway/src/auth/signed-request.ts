import { S3Error, invalidArgument, invalidRequest } from '../s3/s3-error';
import type { RequestHead } from '../http/request-head';
import type { CredentialScope } from './sigv4';
import { ALGORITHM, parseCredentialScope, parseTimestamp } from './sigv4';

/** Where the parts of a signature were found. */
export type AuthMechanism = 'header' | 'query';

/** What a request says about its own signature; nothing here is verified yet. */
export interface SignedRequest {
  readonly mechanism: AuthMechanism;
  readonly scope: CredentialScope;
  /** `20260102T030405Z` */
  readonly timestamp: string;
  readonly timestampMs: number;
  /** Lower-case, in the order in which they were signed. */
  readonly signedHeaders: readonly string[];
  readonly signatureHex: string;
  /** Lifetime of a presigned URL. */
  readonly expiresSeconds: number | null;
}

const EXPIRES_SECONDS_MAX = 7 * 24 * 3600;

/** What a request says it is signed with; `v2` leads to `sigv2.ts`, which is off by default. */
export type RequestSignature =
  | { readonly kind: 'none' }
  | { readonly kind: 'v2'; readonly mechanism: AuthMechanism }
  | { readonly kind: 'v4'; readonly signed: SignedRequest };

/**
 * Finds the signature of a request, in its header or its query.
 *
 * @throws S3Error the malformations of G-1, G-2, G-9, G-11.
 */
export function parseSignature(head: RequestHead): RequestSignature {
  // An empty header signs nothing: such a request is as anonymous as one without it.
  const authorization = head.headers.get('authorization') || undefined;
  const isQuery = head.query.size > 0 && hasQuerySignature(head);
  if (authorization !== undefined) {
    if (isQuery) {
      throw new S3Error(
        'InvalidArgument',
        { ArgumentName: 'Authorization' },
        { message: `Only one auth mechanism allowed; ${ONE_MECHANISM}` },
      );
    }
    if (/^AWS(?: |$)/.test(authorization)) return { kind: 'v2', mechanism: 'header' };
    return { kind: 'v4', signed: parseAuthorization(authorization, head) };
  }
  if (!isQuery) return { kind: 'none' };
  if (isVersion2Query(head.query) && !isVersion4Query(head.query)) {
    return { kind: 'v2', mechanism: 'query' };
  }
  return { kind: 'v4', signed: parsePresigned(head) };
}

/** For requests that are signed as V2 where that is switched off. */
export function unsupportedMechanism(): S3Error {
  return invalidRequest(WRONG_MECHANISM);
}

const ONE_MECHANISM =
  'only the X-Amz-Algorithm query parameter, Signature query string parameter or the ' +
  'Authorization header should be specified';
const WRONG_MECHANISM =
  'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.';

function hasQuerySignature({ query }: RequestHead): boolean {
  return isVersion4Query(query) || isVersion2Query(query);
}

function isVersion4Query(query: RequestHead['query']): boolean {
  return (
    query.has('X-Amz-Algorithm') || query.has('X-Amz-Credential') || query.has('X-Amz-Signature')
  );
}

/** One of the two is enough: half a signature must not pass for none. */
function isVersion2Query(query: RequestHead['query']): boolean {
  return query.has('AWSAccessKeyId') || query.has('Signature');
}

function parseAuthorization(authorization: string, head: RequestHead): SignedRequest {
  const blank = authorization.indexOf(' ');
  const algorithm = blank < 0 ? authorization : authorization.slice(0, blank);
  if (algorithm === 'AWS4-ECDSA-P256-SHA256') throw unsupportedMechanism();
  if (algorithm !== ALGORITHM) {
    throw invalidArgument('Unsupported Authorization Type', 'Authorization', algorithm);
  }
  const { credential, signedHeaders, signatureHex } = parseFields(authorization.slice(blank + 1));
  const scope = parseCredentialScope(credential);
  if (scope === null) {
    throw malformedHeader(
      'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".',
    );
  }
  const { timestamp, timestampMs } = requireTimestamp(head);
  return {
    mechanism: 'header',
    scope,
    timestamp,
    timestampMs,
    signedHeaders: parseSignedHeaders('header', signedHeaders),
    signatureHex,
    expiresSeconds: null,
  };
}

interface AuthorizationFields {
  readonly credential: string;
  readonly signedHeaders: string;
  readonly signatureHex: string;
}

/** `Credential=…, SignedHeaders=…, Signature=…` in any order, each once. */
function parseFields(text: string): AuthorizationFields {
  let credential = '';
  let signedHeaders = '';
  let signatureHex = '';
  const parts = text.split(',');
  if (parts.length < 3) {
    throw malformedHeader(
      'the authorization header requires three components: Credential, SignedHeaders, and ' +
        'Signature.',
    );
  }
  for (const part of parts) {
    const field = part.trim();
    const equals = field.indexOf('=');
    const name = field.slice(0, equals);
    const value = field.slice(equals + 1);
    if (name === 'Credential' && credential === '') credential = value;
    else if (name === 'SignedHeaders' && signedHeaders === '') signedHeaders = value;
    else if (name === 'Signature' && signatureHex === '') signatureHex = value;
    else throw malformedHeader('it has a field that is unknown, empty or given twice.');
  }
  if (credential === '') throw malformedHeader('missing Credential.');
  if (signedHeaders === '') throw malformedHeader('missing SignedHeaders.');
  if (signatureHex === '') throw malformedHeader('missing Signature.');
  return { credential, signedHeaders, signatureHex };
}

/** `x-amz-date` beats `Date`. */
function requireTimestamp({ headers }: RequestHead): { timestamp: string; timestampMs: number } {
  const amzDate = headers.get('x-amz-date');
  if (amzDate !== undefined) {
    const timestampMs = parseTimestamp(amzDate);
    if (timestampMs !== null) return { timestamp: amzDate, timestampMs };
  } else {
    const date = headers.get('date');
    const timestampMs = date === undefined ? Number.NaN : Date.parse(date);
    if (!Number.isNaN(timestampMs)) {
      const text = new Date(timestampMs).toISOString();
      return { timestamp: text.replaceAll(/[-:]|\.\d+/g, ''), timestampMs };
    }
  }
  throw new S3Error(
    'AccessDenied',
    {},
    { message: 'AWS authentication requires a valid Date or x-amz-date header.' },
  );
}

function parsePresigned({ query }: RequestHead): SignedRequest {
  const algorithm = query.get('X-Amz-Algorithm');
  const credential = query.get('X-Amz-Credential');
  const timestamp = query.get('X-Amz-Date');
  const expires = query.get('X-Amz-Expires');
  const signedHeaders = query.get('X-Amz-SignedHeaders');
  const signatureHex = query.get('X-Amz-Signature');
  if (
    algorithm === undefined ||
    credential === undefined ||
    timestamp === undefined ||
    expires === undefined ||
    signedHeaders === undefined ||
    signatureHex === undefined
  ) {
    throw new S3Error('AuthorizationQueryParametersError');
  }
  if (algorithm !== ALGORITHM) {
    throw malformedQuery(`X-Amz-Algorithm only supports "${ALGORITHM}"`);
  }
  const scope = parseCredentialScope(credential);
  if (scope === null) {
    throw malformedQuery(
      'Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting ' +
        '"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".',
    );
  }
  const timestampMs = parseTimestamp(timestamp);
  if (timestampMs === null) {
    throw malformedQuery(`X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd'T'HHmmss'Z'"`);
  }
  return {
    mechanism: 'query',
    scope,
    timestamp,
    timestampMs,
    signedHeaders: parseSignedHeaders('query', signedHeaders),
    signatureHex,
    expiresSeconds: parseExpires(expires),
  };
}

/** Only header names: a line feed among them could make one canonical request of two requests. */
function parseSignedHeaders(mechanism: AuthMechanism, text: string): readonly string[] {
  if (/^[a-z0-9!#$%&'*+.^_`|~;-]+$/.test(text)) return text.split(';');
  const reason = 'SignedHeaders must be lower-case header names, separated by ";".';
  throw mechanism === 'header' ? malformedHeader(reason) : malformedQuery(reason);
}

function parseExpires(text: string): number {
  if (!/^[+-]?\d{1,15}$/.test(text)) throw malformedQuery('X-Amz-Expires should be a number');
  const seconds = Number(text);
  if (seconds < 0) throw malformedQuery('X-Amz-Expires must be non-negative');
  if (seconds > EXPIRES_SECONDS_MAX) {
    throw malformedQuery(
      'X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must ' +
        `be less than ${EXPIRES_SECONDS_MAX} seconds`,
    );
  }
  return seconds;
}

/** Words a fault of the credential scope as AWS does for either mechanism. */
export function malformedScope(
  mechanism: AuthMechanism,
  reason: string,
  detail: Readonly<Record<string, string>> = {},
): S3Error {
  return mechanism === 'header'
    ? malformedHeader(reason, detail)
    : malformedQuery(`Error parsing the X-Amz-Credential parameter; ${reason}`, detail);
}

function malformedHeader(reason: string, detail: Readonly<Record<string, string>> = {}): S3Error {
  return new S3Error('AuthorizationHeaderMalformed', detail, {
    message: `The authorization header is malformed; ${reason}`,
  });
}

function malformedQuery(message: string, detail: Readonly<Record<string, string>> = {}): S3Error {
  return new S3Error('AuthorizationQueryParametersError', detail, { message });
}
