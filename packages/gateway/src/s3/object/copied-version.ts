import { required } from '@azimuth/common';

import type { ByteSource } from '../../data-path/byte-source';
import type { S3Request } from '../../http/request';
import { bucketTarget, objectTarget } from '../access-target';
import type { ObjectLocation } from '../bucket-access';
import { locateObject, requireBucketNamed } from '../bucket-access';
import type { CopySource } from '../copy-source';
import type { OperationContext } from '../operation';
import { evaluateReadConditions, parseReadConditions, preconditionFailed } from '../precondition';
import type { ByteRange } from '../range';
import { invalidRequest, S3Error } from '../s3-error';
import type { ReadableVersion } from './current-version';
import { findVersion } from './current-version';

export interface CopiedVersion {
  readonly source: CopySource;
  readonly version: ReadableVersion;
  readonly location: ObjectLocation;
}

/**
 * The version that CopyObject or UploadPartCopy copies, after its permissions (P-2) and conditions.
 *
 * @throws S3Error NoSuchBucket, NoSuchKey, NoSuchVersion, InvalidRequest for a delete marker named
 * by its version (V-19), PreconditionFailed, never 304 (C-4); AccessDenied, also for a source that
 * is not there when the caller may not list its bucket (P-3).
 */
export async function requireCopySource(
  source: CopySource,
  request: S3Request,
  context: OperationContext,
): Promise<CopiedVersion> {
  const { headers, signal, access } = request;
  const expectedOwner = headers.get('x-amz-source-expected-bucket-owner');
  const bucket = await requireBucketNamed(source.bucket, expectedOwner, request, context);
  const location = locateObject(bucket, source.key, context);

  const { versionId } = source;
  const find = (withBody: boolean): ReturnType<typeof findVersion> =>
    findVersion(location, { versionId, withBody, signal }, context);
  await access.require(
    versionId === null ? 's3:GetObject' : 's3:GetObjectVersion',
    objectTarget(location, versionId, async () => (await find(false))?.head ?? null),
  );
  const version = await find(true);
  if (version === null || version.head.isDeleteMarker) {
    const listing = versionId === null ? 's3:ListBucket' : 's3:ListBucketVersions';
    await access.require(listing, bucketTarget(location));
    throw notCopyable(source, version !== null);
  }

  const outcome = evaluateReadConditions(
    parseReadConditions(headers, 'x-amz-copy-source-'),
    version.head,
    context.clock.wallMs(),
  );
  if (outcome.kind !== 'proceed')
    throw preconditionFailed(`x-amz-copy-source-${outcome.condition}`);
  return { source, version, location };
}

function notCopyable({ key, versionId }: CopySource, isDeleteMarker: boolean): S3Error {
  if (versionId === null) return new S3Error('NoSuchKey', { Key: key });
  if (!isDeleteMarker) return new S3Error('NoSuchVersion', { Key: key, VersionId: versionId });
  return invalidRequest(
    'The source of a copy request may not specifically refer to a delete marker by version id.',
  );
}

/** The bytes of the source as the body of a write. */
export function readFromSource(
  { body }: ReadableVersion,
  range: ByteRange,
  signal: AbortSignal,
  { dataPath }: OperationContext,
): ByteSource {
  const sourceBody = required(body, 'version body');
  return {
    async readInto(sink) {
      if (range.from < range.to) await dataPath.read(sourceBody, range, sink, signal);
    },
  };
}
