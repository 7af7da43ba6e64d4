import type { RequestBody } from '../../http/request';
import { S3Error } from '../s3-error';

/** A single PUT and a single part. */
export const UPLOAD_SIZE_BYTES_MAX = 5 * 1024 ** 3;

/**
 * The length of the body to come.
 *
 * @throws S3Error MissingContentLength, EntityTooLarge (M-14).
 */
export function requireUploadSize(body: RequestBody): number {
  const { sizeBytes } = body;
  if (sizeBytes === null) throw new S3Error('MissingContentLength');
  if (sizeBytes > UPLOAD_SIZE_BYTES_MAX) {
    throw new S3Error('EntityTooLarge', {
      ProposedSize: sizeBytes,
      MaxSizeAllowed: UPLOAD_SIZE_BYTES_MAX,
    });
  }
  return sizeBytes;
}
