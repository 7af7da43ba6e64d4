import { Buffer } from 'node:buffer';

import { isInRange, parseIpRange } from './ip-range';
import type { PolicyPattern, VariableSource } from './policy-pattern';
import { matchesPattern, parsePattern, resolvePattern } from './policy-pattern';

/** True when a value of the request matches any value of the policy. */
export type ConditionTest = (value: string, variables: VariableSource) => boolean;

export interface ConditionOperator {
  readonly kind: 'comparison' | 'null';
  /** `StringNotEquals` passes what `StringEquals` does not match. */
  readonly isNegated: boolean;
  readonly hasWildcards: boolean;
  /** Null when a value of the policy is malformed. */
  compile(values: readonly PolicyPattern[]): ConditionTest | null;
}

type Compile = ConditionOperator['compile'];

const stringEquals: Compile = (values) => (value, variables) =>
  values.some((pattern) => resolvePattern(pattern, variables) === value);

const stringEqualsIgnoreCase: Compile = (values) => (value, variables) => {
  const folded = value.toLowerCase();
  return values.some((pattern) => resolvePattern(pattern, variables)?.toLowerCase() === folded);
};

const stringLike: Compile = (values) => (value, variables) =>
  values.some((pattern) => matchesPattern(pattern, value, variables));

/** `arn:partition:service:region:account:resource`; the first five are compared each on its own. */
const ARN_COMPONENTS = 6;

/** ArnEquals and ArnLike are the same operator by two names, says the IAM guide. */
const arnLike: Compile = (values) => {
  const matchesAll = values.some(({ source }) => source === '*');
  const wanted = values.map(arnPatterns).filter((patterns) => patterns !== null);
  return (value, variables) => {
    const components = arnComponents(value);
    if (matchesAll || components === null) return matchesAll;
    return wanted.some((patterns) =>
      patterns.every((each, index) => matchesPattern(each, components[index] ?? '', variables)),
    );
  };
};

function arnComponents(text: string): string[] | null {
  const pieces = text.split(':');
  if (pieces.length < ARN_COMPONENTS) return null;
  const head = pieces.slice(0, ARN_COMPONENTS - 1);
  return [...head, pieces.slice(ARN_COMPONENTS - 1).join(':')];
}

/** Split before variables are replaced: what replaces them cannot move the borders. */
function arnPatterns(pattern: PolicyPattern): PolicyPattern[] | null {
  // The colons of `${aws:username}` are not those of the ARN.
  const source = pattern.source.replaceAll(/\$\{[^}]*\}/g, (text) => text.replaceAll(':', '\0'));
  const components = arnComponents(source);
  if (components === null) return null;
  const options = { wildcards: true, variables: pattern.hasVariable };
  return components.map((each) => parsePattern(each.replaceAll('\0', ':'), options));
}

const bool: Compile = (values) => {
  const wanted = new Set(values.map(({ source }) => source.toLowerCase()));
  if ([...wanted].some((text) => text !== 'true' && text !== 'false')) return null;
  return (value) => wanted.has(value.toLowerCase());
};

const binaryEquals: Compile = (values) => {
  const wanted = new Set(values.map(({ source }) => Buffer.from(source, 'base64').toString('hex')));
  return (value) => wanted.has(Buffer.from(value, 'base64').toString('hex'));
};

const ipAddress: Compile = (values) => {
  const ranges = values.map(({ source }) => parseIpRange(source)).filter((range) => range !== null);
  if (ranges.length < values.length) return null;
  return (value) => ranges.some((range) => isInRange(range, value));
};

type Compare = (requested: number, limit: number) => boolean;

function ordered(parse: (text: string) => number, compare: Compare): Compile {
  return (values) => {
    const limits = values.map(({ source }) => parse(source));
    if (limits.some((limit) => Number.isNaN(limit))) return null;
    return (value) => {
      const requested = parse(value);
      return !Number.isNaN(requested) && limits.some((limit) => compare(requested, limit));
    };
  };
}

function parseNumber(text: string): number {
  return /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?$/.test(text)
    ? Number(text)
    : Number.NaN;
}

const DATE =
  /^\d{4}(?:-\d{2}(?:-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?)?)?$/;

/** ISO 8601, or seconds since 1970 (five digits and more: fewer are a year). Milliseconds. */
function parseDate(text: string): number {
  if (/^\d{5,12}$/.test(text)) return Number(text) * 1000;
  if (!DATE.test(text)) return Number.NaN;
  const hasZone = !text.includes('T') || /(?:Z|[+-]\d{2}:?\d{2})$/.test(text.slice(11));
  return Date.parse(hasZone ? text : `${text}Z`);
}

const equals: Compare = (requested, limit) => requested === limit;
const COMPARISONS: Readonly<Record<string, Compare>> = {
  LessThan: (requested, limit) => requested < limit,
  LessThanEquals: (requested, limit) => requested <= limit,
  GreaterThan: (requested, limit) => requested > limit,
  GreaterThanEquals: (requested, limit) => requested >= limit,
};

interface Family {
  readonly positive: string;
  readonly negative?: string;
  readonly hasWildcards?: boolean;
  readonly compile: Compile;
}

const FAMILIES: readonly Family[] = [
  { positive: 'StringEquals', negative: 'StringNotEquals', compile: stringEquals },
  {
    positive: 'StringEqualsIgnoreCase',
    negative: 'StringNotEqualsIgnoreCase',
    compile: stringEqualsIgnoreCase,
  },
  {
    positive: 'StringLike',
    negative: 'StringNotLike',
    hasWildcards: true,
    compile: stringLike,
  },
  { positive: 'ArnEquals', negative: 'ArnNotEquals', hasWildcards: true, compile: arnLike },
  { positive: 'ArnLike', negative: 'ArnNotLike', hasWildcards: true, compile: arnLike },
  { positive: 'Bool', compile: bool },
  { positive: 'BinaryEquals', compile: binaryEquals },
  { positive: 'IpAddress', negative: 'NotIpAddress', compile: ipAddress },
  {
    positive: 'NumericEquals',
    negative: 'NumericNotEquals',
    compile: ordered(parseNumber, equals),
  },
  { positive: 'DateEquals', negative: 'DateNotEquals', compile: ordered(parseDate, equals) },
  ...Object.entries(COMPARISONS).flatMap(([name, compare]): Family[] => [
    { positive: `Numeric${name}`, compile: ordered(parseNumber, compare) },
    { positive: `Date${name}`, compile: ordered(parseDate, compare) },
  ]),
];

function operatorsOf(family: Family): [string, ConditionOperator][] {
  const { positive, negative, compile, hasWildcards = false } = family;
  const operator = { kind: 'comparison' as const, hasWildcards, compile };
  const named: [string, ConditionOperator][] = [
    [positive.toLowerCase(), { ...operator, isNegated: false }],
  ];
  if (negative !== undefined) {
    named.push([negative.toLowerCase(), { ...operator, isNegated: true }]);
  }
  return named;
}

/** Every operator of the policy language by lower-case name. */
export const CONDITION_OPERATORS: ReadonlyMap<string, ConditionOperator> = new Map([
  ...FAMILIES.flatMap(operatorsOf),
  ['null', { kind: 'null', isNegated: false, hasWildcards: false, compile: bool }],
]);
