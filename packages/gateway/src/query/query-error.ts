import { StoreError } from '@azimuth/common';

import { S3Error } from '../s3/s3-error';

/** Every error code of IAM and STS that this gateway answers, with its status and default message. */
export const QUERY_ERRORS = {
  AccessDenied: [403, 'Access denied.'],
  ConcurrentModification: [409, 'The request was changed concurrently by another one.'],
  DeleteConflict: [409, 'Cannot delete entity.'],
  EntityAlreadyExists: [409, 'The entity already exists.'],
  ExpiredToken: [403, 'The security token included in the request is expired'],
  ExpiredTokenException: [400, 'The web identity token that was passed is expired.'],
  IDPRejectedClaim: [403, 'The identity provider reported that authentication failed.'],
  IncompleteSignature: [400, 'The request signature does not conform to AWS standards.'],
  InvalidAction: [400, 'Could not find operation.'],
  InvalidClientTokenId: [403, 'The security token included in the request is invalid.'],
  InvalidIdentityToken: [400, 'The web identity token that was passed could not be validated.'],
  InvalidInput: [400, 'The request has an invalid value.'],
  LimitExceeded: [409, 'The request exceeds a limit.'],
  MalformedInput: [400, 'The request is not a form.'],
  MalformedPolicyDocument: [400, 'The policy document is malformed.'],
  MissingAuthenticationToken: [403, 'Request is missing Authentication Token'],
  NoSuchEntity: [404, 'The entity cannot be found.'],
  NotImplemented: [501, 'This server does not implement the operation.'],
  PackedPolicyTooLarge: [400, 'The session policies are too large.'],
  RequestEntityTooLarge: [413, 'The request is too large.'],
  ServiceFailure: [500, 'The request failed because of an unknown error.'],
  SignatureDoesNotMatch: [
    403,
    'The request signature we calculated does not match the signature you provided. Check your ' +
      'AWS Secret Access Key and signing method.',
  ],
  Throttling: [503, 'Please try again.'],
  UnmodifiableEntity: [400, 'The entity cannot be changed.'],
  ValidationError: [400, 'The request has an invalid parameter.'],
} as const satisfies Readonly<Record<string, readonly [number, string]>>;

export type QueryErrorCode = keyof typeof QUERY_ERRORS;

/** A refusal as IAM and STS word it. */
export class QueryError extends Error {
  override readonly name = 'QueryError';
  readonly code: QueryErrorCode;
  readonly status: number;

  constructor(code: QueryErrorCode, message?: string, cause?: unknown) {
    const [status, text] = QUERY_ERRORS[code];
    super(message ?? text, cause === undefined ? undefined : { cause });
    this.code = code;
    this.status = status;
  }
}

/** `1 validation error detected: …`, as AWS words what breaks the constraints of its model. */
export function validationError(
  name: string,
  value: string | null,
  constraint: string,
): QueryError {
  const member = `${name.charAt(0).toLowerCase()}${name.slice(1)}`;
  const shown = value === null ? 'null' : `'${value.slice(0, 256)}'`;
  return new QueryError(
    'ValidationError',
    `1 validation error detected: Value ${shown} at '${member}' failed to satisfy constraint: ` +
      `Member must ${constraint}`,
  );
}

/** What a failure of authentication or of the cluster is in the words of IAM and STS. */
export function toQueryError(error: unknown): QueryError {
  if (error instanceof QueryError) return error;
  if (error instanceof S3Error) {
    const code = CODE_OF_S3_ERROR.get(error.code);
    if (code !== undefined) {
      return new QueryError(code, KEEPS_MESSAGE.has(code) ? error.message : undefined, error);
    }
    return error.status >= 500
      ? new QueryError(error.status === 503 ? 'Throttling' : 'ServiceFailure', undefined, error)
      : new QueryError('ValidationError', error.message, error);
  }
  if (!(error instanceof StoreError)) return new QueryError('ServiceFailure', undefined, error);
  if (error.code === 'INVALID_ARGUMENT' && error.detail['limit'] !== undefined) {
    return new QueryError('LimitExceeded', `Limit: ${String(error.detail['limit'])}`, error);
  }
  const isTemporary = error.isRetryable || error.code === 'PRECONDITION_FAILED';
  return new QueryError(isTemporary ? 'Throttling' : 'ServiceFailure', undefined, error);
}

const CODE_OF_S3_ERROR: ReadonlyMap<string, QueryErrorCode> = new Map([
  ['AccessDenied', 'AccessDenied'],
  ['AuthorizationHeaderMalformed', 'IncompleteSignature'],
  ['AuthorizationQueryParametersError', 'IncompleteSignature'],
  ['ExpiredToken', 'ExpiredToken'],
  ['InvalidAccessKeyId', 'InvalidClientTokenId'],
  ['InvalidToken', 'InvalidClientTokenId'],
  ['MalformedPolicy', 'MalformedPolicyDocument'],
  ['MaxMessageLengthExceeded', 'RequestEntityTooLarge'],
  ['RequestTimeTooSkewed', 'SignatureDoesNotMatch'],
  ['SignatureDoesNotMatch', 'SignatureDoesNotMatch'],
  ['XAmzContentSHA256Mismatch', 'SignatureDoesNotMatch'],
]);

/** Codes whose S3 text says something that the client has to know. */
const KEEPS_MESSAGE: ReadonlySet<QueryErrorCode> = new Set([
  'AccessDenied',
  'IncompleteSignature',
  'MalformedPolicyDocument',
]);
