import type { Headers } from '../../http/request';
import { isVersioned, requireWritableObject } from '../bucket-access';
import type { Operation } from '../operation';
import { parseWritePrecondition } from '../precondition';
import { S3Error } from '../s3-error';
import { versionIdOf } from '../version-id';

/** Conditions that AWS has for directory buckets only. */
const DIRECTORY_CONDITIONS = ['x-amz-if-match-last-modified-time', 'x-amz-if-match-size'] as const;

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html */
export const deleteObject: Operation = {
  name: 'DeleteObject',
  action: 's3:DeleteObject',
  body: 'none',

  async handle(request, context) {
    const versionId = versionIdOf(request.query);
    const precondition = parseDeletePrecondition(request.headers);
    const location = await requireWritableObject(request, context);

    const deleted = await context.metadata.index(location.group, 'DeleteVersion', {
      ...location.address,
      versioning: location.bucket.versioning,
      versionId,
      owner: location.bucket.owner,
      precondition,
    });
    const headers: Record<string, string> = {};
    // An unversioned bucket does not speak of versions (V-2), also not of `null`.
    if (deleted.versionId !== null && isVersioned(location.bucket)) {
      headers['x-amz-version-id'] = deleted.versionId;
    }
    if (deleted.isDeleteMarker) headers['x-amz-delete-marker'] = 'true';
    return { status: 204, headers };
  },
};

function parseDeletePrecondition(headers: Headers): ReturnType<typeof parseWritePrecondition> {
  for (const name of DIRECTORY_CONDITIONS) {
    if (headers.has(name)) throw new S3Error('NotImplemented', { Header: name });
  }
  const precondition = parseWritePrecondition(headers);
  // "Delete unless it matches" does not exist in the API (C-10 knows If-Match alone).
  if (precondition !== null && precondition.ifNoneMatch !== null) {
    throw new S3Error('NotImplemented', { Header: 'If-None-Match' });
  }
  return precondition;
}
