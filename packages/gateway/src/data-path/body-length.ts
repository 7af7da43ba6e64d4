import { StoreError } from '@azimuth/common';

/** The source delivered another number of bytes than it had announced. */
export function wrongLength(sizeBytes: number): StoreError {
  return new StoreError('INVALID_ARGUMENT', { reason: 'body of another length', sizeBytes });
}
