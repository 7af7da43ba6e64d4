import { hasCode } from '@azimuth/common';
import type { VersionHead, WritePrecondition } from '@azimuth/proto';

import type { S3Request } from '../../http/request';
import { bucketTarget, objectTarget } from '../access-target';
import type { ObjectLocation } from '../bucket-access';
import type { OperationContext } from '../operation';
import { refuseEarly } from '../precondition';
import { S3Error } from '../s3-error';
import { findVersion } from './current-version';

/**
 * Refuses a conditional write that would be refused anyway, before its body is read (G-15). To
 * compare ETags is to read one, so `If-Match` needs `s3:GetObject` as well.
 *
 * @throws S3Error PreconditionFailed, NoSuchKey, AccessDenied.
 */
export async function refuseEarlyAt(
  location: ObjectLocation,
  precondition: WritePrecondition | null,
  { access, signal }: S3Request,
  context: OperationContext,
): Promise<void> {
  if (precondition === null) return;
  const find = async (): Promise<VersionHead | null> => {
    const lookUp = { versionId: null, withBody: false, signal };
    return (await findVersion(location, lookUp, context))?.head ?? null;
  };
  if (precondition.ifMatch !== null) {
    await access.require('s3:GetObject', objectTarget(location, null, find));
  }
  const found = await find();
  if (found === null && precondition.ifMatch !== null) {
    // P-3: that there is nothing to compare with is told to those who may list it.
    await access.require('s3:ListBucket', bucketTarget(location));
  }
  refuseEarly(precondition, found);
}

/**
 * Commits a write whose condition held before. What `If-Match` was about can be gone only because a
 * DELETE came in between, which is a conflict and no 404 (C-7). A refusal of the condition itself
 * stays PreconditionFailed.
 */
export async function commitConditionally<Result>(
  precondition: WritePrecondition | null,
  commit: () => Promise<Result>,
): Promise<Result> {
  try {
    return await commit();
  } catch (error) {
    if (precondition !== null && hasCode(error, 'KEY_NOT_FOUND')) {
      throw new S3Error('ConditionalRequestConflict', {}, { cause: error });
    }
    throw error;
  }
}
