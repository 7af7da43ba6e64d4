import type { IncomingMessage } from 'node:http';

import { parseIpRange } from '../../src/auth/policy/ip-range';
import { gatewayConfigSchema } from '../../src/gateway-config';
import { clientFacts } from '../../src/http/client-facts';

const PROXIES = ['10.0.0.0/8', '2001:db8::/32'].map(parseIpRange).filter((range) => range !== null);

function factsOf(
  remoteAddress: string,
  headers: Readonly<Record<string, string>>,
  socket: object = {},
): ReturnType<typeof clientFacts> {
  const request = { socket: { remoteAddress, ...socket } } as unknown as IncomingMessage;
  return clientFacts(request, new Map(Object.entries(headers)), PROXIES);
}

describe('where a request comes from (P-9, row 32)', () => {
  it.each([
    ['198.51.100.7', undefined, '198.51.100.7'],
    ['::ffff:198.51.100.7', undefined, '198.51.100.7'],
    // Whoever is no proxy has no say.
    ['198.51.100.7', '203.0.113.1', '198.51.100.7'],
    ['10.0.0.1', undefined, '10.0.0.1'],
    ['10.0.0.1', '203.0.113.1', '203.0.113.1'],
    // What the client wrote itself stands left of what the proxy saw.
    ['10.0.0.1', '192.0.2.66, 203.0.113.1', '203.0.113.1'],
    ['10.0.0.1', '192.0.2.66, 203.0.113.1, 10.9.9.9', '203.0.113.1'],
    ['10.0.0.1', '10.1.1.1,10.2.2.2', '10.1.1.1'],
    ['2001:db8::1', '::ffff:203.0.113.1', '203.0.113.1'],
    // Nothing that is no address, and nothing left of it, is believed.
    ['10.0.0.1', '203.0.113.1, unknown', '10.0.0.1'],
    ['10.0.0.1', '203.0.113.1, , 10.2.2.2', '10.2.2.2'],
    ['10.0.0.1', '203.0.113.0/24', '10.0.0.1'],
    ['10.0.0.1', '', '10.0.0.1'],
  ])('peer %s, X-Forwarded-For %j: %s', (peer, forwarded, expected) => {
    const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
    expect(factsOf(peer, headers).sourceIp).toBe(expected);
  });

  it.each([
    ['198.51.100.7', 'https', {}, false],
    ['198.51.100.7', undefined, { encrypted: true, getProtocol: () => 'TLSv1.3' }, true],
    ['10.0.0.1', 'https', {}, true],
    ['10.0.0.1', 'http, https', {}, true],
    ['10.0.0.1', 'https, http', { encrypted: true }, false],
    ['10.0.0.1', undefined, { encrypted: true }, true],
  ])('P-10: peer %s, X-Forwarded-Proto %j, socket %j: secure %s', (peer, scheme, socket, is) => {
    const headers = scheme === undefined ? {} : { 'x-forwarded-proto': scheme };
    expect(factsOf(peer, headers, socket).isSecure).toBe(is);
  });

  it('knows the version of TLS where it ends here', () => {
    const socket = { encrypted: true, getProtocol: () => 'TLSv1.3' };
    expect(factsOf('198.51.100.7', {}, socket).tlsVersion).toBe('1.3');
    expect(factsOf('198.51.100.7', {})).not.toHaveProperty('tlsVersion');
  });
});

describe('the setting trustedProxies', () => {
  const parse = (trustedProxies: unknown): unknown =>
    gatewayConfigSchema.shape.trustedProxies.safeParse(trustedProxies);

  it('is a list, or a text with commas', () => {
    const wanted = { success: true, data: ['10.0.0.0/8', '2001:db8::1'] };
    expect(parse(['10.0.0.0/8', '2001:db8::1'])).toMatchObject(wanted);
    expect(parse('10.0.0.0/8,2001:db8::1')).toMatchObject(wanted);
    expect(parse(undefined)).toMatchObject({ data: [] });
  });

  it.each(['10.0.0.0/33', 'proxy.example.com', '*', '10.0.0.0/8 192.0.2.1'])(
    'is not %j',
    (text) => {
      expect(parse(text)).toMatchObject({ success: false });
    },
  );
});
