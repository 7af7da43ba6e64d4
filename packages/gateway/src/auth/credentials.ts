import { createHash } from 'node:crypto';

import { StoreError } from '@azimuth/common';

import { S3Error } from '../s3/s3-error';
import type { Principal } from './principal';
import { rootOfAccount } from './principal';

export interface Credential {
  readonly accessKeyId: string;
  readonly secretKey: string;
  readonly principal: Principal;
}

export interface CredentialStore {
  /**
   * Null when there is no such key, or it is not active.
   *
   * @param sessionToken what came with the request; null when nothing did.
   * @throws S3Error InvalidToken when the token does not belong to the key.
   */
  lookup(accessKeyId: string, sessionToken: string | null): Credential | null;
}

const ACCOUNT_ID_DIGITS = 12;
const ACCESS_KEY_LENGTH_MIN = 8;
const SECRET_KEY_LENGTH_MIN = 16;
const SECRET_KEY_CHARACTERS_MIN = 6;

/** From the manuals of this and other stores: the first that an attacker tries. */
const WELL_KNOWN_SECRETS: ReadonlySet<string> = new Set([
  'minioadmin',
  'minioadminminioadmin',
  'minio123',
  'rustfsadmin',
  'rustfsadminrustfsadmin',
  'azimuthadmin',
  'azimuthadminazimuthadmin',
  'changeme',
  'changemechangeme',
  'password',
  'passwordpassword',
  'secretsecretsecret',
  'secretkeysecretkey',
  'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  'verySecretKey1',
  'zuf+tfteSlswRu7BJ86wekitnifILbZam1KYY3TG',
]);

/**
 * Refuses credentials that would leave the cluster open.
 *
 * @throws StoreError INVALID_ARGUMENT saying which rule, never the value.
 */
export function requireStrongCredentials(accessKeyId: string, secretKey: string): void {
  const refuse = (reason: string): never => {
    throw new StoreError('INVALID_ARGUMENT', { configuration: reason });
  };
  if (accessKeyId.length < ACCESS_KEY_LENGTH_MIN || !/^[A-Za-z0-9_-]+$/.test(accessKeyId)) {
    refuse(`accessKey: at least ${ACCESS_KEY_LENGTH_MIN} letters, digits, - or _`);
  }
  if (secretKey.length < SECRET_KEY_LENGTH_MIN) {
    refuse(`secretKey: at least ${SECRET_KEY_LENGTH_MIN} characters`);
  }
  if (secretKey === accessKeyId || WELL_KNOWN_SECRETS.has(secretKey)) {
    refuse('secretKey: well known');
  }
  if (new Set(secretKey).size < SECRET_KEY_CHARACTERS_MIN) {
    refuse('secretKey: too few different characters');
  }
}

/**
 * The root of the account that owns the cluster: its ids are the same on every gateway, whatever
 * its key is at the time.
 */
export function clusterRootPrincipal(clusterId: string): Principal {
  const digest = createHash('sha256').update(`azimuth root account\n${clusterId}`).digest();
  const number = digest.readUIntBE(0, 6) % 10 ** ACCOUNT_ID_DIGITS;
  return rootOfAccount({
    accountId: String(number).padStart(ACCOUNT_ID_DIGITS, '0'),
    canonicalId: digest.toString('hex'),
    displayName: 'root',
  });
}

/** One key and nothing else. */
export function singleCredentialStore(credential: Credential): CredentialStore {
  return {
    lookup(accessKeyId, sessionToken) {
      if (sessionToken !== null) throw new S3Error('InvalidToken');
      return accessKeyId === credential.accessKeyId ? credential : null;
    },
  };
}
