import { systemRandom } from '@azimuth/common';

import { checkCredentials, generateCredentials } from '../src/dev/root-credentials';

describe('root credentials (no default secrets)', () => {
  it.each([
    '',
    'short',
    'minioadmin',
    'Password123',
    'aaaaaaaaaaaa',
    'with space in it',
    '12345678',
  ])('refuses the secret %p without repeating it', (secretKey) => {
    let message = '';
    try {
      checkCredentials({ accessKey: 'AZSOMEBODY', secretKey });
    } catch (error) {
      message = String(error);
    }
    expect(message).toContain('INVALID_ARGUMENT');
    if (secretKey !== '') expect(message).not.toContain(secretKey);
  });

  it.each(['', 'ab', 'has space', 'slash/'])('refuses the access key %p', (accessKey) => {
    const credentials = { accessKey, secretKey: 'correct-horse-battery' };
    expect(() => checkCredentials(credentials)).toThrow('INVALID_ARGUMENT');
  });

  it('generates credentials that pass, other ones each time', () => {
    const made = Array.from({ length: 20 }, () =>
      checkCredentials(generateCredentials(systemRandom)),
    );
    expect(new Set(made.map(({ secretKey }) => secretKey)).size).toBe(20);
  });
});
