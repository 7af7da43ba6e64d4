import type { Condition } from './condition';
import type { IpRange } from './ip-range';
import { parseIpRange } from './ip-range';
import type { PolicyDocument, Statement } from './policy-document';

/**
 * P-6: a policy is taken for public unless every statement that allows something is restricted to
 * fixed values of something that only certain callers have.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
 */
export function isPublicPolicy(policy: PolicyDocument): boolean {
  return policy.statements.some(isPublicStatement);
}

function isPublicStatement({ effect, principal, conditions }: Statement): boolean {
  if (effect === 'Deny') return false;
  const isForSome =
    principal !== null &&
    !principal.isNegated &&
    principal.principals.every(({ kind }) => kind !== 'everybody');
  return !isForSome && !conditions.some(restricts);
}

/** Operators that hold only for the values that they name. */
const EQUALITIES: ReadonlySet<string> = new Set([
  'aws:sourcearn',
  'aws:sourcevpc',
  'aws:sourcevpce',
  'aws:sourceowner',
  'aws:sourceaccount',
  'aws:userid',
  'aws:principalorgid',
  's3:x-amz-server-side-encryption-aws-kms-key-id',
  's3:dataaccesspointarn',
  's3:dataaccesspointaccount',
]);
/** Their values are ARNs, in which the account alone must be fixed. */
const ACCOUNT_WIDE: ReadonlySet<string> = new Set(['s3:dataaccesspointarn', 'aws:sourcearn']);

function restricts(condition: Condition): boolean {
  const { operator, quantifier, ifExists, key, values } = condition;
  // These three hold for requests that do not have the key at all.
  if (operator.isNegated || operator.kind === 'null' || ifExists || quantifier === 'all') {
    return false;
  }
  if (values.length === 0) return false;
  if (key === 'aws:sourceip') return values.every(({ source }) => isNarrow(parseIpRange(source)));
  if (!EQUALITIES.has(key)) return false;
  return values.every(({ source, hasVariable }) => {
    if (hasVariable || source.includes('${')) return false;
    return ACCOUNT_WIDE.has(key) ? hasFixedAccount(source) : !/[*?]/.test(source);
  });
}

function hasFixedAccount(arn: string): boolean {
  return !/[*?]/.test(arn) || /^arn:[^:]*:[^:]*:[^:]*:\d{12}:/.test(arn);
}

const PREFIX_LENGTH_MIN = { 4: 8, 6: 32 } as const;

/** Private addresses count like others; no private range is as broad as that. */
function isNarrow(range: IpRange | null): boolean {
  return range !== null && range.prefixLength >= PREFIX_LENGTH_MIN[range.family];
}
