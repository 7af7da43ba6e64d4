import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

import { parseJsonWebKeys } from '../../src/sts/json-web-keys';
import { verifyWebIdentityToken } from '../../src/sts/web-identity-token';
import type { TokenIssuer } from '../../src/sts/web-identity-token';

/** Table row 39: tokens that prove nothing, each of which some other store has believed. */
const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const NOW_S = NOW / 1000;
const ISSUER = 'https://idp.example.com/realm';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });

const jwkOf = (key: KeyObject, more: object): object => ({
  ...key.export({ format: 'jwk' }),
  ...more,
});
const KEYS = {
  keys: [jwkOf(rsa.publicKey, { kid: 'r', use: 'sig' }), jwkOf(ec.publicKey, { kid: 'e' })],
};
const ISSUERS: readonly TokenIssuer[] = [
  { issuer: ISSUER, clientIds: ['azimuth', 'cli'], keys: parseJsonWebKeys(KEYS) },
  {
    issuer: 'https://other.example.com',
    clientIds: ['azimuth'],
    keys: parseJsonWebKeys({ keys: [jwkOf(stranger.publicKey, { kid: 's' })] }),
  },
];

type Json = Readonly<Record<string, unknown>>;
const CLAIMS: Json = { iss: ISSUER, sub: 'alice', aud: 'azimuth', exp: NOW_S + 60, iat: NOW_S };

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function signed(header: Json, claims: Json, key: KeyObject): string {
  const text = `${part(header)}.${part(claims)}`;
  const bytes = Buffer.from(text);
  const signature =
    key.asymmetricKeyType === 'ec'
      ? sign('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' })
      : sign('RSA-SHA256', bytes, key);
  return `${text}.${signature.toString('base64url')}`;
}

const rs256 = (claims: Json = CLAIMS, header: Json = {}): string =>
  signed({ alg: 'RS256', kid: 'r', ...header }, claims, rsa.privateKey);

function outcome(token: string): string {
  try {
    const { subject, audience } = verifyWebIdentityToken(token, ISSUERS, NOW);
    return `${subject} for ${audience}`;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return String(error.code);
    throw error;
  }
}

