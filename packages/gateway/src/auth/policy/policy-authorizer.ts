import type { ClusterView } from '@azimuth/clients';
import type { BucketRecord, VersionHead } from '@azimuth/proto';

import { aclOf, privateAcl } from '../../s3/access-control-list';
import {
  bucketConfiguration,
  ownershipOf,
  publicAccessBlockOf,
} from '../../s3/bucket-configuration';
import type { AccountDirectory } from '../accounts';
import type { AccessRequest, AccessTarget, Authorizer } from '../authorize';
import type { Principal } from '../principal';
import type { AclRule } from './acl-access';
import { aclRuleOf, matchAcl } from './acl-access';
import { conditionContext } from './condition-keys';
import { decideAccess } from './decide-access';
import { IdentityPolicyIndex } from './identity-policies';
import type { IdentityPolicies } from './identity-policies';
import { denyAll, PolicyCache } from './policy-cache';
import type { PolicyDocument } from './policy-document';
import type { PrincipalMatch } from './policy-principal';
import { namesOf } from './policy-principal';
import { isPublicPolicy } from './public-policy';

export interface PolicyAuthorizerOptions {
  readonly view: Pick<ClusterView, 'identities'>;
  readonly accounts: AccountDirectory;
  readonly region: string;
}

/** What applies to one request, before the object is looked up. */
interface Applicable {
  readonly request: AccessRequest;
  /** Lower case. */
  readonly action: string;
  readonly identity: IdentityPolicies | null;
  readonly session: readonly PolicyDocument[];
  readonly bucketPolicy: PolicyDocument | null;
  readonly aclRule: AclRule | null;
  /** ACLs count (P-8). */
  readonly hasAcls: boolean;
}

/**
 * Actions about a version that may belong to somebody else than the bucket does; those that make or
 * delete one are the bucket's affair.
 */
const OBJECT_ACTION = /^s3:(?:get|put|delete|restore|list|update)object/;
const BUCKET_AFFAIRS: ReadonlySet<string> = new Set([
  's3:putobject',
  's3:deleteobject',
  's3:deleteobjectversion',
]);
const WRITERS_ACL: ReadonlySet<string> = new Set(['s3:putobjectacl', 's3:putobjectversionacl']);
const POLICY = 'policy';
const ACL = 'acl';

/** Policies of every kind, ACLs, Object Ownership and Block Public Access. */
export class PolicyAuthorizer implements Authorizer {
  readonly #options: PolicyAuthorizerOptions;
  readonly #cache = new PolicyCache();
  readonly #identities = new IdentityPolicyIndex(this.#cache);
  readonly #isPublic = new WeakMap<PolicyDocument, boolean>();

  constructor(options: PolicyAuthorizerOptions) {
    this.#options = options;
  }

  isAllowed(request: AccessRequest): boolean | Promise<boolean> {
    if (isPlainlyOwn(request)) return true;
    const applicable = this.#applicable(request);
    const { target } = request;
    if (target.object === undefined || !needsObject(applicable)) {
      return this.#decide(applicable, null);
    }
    return target.object().then((object) => this.#decide(applicable, object));
  }

  #applicable(request: AccessRequest): Applicable {
    const { principal, target } = request;
    const { bucket } = target;
    const action = request.action.toLowerCase();
    const hasOwnPolicies = principal.kind === 'user' || principal.kind === 'assumed-role';
    return {
      request,
      action,
      identity: hasOwnPolicies
        ? this.#identities.of(principal, this.#options.view.identities())
        : null,
      session: (principal.session?.policies ?? []).map((text) =>
        this.#cache.compile(text, 'identity'),
      ),
      bucketPolicy: bucket === null ? null : this.#policyOf(bucket),
      aclRule: aclRuleOf(action),
      hasAcls: bucket !== null && ownershipOf(bucket) !== 'BucketOwnerEnforced',
    };
  }

