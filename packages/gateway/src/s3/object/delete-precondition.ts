import type { VersionHead, WritePrecondition } from '@azimuth/proto';

import { parseHttpDate, wholeSeconds } from '../http-date';
import type { EntityTag } from '../precondition';
import { preconditionFailed } from '../precondition';

/** Conditions of a DELETE (C-10). Null means absent. */
export interface DeleteConditions {
  readonly ifMatch: readonly EntityTag[] | null;
  readonly lastModifiedMs: number | null;
  readonly sizeBytes: number | null;
}

/** Conditions on time and size need the version itself; its ETag then guards against a race. */
export function needsVersion({ lastModifiedMs, sizeBytes }: DeleteConditions): boolean {
  return lastModifiedMs !== null || sizeBytes !== null;
}

/**
 * What apply has to compare. `target` is what is about to be deleted, null when it is not there or
 * was not looked up.
 *
 * @throws S3Error PreconditionFailed for a time or size that is another.
 */
export function deletePrecondition(
  conditions: DeleteConditions,
  target: VersionHead | null,
): WritePrecondition | null {
  const { ifMatch, lastModifiedMs, sizeBytes } = conditions;
  const tags = ifMatch?.filter((tag) => !tag.isWeak).map((tag) => tag.value) ?? null;
  if (!needsVersion(conditions)) {
    return tags === null ? null : { ifMatch: tags, ifNoneMatch: null };
  }
  if (target === null || target.isDeleteMarker) return { ifMatch: ['*'], ifNoneMatch: null };
  if (lastModifiedMs !== null && wholeSeconds(target.lastModifiedMs) !== lastModifiedMs) {
    throw preconditionFailed('x-amz-if-match-last-modified-time');
  }
  if (sizeBytes !== null && target.sizeBytes !== sizeBytes) {
    throw preconditionFailed('x-amz-if-match-size');
  }
  if (tags !== null && !tags.includes('*') && !tags.includes(target.etag)) {
    throw preconditionFailed('If-Match');
  }
  return { ifMatch: [target.etag], ifNoneMatch: null };
}

/** Milliseconds of the whole second; null for a text that is no date. */
export function parseConditionTime(text: string): number | null {
  const timeMs = parseHttpDate(text);
  return timeMs === null ? null : wholeSeconds(timeMs);
}

/** Null for a text that is no size. */
export function parseConditionSize(text: string): number | null {
  return /^[0-9]{1,15}$/.test(text) ? Number(text) : null;
}
