import type { ConditionOperator, ConditionTest } from './condition-operators';
import { CONDITION_OPERATORS } from './condition-operators';
import { malformedPolicy } from './malformed-policy';
import type { PolicyPattern, VariableSource } from './policy-pattern';
import { parsePattern } from './policy-pattern';

/** `ForAllValues:`, `ForAnyValue:`, or neither. */
type Quantifier = 'all' | 'any' | 'none';

/** One key under one operator: a line of a condition block. */
export interface Condition {
  readonly operator: ConditionOperator;
  readonly quantifier: Quantifier;
  readonly ifExists: boolean;
  /** As it was written. */
  readonly keyName: string;
  /** Lower case: names of condition keys are compared without case. */
  readonly key: string;
  readonly values: readonly PolicyPattern[];
  /** The values, compiled. */
  readonly test: ConditionTest;
}

/** Every operator and key of the block must hold. */
export function conditionsHold(conditions: readonly Condition[], context: VariableSource): boolean {
  return conditions.every((condition) => conditionHolds(condition, context));
}

/**
 * The truth tables of "Creating a condition that tests multiple key values" of the IAM guide:
 *
 * - no quantifier: some value of the request passes; negated: none matches, also when the key is
 *   absent.
 * - ForAllValues: every value of the request passes; also when there is none.
 * - ForAnyValue: some value of the request passes; not when there is none.
 *
 * With a negated operator a value passes when it matches none of the policy's values.
 */
function conditionHolds(condition: Condition, context: VariableSource): boolean {
  const { operator, quantifier, ifExists, key, test } = condition;
  const values = context(key);
  if (operator.kind === 'null') {
    return test(values === undefined || values.length === 0 ? 'true' : 'false', context);
  }
  if (values === undefined || values.length === 0) {
    if (ifExists || quantifier === 'all') return true;
    return quantifier === 'none' && operator.isNegated;
  }
  const passes = (value: string): boolean => test(value, context) !== operator.isNegated;
  if (quantifier === 'all') return values.every(passes);
  if (quantifier === 'any') return values.some(passes);
  return operator.isNegated ? values.every(passes) : values.some(passes);
}

const QUANTIFIERS: ReadonlyMap<string, Quantifier> = new Map([
  ['forallvalues', 'all'],
  ['foranyvalue', 'any'],
]);
const IF_EXISTS = 'ifexists';

/** @throws S3Error MalformedPolicy */
export function parseConditions(block: unknown, hasVariables: boolean): Condition[] {
  if (!isRecord(block)) throw malformedPolicy('The policy contains an invalid Condition.');
  const conditions: Condition[] = [];
  for (const [name, keys] of Object.entries(block)) {
    const head = parseOperator(name);
    if (!isRecord(keys)) throw malformedPolicy(`Invalid Condition type : ${name}`);
    for (const [keyName, value] of Object.entries(keys)) {
      // `s3:prefix`, or of an identity provider `idp.example.com/realm:sub`.
      if (!/^[a-zA-Z0-9][\w.:/-]*:./.test(keyName)) {
        throw malformedPolicy('Policy has an invalid condition key');
      }
      const wildcards = head.operator.hasWildcards;
      const values = textValues(value).map((text) =>
        parsePattern(text, { wildcards, variables: hasVariables }),
      );
      const test = head.operator.compile(values);
      if (test === null) throw malformedPolicy(`Invalid value for condition key ${keyName}`);
      conditions.push({ ...head, keyName, key: keyName.toLowerCase(), values, test });
    }
  }
  return conditions;
}

function parseOperator(name: string): Pick<Condition, 'operator' | 'quantifier' | 'ifExists'> {
  const colon = name.indexOf(':');
  const prefix = name.slice(0, Math.max(colon, 0)).toLowerCase();
  const quantifier = colon < 0 ? 'none' : QUANTIFIERS.get(prefix);
  const rest = name.slice(colon + 1).toLowerCase();
  const ifExists = rest.endsWith(IF_EXISTS);
  const operator = CONDITION_OPERATORS.get(ifExists ? rest.slice(0, -IF_EXISTS.length) : rest);
  if (
    quantifier === undefined ||
    operator === undefined ||
    (ifExists && operator.kind === 'null')
  ) {
    throw malformedPolicy(`Invalid Condition type : ${name}`);
  }
  return { operator, quantifier, ifExists };
}

function textValues(value: unknown): string[] {
  const values: unknown[] = Array.isArray(value) ? value : [value];
  return values.map((each) => {
    if (typeof each === 'string') return each;
    if (typeof each === 'number' || typeof each === 'boolean') return String(each);
    throw malformedPolicy('The policy contains an invalid Condition.');
  });
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
