import { conditionsHold } from './condition';
import type { PatternElement, PolicyDocument, Statement } from './policy-document';
import type { VariableSource } from './policy-pattern';
import { isUnresolved, matchesPattern } from './policy-pattern';
import type { PrincipalNames } from './policy-principal';
import { matchPrincipal } from './policy-principal';

/** An action, what it is done to, and everything that conditions may ask. */
export interface PolicyQuestion {
  /** Lower case. */
  readonly action: string;
  /** ARN; '' in questions to trust policies. */
  readonly resource: string;
  readonly context: VariableSource;
  /** Null in questions to policies that name no principals. */
  readonly names: PrincipalNames | null;
}

/**
 * What a policy says. `allow-account`: only to the account of whoever asks, which must allow it
 * too; identity policies say `allow`.
 */
export type PolicyVerdict = 'deny' | 'allow' | 'allow-account' | 'none';

/** An explicit deny wins over every allow, wherever either stands. */
export function evaluatePolicy(policy: PolicyDocument, question: PolicyQuestion): PolicyVerdict {
  let verdict: PolicyVerdict = 'none';
  for (const statement of policy.statements) {
    const found = evaluateStatement(statement, question);
    if (found === 'deny') return 'deny';
    if (found === 'allow' || verdict === 'none') verdict = found;
  }
  return verdict;
}

/** The same for all policies of one source, of which each may allow. */
export function evaluatePolicies(
  policies: readonly PolicyDocument[],
  question: PolicyQuestion,
): PolicyVerdict {
  let verdict: PolicyVerdict = 'none';
  for (const policy of policies) {
    const found = evaluatePolicy(policy, question);
    if (found === 'deny') return 'deny';
    if (found === 'allow' || verdict === 'none') verdict = found;
  }
  return verdict;
}

function evaluateStatement(statement: Statement, question: PolicyQuestion): PolicyVerdict {
  const { action, resource, principal, effect, conditions } = statement;
  if (!includes(action, question.action, noVariables)) return 'none';
  if (resource !== null && !includes(resource, question.resource, question.context)) return 'none';
  if (effect === 'Allow' && resource?.isNegated === true) {
    // `NotResource` that names nothing would allow everything.
    const { patterns } = resource;
    if (patterns.some((pattern) => isUnresolved(pattern, question.context))) return 'none';
  }
  let isForAccount = false;
  if (principal !== null) {
    const match = question.names === null ? 'none' : matchPrincipal(principal, question.names);
    if (match === 'none') return 'none';
    isForAccount = match === 'account';
  }
  if (!conditionsHold(conditions, question.context)) return 'none';
  if (effect === 'Deny') return 'deny';
  return isForAccount ? 'allow-account' : 'allow';
}

function includes(element: PatternElement, text: string, variables: VariableSource): boolean {
  const isListed = element.patterns.some((pattern) => matchesPattern(pattern, text, variables));
  return isListed !== element.isNegated;
}

const noVariables: VariableSource = () => undefined;
