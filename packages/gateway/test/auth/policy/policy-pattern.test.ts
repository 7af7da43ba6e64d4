import fc from 'fast-check';

import { matchesPattern, parsePattern } from '../../../src/auth/policy/policy-pattern';
import { contextOf } from './policy-fixture';

const CONTEXT = contextOf({
  'aws:username': ['alice'],
  'aws:userid': ['*'],
  's3:prefix': ['a', 'b'],
});

function matches(source: string, value: string): boolean {
  return matchesPattern(parsePattern(source, { wildcards: true, variables: true }), value, CONTEXT);
}

describe('patterns of policies', () => {
  it.each([
    ['home/${aws:username}/*', 'home/alice/x', true],
    ['home/${aws:username}/*', 'home/bob/x', false],
    ['home/${AWS:UserName}', 'home/alice', true],
    // What a variable is replaced by is text, whatever it looks like.
    ['home/${aws:userid}', 'home/*', true],
    ['home/${aws:userid}', 'home/bob', false],
    ['home/${aws:missing}', 'home/', false],
    ["home/${aws:missing, 'nobody'}", 'home/nobody', true],
    ["home/${aws:username, 'nobody'}", 'home/nobody', false],
    // Of several values none is the one that is meant.
    ['home/${s3:prefix}', 'home/a', false],
    ['${*}', '*', true],
    ['${*}', 'x', false],
    ['a${?}b${$}', 'a?b$', true],
    ['a${?}b', 'axb', false],
    ['${unclosed', '${unclosed', true],
    ['**a**', 'xxaxx', true],
    ['a*b*c', 'abbc', true],
    ['a*b*c', 'acb', false],
    ['', '', true],
    ['', 'a', false],
    ['?', '\u{1F600}', true],
    ['??', '\u{1F600}', false],
    ['*', 'line\nfeed', true],
  ])('%j and %j: %s', (source, value, expected) => {
    expect(matches(source, value)).toBe(expected);
  });

  it('takes variables literally in policies of 2008-10-17', () => {
    const pattern = parsePattern('${aws:username}', { wildcards: true, variables: false });
    expect(matchesPattern(pattern, 'alice', CONTEXT)).toBe(false);
    expect(matchesPattern(pattern, '${aws:username}', CONTEXT)).toBe(true);
  });

  it('matches as the regular expression of the same meaning', () => {
    const text = fc.array(fc.constantFrom('a', 'b', '*', '?'), { maxLength: 8 });
    const value = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 8 });
    fc.assert(
      fc.property(text, value, (pattern, characters) => {
        const expression = pattern.join('').replaceAll('?', '.').replaceAll('*', '.*');
        expect(matches(pattern.join(''), characters.join(''))).toBe(
          new RegExp(`^${expression}$`).test(characters.join('')),
        );
      }),
    );
  });

  it('takes a bounded time for the patterns that stall regular expressions', () => {
    expect(matches('*a'.repeat(500), 'a'.repeat(1024))).toBe(true);
    expect(matches(`${'*a'.repeat(500)}b`, 'a'.repeat(1024))).toBe(false);
  });
});
