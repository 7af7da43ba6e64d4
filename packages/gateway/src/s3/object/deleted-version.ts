import type { S3Request } from '../../http/request';
import type { ObjectLocation } from '../bucket-access';
import { ownershipOf } from '../bucket-configuration';
import type { OperationContext } from '../operation';
import { findVersion } from './current-version';
import type { DeleteConditions } from './delete-precondition';
import { deletePrecondition, needsVersion } from './delete-precondition';

export interface DeletedVersion {
  /** Of the version that was removed or the marker that was made; null without versioning. */
  readonly versionId: string | null;
  /** True when a marker was made, or the version removed was one. */
  readonly isDeleteMarker: boolean;
}

/**
 * Deletes a key or one version of it, as V-5 to V-8 say.
 *
 * @throws S3Error PreconditionFailed.
 */
export async function deleteVersion(
  location: ObjectLocation,
  {
    versionId,
    conditions,
  }: { readonly versionId: string | null; readonly conditions: DeleteConditions },
  request: S3Request,
  context: OperationContext,
): Promise<DeletedVersion> {
  const { bucket, group, address } = location;
  const { principal, signal } = request;
  const lookUp = { versionId, withBody: false, signal };
  const target = needsVersion(conditions) ? await findVersion(location, lookUp, context) : null;
  const precondition = deletePrecondition(conditions, target?.head ?? null);
  // Whoever made the marker owns it, unless the bucket's owner owns everything in it.
  const owner =
    ownershipOf(bucket) === 'BucketOwnerEnforced' ? bucket.owner : principal.canonicalId;
  return context.metadata.index(
    group,
    'DeleteVersion',
    { ...address, versioning: bucket.versioning, versionId, owner, precondition },
    { signal },
  );
}
