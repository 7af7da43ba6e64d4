import { hasCode } from '@azimuth/common';

import type { S3Request } from '../../http/request';
import type { ObjectLocation } from '../bucket-access';
import type { ObjectTags } from '../object-tags';
import type { OperationContext } from '../operation';
import { S3Error } from '../s3-error';
import { requireVersion } from './current-version';

/** An absent field stays as it is. */
export interface VersionChange {
  readonly versionId: string | null;
  /** Only while it is the version that was seen: another may be called `null` by now. */
  readonly sequence?: number;
  readonly tags?: ObjectTags;
  readonly acl?: string | null;
}

/**
 * Changes tags or ACL of a version, which makes no new one (V-23). What is not there, or is a
 * delete marker, is refused as a GET of it would be.
 *
 * @throws S3Error NoSuchKey, NoSuchVersion, MethodNotAllowed; OperationAborted when it was written
 *   in between.
 */
export async function updateVersion(
  location: ObjectLocation,
  change: VersionChange,
  { signal }: S3Request,
  context: OperationContext,
): Promise<{ readonly versionId: string }> {
  try {
    const args = { ...location.address, ...change };
    return await context.metadata.index(location.group, 'UpdateVersion', args, { signal });
  } catch (error) {
    if (!hasCode(error, 'KEY_NOT_FOUND', 'DELETE_MARKER')) throw error;
    const { versionId } = change;
    await requireVersion(location, { versionId, withBody: false, signal }, context);
    throw new S3Error('OperationAborted', {}, { cause: error });
  }
}
