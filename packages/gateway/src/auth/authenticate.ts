import { Buffer } from 'node:buffer';

import type { RequestHead } from '../http/request-head';
import { invalidRequest, S3Error } from '../s3/s3-error';
import type { SignatureFacts } from './authorize';
import { canonicalRequest } from './canonical-request';
import type { CredentialStore } from './credentials';
import { parsePayloadMode } from './payload-mode';
import type { PayloadMode } from './payload-mode';
import { ANONYMOUS } from './principal';
import type { Principal } from './principal';
import { hexBytes, requireScope, requireSignedHeaders, requireTime } from './signature-checks';
import type { ExpectedScope } from './signature-checks';
import type { AuthMechanism, SignedRequest } from './signed-request';
import { parseSignature, unsupportedMechanism } from './signed-request';
import { isSignatureV2, isSignedByV2, parseSignatureV2, stringToSignV2 } from './sigv2';
import type { SignedPolicy, SignedPolicyV2 } from './signed-policy';
import type { CredentialScope } from './sigv4';
import {
  ALGORITHM,
  isSignature,
  parseCredentialScope,
  parseTimestamp,
  scopeText,
  sign,
  SigningKeyCache,
  stringToSign,
} from './sigv4';
import { ChunkSignatureChain } from './sigv4-streaming';

export const S3_SERVICE = 's3';
/** Clients sign for it before they know any other region, and for services that have no region. */
const DEFAULT_REGION = 'us-east-1';
/** For key ids that do not exist: the same work is done as for a wrong secret. */
const NO_SECRET = 'a key that does not exist has no secret';
const UNSIGNED = 'UNSIGNED-PAYLOAD';

/** Who asks, and how the body that follows must be verified. */
export interface AuthenticatedRequest {
  readonly principal: Principal;
  readonly payload: PayloadMode;
  /** The chain that the chunks of a body must follow; null when they are not signed. */
  readonly chunkSignatures: ChunkSignatureChain | null;
  /** Null for anonymous requests. */
  readonly signature: SignatureFacts | null;
}

/** Verifies every kind of signature that is accepted. There is no other way in. */
export class Authenticator {
  readonly #credentials: CredentialStore;
  readonly #region: string;
  readonly #allowsSignatureV2: boolean;
  readonly #signingKeys = new SigningKeyCache();

  constructor(
    credentials: CredentialStore,
    region: string,
    options: { readonly allowsSignatureV2?: boolean } = {},
  ) {
    this.#credentials = credentials;
    this.#region = region;
    this.#allowsSignatureV2 = options.allowsSignatureV2 ?? false;
  }

  /**
   * Who sent an S3 request. One that is not signed is anonymous.
   *
   * @param nowMs wall clock.
   * @throws S3Error as G-1 to G-4 and G-9 to G-11 say; InvalidToken, ExpiredToken.
   */
  // Errors reach the caller one way, as those of its other steps.
  // eslint-disable-next-line @typescript-eslint/require-await
  async authenticate(head: RequestHead, nowMs: number): Promise<AuthenticatedRequest> {
    const found = parseSignature(head);
    switch (found.kind) {
      case 'none':
        return anonymousRequest(head);
      case 'v2':
        return this.#authenticateV2(head, found.mechanism, nowMs);
      case 'v4':
        return this.#authenticateV4(head, found.signed, nowMs);
    }
  }

