import type { RequestHead } from '../http/request-head';
import { parseTaggingHeader, requestTagConditions } from '../s3/object-tags';
import type { Conditions } from './authorize';

/** One permission that an operation needs. */
export interface RequiredAccess {
  /** `s3:GetObject` */
  readonly action: string;
  readonly on: 'service' | 'bucket' | 'object';
  /** The object is written by this request, so whoever asks is about to own it. */
  readonly isNew?: boolean;
  readonly conditions?: Conditions;
}

type RequestDetail = Pick<RequestHead, 'headers' | 'query'>;

/** What an operation needs before it runs. */
interface OperationAccess {
  /** Empty where only the operation can know: it asks by itself, through `request.access`. */
  readonly required: readonly RequiredAccess[];
  /** Instead of `required` when the request names a version (V-13). */
  readonly requiredForVersion?: readonly RequiredAccess[];
  /** What headers ask for on top. */
  readonly extra?: (request: RequestDetail) => readonly RequiredAccess[];
  /** The tags in the headers are a condition of writing the object, too. */
  readonly isTagged?: boolean;
}

function onService(action: string): OperationAccess {
  return { required: [{ action: `s3:${action}`, on: 'service' }] };
}

function onBucket(action: string, extra?: OperationAccess['extra']): OperationAccess {
  const required = [{ action: `s3:${action}`, on: 'bucket' as const }];
  return extra === undefined ? { required } : { required, extra };
}

function onObject(...actions: readonly string[]): OperationAccess {
  return { required: actions.map(objectAccess) };
}

/** `[without, with]` a version. */
function onVersion(
  pairs: readonly (readonly [string, string])[],
  extra?: OperationAccess['extra'],
): OperationAccess {
  return {
    required: pairs.map(([action]) => objectAccess(action)),
    requiredForVersion: pairs.map(([, action]) => objectAccess(action)),
    ...(extra === undefined ? {} : { extra }),
  };
}

function onNewObject(extra?: OperationAccess['extra']): OperationAccess {
  return { ...onObject('PutObject'), ...(extra === undefined ? {} : { extra }) };
}

function objectAccess(action: string): RequiredAccess {
  return { action: `s3:${action}`, on: 'object' };
}

/** Known only from the body, which the operation reads: each key, the form, the new tags. */
const ASKED_BY_OPERATION: OperationAccess = { required: [] };

const GRANT_PREFIX = 'x-amz-grant-';

function hasAclHeader({ headers }: RequestDetail): boolean {
  if (headers.has('x-amz-acl')) return true;
  for (const name of headers.keys()) if (name.startsWith(GRANT_PREFIX)) return true;
  return false;
}

const TAGGING = 'x-amz-tagging';
const LOCK_MODE = 'x-amz-object-lock-mode';
const LOCK_UNTIL = 'x-amz-object-lock-retain-until-date';
const LEGAL_HOLD = 'x-amz-object-lock-legal-hold';
const BYPASS_GOVERNANCE = 'x-amz-bypass-governance-retention';
const BUCKET_LOCK = 'x-amz-bucket-object-lock-enabled';
const OWNERSHIP = 'x-amz-object-ownership';

/** PutObject, CopyObject and CreateMultipartUpload can bring what has operations of its own. */
function extraOfNewObject(request: RequestDetail): readonly RequiredAccess[] {
  const { headers } = request;
  const extra: RequiredAccess[] = [];
  if (hasAclHeader(request)) extra.push({ ...objectAccess('PutObjectAcl'), isNew: true });
  if (headers.has(TAGGING)) {
    const conditions = requestTagConditions(parseTaggingHeader(headers));
    extra.push({ ...objectAccess('PutObjectTagging'), isNew: true, conditions });
  }
  if (headers.has(LOCK_MODE) || headers.has(LOCK_UNTIL)) {
    extra.push({ ...objectAccess('PutObjectRetention'), isNew: true });
  }
  if (headers.has(LEGAL_HOLD)) extra.push({ ...objectAccess('PutObjectLegalHold'), isNew: true });
  return extra;
}

function extraOfBypass({ headers }: RequestDetail): readonly RequiredAccess[] {
  const isBypass = headers.get(BYPASS_GOVERNANCE)?.toLowerCase() === 'true';
  return isBypass ? [objectAccess('BypassGovernanceRetention')] : [];
}

