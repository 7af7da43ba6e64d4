import { StoreError } from '@azimuth/common';
import type { Random } from '@azimuth/common';

export interface RootCredentials {
  readonly accessKey: string;
  readonly secretKey: string;
}

const SECRET_LENGTH_MIN = 8;
const ACCESS_KEY_PATTERN = /^[A-Za-z0-9]{3,128}$/;
const SECRET_PATTERN = /^[\x21-\x7e]+$/;
const ACCESS_KEY_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** Secrets that every scanner tries first. Compared without case. */
const WELL_KNOWN_SECRETS = new Set([
  'minioadmin',
  'minio123',
  'miniosecret',
  'admin123',
  'administrator',
  'password',
  'password1',
  'password123',
  'passw0rd',
  'changeme',
  'changeit',
  'rustfsadmin',
  'seaweedfs',
  'azimuth1',
  'azimuthadmin',
  'secretkey',
  'secret-key',
  'secret123',
  'accesskey',
  '12345678',
  '123456789',
  '1234567890',
  'qwertyui',
  'letmein1',
  'test1234',
  'testtest',
  // From the AWS documentation.
  'wjalrxutnfemi/k7mdeng/bpxrficyexamplekey',
]);

export function generateCredentials(random: Random): RootCredentials {
  const accessKey = Array.from(
    { length: 18 },
    () => ACCESS_KEY_ALPHABET[random.below(ACCESS_KEY_ALPHABET.length)],
  ).join('');
  return { accessKey: `AZ${accessKey}`, secretKey: random.bytes(30).toString('base64url') };
}

/**
 * @throws StoreError INVALID_ARGUMENT for credentials that anybody could guess; never says them.
 */
export function checkCredentials(credentials: RootCredentials): RootCredentials {
  const refuse = (reason: string): never => {
    throw new StoreError('INVALID_ARGUMENT', { credentials: reason });
  };
  const { accessKey, secretKey } = credentials;
  if (!ACCESS_KEY_PATTERN.test(accessKey)) refuse('access key: 3 to 128 letters and digits');
  if (secretKey.length < SECRET_LENGTH_MIN)
    refuse(`secret key: at least ${SECRET_LENGTH_MIN} characters`);
  if (!SECRET_PATTERN.test(secretKey)) refuse('secret key: visible ASCII characters only');
  if (WELL_KNOWN_SECRETS.has(secretKey.toLowerCase())) refuse('secret key: a well-known secret');
  if (new Set(secretKey).size < 4) refuse('secret key: too uniform');
  if (secretKey.toLowerCase() === accessKey.toLowerCase()) refuse('secret key equals access key');
  return credentials;
}