  /**
   * Who sent a request to a service of the query protocol; its body is there already. Null when the
   * request is not signed.
   *
   * @throws S3Error as `authenticate`.
   */
  authenticateQuery(
    head: RequestHead,
    bodySha256Hex: string,
    service: string,
    nowMs: number,
  ): Principal | null {
    const found = parseSignature(head);
    if (found.kind === 'none') return null;
    if (found.kind === 'v2') throw unsupportedMechanism();
    const { signed } = found;
    const declared = head.headers.get('x-amz-content-sha256');
    if (declared !== undefined && declared !== bodySha256Hex && declared !== UNSIGNED) {
      throw new S3Error('XAmzContentSHA256Mismatch', {
        ClientComputedContentSHA256: declared,
        S3ComputedContentSHA256: bodySha256Hex,
      });
    }
    const expected = { service, region: this.#region, otherRegion: DEFAULT_REGION };
    // Whatever the request calls its body: the signature must cover the one that came.
    return this.#verify(head, signed, bodySha256Hex, { expected, nowMs }).principal;
  }

  /**
   * Who signed the policy of a POST form.
   *
   * @throws S3Error InvalidArgument, InvalidAccessKeyId, SignatureDoesNotMatch, InvalidToken, …
   */
  authenticatePolicy(signed: SignedPolicy, nowMs: number): Principal {
    const refuse = (message: string): S3Error => invalidRequest(message);
    if (signed.algorithm !== ALGORITHM) throw refuse(`x-amz-algorithm must be ${ALGORITHM}`);
    const scope = parseCredentialScope(signed.credential);
    if (scope === null) throw refuse('x-amz-credential is malformed');
    if (parseTimestamp(signed.timestamp) === null) throw refuse('x-amz-date is malformed');
    requireScope('query', scope, signed.timestamp, { service: S3_SERVICE, region: this.#region });
    const key = this.#signingKey(scope, signed.sessionToken);
    if (!isSignature(sign(key.signingKey, signed.policy), signed.signatureHex)) {
      throw key.principal === null
        ? unknownKey(scope.accessKeyId)
        : new S3Error('SignatureDoesNotMatch', {
            AWSAccessKeyId: scope.accessKeyId,
            StringToSign: signed.policy,
            SignatureProvided: signed.signatureHex,
          });
    }
    return requireCurrent(key.principal, scope.accessKeyId, nowMs);
  }

  /**
   * The same for Signature Version 2, where that is switched on.
   *
   * @throws S3Error InvalidRequest where it is not; InvalidAccessKeyId, SignatureDoesNotMatch, …
   */
  authenticatePolicyV2(signed: SignedPolicyV2, nowMs: number): Principal {
    if (!this.#allowsSignatureV2) throw unsupportedMechanism();
    const { policy, accessKeyId, signature, sessionToken } = signed;
    const credential = this.#credentials.lookup(accessKeyId, sessionToken);
    const isGood = isSignedByV2(policy, signature, credential?.secretKey ?? NO_SECRET);
    if (!isGood && credential !== null) {
      throw new S3Error('SignatureDoesNotMatch', {
        AWSAccessKeyId: accessKeyId,
        StringToSign: policy,
        SignatureProvided: signature,
      });
    }
    return requireCurrent(credential?.principal ?? null, accessKeyId, nowMs);
  }

  #authenticateV4(head: RequestHead, signed: SignedRequest, nowMs: number): AuthenticatedRequest {
    const { mechanism, timestamp, scope } = signed;
    const payloadHash = payloadHashOf(mechanism, head);
    const payload = parsePayloadMode(payloadHash);
    if (mechanism === 'query' && payload.kind === 'chunked') {
      throw invalidRequest('A presigned request cannot have an aws-chunked body.');
    }
    const expected: ExpectedScope = {
      service: S3_SERVICE,
      region: this.#region,
      // Clients ask the default region where a bucket is before they know any other.
      ...(head.query.has('location') ? { otherRegion: DEFAULT_REGION } : {}),
    };
    const { principal, signingKey } = this.#verify(head, signed, payloadHash, { expected, nowMs });
    const isChunkSigned = payload.kind === 'chunked' && payload.isSigned;
    return {
      principal,
      payload,
      chunkSignatures: isChunkSigned
        ? new ChunkSignatureChain(signingKey, timestamp, scopeText(scope), signed.signatureHex)
        : null,
      signature: {
        version: ALGORITHM,
        type: mechanism === 'header' ? 'REST-HEADER' : 'REST-QUERY-STRING',
        ageMs: nowMs - signed.timestampMs,
        contentSha256: payloadHash,
      },
    };
  }

  /** The one place where a V4 signature of a request is found good. */
  #verify(
    head: RequestHead,
    signed: SignedRequest,
    payloadHash: string,
    { expected, nowMs }: { readonly expected: ExpectedScope; readonly nowMs: number },
  ): { readonly principal: Principal; readonly signingKey: Buffer } {
    const { mechanism, scope, timestamp } = signed;
    requireScope(mechanism, scope, timestamp, expected);
    requireTime(signed, nowMs);
    requireSignedHeaders(signed, head);
    const { signingKey, principal } = this.#signingKey(scope, sessionTokenOf(mechanism, head));
    const canonical = canonicalRequest(head, signed.signedHeaders, payloadHash);
    requireSignature(signed, canonical, { signingKey, isKeyKnown: principal !== null });
    return { signingKey, principal: requireCurrent(principal, scope.accessKeyId, nowMs) };
  }

  /** A key that nobody knows has a signing key too, so that it takes as long to refuse. */
  #signingKey(
    scope: CredentialScope,
    sessionToken: string | null,
  ): { readonly signingKey: Buffer; readonly principal: Principal | null } {
    const credential = this.#credentials.lookup(scope.accessKeyId, sessionToken);
    if (credential === null) {
      const signingKey = this.#signingKeys.get(NO_SECRET, { ...scope, accessKeyId: '' });
      return { signingKey, principal: null };
    }
    const { secretKey, principal } = credential;
    return { signingKey: this.#signingKeys.get(secretKey, scope), principal };
  }

  #authenticateV2(
    head: RequestHead,
    mechanism: AuthMechanism,
    nowMs: number,
  ): AuthenticatedRequest {
    if (!this.#allowsSignatureV2) throw unsupportedMechanism();
    const signed = parseSignatureV2(head, mechanism, nowMs);
    const { accessKeyId } = signed;
    const payload = unchainedPayload(head);
    const credential = this.#credentials.lookup(accessKeyId, sessionTokenOf(mechanism, head));
    if (!isSignatureV2(signed, head, credential?.secretKey ?? NO_SECRET) && credential !== null) {
      const text = stringToSignV2(signed, head);
      throw new S3Error('SignatureDoesNotMatch', {
        AWSAccessKeyId: accessKeyId,
        StringToSign: text,
        SignatureProvided: signed.signature,
        StringToSignBytes: hexBytes(text),
      });
    }
    return {
      principal: requireCurrent(credential?.principal ?? null, accessKeyId, nowMs),
      payload,
      chunkSignatures: null,
      signature: {
        version: 'AWS',
        type: mechanism === 'header' ? 'REST-HEADER' : 'REST-QUERY-STRING',
        ageMs: signed.timestampMs === null ? 0 : nowMs - signed.timestampMs,
        contentSha256: head.headers.get('x-amz-content-sha256') ?? UNSIGNED,
      },
    };
  }
}

function anonymousRequest(head: RequestHead): AuthenticatedRequest {
  return {
    principal: ANONYMOUS,
    payload: unchainedPayload(head),
    chunkSignatures: null,
    signature: null,
  };
}

/** How a body is protected where no signature could start a chain of chunks. */
function unchainedPayload({ headers }: RequestHead): PayloadMode {
  const payload = parsePayloadMode(headers.get('x-amz-content-sha256') ?? UNSIGNED);
  if (payload.kind === 'chunked' && payload.isSigned) {
    throw invalidRequest('Signed chunks need an AWS4-HMAC-SHA256 signature of the request.');
  }
  return payload;
}

function unknownKey(accessKeyId: string): S3Error {
  return new S3Error('InvalidAccessKeyId', { AWSAccessKeyId: accessKeyId });
}

function requireCurrent(
  principal: Principal | null,
  accessKeyId: string,
  nowMs: number,
): Principal {
  if (principal === null) throw unknownKey(accessKeyId);
  if (principal.session !== null && nowMs >= principal.session.expiresMs) {
    throw new S3Error('ExpiredToken');
  }
  return principal;
}

/** What is in the header is signed with the other headers, what is in the query with the query. */
function sessionTokenOf(mechanism: AuthMechanism, { headers, query }: RequestHead): string | null {
  const inHeader = headers.get('x-amz-security-token');
  const inQuery = query.get('X-Amz-Security-Token') ?? query.get('x-amz-security-token');
  if (inHeader !== undefined && inQuery !== undefined) throw new S3Error('InvalidToken');
  if (mechanism === 'header' && inQuery !== undefined) throw new S3Error('InvalidToken');
  return inHeader ?? inQuery ?? null;
}

/** What stands for the body in the canonical request. */
function payloadHashOf(mechanism: AuthMechanism, head: RequestHead): string {
  const fromHeader = head.headers.get('x-amz-content-sha256');
  if (mechanism === 'query') {
    return fromHeader ?? head.query.get('X-Amz-Content-Sha256') ?? UNSIGNED;
  }
  if (fromHeader === undefined) {
    throw invalidRequest('Missing required header for this request: x-amz-content-sha256');
  }
  return fromHeader;
}

function requireSignature(
  signed: SignedRequest,
  canonical: string,
  key: { readonly signingKey: Buffer; readonly isKeyKnown: boolean },
): void {
  const text = stringToSign(signed.timestamp, scopeText(signed.scope), canonical);
  if (isSignature(sign(key.signingKey, text), signed.signatureHex)) return;
  if (/[\u0080-\u00ff]/.test(canonical)) {
    // Node and Python send a text as ISO 8859-1 after their SDKs have signed it as UTF-8, which is
    // how AWS reads it. The same bytes are signed under either name.
    const asUtf8 = Buffer.from(canonical, 'utf8').toString('latin1');
    const other = stringToSign(signed.timestamp, scopeText(signed.scope), asUtf8);
    if (isSignature(sign(key.signingKey, other), signed.signatureHex)) return;
  }
  if (!key.isKeyKnown) throw unknownKey(signed.scope.accessKeyId);
  throw new S3Error('SignatureDoesNotMatch', {
    AWSAccessKeyId: signed.scope.accessKeyId,
    StringToSign: text,
    SignatureProvided: signed.signatureHex,
    StringToSignBytes: hexBytes(text),
    CanonicalRequest: canonical,
    CanonicalRequestBytes: hexBytes(canonical),
  });
}