function extraOfNewBucket(request: RequestDetail): readonly RequiredAccess[] {
  const { headers } = request;
  const actions: string[] = [];
  if (hasAclHeader(request)) actions.push('PutBucketAcl');
  if (headers.get(BUCKET_LOCK)?.toLowerCase() === 'true') {
    actions.push('PutBucketObjectLockConfiguration', 'PutBucketVersioning');
  }
  if (headers.has(OWNERSHIP)) actions.push('PutBucketOwnershipControls');
  return actions.map((action) => ({ action: `s3:${action}`, on: 'bucket' as const }));
}

const GET_OBJECT = ['GetObject', 'GetObjectVersion'] as const;

/** Get and Put of a bucket's configuration; where AWS has no Delete, deleting is putting. */
function configuration(
  operation: string,
  action: string,
  deleteAction = `Put${action}`,
): readonly (readonly [string, OperationAccess])[] {
  return [
    [`Get${operation}`, onBucket(`Get${action}`)],
    [`Put${operation}`, onBucket(`Put${action}`)],
    [`Delete${operation}`, onBucket(deleteAction)],
  ];
}

/** The same for those of which there are several, which can be listed. */
function numbered(name: string): readonly (readonly [string, OperationAccess])[] {
  const action = `${name}Configuration`;
  return [
    ...configuration(`Bucket${name}Configuration`, action),
    [`ListBucket${name}Configurations`, onBucket(`Get${action}`)],
  ];
}

const BUCKETS: readonly (readonly [string, OperationAccess])[] = [
  ['ListBuckets', onService('ListAllMyBuckets')],
  ['ListDirectoryBuckets', onService('ListAllMyDirectoryBuckets')],
  ['GetAccountPublicAccessBlock', onService('GetAccountPublicAccessBlock')],
  ['PutAccountPublicAccessBlock', onService('PutAccountPublicAccessBlock')],
  ['DeleteAccountPublicAccessBlock', onService('PutAccountPublicAccessBlock')],
  ['CreateBucket', onBucket('CreateBucket', extraOfNewBucket)],
  ['DeleteBucket', onBucket('DeleteBucket')],
  ['HeadBucket', onBucket('ListBucket')],
  ['GetBucketLocation', onBucket('GetBucketLocation')],
  ['ListObjects', onBucket('ListBucket')],
  ['ListObjectsV2', onBucket('ListBucket')],
  ['ListObjectVersions', onBucket('ListBucketVersions')],
  ['ListMultipartUploads', onBucket('ListBucketMultipartUploads')],
  ['CreateSession', onBucket('CreateSession')],
  ['GetBucketPolicyStatus', onBucket('GetBucketPolicyStatus')],
  ['GetBucketNotification', onBucket('GetBucketNotification')],
  ['PutBucketNotification', onBucket('PutBucketNotification')],
  ['GetBucketLifecycle', onBucket('GetLifecycleConfiguration')],
  ['PutBucketLifecycle', onBucket('PutLifecycleConfiguration')],
  ['DeleteBucketLifecycle', onBucket('PutLifecycleConfiguration')],
  ['GetObjectLockConfiguration', onBucket('GetBucketObjectLockConfiguration')],
  ['PutObjectLockConfiguration', onBucket('PutBucketObjectLockConfiguration')],
  ...configuration('BucketAbac', 'BucketAbac'),
  ...configuration('BucketAccelerateConfiguration', 'AccelerateConfiguration'),
  ...configuration('BucketAcl', 'BucketAcl'),
  ...configuration('BucketCors', 'BucketCORS'),
  ...configuration('BucketEncryption', 'EncryptionConfiguration'),
  ...configuration('BucketLifecycleConfiguration', 'LifecycleConfiguration'),
  ...configuration('BucketLogging', 'BucketLogging'),
  ...configuration('BucketNotificationConfiguration', 'BucketNotification'),
  ...configuration('BucketOwnershipControls', 'BucketOwnershipControls'),
  ...configuration('BucketPolicy', 'BucketPolicy', 'DeleteBucketPolicy'),
  ...configuration('PublicAccessBlock', 'BucketPublicAccessBlock'),
  ...configuration('BucketReplication', 'ReplicationConfiguration'),
  ...configuration('BucketRequestPayment', 'BucketRequestPayment'),
  ...configuration('BucketTagging', 'BucketTagging'),
  ...configuration('BucketVersioning', 'BucketVersioning'),
  ...configuration('BucketWebsite', 'BucketWebsite', 'DeleteBucketWebsite'),
  ...['Analytics', 'IntelligentTiering', 'Inventory', 'Metrics'].flatMap(numbered),
  ...['BucketMetadataConfiguration', 'BucketMetadataTableConfiguration'].flatMap((name) =>
    ['Create', 'Get', 'Delete'].map(
      (verb) => [`${verb}${name}`, onBucket(`${verb}BucketMetadataTableConfiguration`)] as const,
    ),
  ),
  ...['Annotation', 'Inventory', 'Journal'].map((name) => {
    const operation = `UpdateBucketMetadata${name}TableConfiguration`;
    return [operation, onBucket(operation)] as const;
  }),
];

