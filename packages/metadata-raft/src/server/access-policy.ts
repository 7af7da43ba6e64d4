import { StoreError } from '@azimuth/common';
import type { IndexCommandName, RootCommandName, SessionRequest } from '@azimuth/proto';
import type { PeerIdentity, Role } from '@azimuth/rpc';

/** Commands by role; a role that is not named may propose all of them. */
const ALLOWED: Partial<Record<Role, ReadonlySet<string>>> = {
  storage: new Set<RootCommandName>(['RegisterNode']),
  gateway: new Set<RootCommandName | IndexCommandName>([
    'CreateBucket',
    'SetBucketConfiguration',
    'SetBucketVersioning',
    'CommitIdentities',
    'MarkBucketDeleting',
    'RemoveBucket',
    'CommitVersion',
    'DeleteVersion',
    'UpdateVersion',
    'CreateUpload',
    'CommitPart',
    'CompleteUpload',
    'AbortUpload',
    'FenceBucket',
    'ReportMissingShards',
  ]),
};

/**
 * Which peer may ask what. A storage node speaks for itself only: its certificate names it.
 *
 * @throws StoreError PERMISSION_DENIED
 */
export function checkAccess(request: SessionRequest, peer: PeerIdentity): void {
  if (request.kind === 'heartbeat') {
    const isSelf = peer.role === 'storage' && request.heartbeat.nodeId === peer.nodeId;
    if (!isSelf) throw new StoreError('PERMISSION_DENIED', { request: 'heartbeat' });
  } else if (request.kind === 'lead' || request.kind === 'members') {
    requireRole(request.kind, 'metadata', peer);
  } else if (request.kind === 'intent') {
    requireRole(request.kind, 'admin', peer);
  } else if (request.kind === 'propose') {
    checkCommandAccess(request.command.name, request.command.args, peer);
  } else if (request.kind === 'watch') {
    // Identities carry secrets: only those who verify signatures with them may have them.
    if (request.withIdentities && peer.role !== 'gateway') {
      throw new StoreError('PERMISSION_DENIED', { request: 'identities', role: peer.role });
    }
  } else if (peer.role === 'storage' && (request.kind === 'query' || request.kind === 'witness')) {
    throw new StoreError('PERMISSION_DENIED', { request: request.kind });
  }
}

function requireRole(request: string, role: Role, peer: PeerIdentity): void {
  if (peer.role !== role) throw new StoreError('PERMISSION_DENIED', { request, role: peer.role });
}

function checkCommandAccess(name: string, args: unknown, peer: PeerIdentity): void {
  const allowed = ALLOWED[peer.role];
  if (allowed !== undefined && !allowed.has(name)) {
    throw new StoreError('PERMISSION_DENIED', { command: name, role: peer.role });
  }
  if (name === 'CommitIdentities' && peer.role !== 'gateway') {
    throw new StoreError('PERMISSION_DENIED', { command: name, role: peer.role });
  }
  if (name === 'ChangeMetadataNodes' || name === 'RegisterMetadataNode') {
    const { nodeId } = args as { nodeId?: string };
    const isSelf = name === 'RegisterMetadataNode' && nodeId === peer.nodeId;
    if (peer.role !== 'metadata' || !isSelf) {
      throw new StoreError('PERMISSION_DENIED', { command: name, role: peer.role });
    }
  }
  if (name !== 'RegisterNode') return;
  const { node } = args as { node?: { nodeId?: string; zone?: string } };
  if (peer.role === 'storage' && (node?.nodeId !== peer.nodeId || node.zone !== peer.zone)) {
    throw new StoreError('PERMISSION_DENIED', { command: name, nodeId: peer.nodeId });
  }
}
