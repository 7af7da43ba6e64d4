import { Metadata, status } from '@grpc/grpc-js';
import type { ServiceError, StatusObject } from '@grpc/grpc-js';
import { isStoreErrorCode, StoreError } from '@azimuth/common';
import type { ErrorDetail, StoreErrorCode } from '@azimuth/common';

const CODE_KEY = 'azimuth-code';
const DETAIL_KEY = 'azimuth-detail-bin';
const DETAIL_BYTES_MAX = 4096;

const STATUS_OF: Partial<Record<StoreErrorCode, status>> = {
  UNAVAILABLE: status.UNAVAILABLE,
  NOT_LEADER: status.UNAVAILABLE,
  OUTCOME_UNKNOWN: status.UNKNOWN,
  TIMEOUT: status.DEADLINE_EXCEEDED,
  OVERLOADED: status.RESOURCE_EXHAUSTED,
  UNAUTHENTICATED: status.UNAUTHENTICATED,
  PERMISSION_DENIED: status.PERMISSION_DENIED,
  INVALID_ARGUMENT: status.INVALID_ARGUMENT,
  NOT_FOUND: status.NOT_FOUND,
  ALREADY_EXISTS: status.ALREADY_EXISTS,
  CANCELLED: status.CANCELLED,
  INTERNAL: status.INTERNAL,
};

const CODE_OF: Partial<Record<status, StoreErrorCode>> = {
  [status.UNAVAILABLE]: 'UNAVAILABLE',
  [status.DEADLINE_EXCEEDED]: 'TIMEOUT',
  [status.CANCELLED]: 'CANCELLED',
  [status.RESOURCE_EXHAUSTED]: 'OVERLOADED',
  [status.UNAUTHENTICATED]: 'UNAUTHENTICATED',
  [status.PERMISSION_DENIED]: 'PERMISSION_DENIED',
  [status.INVALID_ARGUMENT]: 'INVALID_ARGUMENT',
};

/**
 * A failure as a gRPC status; code and detail travel in the trailers. Anything but a StoreError
 * becomes INTERNAL without a word of its message, which may hold what a peer must not see.
 */
export function toServiceError(error: unknown): ServiceError {
  const known = error instanceof StoreError ? error : new StoreError('INTERNAL');
  const metadata = new Metadata();
  metadata.set(CODE_KEY, known.code);
  const detail = Buffer.from(JSON.stringify(known.detail));
  if (detail.length <= DETAIL_BYTES_MAX) metadata.set(DETAIL_KEY, detail);
  const code = STATUS_OF[known.code] ?? status.FAILED_PRECONDITION;
  return Object.assign(new Error(known.code), { code, details: known.code, metadata });
}

/**
 * The StoreError behind a failed call. A status that our own server did not write comes from the
 * transport: a broken connection is UNAVAILABLE, whatever grpc-js calls it.
 */
export function toStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  if (!isStatus(error)) return new StoreError('INTERNAL', {}, error);
  const code = error.metadata?.get(CODE_KEY)[0];
  if (typeof code === 'string' && isStoreErrorCode(code)) {
    return new StoreError(code, parseDetail(error.metadata?.get(DETAIL_KEY)[0]));
  }
  return new StoreError(transportCode(error), { grpc: `${error.code} ${error.details}` });
}

function transportCode(error: Pick<StatusObject, 'code' | 'details'>): StoreErrorCode {
  // grpc-js reports a connection lost in mid-call as INTERNAL "Received RST_STREAM with code …",
  // and a stream that ended without trailers as UNKNOWN.
  if (error.code === status.INTERNAL && /RST_STREAM|GOAWAY/.test(error.details)) {
    return 'UNAVAILABLE';
  }
  if (error.code === status.UNKNOWN && /No status|ended without/.test(error.details)) {
    return 'UNAVAILABLE';
  }
  return CODE_OF[error.code] ?? 'INTERNAL';
}

function isStatus(
  error: unknown,
): error is Partial<Pick<StatusObject, 'metadata'>> & Pick<StatusObject, 'code' | 'details'> {
  return (
    typeof error === 'object' &&
    error !== null &&
    'code' in error &&
    typeof error.code === 'number' &&
    'details' in error
  );
}

function parseDetail(value: string | Buffer | undefined): ErrorDetail {
  if (!Buffer.isBuffer(value)) return {};
  try {
    return JSON.parse(value.toString()) as ErrorDetail;
  } catch {
    return {};
  }
}