const OBJECTS: readonly (readonly [string, OperationAccess])[] = [
  ['GetObject', onVersion([GET_OBJECT])],
  ['HeadObject', onVersion([GET_OBJECT])],
  [
    'GetObjectAttributes',
    onVersion([GET_OBJECT, ['GetObjectAttributes', 'GetObjectVersionAttributes']]),
  ],
  ['SelectObjectContent', onObject('GetObject')],
  ['GetObjectTorrent', onVersion([['GetObjectTorrent', 'GetObjectVersionTorrent']])],
  ['PutObject', { ...onNewObject(extraOfNewObject), isTagged: true }],
  ['CopyObject', onNewObject(extraOfNewObject)],
  ['RenameObject', onNewObject()],
  ['PostObject', ASKED_BY_OPERATION],
  ['DeleteObject', onVersion([['DeleteObject', 'DeleteObjectVersion']], extraOfBypass)],
  ['DeleteObjects', ASKED_BY_OPERATION],
  ['CreateMultipartUpload', { ...onNewObject(extraOfNewObject), isTagged: true }],
  ['UploadPart', onNewObject()],
  ['UploadPartCopy', onNewObject()],
  ['CompleteMultipartUpload', onNewObject()],
  ['AbortMultipartUpload', onObject('AbortMultipartUpload')],
  ['ListParts', onObject('ListMultipartUploadParts')],
  ['GetObjectAcl', onVersion([['GetObjectAcl', 'GetObjectVersionAcl']])],
  ['PutObjectAcl', onVersion([['PutObjectAcl', 'PutObjectVersionAcl']])],
  ['GetObjectTagging', onVersion([['GetObjectTagging', 'GetObjectVersionTagging']])],
  ['PutObjectTagging', ASKED_BY_OPERATION],
  ['DeleteObjectTagging', onVersion([['DeleteObjectTagging', 'DeleteObjectVersionTagging']])],
  ['GetObjectRetention', onObject('GetObjectRetention')],
  ['PutObjectRetention', { ...onObject('PutObjectRetention'), extra: extraOfBypass }],
  ['GetObjectLegalHold', onObject('GetObjectLegalHold')],
  ['PutObjectLegalHold', onObject('PutObjectLegalHold')],
  ['RestoreObject', onObject('RestoreObject')],
  ['UpdateObjectEncryption', onObject('UpdateObjectEncryption')],
  ['GetObjectAnnotation', onObject('GetObjectAnnotation')],
  ['PutObjectAnnotation', onObject('PutObjectAnnotation')],
  ['DeleteObjectAnnotation', onObject('DeleteObjectAnnotation')],
  ['ListObjectAnnotations', onObject('ListObjectAnnotations')],
  [
    'WriteGetObjectResponse',
    { required: [{ action: 's3-object-lambda:WriteGetObjectResponse', on: 'service' }] },
  ],
];

/** Operation → what it needs. The one place where IAM names of S3 operations are. */
export const OPERATION_ACCESS: ReadonlyMap<string, OperationAccess> = new Map([
  ...BUCKETS,
  ...OBJECTS,
]);

/**
 * What a request of this operation needs, all of it. Query parameters other than `versionId` do not
 * matter, so no parameter that selects nothing can select a weaker permission.
 *
 * @throws S3Error for an `x-amz-tagging` header that cannot be read.
 */
export function requiredAccess(
  operation: string,
  request: RequestDetail,
): readonly RequiredAccess[] {
  const access = OPERATION_ACCESS.get(operation);
  // A name that is not in the table is allowed to nobody but those who may do everything.
  if (access === undefined) return [{ action: `s3:${operation}`, on: 'bucket' }];
  const { requiredForVersion, isTagged = false } = access;
  const required =
    requiredForVersion !== undefined && request.query.has('versionId')
      ? requiredForVersion
      : access.required;
  const extra = access.extra?.(request) ?? [];
  if (extra.length === 0) return required;
  if (!isTagged || !request.headers.has(TAGGING)) return [...required, ...extra];
  const conditions = requestTagConditions(parseTaggingHeader(request.headers));
  return [...required.map((each) => ({ ...each, conditions })), ...extra];
}
