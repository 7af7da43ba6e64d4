import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { StoreError } from '@azimuth/common';

import type { AddressMap } from './address-map';

/** What a process may be. The CLI is `admin`. */
export const ROLES = ['gateway', 'metadata', 'storage', 'curator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** Who a process is, as its certificate says. */
export interface PeerIdentity {
  readonly clusterId: string;
  readonly zone: string;
  readonly role: Role;
  readonly nodeId: string;
}

/**
 * A node's certificate and key, and the private CA that signed every certificate of the cluster.
 */
export interface TlsMaterial {
  readonly caPem: Buffer;
  readonly certPem: Buffer;
  readonly keyPem: Buffer;
  /** Here because whoever dials another node needs this material: no connection goes around it. */
  readonly addressMap?: AddressMap;
}

/**
 * @throws StoreError UNAUTHENTICATED when a file is missing: there is no start without an identity.
 */
export function loadTlsMaterial(directory: string, addressMap: AddressMap = {}): TlsMaterial {
  const read = (file: string): Buffer => {
    try {
      return readFileSync(join(directory, file));
    } catch (error) {
      throw new StoreError('UNAUTHENTICATED', { missingFile: join(directory, file) }, error);
    }
  };
  return {
    ...{ caPem: read('ca.pem'), certPem: read('node.pem'), keyPem: read('node-key.pem') },
    addressMap,
  };
}

/** The URI in the certificate's subject alternative name. */
export function identityUri(identity: PeerIdentity): string {
  return `azimuth://${identity.clusterId}/${identity.zone}/${identity.role}/${identity.nodeId}`;
}

const IDENTITY_URI = /^azimuth:\/\/([0-9a-f]{32})\/([a-z0-9-]+)\/([a-z]+)\/([a-z0-9-]+)$/;

/** Null when `uri` is not an identity of ours. */
export function parseIdentityUri(uri: string): PeerIdentity | null {
  const match = IDENTITY_URI.exec(uri);
  if (match === null) return null;
  const [, clusterId = '', zone = '', roleName, nodeId = ''] = match;
  const role = ROLES.find((known) => known === roleName);
  return role === undefined ? null : { clusterId, zone, role, nodeId };
}

/**
 * The identity in a verified certificate, from Node's `subjectaltname` text. A certificate with
 * more than one identity is nobody's: which one counts must never depend on an order.
 */
export function identityOfCertificate(certificate: {
  readonly subjectaltname?: string | undefined;
}): PeerIdentity | null {
  const names = (certificate.subjectaltname ?? '').split(', ');
  const identities = names
    .filter((name) => name.startsWith('URI:azimuth://'))
    .map((name) => parseIdentityUri(name.slice('URI:'.length)));
  return identities.length === 1 ? (identities[0] ?? null) : null;
}
