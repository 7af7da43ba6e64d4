import { createPublicKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

import { StoreError } from '@azimuth/common';
import { z } from 'zod';

const KEYS_MAX = 64;
const RSA_BITS_MIN = 2_048;

/** What a token may be signed with. `none` and HMAC are no way to prove who issued it. */
export type TokenAlgorithm = 'RS256' | 'ES256';

/** A public key of an issuer, good for one algorithm. */
export interface TokenKey {
  /** Null for a key without a name. */
  readonly keyId: string | null;
  readonly algorithm: TokenAlgorithm;
  readonly key: KeyObject;
}

const text = z.string().min(1);
const rsaKey = z.object({ kty: z.literal('RSA'), n: text, e: text });
const ecKey = z.object({ kty: z.literal('EC'), crv: z.literal('P-256'), x: text, y: text });
const keySchema = z.looseObject({
  kty: text,
  kid: text.optional(),
  use: text.optional(),
  alg: text.optional(),
});
const jsonWebKeySetSchema = z.looseObject({ keys: z.array(keySchema).max(KEYS_MAX) });

/**
 * The keys of a set (RFC 7517) that tokens are verified with; those of other kinds are left out.
 *
 * @throws StoreError INVALID_ARGUMENT when it is no key set, or none of its keys can be used.
 */
export function parseJsonWebKeys(document: unknown): readonly TokenKey[] {
  const parsed = jsonWebKeySetSchema.safeParse(document);
  if (!parsed.success) throw new StoreError('INVALID_ARGUMENT', { jwks: 'not a JSON Web Key Set' });
  const keys = parsed.data.keys.flatMap((each) => {
    if (each.use !== undefined && each.use !== 'sig') return [];
    const algorithm = algorithmOf(each);
    if (algorithm === null) return [];
    return [{ keyId: each.kid ?? null, algorithm, key: publicKeyOf(each) }];
  });
  if (keys.length === 0) {
    throw new StoreError('INVALID_ARGUMENT', { jwks: 'no RS256 or ES256 key for signatures' });
  }
  return keys;
}

/** The one algorithm of a key, which its owner has chosen and not the token. */
function algorithmOf(key: z.infer<typeof keySchema>): TokenAlgorithm | null {
  const algorithm = key.kty === 'RSA' ? 'RS256' : key.kty === 'EC' ? 'ES256' : null;
  return key.alg === undefined || key.alg === algorithm ? algorithm : null;
}

function publicKeyOf(key: z.infer<typeof keySchema>): KeyObject {
  const fields = key.kty === 'RSA' ? rsaKey.safeParse(key) : ecKey.safeParse(key);
  if (!fields.success) {
    throw new StoreError('INVALID_ARGUMENT', { jwks: 'a key is malformed', kid: key.kid ?? '' });
  }
  let publicKey: KeyObject;
  try {
    // Only the public fields: a private key among them must not be taken in.
    publicKey = createPublicKey({ key: { ...fields.data }, format: 'jwk' });
  } catch (error) {
    throw new StoreError('INVALID_ARGUMENT', { jwks: 'a key is malformed' }, error);
  }
  const bits = publicKey.asymmetricKeyDetails?.modulusLength;
  if (bits !== undefined && bits < RSA_BITS_MIN) {
    throw new StoreError('INVALID_ARGUMENT', {
      jwks: `RSA keys have ${RSA_BITS_MIN} bits or more`,
    });
  }
  return publicKey;
}
