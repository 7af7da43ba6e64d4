import { StoreError } from '@azimuth/common';

import {
  requireStrongCredentials,
  clusterRootPrincipal,
  singleCredentialStore,
} from '../../src/auth/credentials';

describe('credentials of the configuration (table rows 19, 20 and 40)', () => {
  it.each([
    ['ACCESSKEY01', 'a long enough secret'],
    ['access-key_1', 'Zx9/+kq0PLmw83jd'],
  ])('accepts %s', (accessKey, secretKey) => {
    expect(() => requireStrongCredentials(accessKey, secretKey)).not.toThrow();
  });

  it.each([
    ['', 'a long enough secret', 'accessKey'],
    ['short', 'a long enough secret', 'accessKey'],
    ['with/slash', 'a long enough secret', 'accessKey'],
    ['ACCESSKEY01', '', 'secretKey'],
    ['ACCESSKEY01', 'fifteen letters', 'secretKey'],
    ['minioadmin', 'minioadminminioadmin', 'secretKey'],
    ['AKIAIOSFODNN7EXAMPLE', 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', 'secretKey'],
    ['the-same-in-both-places', 'the-same-in-both-places', 'secretKey'],
    ['ACCESSKEY01', 'aaaaaaaaaaaaaaaaaaaa', 'secretKey'],
  ])('refuses %s with %s, and does not repeat it', (accessKey, secretKey, named) => {
    let message = '';
    try {
      requireStrongCredentials(accessKey, secretKey);
    } catch (error) {
      if (error instanceof StoreError) message = error.message;
    }

    expect(message).toContain(named);
    if (secretKey.length > 0) expect(message).not.toContain(secretKey);
  });

  it('knows one key, and its account outlives the key', () => {
    const principal = clusterRootPrincipal('cluster');
    const store = singleCredentialStore({ accessKeyId: 'A', secretKey: 's', principal });

    expect(store.lookup('A', null)?.principal).toEqual(clusterRootPrincipal('cluster'));
    expect(store.lookup('B', null)).toBeNull();
    expect(store.lookup('__proto__', null)).toBeNull();
    expect(() => store.lookup('A', 'token')).toThrow();
    expect(clusterRootPrincipal('other').accountId).not.toBe(principal.accountId);
  });
});
