import type { RequestHead } from '../http/request-head';
import { S3Error } from '../s3/s3-error';
import type { AuthMechanism, SignedRequest } from './signed-request';
import { malformedScope } from './signed-request';
import type { CredentialScope } from './sigv4';

export const CLOCK_SKEW_MS_MAX = 15 * 60 * 1000;
const TERMINAL = 'aws4_request';

/** What a credential scope may name. */
export interface ExpectedScope {
  readonly service: string;
  readonly region: string;
  /** Signed for this region it is as good: the default of clients that know no other. */
  readonly otherRegion?: string;
}

/** @throws S3Error AuthorizationHeaderMalformed, AuthorizationQueryParametersError (G-2) */
export function requireScope(
  mechanism: AuthMechanism,
  scope: CredentialScope,
  timestamp: string,
  expected: ExpectedScope,
): void {
  if (!/^\d{8}$/.test(scope.date)) {
    throw malformedScope(
      mechanism,
      `incorrect date format "${scope.date}". This date in the credential must be in the format ` +
        '"yyyyMMdd".',
    );
  }
  if (!timestamp.startsWith(scope.date)) {
    throw malformedScope(
      mechanism,
      `Invalid credential date "${scope.date}". This date is not the same as X-Amz-Date: ` +
        `"${timestamp.slice(0, 8)}".`,
    );
  }
  if (scope.service !== expected.service) {
    throw malformedScope(
      mechanism,
      `incorrect service "${scope.service}". This endpoint belongs to "${expected.service}".`,
    );
  }
  if (scope.terminal !== TERMINAL) {
    throw malformedScope(
      mechanism,
      `incorrect terminal "${scope.terminal}". This endpoint uses "${TERMINAL}".`,
    );
  }
  if (scope.region === expected.region || scope.region === expected.otherRegion) return;
  throw malformedScope(
    mechanism,
    `the region '${scope.region}' is wrong; expecting '${expected.region}'`,
    { Region: expected.region },
  );
}

/** @throws S3Error RequestTimeTooSkewed, AccessDenied (G-1, G-9) */
export function requireTime(
  { timestamp, timestampMs, expiresSeconds }: SignedRequest,
  nowMs: number,
): void {
  if (expiresSeconds === null) {
    requireNoSkew(timestamp, timestampMs, nowMs);
    return;
  }
  if (timestampMs - nowMs > CLOCK_SKEW_MS_MAX) {
    throw new S3Error('AccessDenied', {}, { message: 'Request is not valid yet' });
  }
  const expiresMs = timestampMs + expiresSeconds * 1000;
  if (nowMs > expiresMs) throw requestExpired(expiresMs, nowMs, expiresSeconds);
}

export function requireNoSkew(timestamp: string, timestampMs: number, nowMs: number): void {
  if (Math.abs(nowMs - timestampMs) <= CLOCK_SKEW_MS_MAX) return;
  throw new S3Error('RequestTimeTooSkewed', {
    RequestTime: timestamp,
    ServerTime: isoSeconds(nowMs),
    MaxAllowedSkewMilliseconds: CLOCK_SKEW_MS_MAX,
  });
}

export function requestExpired(
  expiresMs: number,
  nowMs: number,
  expiresSeconds: number | null,
): S3Error {
  return new S3Error(
    'AccessDenied',
    {
      ...(expiresSeconds === null ? {} : { 'X-Amz-Expires': expiresSeconds }),
      Expires: isoSeconds(expiresMs),
      ServerTime: isoSeconds(nowMs),
    },
    { message: 'Request has expired' },
  );
}

function isoSeconds(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
}

/** G-3: what is not signed could have been added on the way. */
export function requireSignedHeaders(signed: SignedRequest, head: RequestHead): void {
  let unsigned = signed.signedHeaders.includes('host') ? '' : 'host';
  for (const name of head.headers.keys()) {
    if (name.startsWith('x-amz-') && !signed.signedHeaders.includes(name)) {
      unsigned = unsigned === '' ? name : `${unsigned}, ${name}`;
    }
  }
  if (unsigned === '') return;
  throw new S3Error(
    'AccessDenied',
    { HeadersNotSigned: unsigned },
    { message: 'There were headers present in the request which were not signed' },
  );
}

/** As AWS prints them: `41 57 53 34 …`. */
export function hexBytes(text: string): string {
  let result = '';
  for (let index = 0; index < text.length; index += 1) {
    const byte = text.charCodeAt(index).toString(16).padStart(2, '0');
    result = index === 0 ? byte : `${result} ${byte}`;
  }
  return result;
}
