import { Metadata, status } from '@grpc/grpc-js';
import { STORE_ERROR_CODES, StoreError } from '@azimuth/common';
import type { StoreErrorCode } from '@azimuth/common';

import { identityOfCertificate, identityUri, toServiceError, toStoreError } from '../src';

describe('error codes across processes', () => {
  it.each(Object.keys(STORE_ERROR_CODES) as StoreErrorCode[])(
    '%s survives with its detail',
    (code) => {
      const detail = { leader: 'b-metadata-1', größe: 3, isKnown: true };
      const back = toStoreError(toServiceError(new StoreError(code, detail)));
      expect(back.code).toBe(code);
      expect(back.detail).toEqual(detail);
    },
  );

  it.each([
    [status.UNAVAILABLE, 'No connection established', 'UNAVAILABLE'],
    [status.INTERNAL, 'Received RST_STREAM with code 2', 'UNAVAILABLE'],
    [status.DEADLINE_EXCEEDED, 'Deadline exceeded', 'TIMEOUT'],
    [status.INTERNAL, 'Failed to parse', 'INTERNAL'],
  ])('a transport status %d "%s" is %s', (code, details, expected) => {
    const error = Object.assign(new Error(), { code, details, metadata: new Metadata() });
    expect(toStoreError(error).code).toBe(expected);
  });
});

describe('identity in a certificate', () => {
  const identity = {
    clusterId: 'c'.repeat(32),
    zone: 'a',
    role: 'gateway' as const,
    nodeId: 'a-gateway-1',
  };

  it('comes from the one URI of ours', () => {
    const subjectaltname = `URI:${identityUri(identity)}, IP Address:127.0.0.1`;
    expect(identityOfCertificate({ subjectaltname })).toEqual(identity);
  });

  it.each([
    ['no names', undefined],
    ['only addresses', 'IP Address:127.0.0.1'],
    [
      'two identities',
      `URI:${identityUri(identity)}, URI:${identityUri({ ...identity, role: 'admin' })}`,
    ],
    ['an unknown role', `URI:azimuth://${'c'.repeat(32)}/a/root/a-1`],
    ['a path with more', `URI:${identityUri(identity)}/x`],
    ['a quoted name (CVE-2021-44532)', `URI:"azimuth://${'c'.repeat(32)}/a/admin/x, URI:y"`],
  ])('is nobody with %s', (_what, subjectaltname) => {
    expect(identityOfCertificate({ subjectaltname })).toBeNull();
  });
});
