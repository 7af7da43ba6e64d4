import type { S3Request } from '../../http/request';
import { requireLength } from '../request-document';
import { S3Error } from '../s3-error';

/** A single PUT and a single part. */
export const UPLOAD_SIZE_BYTES_MAX = 5 * 1024 ** 3;

/**
 * The length of the body to come.
 *
 * @throws S3Error MissingContentLength; NotImplemented for a body in chunks of HTTP, whose length
 *   nobody knows, as AWS has it (those of S3 itself come with theirs, G-5); EntityTooLarge (M-14).
 */
export function requireUploadSize(request: Pick<S3Request, 'body' | 'headers'>): number {
  requireLength(request);
  const { sizeBytes } = request.body;
  if (sizeBytes === null) throw new S3Error('NotImplemented', { Header: 'Transfer-Encoding' });
  if (sizeBytes > UPLOAD_SIZE_BYTES_MAX) {
    throw new S3Error('EntityTooLarge', {
      ProposedSize: sizeBytes,
      MaxSizeAllowed: UPLOAD_SIZE_BYTES_MAX,
    });
  }
  return sizeBytes;
}
