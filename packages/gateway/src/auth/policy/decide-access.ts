import type { PolicyQuestion, PolicyVerdict } from './evaluate-policy';
import { evaluatePolicies, evaluatePolicy } from './evaluate-policy';
import type { PolicyDocument } from './policy-document';
import type { PrincipalMatch, PrincipalNames } from './policy-principal';

/** Everything that one decision depends on. */
export interface AccessCase {
  readonly question: PolicyQuestion & { readonly names: PrincipalNames };
  /** Null for those who have none: the root of an account, and anonymous callers. */
  readonly identity: readonly PolicyDocument[] | null;
  readonly boundary: PolicyDocument | null;
  /** Policies of the session; each must allow. */
  readonly session: readonly PolicyDocument[];
  readonly bucketPolicy: PolicyDocument | null;
  /** RestrictPublicBuckets holds, and the policy is public (P-5). */
  readonly isRestricted: boolean;
  /** The asker's account owns the bucket; true for actions on no bucket. */
  readonly isBucketOwner: boolean;
  /** The asker's account owns what is acted upon: the bucket, or the object in it. */
  readonly isOwner: boolean;
  /** The bucket's owner owns what is acted upon, so that the bucket's policy can give it away. */
  readonly isBucketOwners: boolean;
  readonly acl: PrincipalMatch;
  /** The ACL leaves the owner what the action needs. */
  readonly isOwnerGranted: boolean;
}

/** The account's root always can mend a policy that locks everybody out (P-4). */
const POLICY_ACTIONS: ReadonlySet<string> = new Set([
  's3:getbucketpolicy',
  's3:putbucketpolicy',
  's3:deletebucketpolicy',
]);

/**
 * P-1. An explicit deny anywhere is the end; boundary and session policies must allow as well, and
 * nothing makes up for what they do not allow. Then the owner's account needs an allow of its own
 * policies, or of the resource for the asker by name; any other account needs both.
 */
export function decideAccess(access: AccessCase): boolean {
  const { question, identity } = access;
  const policy = bucketVerdict(access);
  const own = question.names.isRoot ? 'allow' : evaluatePolicies(identity ?? [], question);
  if (policy === 'deny' || own === 'deny' || !isWithinLimits(access)) return false;

  const isNamed = policy === 'allow' || access.acl === 'direct';
  if (question.names.accountId === '') return isNamed;
  if (access.isOwner) {
    const isGranted = access.isOwnerGranted || policy !== 'none';
    return isNamed || (own === 'allow' && isGranted);
  }
  return own === 'allow' && (policy !== 'none' || access.acl !== 'none');
}

function isWithinLimits(access: AccessCase): boolean {
  const { question, boundary, session, isRestricted, isBucketOwner } = access;
  if (isRestricted && !isBucketOwner) return false;
  const limits = boundary === null ? session : [boundary, ...session];
  return limits.every((each) => evaluatePolicy(each, question) === 'allow');
}

/** What the bucket's policy says; its allow counts only for what the bucket's owner owns. */
function bucketVerdict(access: AccessCase): PolicyVerdict {
  const { bucketPolicy, question, isBucketOwner, isBucketOwners } = access;
  if (bucketPolicy === null) return 'none';
  const isMending = isBucketOwner && question.names.isRoot && POLICY_ACTIONS.has(question.action);
  if (isMending) return 'none';
  const verdict = evaluatePolicy(bucketPolicy, question);
  return verdict === 'deny' || isBucketOwners ? verdict : 'none';
}
