import type { SessionRequest } from '@azimuth/proto';
import type { PeerIdentity, Role } from '@azimuth/rpc';

import { checkAccess } from '../../src/server/access-policy';
import { commandOf, START_MS } from '../state-machine/index-fixture';

const ROLES: readonly Role[] = ['gateway', 'curator', 'storage', 'metadata', 'admin'];

function peerOf(role: Role): PeerIdentity {
  return { clusterId: 'c', zone: 'a', nodeId: `${role}-1`, role };
}

function allowedRoles(request: SessionRequest): Role[] {
  return ROLES.filter((role) => {
    try {
      checkAccess(request, peerOf(role));
      return true;
    } catch (error) {
      expect(error).toMatchObject({ code: 'PERMISSION_DENIED' });
      return false;
    }
  });
}

function propose(name: string, args: unknown = {}): SessionRequest {
  return { kind: 'propose', group: 'root', command: commandOf(name, args, START_MS) };
}

describe('access of peers', () => {
  it('identities, which carry secrets, are told to gateways alone and changed by them alone', () => {
    const watch = { kind: 'watch', since: 0, waitMs: 0 } as const;
    expect(allowedRoles({ ...watch, withIdentities: true })).toEqual(['gateway']);
    expect(allowedRoles({ ...watch, withIdentities: false })).toEqual(ROLES);
    expect(allowedRoles(propose('CommitIdentities'))).toEqual(['gateway']);
  });

  it.each(['SetBucketConfiguration', 'CreateBucket', 'UpdateVersion', 'CommitVersion'])(
    'a storage node may not propose %s; a gateway may',
    (name) => {
      expect(allowedRoles(propose(name))).toEqual(ROLES.filter((role) => role !== 'storage'));
    },
  );

  it.each(['RemoveGroup', 'AcquireLease', 'SetDiskState', 'ReplaceBlob'])(
    'a gateway may not propose %s',
    (name) => expect(allowedRoles(propose(name))).not.toContain('gateway'),
  );

  it('a storage node speaks for itself alone, and reads nothing', () => {
    const self = { nodeId: 'storage-1', zone: 'a' };
    const register = (node: object): SessionRequest => propose('RegisterNode', { node });
    expect(allowedRoles(register(self))).toContain('storage');
    expect(allowedRoles(register({ ...self, nodeId: 'storage-2' }))).not.toContain('storage');
    expect(allowedRoles(register({ ...self, zone: 'b' }))).not.toContain('storage');
    const heartbeat = { nodeId: 'storage-1', incarnation: 'i', disks: [] };
    expect(allowedRoles({ kind: 'heartbeat', heartbeat })).toEqual(['storage']);
    const query: SessionRequest = { kind: 'query', group: 'root', name: 'GetBucket', args: {} };
    expect(allowedRoles(query)).toEqual(ROLES.filter((role) => role !== 'storage'));
  });
});
