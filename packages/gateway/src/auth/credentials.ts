import { createHash } from 'node:crypto';

import { StoreError } from '@azimuth/common';

/** Whoever a signature proves to be asking. */
export interface Principal {
  readonly accountId: string;
  readonly displayName: string;
  /** The account that owns the cluster; may do everything that no rule of S3 itself forbids. */
  readonly isRoot: boolean;
}

export interface Credential {
  readonly accessKeyId: string;
  readonly secretKey: string;
  readonly principal: Principal;
}

export interface CredentialStore {
  /** Null when there is no such key. */
  lookup(accessKeyId: string): Promise<Credential | null>;
}

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

/** The id of the root account: the same on every gateway, whatever its key is at the time. */
export function rootPrincipal(clusterId: string): Principal {
  const accountId = createHash('sha256').update(`azimuth root account\n${clusterId}`).digest('hex');
  return { accountId, displayName: 'root', isRoot: true };
}

/** The one key of the configuration. */
export function singleCredentialStore(credential: Credential): CredentialStore {
  const found = Promise.resolve(credential);
  const missing = Promise.resolve(null);
  return { lookup: (accessKeyId) => (accessKeyId === credential.accessKeyId ? found : missing) };
}
