import * as fc from 'fast-check';

import { openSessionToken } from '../../src/auth/session-token';
import { QueryError } from '../../src/query/query-error';
import { QueryParameters } from '../../src/query/query-parameters';
import { S3Error } from '../../src/s3/s3-error';
import { verifyWebIdentityToken } from '../../src/sts/web-identity-token';

function codeOf(attempt: () => unknown): string {
  try {
    attempt();
    return 'none';
  } catch (error) {
    if (error instanceof QueryError) return error.code;
    throw error;
  }
}

describe('parameters of the query protocol', () => {
  it('are a form: escapes, blanks, lists and structures', () => {
    const parameters = QueryParameters.parse(
      'Action=TagUser&Empty=&Text=a+b%2Bc%26d%C3%BC&Names.member.1=x&Names.member.2=y' +
        '&Names.member.4=z&Tags.member.1.Key=k&Tags.member.1.Value=v&Tags.member.2.Key=l',
    );

    expect(parameters.required('Text')).toBe('a b+c&dü');
    expect([parameters.optional('Empty'), parameters.optional('None')]).toEqual(['', null]);
    expect(parameters.list('Names')).toEqual(['x', 'y']);
    expect(
      parameters.structures('Tags').map((tag) => [tag.optional('Key'), tag.optional('Value')]),
    ).toEqual([
      ['k', 'v'],
      ['l', null],
    ]);
  });

  it('have no names that mean something to JavaScript', () => {
    const parameters = QueryParameters.parse('__proto__=a&constructor=b');

    expect(parameters.optional('__proto__')).toBe('a');
    expect(parameters.optional('toString')).toBeNull();
  });

  it.each<[string, string, () => unknown]>([
    ['a name twice', 'MalformedInput', () => QueryParameters.parse('UserName=a&UserName=b')],
    ['a name twice, escaped', 'MalformedInput', () => QueryParameters.parse('a=1&%61=2')],
    ['a broken escape', 'MalformedInput', () => QueryParameters.parse('a=%zz')],
    ['broken UTF-8', 'MalformedInput', () => QueryParameters.parse('a=%ff')],
    [
      'too many',
      'MalformedInput',
      () => QueryParameters.parse(Array.from({ length: 2_001 }, (_, i) => `p${i}=`).join('&')),
    ],
    ['an absent name', 'ValidationError', () => QueryParameters.parse('').required('UserName')],
    [
      'a number that is none',
      'ValidationError',
      () => QueryParameters.parse('n=1e3').optionalInteger('n', 0, 10_000),
    ],
    [
      'a number beyond its limit',
      'ValidationError',
      () => QueryParameters.parse('n=11').optionalInteger('n', 0, 10),
    ],
    [
      'a boolean that is none',
      'ValidationError',
      () => QueryParameters.parse('b=1').optionalBoolean('b'),
    ],
  ])('refuse %s as %s', (_name, code, attempt) => {
    expect(codeOf(attempt)).toBe(code);
  });
});

describe('whatever anybody sends', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc
      .array(fc.constantFrom('a', '=', '&', '%', '+', '.member.', '1', '%41', '%f0', 'é', '\0'), {
        maxLength: 60,
      })
      .map((parts) => parts.join('')),
  );

  it('is a form, or refused as none', () => {
    fc.assert(
      fc.property(text, (form) => {
        const code = codeOf(() => {
          const parameters = QueryParameters.parse(form);
          parameters.list('a');
          parameters.structures('a');
        });
        expect(['none', 'MalformedInput']).toContain(code);
      }),
      { numRuns: 1_000 },
    );
  });

  it('is no session token and no web identity', () => {
    const part = fc.oneof(
      fc.base64String({ maxLength: 60 }),
      fc.json({ maxDepth: 2 }).map((json) => Buffer.from(json).toString('base64url')),
    );
    const token = fc.oneof(
      text,
      fc.array(part, { maxLength: 4 }).map((parts) => parts.join('.')),
    );
    fc.assert(
      fc.property(token, (candidate) => {
        expect(codeOf(() => verifyWebIdentityToken(candidate, [], 0))).toBe('InvalidIdentityToken');
        const key = { keyId: '0'.repeat(16), secret: Buffer.alloc(32).toString('base64') };
        expect(() => openSessionToken(candidate, 'ASIA', () => ({ ...key, createdMs: 0 }))).toThrow(
          S3Error,
        );
      }),
      { numRuns: 1_000 },
    );
  });
});
