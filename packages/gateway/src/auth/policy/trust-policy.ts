import type { PolicyVerdict } from './evaluate-policy';
import { evaluatePolicy } from './evaluate-policy';
import { parsePolicyDocument } from './parse-policy';
import type { VariableSource } from './policy-pattern';
import type { PrincipalNames } from './policy-principal';

/** Somebody who wants to assume a role. */
export interface TrustQuestion {
  /** `sts:AssumeRole`, `sts:AssumeRoleWithWebIdentity` … */
  readonly action: string;
  /** `namesOf(principal, …)`, or for a web identity {@link webIdentityNames}. */
  readonly names: PrincipalNames;
  /** Condition keys by lower-case name: `aws:*`, `sts:*`, `issuer.example.com:sub`. */
  readonly context: VariableSource;
}

/**
 * What a role's trust policy says. `allow-account`: it trusts the account of whoever asks, so the
 * identity policies of the asker must allow the action too; `allow`: it names the asker, who then
 * needs no more when role and asker are of the same account.
 *
 * @throws S3Error MalformedPolicy for a document that could not have been stored.
 */
export function evaluateTrustPolicy(document: string, question: TrustQuestion): PolicyVerdict {
  const policy = parsePolicyDocument(document, 'trust');
  const { action, names, context } = question;
  return evaluatePolicy(policy, { action: action.toLowerCase(), resource: '', names, context });
}

/** A web identity is nobody of the cluster until it has assumed a role. */
export function webIdentityNames(providerArn: string): PrincipalNames {
  return { isRoot: false, accountId: '', canonicalId: '', arns: [], provider: providerArn };
}