  #policyOf(bucket: BucketRecord): PolicyDocument | null {
    if (bucket.configurations[POLICY] === undefined) return null;
    const text: unknown = readPolicy(bucket);
    return typeof text === 'string' ? this.#cache.compile(text, 'resource') : denyAll('resource');
  }

  #decide(applicable: Applicable, object: VersionHead | null): boolean {
    const { request, action, identity, session, bucketPolicy } = applicable;
    const { principal, target } = request;
    const { bucket } = target;
    const names = namesOf(principal, identity?.roleArn ?? null);
    const context = conditionContext({
      request,
      roleArn: identity?.roleArn ?? null,
      region: this.#options.region,
      resourceAccountId: this.#accountIdOf(bucket),
      object,
    });
    const bucketOwner = bucket?.owner ?? principal.canonicalId;
    const owner = ownerOf(applicable, object);
    return decideAccess({
      question: { action, resource: resourceArn(target), context, names },
      identity: identity?.policies ?? null,
      boundary: identity?.boundary ?? null,
      session,
      bucketPolicy,
      isRestricted: bucket !== null && this.#isRestricted(bucket, bucketPolicy),
      isBucketOwner: bucketOwner === principal.canonicalId,
      isOwner: owner === principal.canonicalId,
      isBucketOwners: owner === bucketOwner,
      acl: this.#matchAcl(applicable, principal, object),
      isOwnerGranted: isOwnerGranted(applicable, object),
    });
  }

  #accountIdOf(bucket: BucketRecord | null): string | null {
    if (bucket === null) return null;
    return this.#options.accounts.byCanonicalId(bucket.owner)?.accountId ?? null;
  }

  #isRestricted(bucket: BucketRecord, policy: PolicyDocument | null): boolean {
    if (policy === null) return false;
    if (!publicAccessBlockOf(bucket, this.#options.accounts).restrictPublicBuckets) return false;
    let isPublic = this.#isPublic.get(policy);
    if (isPublic === undefined) this.#isPublic.set(policy, (isPublic = isPublicPolicy(policy)));
    return isPublic;
  }

  #matchAcl(
    { request, action, aclRule, hasAcls }: Applicable,
    principal: Principal,
    object: VersionHead | null,
  ): PrincipalMatch {
    const { bucket, isNew } = request.target;
    if (!hasAcls || aclRule === null || bucket === null) return 'none';
    if (aclRule.ownOnly && object?.owner !== principal.canonicalId) return 'none';
    const subject = {
      isAnonymous: principal.kind === 'anonymous',
      canonicalId: principal.canonicalId,
      ignoresPublic: publicAccessBlockOf(bucket, this.#options.accounts).ignorePublicAcls,
    };
    // Whoever may write an object owns it, and says who else gets it.
    if (isNew === true && WRITERS_ACL.has(action)) {
      return matchAcl(bucketAcl(bucket), 'WRITE', subject);
    }
    const list =
      aclRule.scope === 'bucket'
        ? bucketAcl(bucket)
        : object === null
          ? null
          : aclOf(object.acl, object.owner);
    return list === null ? 'none' : matchAcl(list, aclRule.permission, subject);
  }
}

/**
 * The root of an account and what the account owns, when nothing but ownership has a say: nearly
 * every request of a cluster with one user, so it costs no more than these comparisons.
 */
function isPlainlyOwn({ principal, target }: AccessRequest): boolean {
  if (principal.kind !== 'root') return false;
  if (principal.session !== null && principal.session.policies.length > 0) return false;
  const { bucket } = target;
  if (bucket === null) return true;
  return (
    bucket.owner === principal.canonicalId &&
    bucket.configurations[POLICY] === undefined &&
    ownershipOf(bucket) === 'BucketOwnerEnforced'
  );
}

function needsObject(applicable: Applicable): boolean {
  const { request, identity, session, bucketPolicy, action, aclRule, hasAcls } = applicable;
  // The owner of a bucket deletes whatever is in it, whoever wrote it.
  const isOthers = request.target.bucket?.owner !== request.principal.canonicalId;
  const policies = [
    ...(identity?.policies ?? []),
    ...session,
    identity?.boundary ?? null,
    bucketPolicy,
  ];
  return (
    policies.some((policy) => policy?.readsObjectTags === true) ||
    (hasAcls && ((aclRule?.ownOnly === true && isOthers) || isAboutVersion(action)))
  );
}

function isAboutVersion(action: string): boolean {
  return OBJECT_ACTION.test(action) && !BUCKET_AFFAIRS.has(action);
}

/** Canonical id of whoever owns what is acted upon. */
function ownerOf({ request, action, hasAcls }: Applicable, object: VersionHead | null): string {
  const { target, principal } = request;
  const bucketOwner = target.bucket?.owner ?? principal.canonicalId;
  if (!hasAcls) return bucketOwner;
  if (target.isNew === true && WRITERS_ACL.has(action)) return principal.canonicalId;
  if (object === null || object.isDeleteMarker || !isAboutVersion(action)) return bucketOwner;
  return object.owner;
}

/** An owner who takes READ or WRITE from themselves has it no more; the ACL stays theirs. */
function isOwnerGranted(
  { request, aclRule, hasAcls }: Applicable,
  object: VersionHead | null,
): boolean {
  const { bucket } = request.target;
  if (!hasAcls || bucket === null || aclRule === null) return true;
  const { scope, permission, ownOnly } = aclRule;
  if (ownOnly || (permission !== 'READ' && permission !== 'WRITE')) return true;
  if (scope === 'object' && object === null) return true;
  const owner = scope === 'object' ? (object?.owner ?? bucket.owner) : bucket.owner;
  const list = scope === 'object' ? aclOf(object?.acl ?? null, owner) : bucketAcl(bucket);
  const subject = { isAnonymous: false, canonicalId: owner, ignoresPublic: false };
  return matchAcl(list, permission, subject) !== 'none';
}

function bucketAcl(bucket: BucketRecord): ReturnType<typeof privateAcl> {
  return bucketConfiguration(bucket, ACL) ?? privateAcl(bucket.owner);
}

/** Null for a stored configuration that cannot be read. */
function readPolicy(bucket: BucketRecord): unknown {
  try {
    return bucketConfiguration(bucket, POLICY);
  } catch {
    return null;
  }
}

function resourceArn({ arn, bucketName, key }: AccessTarget): string {
  if (arn !== undefined) return arn;
  if (bucketName === null) return 'arn:aws:s3:::*';
  return key === null ? `arn:aws:s3:::${bucketName}` : `arn:aws:s3:::${bucketName}/${key}`;
}
