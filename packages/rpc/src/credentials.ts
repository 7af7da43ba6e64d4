import { createSecureContext } from 'node:tls';
import type { PeerCertificate, SecureContext } from 'node:tls';

import { ChannelCredentials, ServerCredentials } from '@grpc/grpc-js';
import { StoreError } from '@azimuth/common';
import type { Clock } from '@azimuth/common';

import { CONNECT_TIMEOUT_MS } from './channel-options';
import { identityOfCertificate } from './identity';
import type { Role, TlsMaterial } from './identity';
import { RECEIVE_WINDOW_BYTES } from './receive-window';

/** Whom a client means to talk to. */
export interface ExpectedPeer {
  readonly clusterId: string;
  readonly expectedRole: Role;
  /** Also pins the node, where the caller knows it. */
  readonly expectedNodeId?: string | undefined;
}

const TLS_VERSION = 'TLSv1.3';
const secureContexts = new WeakMap<TlsMaterial, SecureContext>();

/** TLS 1.3 with our own certificate, trusting the private CA alone. */
export function secureContextOf(tls: TlsMaterial): SecureContext {
  let context = secureContexts.get(tls);
  if (context === undefined) {
    context = createSecureContext({
      ca: tls.caPem,
      cert: tls.certPem,
      key: tls.keyPem,
      minVersion: TLS_VERSION,
    });
    secureContexts.set(tls, context);
  }
  return context;
}

/** For `tls.connect`: undefined when the certificate (its chain verified already) is the peer's. */
export function checkPeerIdentity(
  certificate: Pick<PeerCertificate, 'subjectaltname'>,
  expected: ExpectedPeer,
): Error | undefined {
  const identity = identityOfCertificate(certificate);
  if (
    identity?.clusterId === expected.clusterId &&
    identity.role === expected.expectedRole &&
    (expected.expectedNodeId === undefined || identity.nodeId === expected.expectedNodeId)
  ) {
    return undefined;
  }
  return new StoreError('UNAUTHENTICATED', {
    expected: `${expected.clusterId}/${expected.expectedRole}/${expected.expectedNodeId ?? '*'}`,
    presented:
      identity === null
        ? 'no identity'
        : `${identity.clusterId}/${identity.role}/${identity.nodeId}`,
  });
}

type SecureConnector = ReturnType<ChannelCredentials['_createSecureConnector']>;
type ConnectorArguments = Parameters<ChannelCredentials['_createSecureConnector']>;

/**
 * grpc-js has no time-out for the TLS handshake: connecting to a frozen process, whose kernel
 * accepts for it, would hang until the process thaws.
 */
class ImpatientCredentials extends ChannelCredentials {
  readonly #inner: ChannelCredentials;
  readonly #clock: Clock;

  constructor(inner: ChannelCredentials, clock: Clock) {
    super();
    this.#inner = inner;
    this.#clock = clock;
  }

  override _isSecure(): boolean {
    return true;
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(...args: ConnectorArguments): SecureConnector {
    const inner = this.#inner._createSecureConnector(...args);
    const clock = this.#clock;
    return {
      connect: async (socket) => {
        const cancel = clock.schedule(CONNECT_TIMEOUT_MS, () => {
          socket.destroy(new Error('TLS handshake timed out'));
        });
        try {
          return await inner.connect(socket);
        } finally {
          cancel();
        }
      },
      waitForReady: () => inner.waitForReady(),
      getCallCredentials: () => inner.getCallCredentials(),
      destroy: () => inner.destroy(),
    };
  }
}

export function clientCredentials(
  tls: TlsMaterial,
  expected: ExpectedPeer,
  clock: Clock,
): ChannelCredentials {
  const inner = ChannelCredentials.createFromSecureContext(secureContextOf(tls), {
    checkServerIdentity: (_host, certificate) => checkPeerIdentity(certificate, expected),
  });
  return new ImpatientCredentials(inner, clock);
}

/** A client certificate of the private CA is required; TLS below 1.3 is refused. */
class MutualTlsServerCredentials extends ServerCredentials {
  constructor(tls: TlsMaterial) {
    super(
      {
        requestCert: true,
        rejectUnauthorized: true,
        // Of streams; that of a connection is widened when its first call is let in.
        settings: { initialWindowSize: RECEIVE_WINDOW_BYTES },
      },
      { ca: tls.caPem, cert: [tls.certPem], key: [tls.keyPem], minVersion: TLS_VERSION },
    );
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

export function serverCredentials(tls: TlsMaterial): ServerCredentials {
  return new MutualTlsServerCredentials(tls);
}
