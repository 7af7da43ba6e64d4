import type { VersionHead } from '@azimuth/proto';

import type { AccessTarget } from '../auth/authorize';
import type { ObjectLocation } from './bucket-access';

/**
 * An object as authorization sees it. `object` is given when somebody may ask for the tags or the
 * ACL of what is stored.
 */
export function objectTarget(
  { bucket, key }: Pick<ObjectLocation, 'bucket' | 'key'>,
  versionId: string | null,
  object?: () => Promise<VersionHead | null>,
): AccessTarget {
  const target = { bucket, bucketName: bucket.name, key, versionId };
  return object === undefined ? target : { ...target, object };
}

/** The same for its bucket. */
export function bucketTarget({ bucket }: Pick<ObjectLocation, 'bucket'>): AccessTarget {
  return { bucket, bucketName: bucket.name, key: null, versionId: null };
}
