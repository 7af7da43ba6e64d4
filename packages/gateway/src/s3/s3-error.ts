import { StoreError } from '@azimuth/common';

/**
 * Every S3 error code that this gateway can answer, with its status and default message. The only
 * such table. Texts are AWS's where AWS documents or shows them: people search for them.
 */
export const S3_ERRORS = {
  AccessControlListNotSupported: [400, 'The bucket does not allow ACLs.'],
  AccessDenied: [403, 'Access Denied.'],
  AccessForbidden: [403, 'CORSResponse: CORS is not enabled for this bucket.'],
  AuthorizationHeaderMalformed: [400, 'The authorization header is malformed.'],
  AuthorizationQueryParametersError: [
    400,
    'Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, ' +
      'X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.',
  ],
  BadDigest: [400, 'The Content-MD5 you specified did not match what we received.'],
  BadRequest: [400, 'Bad Request'],
  BucketAlreadyExists: [
    409,
    'The requested bucket name is not available. The bucket namespace is shared by all users of ' +
      'the system. Please select a different name and try again.',
  ],
  BucketAlreadyOwnedByYou: [
    409,
    'Your previous request to create the named bucket succeeded and you already own it.',
  ],
  BucketNotEmpty: [409, 'The bucket you tried to delete is not empty.'],
  ConditionalRequestConflict: [
    409,
    'The conditional request cannot succeed due to a conflicting operation against this resource.',
  ],
  EntityTooLarge: [400, 'Your proposed upload exceeds the maximum allowed object size.'],
  EntityTooSmall: [400, 'Your proposed upload is smaller than the minimum allowed size'],
  ExpiredToken: [400, 'The provided token has expired.'],
  GlacierExpeditedRetrievalNotAvailable: [
    503,
    'Glacier expedited retrievals are currently not available, please try again later.',
  ],
  IllegalLocationConstraintException: [
    400,
    'The specified location constraint is incompatible for the region specific endpoint this ' +
      'request was sent to.',
  ],
  IllegalVersioningConfigurationException: [
    400,
    'The versioning configuration specified in the request is not valid.',
  ],
  IncompleteBody: [
    400,
    'You did not provide the number of bytes specified by the Content-Length HTTP header',
  ],
  InternalError: [500, 'We encountered an internal error. Please try again.'],
  InvalidAccessKeyId: [403, 'The AWS Access Key Id you provided does not exist in our records.'],
  InvalidArgument: [400, 'Invalid Argument'],
  InvalidBucketAclWithBlockPublicAccessError: [
    400,
    'Bucket cannot have public ACLs set with BlockPublicAccess enabled',
  ],
  InvalidBucketAclWithObjectOwnership: [
    400,
    "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
  ],
  InvalidBucketName: [400, 'The specified bucket is not valid.'],
  InvalidBucketOwnerAWSAccountID: [
    400,
    'The value of the expected bucket owner parameter must be an AWS account ID',
  ],
  InvalidBucketState: [409, 'The request is not valid for the current state of the bucket.'],
  InvalidChunkSizeError: [
    400,
    'Only the last chunk is allowed to have a size less than 8192 bytes',
  ],
  InvalidDigest: [400, 'The Content-MD5 you specified is not valid.'],
  InvalidEncryptionAlgorithmError: [
    400,
    'The encryption request you specified is not valid. The valid value is AES256.',
  ],
  InvalidLocationConstraint: [400, 'The specified location-constraint is not valid'],
  InvalidObjectState: [403, 'The operation is not valid for the current state of the object.'],
  InvalidPart: [
    400,
    'One or more of the specified parts could not be found.  The part may not have been ' +
      "uploaded, or the specified entity tag may not match the part's entity tag.",
  ],
  InvalidPartNumber: [416, 'The requested partnumber is not satisfiable'],
  InvalidPartOrder: [
    400,
    'The list of parts was not in ascending order. Parts must be ordered by part number.',
  ],
  InvalidPolicyDocument: [
    400,
    'The content of the form does not meet the conditions specified in the policy document.',
  ],
  InvalidRange: [416, 'The requested range is not satisfiable'],
  InvalidRedirectLocation: [
    400,
    'The website redirect location must have a prefix of http:// or https:// or /.',
  ],
  InvalidRequest: [400, 'Invalid Request'],
  InvalidStorageClass: [400, 'The storage class you specified is not valid'],
  InvalidTag: [400, 'The TagKey you have provided is invalid'],
  InvalidToken: [400, 'The provided token is malformed or otherwise invalid.'],
  InvalidURI: [400, "Couldn't parse the specified URI."],
  KeyTooLongError: [400, 'Your key is too long'],
  MalformedACLError: [
    400,
    'The XML you provided was not well-formed or did not validate against our published schema',
  ],
  MalformedPolicy: [400, "Policies must be valid JSON and the first byte must be '{'"],
  MalformedPOSTRequest: [
    400,
    'The body of your POST request is not well-formed multipart/form-data.',
  ],
  MalformedTrailerError: [
    400,
    'The request contained trailing data that was not well-formed or did not conform to our ' +
      'published schema.',
  ],
  MalformedXML: [
    400,
    'The XML you provided was not well-formed or did not validate against our published schema',
  ],
  MaxMessageLengthExceeded: [400, 'Your request was too big.'],
  MaxPostPreDataLengthExceededError: [
    400,
    'Your POST request fields preceding the upload file were too large.',
  ],
  MetadataTooLarge: [400, 'Your metadata headers exceed the maximum allowed metadata size'],
  MethodNotAllowed: [405, 'The specified method is not allowed against this resource.'],
  MissingContentLength: [411, 'You must provide the Content-Length HTTP header.'],
  MissingRequestBodyError: [400, 'Request Body is empty'],
  MissingSecurityHeader: [400, 'Your request was missing a required header'],
  NoSuchBucket: [404, 'The specified bucket does not exist'],
  NoSuchBucketPolicy: [404, 'The bucket policy does not exist'],
  NoSuchCORSConfiguration: [404, 'The CORS configuration does not exist'],
  NoSuchConfiguration: [404, 'The specified configuration does not exist.'],
  NoSuchKey: [404, 'The specified key does not exist.'],
  NoSuchLifecycleConfiguration: [404, 'The lifecycle configuration does not exist'],
  NoSuchObjectLockConfiguration: [
    404,
    'The specified object does not have a ObjectLock configuration.',
  ],
  NoSuchPublicAccessBlockConfiguration: [
    404,
    'The public access block configuration was not found',
  ],
  NoSuchTagSet: [404, 'The TagSet does not exist'],
  NoSuchUpload: [
    404,
    'The specified upload does not exist. The upload ID may be invalid, or the upload may have ' +
      'been aborted or completed.',
  ],
  NoSuchVersion: [404, 'The specified version does not exist.'],
  NoSuchWebsiteConfiguration: [404, 'The specified bucket does not have a website configuration'],
  NotImplemented: [501, 'A header you provided implies functionality that is not implemented'],
  ObjectAlreadyInActiveTierError: [
    403,
    'This object is already in the active tier and does not need to be restored.',
  ],
  ObjectLockConfigurationNotFoundError: [
    404,
    'Object Lock configuration does not exist for this bucket',
  ],
  ObjectNotInActiveTierError: [
    403,
    'The source object of the COPY operation is not in the active tier.',
  ],
  OperationAborted: [
    409,
    'A conflicting conditional operation is currently in progress against this resource. Please ' +
      'try again.',
  ],
  OwnershipControlsNotFoundError: [404, 'The bucket ownership controls were not found'],
  PermanentRedirect: [
    301,
    'The bucket you are attempting to access must be addressed using the specified endpoint. ' +
      'Please send all future requests to this endpoint.',
  ],
  PreconditionFailed: [412, 'At least one of the pre-conditions you specified did not hold'],
  QuotaExceeded: [403, 'Your request was denied due to quota exceeded.'],
  ReplicationConfigurationNotFoundError: [404, 'The replication configuration was not found'],
  RequestHeaderSectionTooLarge: [
    400,
    'Your request header section exceeds the maximum allowed request header section size.',
  ],
  RequestTimeTooSkewed: [
    403,
    'The difference between the request time and the current time is too large.',
  ],
  RequestTimeout: [
    400,
    'Your socket connection to the server was not read from or written to within the timeout ' +
      'period.',
  ],
  RestoreAlreadyInProgress: [409, 'Object restore is already in progress.'],
  ServiceUnavailable: [503, 'Service is unable to handle request.'],
  SignatureDoesNotMatch: [
    403,
    'The request signature we calculated does not match the signature you provided. Check your ' +
      'key and signing method.',
  ],
  SlowDown: [503, 'Please reduce your request rate.'],
  TooManyConfigurations: [
    400,
    'You are attempting to create a new configuration but have already reached the ' +
      '1,000-configuration limit.',
  ],
  TooManyBuckets: [400, 'You have attempted to create more buckets than allowed'],
  UnresolvableGrantByEmailAddress: [
    400,
    'The email address you provided does not match any account on record.',
  ],
  UnexpectedContent: [400, 'This request does not support content'],
  XAmzContentSHA256Mismatch: [
    400,
    "The provided 'x-amz-content-sha256' header does not match what was computed.",
  ],
} as const satisfies Record<string, readonly [status: number, message: string]>;

