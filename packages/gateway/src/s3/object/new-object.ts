import type { S3Request } from '../../http/request';
import { objectTarget } from '../access-target';
import type { NewObjectAcl } from '../acl/object-acl';
import { aclOfNewObject } from '../acl/object-acl';
import type { ObjectLocation } from '../bucket-access';
import type { ObjectAttributes } from '../object-headers';
import type { ObjectTags } from '../object-tags';
import { NO_TAGS, requestTagConditions } from '../object-tags';
import type { OperationContext } from '../operation';

/** What a version or an upload is stored with, beside what its bytes decide. */
export interface NewObject extends ObjectAttributes, NewObjectAcl {
  readonly tags: ObjectTags;
}

/**
 * Completes what the headers of a write say by owner and ACL, and asks for the permissions that
 * tags and ACLs need beyond that of the write itself.
 *
 * @throws S3Error AccessDenied, and what `aclOfNewObject` throws.
 */
export async function newObject(
  request: S3Request,
  location: ObjectLocation,
  given: { readonly attributes: ObjectAttributes; readonly tags: ObjectTags | null },
  context: OperationContext,
): Promise<NewObject> {
  const { attributes, tags } = given;
  if (tags !== null) await requireTagging(request, location, tags);
  const owned = await aclOfNewObject(request, location.bucket, context);
  return { ...attributes, ...owned, tags: tags ?? NO_TAGS };
}

/** Writing tags together with an object is PutObjectTagging as well. */
export async function requireTagging(
  request: S3Request,
  location: ObjectLocation,
  tags: ObjectTags,
): Promise<void> {
  const conditions = requestTagConditions(tags);
  await request.access.require('s3:PutObjectTagging', objectTarget(location, null), conditions);
}
