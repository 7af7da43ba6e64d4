import type { BucketRecord } from '@azimuth/proto';

import type {
  AccessRequest,
  AccessTarget,
  Authorizer,
  RequestAccess,
  RequestFacts,
} from '../auth/authorize';
import type { RequiredAccess } from '../auth/operation-access';
import { requiredAccess } from '../auth/operation-access';
import { aclRuleOf } from '../auth/policy/acl-access';
import type { Principal } from '../auth/principal';
import { bucketTarget } from '../s3/access-target';
import { locateObject } from '../s3/bucket-access';
import { ownershipOf } from '../s3/bucket-configuration';
import type { OperationContext } from '../s3/operation';
import { S3Error, toS3Error } from '../s3/s3-error';
import type { RequestHead } from './request-head';

/** Operations that make the bucket which they name. */
const MAKES_BUCKET: ReadonlySet<string> = new Set(['CreateBucket']);
/** Their NoSuchKey is about the source, which they hide themselves (P-3). */
const COPIES: ReadonlySet<string> = new Set(['CopyObject', 'UploadPartCopy']);
const MISSING: ReadonlySet<string> = new Set(['NoSuchKey', 'NoSuchVersion']);

/** A request that is to be authorized. */
export interface AccessAttempt {
  readonly operation: string;
  readonly head: RequestHead;
  readonly principal: Principal;
  readonly facts: RequestFacts;
  readonly signal: AbortSignal;
}

/**
 * Asks for everything that the operation needs. Nothing is awaited where the answer is at hand.
 *
 * @returns the bucket of the request; null when it names none, or makes it.
 * @throws S3Error AccessDenied; NoSuchBucket, which everybody may know.
 */
export async function requireOperationAccess(
  attempt: AccessAttempt,
  authorizer: Authorizer,
  context: OperationContext,
): Promise<BucketRecord | null> {
  const { operation, head, principal, facts, signal } = attempt;
  let bucket: BucketRecord | null = null;
  if (head.bucket !== null && !MAKES_BUCKET.has(operation)) {
    bucket = await context.view.bucket(head.bucket, signal);
    if (bucket === null) throw new S3Error('NoSuchBucket', { BucketName: head.bucket });
  }
  for (const required of requiredAccess(operation, head)) {
    const { action, conditions } = required;
    const target = targetOf(required, bucket, attempt, context);
    const allowed = authorizer.isAllowed({
      principal,
      action,
      target,
      facts,
      ...(conditions === undefined ? {} : { conditions }),
    });
    if (!(typeof allowed === 'boolean' ? allowed : await allowed))
      throw await refusalOf(attempt, { action, target }, authorizer);
  }
  return bucket;
}

/**
 * An object that is not there has no ACL that could let anybody read it; who may list the bucket
 * is told as much (P-3).
 */
async function refusalOf(
  { head, principal, facts }: AccessAttempt,
  { action, target }: Pick<AccessRequest, 'action' | 'target'>,
  authorizer: Authorizer,
): Promise<S3Error> {
  const { bucket, key, versionId, object } = target;
  const denied = new S3Error('AccessDenied');
  if (bucket === null || object === undefined || !isRuledByObjectAcl(bucket, action)) return denied;
  const onBucket = bucketTarget({ bucket });
  const listing = { principal, action: listingActionOf(head), target: onBucket, facts };
  if (!(await authorizer.isAllowed(listing))) return denied;
  const found = await object();
  if (versionId !== null) {
    const detail = { Key: key ?? '', VersionId: versionId };
    return found === null ? new S3Error('NoSuchVersion', detail) : denied;
  }
  return found === null || found.isDeleteMarker
    ? new S3Error('NoSuchKey', { Key: key ?? '' })
    : denied;
}

function isRuledByObjectAcl(bucket: BucketRecord, action: string): boolean {
  if (ownershipOf(bucket) === 'BucketOwnerEnforced') return false;
  return aclRuleOf(action.toLowerCase())?.scope === 'object';
}

function listingActionOf({ query }: RequestHead): string {
  return query.has('versionId') ? 's3:ListBucketVersions' : 's3:ListBucket';
}

function targetOf(
  { on, isNew = false }: RequiredAccess,
  bucket: BucketRecord | null,
  { head, signal }: AccessAttempt,
  context: OperationContext,
): AccessTarget {
  if (on !== 'object' || bucket === null || head.key === null) {
    const bucketName = on === 'service' ? null : head.bucket;
    return { bucket: on === 'service' ? null : bucket, bucketName, key: null, versionId: null };
  }
  const { key } = head;
  const versionId = head.query.get('versionId') ?? null;
  const target = { bucket, bucketName: bucket.name, key, versionId };
  if (isNew) return { isNew, ...target };
  return {
    async object() {
      const location = locateObject(bucket, key, context);
      const args = { versionId, withBody: false, ...location.address };
      const { metadata } = context;
      const found = await metadata.queryIndex(location.group, 'GetVersion', args, { signal });
      return found?.head ?? null;
    },
    ...target,
  };
}

/**
 * P-3: that something is not there is told only to those who could have listed it. All others get
 * what they would get for something that is there and not theirs, whatever their conditions.
 */
export async function concealMissing(
  error: unknown,
  { operation, head, signal }: AccessAttempt,
  access: RequestAccess,
  context: OperationContext,
): Promise<unknown> {
  if (head.bucket === null || head.key === null || COPIES.has(operation)) return error;
  const s3Error = toS3Error(error);
  if (!MISSING.has(s3Error.code)) return error;
  const bucket = await context.view.bucket(head.bucket, signal);
  if (bucket === null) return error;
  const mayKnow = await access.isAllowed(listingActionOf(head), bucketTarget({ bucket }));
  return mayKnow ? error : new S3Error('AccessDenied', {}, { cause: error });
}
