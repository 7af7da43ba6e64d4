import type { VersionBody, VersionHead } from '@azimuth/proto';

import { httpDate } from '../http-date';
import type { ObjectLocation } from '../bucket-access';
import { isVersioned } from '../bucket-access';
import type { OperationContext } from '../operation';
import { S3Error } from '../s3-error';

/** A version that has bytes: never a delete marker. */
export interface ReadableVersion {
  readonly head: VersionHead;
  readonly body: VersionBody | null;
}

export interface VersionRequest {
  readonly versionId: string | null;
  /** Where the bytes are is kept apart, and costs more to ask for. */
  readonly withBody: boolean;
  readonly signal: AbortSignal;
}

/** The version, or null when there is none; may be a delete marker. */
export async function findVersion(
  location: ObjectLocation,
  { versionId, withBody, signal }: VersionRequest,
  context: OperationContext,
): Promise<{ readonly head: VersionHead; readonly body: VersionBody | null } | null> {
  return context.metadata.queryIndex(
    location.group,
    'GetVersion',
    { ...location.address, versionId, withBody },
    { signal },
  );
}

/**
 * The version that a GET or HEAD reads.
 *
 * @throws S3Error NoSuchKey, NoSuchVersion (V-12); for a delete marker NoSuchKey (V-10) or
 * MethodNotAllowed (V-11) with the headers that tell it from a missing object.
 */
export async function requireVersion(
  location: ObjectLocation,
  request: VersionRequest,
  context: OperationContext,
): Promise<ReadableVersion> {
  const version = await findVersion(location, request, context);
  const { key } = location;
  if (version === null) {
    if (request.versionId === null) throw new S3Error('NoSuchKey', { Key: key });
    throw new S3Error('NoSuchVersion', { Key: key, VersionId: request.versionId });
  }
  if (!version.head.isDeleteMarker) return version;

  const headers: Record<string, string> = { 'x-amz-delete-marker': 'true' };
  if (isVersioned(location.bucket)) headers['x-amz-version-id'] = version.head.versionId;
  if (request.versionId === null) throw new S3Error('NoSuchKey', { Key: key }, { headers });
  headers['last-modified'] = httpDate(version.head.lastModifiedMs);
  headers['allow'] = 'DELETE';
  throw new S3Error(
    'MethodNotAllowed',
    { Method: 'GET', ResourceType: 'DeleteMarker' },
    { headers },
  );
}
