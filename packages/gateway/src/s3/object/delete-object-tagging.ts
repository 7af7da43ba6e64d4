import { isVersioned, requireWritableObject } from '../bucket-access';
import { NO_TAGS } from '../object-tags';
import type { Operation } from '../operation';
import { refuseConditions } from '../precondition';
import { versionIdOf } from '../version-id';
import { updateVersion } from './update-version';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjectTagging.html */
export const deleteObjectTagging: Operation = {
  name: 'DeleteObjectTagging',
  body: 'none',

  async handle(request, context) {
    const versionId = versionIdOf(request.query);
    refuseConditions(request.headers);
    const location = await requireWritableObject(request, context);
    const change = { versionId, tags: NO_TAGS };
    const updated = await updateVersion(location, change, request, context);
    return {
      status: 204,
      headers: isVersioned(location.bucket) ? { 'x-amz-version-id': updated.versionId } : {},
    };
  },
};
