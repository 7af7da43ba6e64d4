import fc from 'fast-check';

import {
  commonPrefixOf,
  compareKeys,
  decodeToken,
  encodeKey,
  encodeToken,
  parseListingParameters,
  positionAfter,
} from '../../src/s3/listing';
import { refusal } from './refusal';

const INVALID = refusal('InvalidArgument');

describe('parameters of listings', () => {
  it.each([
    [undefined, 1000],
    ['', 1000],
    ['0', 0],
    ['7', 7],
    ['1000', 1000],
    ['5000', 1000],
    ['2147483647', 1000],
  ])('K-2: max-keys %s means %d', (text, limit) => {
    const query = new Map(text === undefined ? [] : [['max-keys', text]]);
    expect(parseListingParameters(query, 'max-keys').limit).toBe(limit);
  });

  it.each(['-1', 'ten', '1.5', '0x10', '2147483648', ' 1'])('K-2: refuses max-keys %s', (text) => {
    expect(() => parseListingParameters(new Map([['max-keys', text]]), 'max-keys')).toThrow(
      refusal('InvalidArgument', {
        message: 'Argument maxKeys must be an integer between 0 and 2147483647',
      }),
    );
  });

  it('K-6: refuses another encoding type', () => {
    const query = new Map([['encoding-type', 'base64']]);
    expect(() => parseListingParameters(query, 'max-keys')).toThrow(INVALID);
  });

  it.each([
    ["a/b c+d'(é)\u0001", 'a/b%20c%2Bd%27%28%C3%A9%29%01'],
    ['test_file(3).png', 'test_file%283%29.png'],
    ['quux ab/', 'quux%20ab/'],
    ['asdf+b', 'asdf%2Bb'],
    ['a*b~c-d_e.f', 'a%2Ab~c-d_e.f'],
  ])('K-6: encodes %s: UTF-8, slashes kept, blanks as %%20', (key, encoded) => {
    expect(encodeKey(key)).toBe(encoded);
  });

  it('K-6: what is encoded decodes with any percent decoder', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (key) => {
        expect(decodeURIComponent(encodeKey(key))).toBe(key);
        expect(encodeKey(key)).not.toContain('+');
      }),
    );
  });

  it('K-1: orders by UTF-8 bytes, where UTF-16 code units would differ', () => {
    const keys = ['\u{1f600}', '\uffe0', 'a', 'é'];
    expect([...keys].sort(compareKeys)).toEqual(['a', 'é', '\uffe0', '\u{1f600}']);
    expect([...keys].sort()).not.toEqual([...keys].sort(compareKeys));
  });

  it.each([
    ['a/x', 'a/', true],
    ['a/', 'a/', true],
    ['a', 'a', false],
    ['b', 'b', false],
  ])('K-3: marker %s continues after %s', (marker, key, isPrefix) => {
    expect(positionAfter(marker, { prefix: '', delimiter: '/' })).toEqual({ key, isPrefix });
  });

  it('K-7: delimiters of several characters', () => {
    expect(commonPrefixOf('p--x--y', 'p', '--')).toBe('p--');
    expect(commonPrefixOf('p--x--y', 'p--', '--')).toBe('p--x--');
    expect(commonPrefixOf('plain', '', '--')).toBeNull();
    expect(commonPrefixOf('plain', '', '')).toBeNull();
  });

  it('K-5: tokens come back, others are refused', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.boolean(), (key, isPrefix) => {
        expect(decodeToken(encodeToken({ key, isPrefix }))).toEqual({ key, isPrefix });
      }),
    );
    for (const token of ['x', 'bnVsbA', '%%%', Buffer.from('[2,true,"a"]').toString('base64url')]) {
      expect(() => decodeToken(token)).toThrow(INVALID);
    }
  });
});
