import type { BucketRecord } from '@azimuth/proto';

import type { AccessTarget, Authorizer, RequestAccess, RequestFacts } from '../auth/authorize';
import type { RequiredAccess } from '../auth/operation-access';
import { requiredAccess } from '../auth/operation-access';
import type { Principal } from '../auth/principal';
import { bucketTarget } from '../s3/access-target';
import { locateObject } from '../s3/bucket-access';
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
    const allowed = authorizer.isAllowed({
      principal,
      action,
      target: targetOf(required, bucket, attempt, context),
      facts,
      ...(conditions === undefined ? {} : { conditions }),
    });
    if (!(typeof allowed === 'boolean' ? allowed : await allowed))
      throw new S3Error('AccessDenied');
  }
  return bucket;
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
  if (isNew) return { ...target, isNew };
  return {
    ...target,
    async object() {
      const location = locateObject(bucket, key, context);
      const args = { ...location.address, versionId, withBody: false };
      const { metadata } = context;
      const found = await metadata.queryIndex(location.group, 'GetVersion', args, { signal });
      return found?.head ?? null;
    },
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
  const action = head.query.has('versionId') ? 's3:ListBucketVersions' : 's3:ListBucket';
  const mayKnow = await access.isAllowed(action, bucketTarget({ bucket }));
  return mayKnow ? error : new S3Error('AccessDenied', {}, { cause: error });
}
