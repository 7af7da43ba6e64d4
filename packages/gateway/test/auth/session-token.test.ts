import { seededRandom } from '@azimuth/common';

import { makeTokenKey, openSessionToken, sealSessionToken } from '../../src/auth/session-token';
import type { SessionContent } from '../../src/auth/session-token';
import { S3Error } from '../../src/s3/s3-error';
import { planTokenKey } from '../../src/sts/session-issuer';
import { identitiesOf } from '../support/identities';

const random = seededRandom(7);
const NOW = Date.UTC(2026, 0, 2);
const KEY = makeTokenKey(random, NOW);
const OTHER = makeTokenKey(random, NOW);
const DAY_MS = 24 * 3_600_000;

const CONTENT: SessionContent = {
  secretKey: 'canary secret of a session',
  accountId: '123456789012',
  kind: 'user',
  name: 'alice',
  entityId: 'AIDAALICE',
  sessionName: null,
  issuedMs: NOW,
  expiresMs: NOW + 3_600_000,
  policies: ['{"Version":"2012-10-17"}'],
  policyArns: [],
  claims: { 'idp.example.com:sub': 'x' },
};

const keyOf = (keyId: string): typeof KEY | null => (keyId === KEY.keyId ? KEY : null);

function seal(content = CONTENT, accessKeyId = 'ASIATEST'): string {
  const token = sealSessionToken(KEY, accessKeyId, content, random);
  if (token === null) throw new Error('too large');
  return token;
}

function refusalOf(token: string, accessKeyId = 'ASIATEST', keys = keyOf): string {
  try {
    openSessionToken(token, accessKeyId, keys);
    return 'it was opened';
  } catch (error) {
    if (error instanceof S3Error) return error.code;
    throw error;
  }
}

describe('session tokens (P-12)', () => {
  it('open for the key that they were made for', () => {
    expect(openSessionToken(seal(), 'ASIATEST', keyOf)).toEqual(CONTENT);
  });

  it('show nothing of what they hold, and are never the same twice', () => {
    const [a, b] = [seal(), seal()];

    expect(a).not.toBe(b);
    const bytes = Buffer.from(a, 'base64url').toString('latin1');
    expect(bytes).not.toContain('alice');
    expect(bytes).not.toContain(CONTENT.secretKey);
  });

  it('do not open after any bit of them was flipped (CVE-2026-39944)', () => {
    const token = seal();
    const bytes = Buffer.from(token, 'base64url');
    const opened: number[] = [];
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      if (refusalOf(changed.toString('base64url')) !== 'InvalidToken') opened.push(bit);
    }
    expect(opened).toEqual([]);
  });

  it('do not open after any letter of them was changed', () => {
    const token = seal();
    for (let at = 0; at < token.length; at += 1) {
      const letter = token[at] === 'A' ? 'B' : 'A';
      expect(refusalOf(`${token.slice(0, at)}${letter}${token.slice(at + 1)}`)).toBe(
        'InvalidToken',
      );
    }
  });

  it('do not open when they are cut or longer', () => {
    const token = seal();
    for (let length = 0; length < token.length; length += 1) {
      expect(refusalOf(token.slice(0, length))).toBe('InvalidToken');
    }
    for (const more of ['A', '=', '==', ' ', token, '\n']) {
      expect(refusalOf(token + more)).toBe('InvalidToken');
    }
    expect(refusalOf('A'.repeat(1_000_000))).toBe('InvalidToken');
  });

  it('do not open for another access key, or under another token key', () => {
    expect(refusalOf(seal(), 'ASIATEST2')).toBe('InvalidToken');
    expect(refusalOf(seal(), '')).toBe('InvalidToken');
    expect(refusalOf(seal(), 'ASIATEST', () => null)).toBe('InvalidToken');
    expect(refusalOf(seal(), 'ASIATEST', () => OTHER)).toBe('InvalidToken');
  });

  it('cannot be made without an expiry', () => {
    const rest = { ...CONTENT, expiresMs: undefined } as unknown as SessionContent;
    expect(() => seal(rest)).toThrow();
  });

  it('are refused when their policies do not fit', () => {
    const policies = [random.bytes(20_000).toString('hex')];
    expect(sealSessionToken(KEY, 'ASIATEST', { ...CONTENT, policies }, random)).toBeNull();
  });
});

describe('token keys', () => {
  it('are made once, and then used for 30 days', () => {
    const none = planTokenKey(identitiesOf([]), NOW, random);
    const known = identitiesOf(none.changes);

    expect(none.changes).toHaveLength(1);
    expect(planTokenKey(known, NOW + 30 * DAY_MS - 1, random)).toEqual({
      key: none.key,
      changes: [],
    });
  });

  it('are replaced afterwards, and kept until no token of theirs can be valid', () => {
    const first = planTokenKey(identitiesOf([]), NOW, random);
    const second = planTokenKey(identitiesOf(first.changes), NOW + 31 * DAY_MS, random);
    const both = [...first.changes, ...second.changes];
    const third = planTokenKey(identitiesOf(both), NOW + 62 * DAY_MS, random);

    expect(second.key.keyId).not.toBe(first.key.keyId);
    expect(second.changes).toHaveLength(1);
    expect(third.changes.find(({ record }) => record === null)?.name).toBe(first.key.keyId);
  });
});
