import { systemClock } from '@azimuth/common';

import { createAuthority, issueCertificate } from '../src';
import type { AuthorityMaterial, PeerIdentity, Role, TlsMaterial } from '../src';

export const CLUSTER_ID = 'a'.repeat(32);
export const OTHER_CLUSTER_ID = 'b'.repeat(32);

export function makeAuthority(): Promise<AuthorityMaterial> {
  return createAuthority(CLUSTER_ID, systemClock);
}

export function makeTls(
  authority: AuthorityMaterial,
  role: Role,
  clusterId = CLUSTER_ID,
): Promise<TlsMaterial> {
  const identity: PeerIdentity = { clusterId, zone: 'a', role, nodeId: `a-${role}-1` };
  return issueCertificate(authority, { identity, addresses: ['127.0.0.1'] }, systemClock);
}
