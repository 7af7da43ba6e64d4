import type { IdentitySnapshot } from '@azimuth/clients';
import type { Random } from '@azimuth/common';
import type { IdentityChange, TokenKeyRecord } from '@azimuth/proto';

import { makeTokenKey, sealSessionToken } from '../auth/session-token';
import type { SessionContent } from '../auth/session-token';
import { randomLetters } from '../iam/iam-action';
import type { IdentityCommitter } from '../iam/identity-committer';
import { QueryError } from '../query/query-error';

const DAY_MS = 24 * 3_600 * 1_000;
/** A key seals for so long; then the next session makes another. */
const KEY_AGE_MS_MAX = 30 * DAY_MS;
/** By then every token that a key has sealed is expired: sessions last 36 hours at most. */
const KEY_KEPT_MS = KEY_AGE_MS_MAX + 2 * DAY_MS;
const ID_RANDOM_LENGTH = 16;
const SECRET_BYTES = 30;

export interface SessionIssuerOptions {
  readonly committer: IdentityCommitter;
  readonly random: Random;
}

/** Temporary credentials, as their owner gets them. */
export interface SessionCredentials {
  readonly accessKeyId: string;
  readonly secretKey: string;
  readonly sessionToken: string;
  readonly expiresMs: number;
}

/** Whose session it is, and what it may do. */
export type SessionRequest = Omit<SessionContent, 'secretKey' | 'issuedMs' | 'expiresMs'> & {
  readonly nowMs: number;
  readonly durationSeconds: number;
};

/**
 * Makes temporary credentials; nothing of them is stored but the key that seals them.
 *
 * @throws QueryError PackedPolicyTooLarge; StoreError when a first key cannot be committed.
 */
export async function issueSession(
  request: SessionRequest,
  options: SessionIssuerOptions,
  signal: AbortSignal,
): Promise<SessionCredentials> {
  const { random } = options;
  const { nowMs, durationSeconds, ...content } = request;
  const { key } = await options.committer.commit(
    (snapshot) => planTokenKey(snapshot, nowMs, random),
    signal,
  );
  const accessKeyId = `ASIA${randomLetters(random, ID_RANDOM_LENGTH)}`;
  const secretKey = random.bytes(SECRET_BYTES).toString('base64');
  // Clients are told whole seconds.
  const expiresMs = Math.floor(nowMs / 1000) * 1000 + durationSeconds * 1000;
  const sessionToken = sealSessionToken(
    key,
    accessKeyId,
    { ...content, secretKey, issuedMs: nowMs, expiresMs },
    random,
  );
  if (sessionToken === null) throw new QueryError('PackedPolicyTooLarge');
  return { accessKeyId, secretKey, sessionToken, expiresMs };
}

/** The newest key, or a new one when there is none or it is old; keys without tokens go. */
export function planTokenKey(
  snapshot: IdentitySnapshot,
  nowMs: number,
  random: Random,
): { readonly key: TokenKeyRecord; readonly changes: readonly IdentityChange[] } {
  const keys = [...snapshot.list('token-key', '')].sort((a, b) => b.createdMs - a.createdMs);
  const [newest] = keys;
  if (newest !== undefined && nowMs - newest.createdMs < KEY_AGE_MS_MAX) {
    return { key: newest, changes: [] };
  }
  const key = makeTokenKey(random, nowMs);
  const changes: IdentityChange[] = [{ kind: 'token-key', name: key.keyId, record: key }];
  for (const { keyId, createdMs } of keys) {
    if (nowMs - createdMs > KEY_KEPT_MS) {
      changes.push({ kind: 'token-key', name: keyId, record: null });
    }
  }
  return { key, changes };
}
