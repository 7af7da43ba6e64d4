import fc from 'fast-check';

import { S3Error } from '../../../src/s3/s3-error';
import type { ConditionBlock } from './policy-fixture';
import { holds } from './policy-fixture';

const KEY = 's3:prefix';

/** Operator · value of the policy · value of the request · whether they match. */
const COMPARISONS: readonly (readonly [string, string | number | boolean, string, boolean])[] = [
  ['StringEquals', 'a', 'a', true],
  ['StringEquals', 'a', 'A', false],
  ['StringEquals', 'a*', 'ab', false],
  ['StringEqualsIgnoreCase', 'Ab', 'aB', true],
  ['StringEqualsIgnoreCase', 'Ab', 'abc', false],
  ['StringLike', 'a*', 'abc', true],
  ['StringLike', 'a?c', 'abc', true],
  ['StringLike', 'a?c', 'ac', false],
  ['StringLike', 'A*', 'abc', false],
  ['StringLike', '*', '', true],
  ['NumericEquals', 10, '10', true],
  ['NumericEquals', '10.0', '10', true],
  ['NumericEquals', '10', '1e1', true],
  ['NumericEquals', '10', 'ten', false],
  ['NumericLessThan', '10', '9', true],
  ['NumericLessThan', '10', '10', false],
  ['NumericLessThan', '10', '', false],
  ['NumericLessThanEquals', '10', '10', true],
  ['NumericLessThanEquals', '10', '10.5', false],
  ['NumericGreaterThan', '10', '11', true],
  ['NumericGreaterThan', '10', '10', false],
  ['NumericGreaterThanEquals', '10', '10', true],
  ['NumericGreaterThanEquals', '10', '-11', false],
  ['DateEquals', '2026-01-02T03:04:05Z', '2026-01-02T03:04:05.000Z', true],
  ['DateEquals', '2026-01-02', '2026-01-02T00:00:00Z', true],
  ['DateEquals', '1767323045', '2026-01-02T03:04:05Z', true],
  ['DateEquals', '2026-01-02T03:04:05Z', '2026-01-02T03:04:06Z', false],
  ['DateLessThan', '2026-01-02T03:04:05Z', '2026-01-02T03:04:04Z', true],
  ['DateLessThan', '2026-01-02T03:04:05Z', '2026-01-02T03:04:05Z', false],
  ['DateLessThanEquals', '2026-01-02T03:04:05+01:00', '2026-01-02T02:04:05Z', true],
  ['DateGreaterThan', '2026-01-02', '2026-01-02T00:00:01Z', true],
  ['DateGreaterThan', '2026-01-02', 'tomorrow', false],
  ['DateGreaterThanEquals', '2026-01-02', '2026-01-01T23:59:59Z', false],
  ['Bool', 'true', 'true', true],
  ['Bool', true, 'TRUE', true],
  ['Bool', 'true', 'false', false],
  ['Bool', 'false', '', false],
  ['BinaryEquals', 'QmluYXJ5', 'QmluYXJ5', true],
  ['BinaryEquals', 'QmluYXJ5', 'QmluYXJ6', false],
  ['IpAddress', '203.0.113.0/24', '203.0.113.255', true],
  ['IpAddress', '203.0.113.0/24', '203.0.114.0', false],
  ['IpAddress', '203.0.113.7', '203.0.113.7', true],
  ['IpAddress', '203.0.113.0/24', '::ffff:203.0.113.9', true],
  ['IpAddress', '0.0.0.0/0', '198.51.100.1', true],
  ['IpAddress', '0.0.0.0/0', '2001:db8::1', false],
  ['IpAddress', '2001:db8:1234::/48', '2001:DB8:1234:0:1::2', true],
  ['IpAddress', '2001:db8:1234::/48', '2001:db8:1235::1', false],
  ['IpAddress', '203.0.113.0/24', '203.0.113.5, 10.0.0.1', false],
  ['IpAddress', '203.0.113.0/24', 'fe80::1%eth0', false],
  ['ArnEquals', 'arn:aws:iam::123456789012:user/*', 'arn:aws:iam::123456789012:user/a', true],
  ['ArnLike', 'arn:aws:iam::*:user/a', 'arn:aws:iam::123456789012:user/a', true],
  ['ArnLike', 'arn:aws:iam::123456789012:*', 'arn:aws:iam::123456789012:user/a:b', true],
  // A wildcard ends at the colon: it cannot swallow the account.
  ['ArnLike', 'arn:aws:*:user/a', 'arn:aws:iam::123456789012:user/a', false],
  ['ArnLike', 'arn:aws:iam::1*:user/a', 'arn:aws:iam::223456789012:user/a', false],
  ['ArnEquals', 'arn:aws:iam::123456789012:user/a', 'not an ARN', false],
];

