import { malformedPolicy } from './malformed-policy';
import { parsePolicyDocument } from './parse-policy';
import type { PatternElement, PolicyDocument, Statement } from './policy-document';
import { matchesPattern, parsePattern } from './policy-pattern';
import type { PolicyPrincipal } from './policy-principal';
import type { ActionScope } from './s3-actions';
import { S3_ACTIONS, S3_CONDITION_KEYS } from './s3-actions';

/**
 * Parses what PutBucketPolicy brings, with the checks that need the bucket (P-4).
 *
 * @param isKnown whether there is such a principal; everybody, services and providers always are.
 * @throws S3Error MalformedPolicy
 */
export function parseBucketPolicy(
  text: string,
  bucketName: string,
  isKnown: (principal: PolicyPrincipal) => boolean,
): PolicyDocument {
  const policy = parsePolicyDocument(text, 'resource');
  for (const statement of policy.statements) {
    requireActions(statement.action);
    requireConditionKeys(statement);
    requireResources(statement, bucketName);
    if (statement.principal?.principals.every(isKnown) !== true) {
      throw malformedPolicy('Invalid principal in policy');
    }
  }
  return policy;
}

const NAMES: readonly (readonly [string, ActionScope])[] = [...S3_ACTIONS].map(([name, scope]) => [
  name.toLowerCase(),
  scope,
]);

/** What the actions of a pattern are done to; empty when there is no such action. */
function scopesOf(element: PatternElement): readonly ReadonlySet<ActionScope>[] {
  return element.patterns.map(
    (pattern) =>
      new Set(
        NAMES.filter(([name]) => matchesPattern(pattern, name, () => undefined)).map(
          ([, scope]) => scope,
        ),
      ),
  );
}

function requireActions(action: PatternElement): void {
  if (scopesOf(action).some((scopes) => scopes.size === 0)) {
    throw malformedPolicy('Policy has invalid action');
  }
}

function requireConditionKeys({ conditions }: Statement): void {
  for (const { key } of conditions) {
    if (!key.startsWith('s3:')) continue;
    const slash = key.indexOf('/');
    const name = key.slice(3, slash < 0 ? undefined : slash + 1);
    if (!S3_CONDITION_KEYS.has(name)) throw malformedPolicy('Policy has an invalid condition key');
  }
}

const RESOURCE_PREFIX = 'arn:aws:s3:::';

function requireResources({ action, resource }: Statement, bucketName: string): void {
  const scopes = new Set<ActionScope>();
  for (const { source } of resource?.patterns ?? []) {
    if (!source.startsWith(RESOURCE_PREFIX)) throw malformedPolicy('Policy has invalid resource');
    const path = source.slice(RESOURCE_PREFIX.length);
    const slash = path.indexOf('/');
    const bucket = parsePattern(slash < 0 ? path : path.slice(0, slash), {
      wildcards: true,
      variables: false,
    });
    if (!matchesPattern(bucket, bucketName, () => undefined)) {
      throw malformedPolicy('Policy has invalid resource');
    }
    if (slash < 0) scopes.add('bucket');
    if (slash >= 0 || path.includes('*')) scopes.add('object');
  }
  if (action.isNegated || resource?.isNegated === true) return;
  for (const wanted of scopesOf(action)) {
    if (![...wanted].some((scope) => scopes.has(scope))) {
      throw malformedPolicy('Action does not apply to any resource(s) in statement');
    }
  }
}
