import { createHmac } from 'node:crypto';

import fc from 'fast-check';

import { hmacSha256Hex } from '../../src/auth/hmac-sha256';

describe('HMAC-SHA-256 of a text', () => {
  it.each([
    ['4.2', Buffer.alloc(20, 0x0b), 'Hi There', 'b0344c61d8db38535ca8afceaf0bf12b'],
    [
      '4.3',
      Buffer.from('Jefe'),
      'what do ya want for nothing?',
      '5bdcc146bf60754e6a042426089575c7',
    ],
    ['4.4', Buffer.alloc(20, 0xaa), '\xdd'.repeat(50), '773ea91e36800e46854db8ebd09181a7'],
  ])('is that of RFC 4231, section %s', (_, key, text, expected) => {
    expect(hmacSha256Hex(key, text).slice(0, 32)).toBe(expected);
  });

  it('is what node:crypto makes of it, whatever was hashed before', () => {
    const texts = fc.string({ unit: fc.nat(255).map((code) => String.fromCharCode(code)) });
    const lengths = fc.constantFrom(0, 1, 4095, 4096, 4097, 20_480);
    const key = fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(key, texts, lengths, (secret, start, length) => {
        const text = start.padEnd(length, 'x');
        const expected = createHmac('sha256', secret).update(text, 'latin1').digest('hex');
        expect(hmacSha256Hex(secret, text)).toBe(expected);
      }),
    );
  });

  it('does not take a key that is longer than a block of the hash', () => {
    expect(() => hmacSha256Hex(Buffer.alloc(65), '')).toThrow(RangeError);
  });
});