export type S3ErrorCode = keyof typeof S3_ERRORS;

/** Extra elements of the error document by name: `Condition`, `BucketName`, `RequestTime` … */
export type S3ErrorDetail = Readonly<Record<string, string | number>>;

export interface S3ErrorOptions {
  /** Replaces the message of the table. */
  readonly message?: string;
  /** Response headers beyond the usual ones, by lower-case name. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** Seconds a client is asked to wait after 503. */
const RETRY_AFTER_SECONDS = 1;

/** A refusal as the S3 API words it; rendered once, in `http/`. */
export class S3Error extends Error {
  override readonly name = 'S3Error';
  readonly code: S3ErrorCode;
  readonly status: number;
  readonly detail: S3ErrorDetail;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: S3ErrorCode, detail: S3ErrorDetail = {}, options: S3ErrorOptions = {}) {
    const [status, message] = S3_ERRORS[code];
    super(
      options.message ?? message,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    this.status = status;
    this.detail = detail;
    this.headers =
      status === 503
        ? { 'retry-after': String(RETRY_AFTER_SECONDS), ...options.headers }
        : (options.headers ?? {});
  }
}

/** `InvalidArgument` with the argument named, as AWS answers it. */
export function invalidArgument(message: string, name: string, value: string): S3Error {
  return new S3Error('InvalidArgument', { ArgumentName: name, ArgumentValue: value }, { message });
}

/** `InvalidRequest` with its own text. */
export function invalidRequest(message: string): S3Error {
  return new S3Error('InvalidRequest', {}, { message });
}

/**
 * What a failure inside the cluster is to a client. Whatever may pass by itself is 503 SlowDown,
 * which every SDK retries with back-off, never 500; what is all in a zone that is out is 503
 * ServiceUnavailable, as fewer requests do not bring it back (S-4). Handlers translate codes that
 * mean something special to their operation before it comes to this.
 */
export function toS3Error(error: unknown): S3Error {
  if (error instanceof S3Error) return error;
  if (!(error instanceof StoreError)) return new S3Error('InternalError', {}, { cause: error });
  switch (error.code) {
    case 'PRECONDITION_FAILED':
      return new S3Error(
        'PreconditionFailed',
        { Condition: conditionName(error.detail['condition']) },
        { cause: error },
      );
    case 'KEY_NOT_FOUND':
      return new S3Error('NoSuchKey', {}, { cause: error });
    case 'BUCKET_NOT_FOUND':
      return new S3Error('NoSuchBucket', {}, { cause: error });
    case 'BUCKET_EXISTS':
      return new S3Error('BucketAlreadyExists', {}, { cause: error });
    case 'BUCKET_NOT_EMPTY':
      return new S3Error('BucketNotEmpty', {}, { cause: error });
    case 'UPLOAD_NOT_FOUND':
      return new S3Error('NoSuchUpload', {}, { cause: error });
    case 'PART_NOT_FOUND':
      return new S3Error('InvalidPart', {}, { cause: error });
    case 'CANCELLED':
      return new S3Error('RequestTimeout', {}, { cause: error });
    case 'ZONE_OUT':
      return new S3Error('ServiceUnavailable', {}, { cause: error });
    default:
      return error.isRetryable || SHOWN_AS_SLOW_DOWN.has(error.code)
        ? new S3Error('SlowDown', {}, { cause: error })
        : new S3Error('InternalError', {}, { cause: error });
  }
}

/** Not retryable unchanged inside the cluster, but for a client another attempt is the right thing. */
const SHOWN_AS_SLOW_DOWN: ReadonlySet<string> = new Set([
  'COMMAND_EXPIRED',
  // The bucket is being deleted. Soon it is either gone, or the fence is lifted and all is well.
  'BUCKET_FENCED',
  'SHARD_CORRUPT',
  'SHARD_NOT_FOUND',
  'DISK_UNKNOWN',
]);

const CONDITION_NAMES: ReadonlyMap<string, string> = new Map([
  ['if-match', 'If-Match'],
  ['if-none-match', 'If-None-Match'],
  ['ifMatch', 'If-Match'],
  ['ifNoneMatch', 'If-None-Match'],
]);

function conditionName(condition: string | number | boolean | undefined): string {
  const name = String(condition ?? 'If-Match');
  return CONDITION_NAMES.get(name) ?? name;
}
