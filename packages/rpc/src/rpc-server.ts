import { Server } from '@grpc/grpc-js';
import type {
  sendUnaryData,
  ServerDuplexStream,
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
  ServiceDefinition,
  UntypedHandleCall,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { assert, required, StoreError, systemClock } from '@azimuth/common';
import type { Logger } from '@azimuth/common';

import { SERVER_CHANNEL_OPTIONS } from './channel-options';
import { serverCredentials } from './credentials';
import { identityOfCertificate } from './identity';
import type { PeerIdentity, Role, TlsMaterial } from './identity';
import { widenReceiveWindow } from './receive-window';
import { toServiceError } from './status';

export interface ServerOptions {
  readonly tls: TlsMaterial;
  readonly clusterId: string;
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  readonly logger: Logger;
}

export interface Registration {
  readonly service: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
  /**
   * Every method of the service by its name in the .proto file, with the roles that may call it.
   */
  readonly allow: Readonly<Record<string, readonly Role[]>>;
}

export interface RpcServer {
  readonly port: number;
  /** Refuses new calls, ends the streams that are open, and closes. */
  close(): Promise<void>;
}

const CLOSE_TIMEOUT_MS = 1_000;

type AnyCall =
  | ServerUnaryCall<unknown, unknown>
  | ServerReadableStream<unknown, unknown>
  | ServerWritableStream<unknown, unknown>
  | ServerDuplexStream<unknown, unknown>;

const peers = new WeakMap<object, PeerIdentity>();

/** Who made this call. Only for calls that a server of this package has let in. */
export function peerOf(call: object): PeerIdentity {
  return required(peers.get(call), 'identity of the caller');
}

/**
 * Listens with mutual TLS and lets a call in only when the caller's certificate names this cluster
 * and a role that `allow` has for the method. A method without an entry is a bug.
 *
 * Callers see: no connection at all (no certificate, or of another CA), UNAUTHENTICATED (another
 * cluster or no identity), PERMISSION_DENIED (a role not allowed).
 */
export async function startRpcServer(
  options: ServerOptions,
  registrations: readonly Registration[],
): Promise<RpcServer> {
  const server = new Server(SERVER_CHANNEL_OPTIONS);
  for (const registration of registrations) {
    server.addService(registration.service, guardAll(registration, options));
  }
  const port = await new Promise<number>((resolve, reject) => {
    const address = `${options.host}:${options.port}`;
    server.bindAsync(address, serverCredentials(options.tls), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(new StoreError('UNAVAILABLE', { address }, error));
    });
  });
  let closing: Promise<void> | undefined;
  return {
    port,
    close: () => {
      closing ??= new Promise((resolve) => {
        // Long-lived streams never end by themselves, so a graceful shutdown would wait for ever.
        // And a connection whose peer is frozen may keep its socket after that, so we wait no
        // longer than this.
        const cancel = systemClock.schedule(CLOSE_TIMEOUT_MS, resolve);
        server.tryShutdown(() => {
          cancel();
          resolve();
        });
        server.forceShutdown();
      });
      return closing;
    },
  };
}

function guardAll(
  { service, implementation, allow }: Registration,
  options: ServerOptions,
): UntypedServiceImplementation {
  const guarded: UntypedServiceImplementation = {};
  for (const [name, definition] of Object.entries(service)) {
    const roles = allow[name];
    const handler = implementation[name];
    assert(roles !== undefined, `no roles are given for ${definition.path}`);
    assert(handler !== undefined, `no handler for ${definition.path}`);
    const admit = (call: AnyCall): StoreError | null => admitCall(call, roles, options);
    guarded[name] = definition.responseStream
      ? guardStream(handler, admit)
      : guardUnary(handler, admit);
  }
  return guarded;
}

function admitCall(
  call: AnyCall,
  roles: readonly Role[],
  { clusterId, logger }: ServerOptions,
): StoreError | null {
  const certificate = call.getAuthContext().sslPeerCertificate;
  const identity = certificate === undefined ? null : identityOfCertificate(certificate);
  let refusal: StoreError | null = null;
  if (identity?.clusterId !== clusterId) {
    refusal = new StoreError('UNAUTHENTICATED', { method: call.getPath() });
  } else if (!roles.includes(identity.role)) {
    refusal = new StoreError('PERMISSION_DENIED', { method: call.getPath(), role: identity.role });
  }
  if (refusal !== null) {
    logger.warn({ code: refusal.code, method: call.getPath(), identity }, 'call refused');
    return refusal;
  }
  if (identity !== null) peers.set(call, identity);
  widenReceiveWindow(call);
  return null;
}

function guardUnary(
  handler: UntypedHandleCall,
  admit: (call: AnyCall) => StoreError | null,
): UntypedHandleCall {
  const inner = handler as (call: AnyCall, callback: sendUnaryData<unknown>) => void;
  return ((call: AnyCall, callback: sendUnaryData<unknown>) => {
    const refusal = admit(call);
    if (refusal === null) inner(call, callback);
    else callback(toServiceError(refusal));
  }) as UntypedHandleCall;
}

function guardStream(
  handler: UntypedHandleCall,
  admit: (call: AnyCall) => StoreError | null,
): UntypedHandleCall {
  const inner = handler as (call: AnyCall) => void;
  return ((call: ServerDuplexStream<unknown, unknown>) => {
    const refusal = admit(call);
    if (refusal === null) inner(call);
    else call.emit('error', toServiceError(refusal));
  }) as UntypedHandleCall;
}

/**
 * An async function as a unary handler: its result is the answer, its failure the status. `signal`
 * aborts when nobody waits for the answer any more.
 */
export function unaryHandler<Request, Response>(
  handle: (request: Request, peer: PeerIdentity, signal: AbortSignal) => Promise<Response>,
): (call: ServerUnaryCall<Request, Response>, callback: sendUnaryData<Response>) => void {
  return (call, callback) => {
    const cancelled = new AbortController();
    call.on('cancelled', () => cancelled.abort(new StoreError('CANCELLED')));
    handle(call.request, peerOf(call), cancelled.signal).then(
      (response) => callback(null, response),
      (error: unknown) => callback(toServiceError(error)),
    );
  };
}