describe('operators of conditions', () => {
  it.each(COMPARISONS)('%s %j against %j: %s', (operator, wanted, requested, expected) => {
    expect(holds({ [operator]: { [KEY]: wanted } }, { [KEY]: [requested] })).toBe(expected);
    // Names of operators and keys are compared without case, and a list has the same meaning.
    const folded = { [operator.toUpperCase()]: { [KEY.toUpperCase()]: [wanted] } };
    expect(holds(folded, { [KEY]: [requested] })).toBe(expected);
    const ifExists = { [`${operator}IfExists`]: { [KEY]: wanted } };
    expect(holds(ifExists, { [KEY]: [requested] })).toBe(expected);
  });

  const NEGATIONS: Readonly<Record<string, string>> = {
    StringEquals: 'StringNotEquals',
    StringEqualsIgnoreCase: 'StringNotEqualsIgnoreCase',
    StringLike: 'StringNotLike',
    NumericEquals: 'NumericNotEquals',
    DateEquals: 'DateNotEquals',
    IpAddress: 'NotIpAddress',
    ArnEquals: 'ArnNotEquals',
    ArnLike: 'ArnNotLike',
  };

  it.each(COMPARISONS.filter(([operator]) => operator in NEGATIONS))(
    'the negation of %s %j against %j is not %s',
    (operator, wanted, requested, expected) => {
      const condition = { [NEGATIONS[operator] ?? '']: { [KEY]: wanted } };
      expect(holds(condition, { [KEY]: [requested] })).toBe(!expected);
    },
  );

  it('every negation has a row that it turns round', () => {
    const negated = Object.keys(NEGATIONS).filter((operator) =>
      COMPARISONS.some(([each, , , matches]) => each === operator && matches),
    );
    expect(negated).toHaveLength(8);
  });
});

/** Row 30. Condition · whether it holds for [], [a], [a, c], [c, d] where the policy says [a, b]. */
const QUANTIFIED: readonly (readonly [string, readonly boolean[]])[] = [
  ['StringEquals', [false, true, true, false]],
  ['StringNotEquals', [true, false, false, true]],
  ['StringEqualsIfExists', [true, true, true, false]],
  ['StringNotEqualsIfExists', [true, false, false, true]],
  ['ForAnyValue:StringEquals', [false, true, true, false]],
  ['ForAnyValue:StringNotEquals', [false, false, true, true]],
  ['ForAllValues:StringEquals', [true, true, false, false]],
  ['ForAllValues:StringNotEquals', [true, false, false, true]],
  ['ForAnyValue:StringLike', [false, true, true, false]],
  ['ForAnyValue:StringNotLike', [false, false, true, true]],
  ['ForAllValues:StringLike', [true, true, false, false]],
  ['ForAllValues:StringNotLike', [true, false, false, true]],
  ['ForAnyValue:StringEqualsIfExists', [true, true, true, false]],
  ['ForAllValues:StringEqualsIfExists', [true, true, false, false]],
];
const REQUESTED: readonly (readonly string[])[] = [[], ['a'], ['a', 'c'], ['c', 'd']];

describe('advisory row 30: quantifiers, negations and partial overlaps', () => {
  it.each(QUANTIFIED)('%s', (operator, expected) => {
    const condition = { [operator]: { [KEY]: ['a', 'b'] } };
    expect(REQUESTED.map((values) => holds(condition, { [KEY]: values }))).toEqual(expected);
    // An absent key is the same as one without values.
    expect(holds(condition, {})).toBe(expected[0]);
  });

  it('ForAllValues of a negation is never the negation of ForAllValues', () => {
    const values = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 3 });
    fc.assert(
      fc.property(values, values, (wanted, requested) => {
        fc.pre(wanted.length > 0);
        const all = holds(
          { 'ForAllValues:StringNotEquals': { [KEY]: wanted } },
          {
            [KEY]: requested,
          },
        );
        const any = holds({ 'ForAnyValue:StringEquals': { [KEY]: wanted } }, { [KEY]: requested });
        expect(all).toBe(!any);
        expect(all).toBe(requested.every((value) => !wanted.includes(value)));
      }),
    );
  });
});

describe('conditions', () => {
  it('Null asks whether a key is there', () => {
    expect(holds({ Null: { [KEY]: 'true' } }, {})).toBe(true);
    expect(holds({ Null: { [KEY]: true } }, { [KEY]: [''] })).toBe(false);
    expect(holds({ Null: { [KEY]: 'false' } }, {})).toBe(false);
    expect(holds({ Null: { [KEY]: false } }, { [KEY]: [''] })).toBe(true);
  });

  it('all operators and all keys must hold', () => {
    const condition = {
      StringEquals: { [KEY]: 'a', 's3:delimiter': '/' },
      Bool: { 'aws:SecureTransport': 'true' },
    };
    const full = { [KEY]: ['a'], 's3:delimiter': ['/'], 'aws:SecureTransport': ['true'] };
    expect(holds(condition, full)).toBe(true);
    for (const key of Object.keys(full)) {
      expect(holds(condition, { ...full, [key]: ['b'] })).toBe(false);
    }
  });

  const MALFORMED: readonly ConditionBlock[] = [
    { StringSame: { [KEY]: 'a' } },
    { 'ForNoValue:StringEquals': { [KEY]: 'a' } },
    { 'constructor:StringEquals': { [KEY]: 'a' } },
    { NullIfExists: { [KEY]: 'true' } },
    { StringEquals: { prefix: 'a' } },
    { StringEquals: { [KEY]: { a: 1 } } },
    { StringEquals: { [KEY]: null } },
    { Bool: { [KEY]: 'yes' } },
    { NumericEquals: { [KEY]: 'ten' } },
    { DateEquals: { [KEY]: 'tomorrow' } },
    { IpAddress: { [KEY]: '203.0.113.0/33' } },
    { IpAddress: { [KEY]: '203.0.113.0/' } },
    { IpAddress: { [KEY]: ['203.0.113.0/24', 'here'] } },
    { StringEquals: [] as unknown as Record<string, unknown> },
  ];
  it.each(MALFORMED)('%j is refused as MalformedPolicy', (condition) => {
    const attempt = (): boolean => holds(condition, {});
    expect(attempt).toThrow(S3Error);
    expect(codeOf(attempt)).toBe('MalformedPolicy');
  });
});

function codeOf(attempt: () => unknown): string {
  try {
    attempt();
    return 'nothing';
  } catch (error) {
    return error instanceof S3Error ? error.code : String(error);
  }
}
