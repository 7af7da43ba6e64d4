import { StoreError } from '@azimuth/common';
import type { VersionHead, WritePrecondition } from '@azimuth/proto';

/**
 * Conditions of a write, against the current version (C-5, C-6). A delete marker counts as absent.
 *
 * @throws StoreError PRECONDITION_FAILED (`detail.condition`), KEY_NOT_FOUND
 */
export function checkWritePrecondition(
  precondition: WritePrecondition | null,
  current: VersionHead | null,
): void {
  if (precondition === null) return;
  const etag = current === null || current.isDeleteMarker ? null : current.etag;
  if (precondition.ifMatch !== null) {
    if (etag === null) throw new StoreError('KEY_NOT_FOUND');
    if (!isMatch(precondition.ifMatch, etag)) throw failed('If-Match');
  }
  if (precondition.ifNoneMatch !== null && etag !== null) {
    if (isMatch(precondition.ifNoneMatch, etag)) throw failed('If-None-Match');
  }
}

/**
 * Conditions of a DELETE (C-10). False when there is nothing to delete, which is a success.
 *
 * @throws StoreError PRECONDITION_FAILED
 */
export function checkDeletePrecondition(
  precondition: WritePrecondition | null,
  target: VersionHead | null,
): boolean {
  if (precondition === null) return true;
  const etag = target === null || target.isDeleteMarker ? null : target.etag;
  if (precondition.ifNoneMatch !== null && etag !== null) {
    if (isMatch(precondition.ifNoneMatch, etag)) throw failed('If-None-Match');
  }
  if (precondition.ifMatch === null) return true;
  if (etag === null) return false;
  if (!isMatch(precondition.ifMatch, etag)) throw failed('If-Match');
  return true;
}

function isMatch(etags: readonly string[], etag: string): boolean {
  return etags.includes('*') || etags.includes(etag);
}

function failed(condition: string): StoreError {
  return new StoreError('PRECONDITION_FAILED', { condition });
}
