import type { Operation } from '../operation';
import { createBucket } from './create-bucket';
import { deleteBucketCors } from './delete-bucket-cors';
import { deleteBucketOwnershipControls } from './delete-bucket-ownership-controls';
import { deleteBucketTagging } from './delete-bucket-tagging';
import { deleteBucket } from './delete-bucket';
import { deletePublicAccessBlock } from './delete-public-access-block';
import { getBucketAccelerateConfiguration } from './get-bucket-accelerate-configuration';
import { getBucketAcl } from './get-bucket-acl';
import { getBucketCors } from './get-bucket-cors';
import { getBucketLocation } from './get-bucket-location';
import { getBucketLogging } from './get-bucket-logging';
import { getBucketNotificationConfiguration } from './get-bucket-notification-configuration';
import { getBucketOwnershipControls } from './get-bucket-ownership-controls';
import { getBucketRequestPayment } from './get-bucket-request-payment';
import { getBucketTagging } from './get-bucket-tagging';
import { getBucketVersioning } from './get-bucket-versioning';
import { getPublicAccessBlock } from './get-public-access-block';
import { headBucket } from './head-bucket';
import { listBuckets } from './list-buckets';
import { putBucketAccelerateConfiguration } from './put-bucket-accelerate-configuration';
import { putBucketAcl } from './put-bucket-acl';
import { putBucketCors } from './put-bucket-cors';
import { putBucketLogging } from './put-bucket-logging';
import { putBucketNotificationConfiguration } from './put-bucket-notification-configuration';
import { putBucketOwnershipControls } from './put-bucket-ownership-controls';
import { putBucketRequestPayment } from './put-bucket-request-payment';
import { putBucketTagging } from './put-bucket-tagging';
import { putBucketVersioning } from './put-bucket-versioning';
import { putPublicAccessBlock } from './put-public-access-block';

/** The operations on buckets and their configurations. */
export const BUCKET_OPERATIONS: readonly Operation[] = [
  createBucket,
  deleteBucketCors,
  deleteBucketOwnershipControls,
  deleteBucketTagging,
  deleteBucket,
  deletePublicAccessBlock,
  getBucketAccelerateConfiguration,
  getBucketAcl,
  getBucketCors,
  getBucketLocation,
  getBucketLogging,
  getBucketNotificationConfiguration,
  getBucketOwnershipControls,
  getBucketRequestPayment,
  getBucketTagging,
  getBucketVersioning,
  getPublicAccessBlock,
  headBucket,
  listBuckets,
  putBucketAccelerateConfiguration,
  putBucketAcl,
  putBucketCors,
  putBucketLogging,
  putBucketNotificationConfiguration,
  putBucketOwnershipControls,
  putBucketRequestPayment,
  putBucketTagging,
  putBucketVersioning,
  putPublicAccessBlock,
];
