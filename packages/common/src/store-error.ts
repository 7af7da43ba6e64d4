/**
 * The error codes that cross package and process boundaries. Compare `error.code`; messages are for
 * people and may change. `true` means: the same request may succeed later, unchanged.
 */
export const STORE_ERROR_CODES = {
  /** The replica asked is not the leader; `detail.leader` names it when known. */
  NOT_LEADER: true,
  /** The command may or may not have been committed; retry it with the same command id. */
  OUTCOME_UNKNOWN: true,
  /** No quorum, no live leader, or the peer cannot be reached. */
  UNAVAILABLE: true,
  /** A deadline passed. */
  TIMEOUT: true,
  /** A queue or another named limit is full. */
  OVERLOADED: true,
  /** The write cannot be made safe against the loss of a zone now. */
  QUORUM_NOT_REACHED: true,
  /** Fewer than k shards could be read; the data may return with the nodes. */
  TOO_FEW_SHARDS: true,
  /** The same of a blob that is all in one zone, because nodes of that zone are out. */
  ZONE_OUT: true,
  DISK_FULL: true,
  /** An fsync failed; the disk takes no more writes until it is replaced. */
  DISK_FENCED: true,
  /** The disk named by the request is not on this node. */
  DISK_UNKNOWN: false,
  SHARD_NOT_FOUND: false,
  SHARD_CORRUPT: false,
  SHARD_SIZE_MISMATCH: false,
  /** A shard of this id exists with other bytes; shards are immutable. */
  SHARD_EXISTS: false,
  /** A frame, page or record does not match its checksum. */
  CHECKSUM_MISMATCH: true,
  STATE_CORRUPT: false,
  LOG_CORRUPT: false,
  /** The peer has no certificate, or one that does not allow this call. */
  UNAUTHENTICATED: false,
  PERMISSION_DENIED: false,
  INVALID_ARGUMENT: false,
  NOT_FOUND: false,
  ALREADY_EXISTS: false,
  /** The command is older than the window in which retries are recognised. */
  COMMAND_EXPIRED: false,
  BUCKET_NOT_FOUND: false,
  BUCKET_EXISTS: false,
  BUCKET_NOT_EMPTY: false,
  /** The bucket is being deleted, or was. */
  BUCKET_FENCED: false,
  UPLOAD_NOT_FOUND: false,
  PART_NOT_FOUND: false,
  PART_TOO_SMALL: false,
  /** `detail.condition` is the S3 header that failed. */
  PRECONDITION_FAILED: false,
  /** An If-Match write found no current object. */
  KEY_NOT_FOUND: false,
  /** The version addressed is a delete marker; `detail.versionId` is its id. */
  DELETE_MARKER: false,
  CANCELLED: false,
  INTERNAL: false,
} as const satisfies Record<string, boolean>;

export type StoreErrorCode = keyof typeof STORE_ERROR_CODES;
export type ErrorDetail = Readonly<Record<string, string | number | boolean>>;

/** An expected failure, with a stable code. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;
  readonly detail: ErrorDetail;

  constructor(code: StoreErrorCode, detail: ErrorDetail = {}, cause?: unknown) {
    super(`${code} ${JSON.stringify(detail)}`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.detail = detail;
  }

  get isRetryable(): boolean {
    return STORE_ERROR_CODES[this.code];
  }
}

export function isStoreErrorCode(code: string): code is StoreErrorCode {
  return Object.hasOwn(STORE_ERROR_CODES, code);
}

/** True when `error` is a StoreError with one of `codes`. */
export function hasCode(error: unknown, ...codes: StoreErrorCode[]): error is StoreError {
  return error instanceof StoreError && codes.includes(error.code);
}