/** As an attacker would, who has the public key and a library that takes it for a secret. */
function hmacSigned(secret: string | Buffer): string {
  const text = `${part({ alg: 'HS256', kid: 'r' })}.${part(CLAIMS)}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

function without(claim: string): Json {
  return Object.fromEntries(Object.entries(CLAIMS).filter(([name]) => name !== claim));
}

describe('web identity tokens (table row 39)', () => {
  it.each<[string, string, string]>([
    ['RS256', rs256(), 'alice for azimuth'],
    ['ES256', signed({ alg: 'ES256', kid: 'e' }, CLAIMS, ec.privateKey), 'alice for azimuth'],
    ['a key without a name in the token', rs256(CLAIMS, { kid: undefined }), 'alice for azimuth'],
    ['one audience of several', rs256({ ...CLAIMS, aud: ['x', 'cli'] }), 'alice for cli'],
    ['an authorized party', rs256({ ...CLAIMS, azp: 'cli' }), 'alice for azimuth'],
    ['the last second', rs256({ ...CLAIMS, exp: NOW_S + 1 }), 'alice for azimuth'],
  ])('accepts %s', (_name, token, expected) => {
    expect(outcome(token)).toBe(expected);
  });

  const [header, payload, signature] = rs256().split('.') as [string, string, string];
  const pem = rsa.publicKey.export({ type: 'spki', format: 'pem' });

  it.each<[string, string]>([
    ['alg none, unsigned', `${part({ alg: 'none' })}.${payload}.`],
    ['alg none, with a signature', `${part({ alg: 'none', kid: 'r' })}.${payload}.${signature}`],
    ['alg NONE', `${part({ alg: 'NONE' })}.${payload}.`],
    ['no alg', `${part({ kid: 'r' })}.${payload}.${signature}`],
    ['HS256 with the public key as its secret', hmacSigned(pem)],
    [
      'HS256 with the modulus as its secret',
      hmacSigned(String(rsa.publicKey.export({ format: 'jwk' }).n)),
    ],
    ['HS256 with an empty secret', hmacSigned('')],
    ['RS256 under the name of an EC key', rs256(CLAIMS, { kid: 'e' })],
    ['ES256 said of an RSA signature', rs256(CLAIMS, { alg: 'ES256' })],
    ['PS256', rs256(CLAIMS, { alg: 'PS256' })],
    ['RS512', rs256(CLAIMS, { alg: 'RS512' })],
    ['an unknown key', rs256(CLAIMS, { kid: 'x' })],
    [
      'a key of its own',
      signed({ alg: 'RS256', jwk: jwkOf(stranger.publicKey, {}) }, CLAIMS, stranger.privateKey),
    ],
    [
      'a key from a URL',
      signed({ alg: 'RS256', jku: 'https://evil.example.com' }, CLAIMS, stranger.privateKey),
    ],
    ['the key of another issuer', signed({ alg: 'RS256', kid: 's' }, CLAIMS, stranger.privateKey)],
    ['another issuer', rs256({ ...CLAIMS, iss: 'https://evil.example.com' })],
    ['the issuer of another key', rs256({ ...CLAIMS, iss: 'https://other.example.com' })],
    ['the issuer with a slash', rs256({ ...CLAIMS, iss: `${ISSUER}/` })],
    ['no issuer', rs256(without('iss'))],
    ['no subject', rs256(without('sub'))],
    ['no audience', rs256(without('aud'))],
    ['no expiry', rs256(without('exp'))],
    ['an expiry that is text', rs256({ ...CLAIMS, exp: String(NOW_S + 60) })],
    [
      'an endless expiry',
      `${header}.${Buffer.from(JSON.stringify(CLAIMS).replace(/"exp":\d+/, '"exp":1e999')).toString('base64url')}.${signature}`,
    ],
    ['another audience', rs256({ ...CLAIMS, aud: 'somebody-else' })],
    ['an empty audience', rs256({ ...CLAIMS, aud: [] })],
    ['another authorized party', rs256({ ...CLAIMS, azp: 'somebody-else' })],
    ['not before later', rs256({ ...CLAIMS, nbf: NOW_S + 61 })],
    ['issued later', rs256({ ...CLAIMS, iat: NOW_S + 61 })],
    ['an extension that must be understood', rs256(CLAIMS, { crit: ['exp'] })],
    ['a changed payload', `${header}.${part({ ...CLAIMS, sub: 'root' })}.${signature}`],
    ['a changed header', `${part({ alg: 'RS256', kid: 'r', x: 1 })}.${payload}.${signature}`],
    ['a cut signature', `${header}.${payload}.${signature.slice(0, -4)}`],
    ['no signature', `${header}.${payload}.`],
    ['two parts', `${header}.${payload}`],
    ['four parts', `${rs256()}.x`],
    ['padding', `${rs256()}==`],
    [
      'a payload that is no object',
      signed({ alg: 'RS256', kid: 'r' }, [] as unknown as Json, rsa.privateKey),
    ],
    ['nothing', ''],
    ['far too much', 'a.'.repeat(20_000)],
  ])('refuses %s', (_name, token) => {
    expect(outcome(token)).toBe('InvalidIdentityToken');
  });

  it('refuses what is expired, to the second', () => {
    expect(outcome(rs256({ ...CLAIMS, exp: NOW_S }))).toBe('ExpiredTokenException');
    expect(outcome(rs256({ ...CLAIMS, exp: 1 }))).toBe('ExpiredTokenException');
  });
});

describe('keys of issuers', () => {
  const small = generateKeyPairSync('rsa', { modulusLength: 1024 });

  it.each<[string, unknown]>([
    ['no set', {}],
    ['no keys', { keys: [] }],
    ['a secret', { keys: [{ kty: 'oct', k: 'c2VjcmV0', kid: 'h' }] }],
    ['a key for encryption', { keys: [jwkOf(rsa.publicKey, { use: 'enc' })] }],
    ['a key for HS256', { keys: [jwkOf(rsa.publicKey, { alg: 'HS256' })] }],
    ['1,024 bits', { keys: [jwkOf(small.publicKey, {})] }],
    ['half a key', { keys: [{ kty: 'RSA', n: 'AQAB' }] }],
    ['another curve', { keys: [{ kty: 'EC', crv: 'P-521', x: 'AA', y: 'AA' }] }],
  ])('refuses %s', (_name, set) => {
    expect(() => parseJsonWebKeys(set)).toThrow('INVALID_ARGUMENT');
  });

  it('takes no private part in', () => {
    const [key] = parseJsonWebKeys({ keys: [jwkOf(rsa.privateKey, { kid: 'p' })] });

    expect(key?.key.type).toBe('public');
  });
});
