import type { S3Request } from '../../http/request';
import type { NewObjectAcl } from '../acl/object-acl';
import { aclOfNewObject } from '../acl/object-acl';
import type { ObjectLocation } from '../bucket-access';
import type { ObjectAttributes } from '../object-headers';
import type { ObjectTags } from '../object-tags';
import { NO_TAGS } from '../object-tags';
import type { OperationContext } from '../operation';

/** What a version or an upload is stored with, beside what its bytes decide. */
export interface NewObject extends ObjectAttributes, NewObjectAcl {
  readonly tags: ObjectTags;
}

/** Completes what a write says of its object by owner and ACL. @throws as `aclOfNewObject`. */
export function newObject(
  request: S3Request,
  { bucket }: ObjectLocation,
  given: { readonly attributes: ObjectAttributes; readonly tags: ObjectTags | null },
  context: OperationContext,
): NewObject {
  const { attributes, tags } = given;
  return { tags: tags ?? NO_TAGS, ...attributes, ...aclOfNewObject(request, bucket, context) };
}
