import { createCipheriv, createDecipheriv } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';

import type { Random } from '@azimuth/common';
import { assert } from '@azimuth/common';
import type { TokenKeyRecord } from '@azimuth/proto';
import { z } from 'zod';

import { S3Error } from '../s3/s3-error';

/**
 * Temporary credentials carry everything about themselves in their token, sealed with AES-256-GCM:
 *
 *     version (1) | key id (8) | nonce (12) | ciphertext | tag (16)    in base64url
 *
 * The version, the key id and the access key id are authenticated with it, so a token is good for
 * its own access key only, and no bit of it can be changed (CVE-2026-39944 was a token that was
 * encrypted and not authenticated). A token without an expiry cannot be made, nor opened.
 */
const VERSION = 1;
const KEY_ID_BYTES = 8;
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEADER_BYTES = 1 + KEY_ID_BYTES;
/** What a header section may hold (G-13) leaves no room for more. */
const TOKEN_LENGTH_MAX = 8 * 1024;
const CONTENT_BYTES_MAX = 64 * 1024;

const contentSchema = z.object({
  secretKey: z.string().min(1),
  accountId: z.string().min(1),
  kind: z.enum(['root', 'user', 'assumed-role']),
  /** Of the user or the role; null for root. */
  name: z.string().nullable(),
  /** `AIDA…` or `AROA…`: another one of the same name is somebody else. */
  entityId: z.string().nullable(),
  /** RoleSessionName. */
  sessionName: z.string().nullable(),
  issuedMs: z.number().int().positive(),
  expiresMs: z.number().int().positive(),
  /** Policies that narrow the session: documents, and managed policies by ARN. */
  policies: z.array(z.string()),
  policyArns: z.array(z.string()),
  claims: z.record(z.string(), z.string()),
});

/** What a token says. */
export type SessionContent = Readonly<z.infer<typeof contentSchema>>;

export function makeTokenKey(random: Random, nowMs: number): TokenKeyRecord {
  return {
    keyId: random.bytes(KEY_ID_BYTES).toString('hex'),
    secret: random.bytes(KEY_BYTES).toString('base64'),
    createdMs: nowMs,
  };
}

/** Null when the content does not fit a token: its policies are too large. */
export function sealSessionToken(
  key: TokenKeyRecord,
  accessKeyId: string,
  content: SessionContent,
  random: Random,
): string | null {
  const header = Buffer.concat([Buffer.of(VERSION), Buffer.from(key.keyId, 'hex')]);
  assert(header.length === HEADER_BYTES, 'a token key with an id of another length');
  const nonce = random.bytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', Buffer.from(key.secret, 'base64'), nonce);
  cipher.setAAD(Buffer.concat([header, Buffer.from(accessKeyId, 'utf8')]));
  const plain = Buffer.from(JSON.stringify(contentSchema.parse(content)), 'utf8');
  if (plain.length > CONTENT_BYTES_MAX) return null;
  const sealed = Buffer.concat([cipher.update(deflateRawSync(plain)), cipher.final()]);
  const token = Buffer.concat([header, nonce, sealed, cipher.getAuthTag()]).toString('base64url');
  return token.length > TOKEN_LENGTH_MAX ? null : token;
}

/**
 * @param keyOf the token key of an id; null when there is none.
 * @throws S3Error InvalidToken for anything but a token that was sealed here for this access key.
 */
export function openSessionToken(
  token: string,
  accessKeyId: string,
  keyOf: (keyId: string) => TokenKeyRecord | null,
): SessionContent {
  const bytes = decodeToken(token);
  const header = bytes.subarray(0, HEADER_BYTES);
  const key = header[0] === VERSION ? keyOf(header.subarray(1).toString('hex')) : null;
  if (key === null) throw invalidToken();
  const nonceEnd = HEADER_BYTES + NONCE_BYTES;
  const nonce = bytes.subarray(HEADER_BYTES, nonceEnd);
  const sealed = bytes.subarray(nonceEnd, -TAG_BYTES);
  const secret = Buffer.from(key.secret, 'base64');
  const decipher = createDecipheriv('aes-256-gcm', secret, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.concat([header, Buffer.from(accessKeyId, 'utf8')]));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  let plain: Buffer;
  try {
    plain = Buffer.concat([decipher.update(sealed), decipher.final()]);
  } catch (error) {
    throw invalidToken(error);
  }
  // From here on it is something that a gateway of this cluster has written.
  const content = inflateRawSync(plain, { maxOutputLength: CONTENT_BYTES_MAX }).toString('utf8');
  const parsed = contentSchema.safeParse(JSON.parse(content));
  if (!parsed.success) throw invalidToken(parsed.error);
  return parsed.data;
}

function decodeToken(token: string): Buffer {
  if (token.length > TOKEN_LENGTH_MAX) throw invalidToken();
  const bytes = Buffer.from(token, 'base64url');
  // Node decodes what is not base64url too: one token must have one text.
  if (bytes.toString('base64url') !== token) throw invalidToken();
  if (bytes.length <= HEADER_BYTES + NONCE_BYTES + TAG_BYTES) throw invalidToken();
  return bytes;
}

function invalidToken(cause?: unknown): S3Error {
  return new S3Error('InvalidToken', {}, { cause });
}
