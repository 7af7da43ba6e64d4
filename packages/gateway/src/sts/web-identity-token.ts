import { verify } from 'node:crypto';

import { z } from 'zod';

import { QueryError } from '../query/query-error';
import type { TokenKey } from './json-web-keys';

/** An identity provider whose tokens are accepted, as the operator configured it. */
export interface TokenIssuer {
  /** `https://idp.example.com/realm`, exactly as in `iss`. */
  readonly issuer: string;
  readonly clientIds: readonly string[];
  readonly keys: readonly TokenKey[];
}

/** What a verified token says. */
export interface WebIdentity {
  readonly issuer: string;
  readonly subject: string;
  /** The client that the token was made for: one of the issuer's `clientIds`. */
  readonly audience: string;
  readonly expiresMs: number;
}

const TOKEN_LENGTH_MAX = 20_000;
/** For clocks of providers that are ahead; an expiry has none. */
const CLOCK_SKEW_SECONDS_MAX = 60;

const headerSchema = z.looseObject({
  alg: z.string(),
  kid: z.string().optional(),
  crit: z.unknown().optional(),
});
const payloadSchema = z.looseObject({
  iss: z.string().min(1),
  sub: z.string().min(1).max(255),
  aud: z.union([z.string(), z.array(z.string()).min(1)]),
  azp: z.string().optional(),
  exp: z.number().int().positive(),
  nbf: z.number().optional(),
  iat: z.number().optional(),
});

/**
 * Verifies an OpenID Connect token (RFC 7519). Who may have signed it, and how, is decided by the
 * configured issuer: the token's own `alg` only says which of the issuer's keys to try, and neither
 * `jku` nor `jwk` is ever looked at.
 *
 * @throws QueryError InvalidIdentityToken, ExpiredTokenException
 */
export function verifyWebIdentityToken(
  token: string,
  issuers: readonly TokenIssuer[],
  nowMs: number,
): WebIdentity {
  if (token.length > TOKEN_LENGTH_MAX) throw refused('The token is too long.');
  const parts = token.split('.');
  const [headerText, payloadText, signatureText] = parts;
  if (
    parts.length !== 3 ||
    headerText === undefined ||
    payloadText === undefined ||
    signatureText === undefined
  ) {
    throw refused('The ID Token provided is not a valid JWT.');
  }
  const header = parsePart(headerText, headerSchema);
  const payload = parsePart(payloadText, payloadSchema);
  const signature = decodePart(signatureText);
  // An extension that must be understood, and is not (RFC 7515, 4.1.11).
  if (header.crit !== undefined) throw refused('The token needs an unknown extension.');
  const issuer = issuers.find((each) => each.issuer === payload.iss);
  if (issuer === undefined) {
    throw refused('No OpenIDConnect provider found in your account for the issuer of the token.');
  }
  const signed = Buffer.from(`${headerText}.${payloadText}`, 'ascii');
  if (!keysFor(header, issuer).some((key) => isSigned(key, signed, signature))) {
    throw refused("Couldn't verify the signature of the token.");
  }
  const audience = audienceOf(payload, issuer);
  requireTime(payload, nowMs);
  return {
    issuer: issuer.issuer,
    subject: payload.sub,
    audience,
    expiresMs: payload.exp * 1000,
  };
}

/** A key that is named must be the one; a token without a name may be signed by any. */
function keysFor(
  { alg, kid }: z.infer<typeof headerSchema>,
  { keys }: TokenIssuer,
): readonly TokenKey[] {
  return keys.filter(
    ({ algorithm, keyId }) => algorithm === alg && (kid === undefined || keyId === kid),
  );
}

function isSigned({ algorithm, key }: TokenKey, signed: Buffer, signature: Buffer): boolean {
  return algorithm === 'RS256'
    ? verify('RSA-SHA256', signed, key, signature)
    : verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, signature);
}

function audienceOf(
  { aud, azp }: z.infer<typeof payloadSchema>,
  { clientIds }: TokenIssuer,
): string {
  const audiences = typeof aud === 'string' ? [aud] : aud;
  const audience = audiences.find((each) => clientIds.includes(each));
  const isForUs = azp === undefined || clientIds.includes(azp);
  if (audience !== undefined && isForUs) return audience;
  throw refused('Incorrect token audience');
}

function requireTime({ exp, nbf, iat }: z.infer<typeof payloadSchema>, nowMs: number): void {
  const nowSeconds = nowMs / 1000;
  if (nowSeconds >= exp) {
    throw new QueryError(
      'ExpiredTokenException',
      `Token expired: current date/time must be before the expiration date/time`,
    );
  }
  for (const start of [nbf, iat]) {
    if (start !== undefined && start > nowSeconds + CLOCK_SKEW_SECONDS_MAX) {
      throw refused('The token is not valid yet.');
    }
  }
}

function parsePart<Schema extends z.ZodType>(text: string, schema: Schema): z.infer<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(decodePart(text).toString('utf8'));
  } catch (error) {
    throw refused('The ID Token provided is not a valid JWT.', error);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw refused('Missing a required claim, or one of another type.');
  return parsed.data;
}

/** Node decodes what is not base64url too: one token must have one text. */
function decodePart(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.toString('base64url') !== text) {
    throw refused('The ID Token provided is not a valid JWT.');
  }
  return bytes;
}

function refused(message: string, cause?: unknown): QueryError {
  return new QueryError('InvalidIdentityToken', message, cause);
}
