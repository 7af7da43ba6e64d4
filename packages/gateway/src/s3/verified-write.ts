import { hasCode } from '@azimuth/common';
import type { CommittedData } from '@azimuth/proto';

import type { ByteSource } from '../data-path/byte-source';
import type { WriteOptions, WrittenBody } from '../data-path/data-path';
import type { OperationContext } from './operation';

/**
 * Writes a body and checks its digests before anything can refer to it. When the check throws, what
 * was written is discarded: a body that is not what the client meant never becomes visible.
 */
export async function writeVerified(
  source: ByteSource,
  options: WriteOptions,
  check: (digests: WrittenBody['digests']) => void,
  { dataPath }: OperationContext,
): Promise<WrittenBody> {
  const written = await dataPath.write(source, options);
  try {
    check(written.digests);
  } catch (error) {
    dataPath.discard(written.data.blobs);
    throw error;
  }
  return written;
}

/**
 * Commits data that was written. It is discarded only after a refusal that is certain; when the
 * outcome is unknown the command may yet be committed, so the collector decides.
 */
export async function commitOrDiscard<Result>(
  data: CommittedData,
  { dataPath }: OperationContext,
  commit: () => Promise<Result>,
): Promise<Result> {
  try {
    return await commit();
  } catch (error) {
    if (
      hasCode(
        error,
        'BUCKET_FENCED',
        'PRECONDITION_FAILED',
        'KEY_NOT_FOUND',
        'UPLOAD_NOT_FOUND',
        'INVALID_ARGUMENT',
        'QUORUM_NOT_REACHED',
      )
    ) {
      dataPath.discard(data.blobs);
    }
    throw error;
  }
}
