import { BUCKET_OPERATIONS } from './bucket/bucket-operations';
import { abortMultipartUpload } from './multipart/abort-multipart-upload';
import { completeMultipartUpload } from './multipart/complete-multipart-upload';
import { createMultipartUpload } from './multipart/create-multipart-upload';
import { listMultipartUploads } from './multipart/list-multipart-uploads';
import { listParts } from './multipart/list-parts';
import { uploadPartCopy } from './multipart/upload-part-copy';
import { uploadPart } from './multipart/upload-part';
import { copyObject } from './object/copy-object';
import { deleteObject } from './object/delete-object';
import { deleteObjects } from './object/delete-objects';
import { deleteObjectTagging } from './object/delete-object-tagging';
import { getObjectAcl } from './object/get-object-acl';
import { getObjectAttributes } from './object/get-object-attributes';
import { getObjectTagging } from './object/get-object-tagging';
import { getObject } from './object/get-object';
import { headObject } from './object/head-object';
import { listObjectVersions } from './object/list-object-versions';
import { listObjectsV2 } from './object/list-objects-v2';
import { listObjects } from './object/list-objects';
import { postObject } from './object/post-object';
import { putObjectAcl } from './object/put-object-acl';
import { putObjectTagging } from './object/put-object-tagging';
import { putObject } from './object/put-object';
import type { Operation } from './operation';

/** An operation of the S3 API that this gateway knows by name and answers with 501 NotImplemented. */
export interface RefusedOperation {
  readonly name: string;
  /** `planned`: on the roadmap · `not-planned`: belongs to AWS services that have no place here. */
  readonly refusal: 'planned' | 'not-planned';
  /** Why it is not planned, as half a sentence. */
  readonly reason: string | null;
}

const SUPPORTED: readonly Operation[] = [
  ...BUCKET_OPERATIONS,
  abortMultipartUpload,
  completeMultipartUpload,
  copyObject,
  createMultipartUpload,
  deleteObject,
  deleteObjectTagging,
  deleteObjects,
  getObject,
  getObjectAttributes,
  getObjectAcl,
  getObjectTagging,
  headObject,
  listMultipartUploads,
  listObjectVersions,
  listObjects,
  listObjectsV2,
  listParts,
  postObject,
  putObject,
  putObjectAcl,
  putObjectTagging,
  uploadPart,
  uploadPartCopy,
];

const PLANNED = [
  'DeleteBucketEncryption',
  'DeleteBucketInventoryConfiguration',
  'DeleteBucketLifecycle',
  'DeleteBucketReplication',
  'GetBucketEncryption',
  'GetBucketInventoryConfiguration',
  'GetBucketLifecycle',
  'GetBucketLifecycleConfiguration',
  'GetBucketNotification',
  'GetBucketReplication',
  'GetObjectLegalHold',
  'GetObjectLockConfiguration',
  'GetObjectRetention',
  'ListBucketInventoryConfigurations',
  'PutBucketEncryption',
  'PutBucketInventoryConfiguration',
  'PutBucketLifecycle',
  'PutBucketLifecycleConfiguration',
  'PutBucketNotification',
  'PutBucketReplication',
  'PutObjectLegalHold',
  'PutObjectLockConfiguration',
  'PutObjectRetention',
  'RestoreObject',
  'UpdateObjectEncryption',
] as const;

const DIRECTORY_BUCKETS =
  'it is for directory buckets, and all buckets here are general purpose ones';
const METADATA_TABLES = 'metadata tables belong to S3 Tables';
const ANNOTATIONS = 'annotations belong to the search services of AWS';
const BUCKET_ABAC = 'it is a switch of AWS accounts';

/** Name → why there is no place for it here. */
const NOT_PLANNED: Readonly<Record<string, string>> = {
  CreateBucketMetadataConfiguration: METADATA_TABLES,
  CreateBucketMetadataTableConfiguration: METADATA_TABLES,
  CreateSession: DIRECTORY_BUCKETS,
  DeleteBucketMetadataConfiguration: METADATA_TABLES,
  DeleteBucketMetadataTableConfiguration: METADATA_TABLES,
  DeleteObjectAnnotation: ANNOTATIONS,
  GetBucketAbac: BUCKET_ABAC,
  GetBucketMetadataConfiguration: METADATA_TABLES,
  GetBucketMetadataTableConfiguration: METADATA_TABLES,
  GetObjectAnnotation: ANNOTATIONS,
  GetObjectTorrent: 'AWS has retired it',
  ListDirectoryBuckets: DIRECTORY_BUCKETS,
  ListObjectAnnotations: ANNOTATIONS,
  PutBucketAbac: BUCKET_ABAC,
  PutObjectAnnotation: ANNOTATIONS,
  RenameObject: DIRECTORY_BUCKETS,
  SelectObjectContent: 'AWS has closed it to new customers',
  UpdateBucketMetadataAnnotationTableConfiguration: METADATA_TABLES,
  UpdateBucketMetadataInventoryTableConfiguration: METADATA_TABLES,
  UpdateBucketMetadataJournalTableConfiguration: METADATA_TABLES,
  WriteGetObjectResponse: 'it belongs to S3 Object Lambda',
};

/** Every operation of the S3 API by its exact name; the router leads nowhere else. */
export const OPERATIONS: ReadonlyMap<string, Operation | RefusedOperation> = new Map(
  [
    ...SUPPORTED,
    ...PLANNED.map((name): RefusedOperation => ({ name, refusal: 'planned', reason: null })),
    ...Object.entries(NOT_PLANNED).map(([name, reason]): RefusedOperation => ({
      name,
      refusal: 'not-planned',
      reason,
    })),
  ]
    .map((operation) => [operation.name, operation] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1)),
);

export function isRefused(operation: Operation | RefusedOperation): operation is RefusedOperation {
  return 'refusal' in operation;
}
