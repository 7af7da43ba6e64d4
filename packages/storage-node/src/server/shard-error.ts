import type { StoreErrorCode } from '@azimuth/common';
import { StoreError } from '@azimuth/common';

const STATUS_OF: Partial<Record<StoreErrorCode, number>> = {
  CHECKSUM_MISMATCH: 400,
  INVALID_ARGUMENT: 400,
  SHARD_SIZE_MISMATCH: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  DISK_UNKNOWN: 404,
  SHARD_NOT_FOUND: 404,
  SHARD_EXISTS: 409,
  SHARD_CORRUPT: 410,
  DISK_FENCED: 503,
  OVERLOADED: 503,
  UNAVAILABLE: 503,
  DISK_FULL: 507,
};

/** Status and code of an answer. What is not a StoreError says nothing of itself to the peer. */
export function statusOf(error: unknown): {
  readonly status: number;
  readonly code: StoreErrorCode;
} {
  if (!(error instanceof StoreError)) return { status: 500, code: 'INTERNAL' };
  return { status: STATUS_OF[error.code] ?? 500, code: error.code };
}
