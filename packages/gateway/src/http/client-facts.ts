import type { IncomingMessage } from 'node:http';

import type { IpRange } from '../auth/policy/ip-range';
import { isInRange, normalizedIp, parseIpRange } from '../auth/policy/ip-range';
import type { Headers } from './request';

/** Where a request comes from and how. */
export interface ClientFacts {
  readonly sourceIp: string;
  readonly isSecure: boolean;
  /** `1.3`; absent unless TLS ends here. */
  readonly tlsVersion?: string;
}

/**
 * P-9, P-10: the peer of the socket, unless it is a proxy that the configuration names. Then it is
 * the right-most address of `X-Forwarded-For` that is no such proxy: what stands left of it came
 * from the client, who may write there what it likes.
 */
export function clientFacts(
  { socket }: Pick<IncomingMessage, 'socket'>,
  headers: Headers,
  trustedProxies: readonly IpRange[],
): ClientFacts {
  const peer = normalizedIp(socket.remoteAddress ?? '');
  const isEncrypted = 'encrypted' in socket;
  if (!isTrusted(peer, trustedProxies)) {
    return { sourceIp: peer, isSecure: isEncrypted, ...(isEncrypted ? tlsVersionOf(socket) : {}) };
  }
  const scheme = lastOf(headers.get('x-forwarded-proto'));
  return {
    sourceIp: forwardedFor(peer, headers.get('x-forwarded-for'), trustedProxies),
    isSecure: scheme === null ? isEncrypted : scheme.toLowerCase() === 'https',
  };
}

function forwardedFor(
  peer: string,
  header: string | undefined,
  trustedProxies: readonly IpRange[],
): string {
  let source = peer;
  for (const entry of (header ?? '').split(',').reverse()) {
    const address = normalizedIp(entry.trim());
    // Nobody trustworthy writes such a thing, so nothing left of it means anything either.
    if (parseIpRange(address) === null || address.includes('/')) return source;
    source = address;
    if (!isTrusted(address, trustedProxies)) return source;
  }
  return source;
}

function isTrusted(address: string, trustedProxies: readonly IpRange[]): boolean {
  return trustedProxies.length > 0 && trustedProxies.some((range) => isInRange(range, address));
}

/** What the nearest proxy says comes last. */
function lastOf(header: string | undefined): string | null {
  return header === undefined ? null : (header.split(',').at(-1) ?? '').trim();
}

/** `TLSv1.3` → `1.3` */
function tlsVersionOf(socket: IncomingMessage['socket']): { readonly tlsVersion?: string } {
  const { getProtocol } = socket as { readonly getProtocol?: () => string | null };
  const protocol: string | null | undefined = getProtocol?.call(socket);
  const version = protocol?.replace(/^TLSv/, '');
  return version === undefined ? {} : { tlsVersion: version };
}
