import type { Buffer } from 'node:buffer';

import type { RequestHead } from '../http/request-head';
import { invalidRequest, S3Error } from '../s3/s3-error';
import { canonicalRequest } from './canonical-request';
import type { CredentialStore } from './credentials';
import { parsePayloadMode } from './payload-mode';
import type { PayloadMode } from './payload-mode';
import type { Principal } from './principal';
import type { SignedRequest } from './signed-request';
import { malformedScope, parseSignedRequest } from './signed-request';
import { isSignature, scopeText, sign, SigningKeyCache, stringToSign } from './sigv4';
import { ChunkSignatureChain } from './sigv4-streaming';

const CLOCK_SKEW_MS_MAX = 15 * 60 * 1000;
const SERVICE = 's3';
const TERMINAL = 'aws4_request';
/** For key ids that do not exist: the same work is done as for a wrong secret. */
const NO_SECRET = 'a key that does not exist has no secret';

/** Who asks, and how the body that follows must be verified. */
export interface AuthenticatedRequest {
  readonly principal: Principal;
  readonly payload: PayloadMode;
  /** The chain that the chunks of a body must follow; null when they are not signed. */
  readonly chunkSignatures: ChunkSignatureChain | null;
}

/** Verifies SigV4 in every form that is accepted. There is no other way in. */
export class Authenticator {
  readonly #credentials: CredentialStore;
  readonly #region: string;
  readonly #signingKeys = new SigningKeyCache();

  constructor(credentials: CredentialStore, region: string) {
    this.#credentials = credentials;
    this.#region = region;
  }

  /**
   * @param nowMs wall clock.
   * @throws S3Error as G-1 to G-4 and G-9 to G-11 say; AccessDenied when nothing is signed.
   */
  async authenticate(head: RequestHead, nowMs: number): Promise<AuthenticatedRequest> {
    const signed = parseSignedRequest(head);
    requireScope(signed, head, this.#region);
    requireTime(signed, nowMs);
    const payloadHash = payloadHashOf(signed, head);
    const payload = parsePayloadMode(payloadHash);
    if (signed.mechanism === 'query' && payload.kind === 'chunked') {
      throw invalidRequest('A presigned request cannot have an aws-chunked body.');
    }
    requireSignedHeaders(signed, head);

    const credential = await this.#credentials.lookup(signed.scope.accessKeyId);
    const secretKey = credential?.secretKey ?? NO_SECRET;
    const signingKey =
      credential === null
        ? this.#signingKeys.get(secretKey, { ...signed.scope, accessKeyId: '' })
        : this.#signingKeys.get(secretKey, signed.scope);
    requireSignature(signed, canonicalRequest(head, signed.signedHeaders, payloadHash), {
      signingKey,
      isKeyKnown: credential !== null,
    });
    if (credential === null) throw unknownKey(signed);
    // Temporary credentials do not exist here, so a token belongs to keys of somebody else.
    if (hasSecurityToken(head)) throw new S3Error('InvalidToken');
    return {
      principal: credential.principal,
      payload,
      chunkSignatures:
        payload.kind === 'chunked' && payload.isSigned
          ? new ChunkSignatureChain(
              signingKey,
              signed.timestamp,
              scopeText(signed.scope),
              signed.signatureHex,
            )
          : null,
    };
  }
}

function unknownKey(signed: SignedRequest): S3Error {
  return new S3Error('InvalidAccessKeyId', { AWSAccessKeyId: signed.scope.accessKeyId });
}

function hasSecurityToken({ headers, query }: RequestHead): boolean {
  return headers.has('x-amz-security-token') || query.has('X-Amz-Security-Token');
}

function requireScope(signed: SignedRequest, head: RequestHead, expectedRegion: string): void {
  const { mechanism, scope, timestamp } = signed;
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
  if (scope.service !== SERVICE) {
    throw malformedScope(
      mechanism,
      `incorrect service "${scope.service}". This endpoint belongs to "${SERVICE}".`,
    );
  }
  if (scope.terminal !== TERMINAL) {
    throw malformedScope(
      mechanism,
      `incorrect terminal "${scope.terminal}". This endpoint uses "${TERMINAL}".`,
    );
  }
  if (scope.region === expectedRegion) return;
  // Clients ask the default region where a bucket is before they know any other.
  if (scope.region === 'us-east-1' && head.query.has('location')) return;
  throw malformedScope(
    mechanism,
    `the region '${scope.region}' is wrong; expecting '${expectedRegion}'`,
    { Region: expectedRegion },
  );
}

function requireTime(signed: SignedRequest, nowMs: number): void {
  const { timestampMs, expiresSeconds } = signed;
  if (expiresSeconds === null) {
    if (Math.abs(nowMs - timestampMs) <= CLOCK_SKEW_MS_MAX) return;
    throw new S3Error('RequestTimeTooSkewed', {
      RequestTime: signed.timestamp,
      ServerTime: isoSeconds(nowMs),
      MaxAllowedSkewMilliseconds: CLOCK_SKEW_MS_MAX,
    });
  }
  if (timestampMs - nowMs > CLOCK_SKEW_MS_MAX) {
    throw new S3Error('AccessDenied', {}, { message: 'Request is not valid yet' });
  }
  const expiresMs = timestampMs + expiresSeconds * 1000;
  if (nowMs > expiresMs) {
    throw new S3Error(
      'AccessDenied',
      {
        'X-Amz-Expires': expiresSeconds,
        Expires: isoSeconds(expiresMs),
        ServerTime: isoSeconds(nowMs),
      },
      { message: 'Request has expired' },
    );
  }
}

function isoSeconds(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
}

/** What stands for the body in the canonical request. */
function payloadHashOf(signed: SignedRequest, head: RequestHead): string {
  const fromHeader = head.headers.get('x-amz-content-sha256');
  if (signed.mechanism === 'query') {
    return fromHeader ?? head.query.get('X-Amz-Content-Sha256') ?? 'UNSIGNED-PAYLOAD';
  }
  if (fromHeader === undefined) {
    throw invalidRequest('Missing required header for this request: x-amz-content-sha256');
  }
  return fromHeader;
}

/** G-3: what is not signed could have been added on the way. */
function requireSignedHeaders(signed: SignedRequest, head: RequestHead): void {
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

function requireSignature(
  signed: SignedRequest,
  canonical: string,
  key: { readonly signingKey: Buffer; readonly isKeyKnown: boolean },
): void {
  const text = stringToSign(signed.timestamp, scopeText(signed.scope), canonical);
  if (isSignature(sign(key.signingKey, text), signed.signatureHex)) return;
  if (!key.isKeyKnown) throw unknownKey(signed);
  throw new S3Error('SignatureDoesNotMatch', {
    AWSAccessKeyId: signed.scope.accessKeyId,
    StringToSign: text,
    SignatureProvided: signed.signatureHex,
    StringToSignBytes: hexBytes(text),
    CanonicalRequest: canonical,
    CanonicalRequestBytes: hexBytes(canonical),
  });
}

/** As AWS prints them: `41 57 53 34 …`. */
function hexBytes(text: string): string {
  let result = '';
  for (let index = 0; index < text.length; index += 1) {
    const byte = text.charCodeAt(index).toString(16).padStart(2, '0');
    result = index === 0 ? byte : `${result} ${byte}`;
  }
  return result;
}
