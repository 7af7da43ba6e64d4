import type {
  CallOptions,
  ChannelCredentials,
  ChannelOptions,
  Client,
  ClientUnaryCall,
  ServiceError,
} from '@grpc/grpc-js';
import { required, StoreError, systemClock } from '@azimuth/common';
import type { Clock } from '@azimuth/common';

import { dialedAddress } from './address-map';
import { CLIENT_CHANNEL_OPTIONS } from './channel-options';
import { clientCredentials } from './credentials';
import type { ExpectedPeer } from './credentials';
import type { TlsMaterial } from './identity';
import { toStoreError } from './status';

/** Where a peer is, who it must be, and who we are. */
export interface PeerAddress extends ExpectedPeer {
  readonly host: string;
  readonly port: number;
  readonly tls: TlsMaterial;
}

export type ClientConstructor<Stub extends Client> = new (
  address: string,
  credentials: ChannelCredentials,
  options: ChannelOptions,
) => Stub;

/**
 * A stub over its own connection, which opens at the first call and must be closed with `close()`.
 */
export function createClient<Stub extends Client>(
  constructor: ClientConstructor<Stub>,
  peer: PeerAddress,
  clock: Clock = systemClock,
): Stub {
  const { host, port } = dialedAddress(peer.tls.addressMap, peer);
  return new constructor(
    `${host}:${port}`,
    clientCredentials(peer.tls, peer, clock),
    CLIENT_CHANNEL_OPTIONS,
  );
}

export interface UnaryOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** A point in time as grpc-js wants it: of the system's clock, whatever ours says. */
export function grpcDeadline(timeoutMs: number): number {
  return systemClock.wallMs() + timeoutMs;
}

/**
 * Makes a unary call: `unaryCall((options, done) => stub.GetHealth({}, options, done), { timeoutMs
 * })`.
 *
 * @throws StoreError what the server answered, or UNAVAILABLE, TIMEOUT, CANCELLED.
 */
export function unaryCall<Response>(
  start: (
    options: CallOptions,
    done: (error: ServiceError | null, response?: Response) => void,
  ) => ClientUnaryCall,
  options: UnaryOptions,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    if (options.signal?.aborted === true) {
      reject(new StoreError('CANCELLED'));
      return;
    }
    const onAbort = (): void => call.cancel();
    const call = start({ deadline: grpcDeadline(options.timeoutMs) }, (error, response) => {
      options.signal?.removeEventListener('abort', onAbort);
      if (error === null) resolve(required(response, 'response'));
      else reject(toStoreError(error));
    });
    options.signal?.addEventListener('abort', onAbort, { once: true });
  });
}
