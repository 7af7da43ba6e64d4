import { evaluatePolicy } from '../../../src/auth/policy/evaluate-policy';
import type { PolicyVerdict } from '../../../src/auth/policy/evaluate-policy';
import { parsePolicyDocument } from '../../../src/auth/policy/parse-policy';
import type { PolicyDocument } from '../../../src/auth/policy/policy-document';
import type { VariableSource } from '../../../src/auth/policy/policy-pattern';

export type ConditionBlock = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** The values of condition keys by any spelling. */
export function contextOf(values: Readonly<Record<string, readonly string[]>>): VariableSource {
  const byName = new Map(Object.entries(values).map(([key, each]) => [key.toLowerCase(), each]));
  return (key) => byName.get(key);
}

export function identityPolicy(...statements: readonly object[]): PolicyDocument {
  return parsePolicyDocument(policyText(...statements), 'identity');
}

export function policyText(...statements: readonly object[]): string {
  return JSON.stringify({ Version: '2012-10-17', Statement: statements });
}

/** What a policy that allows everything under a condition says to a request. */
export function verdictUnder(
  condition: ConditionBlock,
  values: Readonly<Record<string, readonly string[]>>,
): PolicyVerdict {
  const policy = identityPolicy({
    Effect: 'Allow',
    Action: '*',
    Resource: '*',
    Condition: condition,
  });
  return evaluatePolicy(policy, {
    action: 's3:getobject',
    resource: 'arn:aws:s3:::bucket/key',
    context: contextOf(values),
    names: null,
  });
}

export function holds(
  condition: ConditionBlock,
  values: Readonly<Record<string, readonly string[]>>,
): boolean {
  return verdictUnder(condition, values) === 'allow';
}
