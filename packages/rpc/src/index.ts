export { createAuthority, issueCertificate } from './certificate-authority';
export type { AuthorityMaterial, CertificateRequest } from './certificate-authority';
export { CONNECT_TIMEOUT_MS, MESSAGE_BYTES_MAX } from './channel-options';
export { checkPeerIdentity, secureContextOf } from './credentials';
export type { ExpectedPeer } from './credentials';
export {
  identityOfCertificate,
  identityUri,
  loadTlsMaterial,
  parseIdentityUri,
  ROLES,
} from './identity';
export type { PeerIdentity, Role, TlsMaterial } from './identity';
export { createClient, unaryCall } from './rpc-client';
export type { ClientConstructor, PeerAddress, UnaryOptions } from './rpc-client';
export { peerOf, startRpcServer, unaryHandler } from './rpc-server';
export type { Registration, RpcServer, ServerOptions } from './rpc-server';
export { serveSession } from './serve-session';
export type { SessionHandler } from './serve-session';
export { FRAMES_BYTES_MAX, SessionClient } from './session-client';
export type { SessionClientOptions } from './session-client';
export { toServiceError, toStoreError } from './status';
