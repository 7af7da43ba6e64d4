import type { Operation } from '../operation';
import { createBucket } from './create-bucket';
import { deleteAccountPublicAccessBlock } from './delete-account-public-access-block';
import { deleteBucketAnalyticsConfiguration } from './delete-bucket-analytics-configuration';
import { deleteBucketCors } from './delete-bucket-cors';
import { deleteBucketIntelligentTieringConfiguration } from './delete-bucket-intelligent-tiering-configuration';
import { deleteBucketMetricsConfiguration } from './delete-bucket-metrics-configuration';
import { deleteBucketOwnershipControls } from './delete-bucket-ownership-controls';
import { deleteBucketPolicy } from './delete-bucket-policy';
import { deleteBucketTagging } from './delete-bucket-tagging';
import { deleteBucketWebsite } from './delete-bucket-website';
import { deleteBucket } from './delete-bucket';
import { deletePublicAccessBlock } from './delete-public-access-block';
import { getAccountPublicAccessBlock } from './get-account-public-access-block';
import { getBucketAccelerateConfiguration } from './get-bucket-accelerate-configuration';
import { getBucketAcl } from './get-bucket-acl';
import { getBucketAnalyticsConfiguration } from './get-bucket-analytics-configuration';
import { getBucketCors } from './get-bucket-cors';
import { getBucketIntelligentTieringConfiguration } from './get-bucket-intelligent-tiering-configuration';
import { getBucketLocation } from './get-bucket-location';
import { getBucketLogging } from './get-bucket-logging';
import { getBucketMetricsConfiguration } from './get-bucket-metrics-configuration';
import { getBucketNotificationConfiguration } from './get-bucket-notification-configuration';
import { getBucketOwnershipControls } from './get-bucket-ownership-controls';
import { getBucketPolicyStatus } from './get-bucket-policy-status';
import { getBucketPolicy } from './get-bucket-policy';
import { getBucketRequestPayment } from './get-bucket-request-payment';
import { getBucketTagging } from './get-bucket-tagging';
import { getBucketVersioning } from './get-bucket-versioning';
import { getBucketWebsite } from './get-bucket-website';
import { getPublicAccessBlock } from './get-public-access-block';
import { headBucket } from './head-bucket';
import { listBucketAnalyticsConfigurations } from './list-bucket-analytics-configurations';
import { listBucketIntelligentTieringConfigurations } from './list-bucket-intelligent-tiering-configurations';
import { listBucketMetricsConfigurations } from './list-bucket-metrics-configurations';
import { listBuckets } from './list-buckets';
import { putAccountPublicAccessBlock } from './put-account-public-access-block';
import { putBucketAccelerateConfiguration } from './put-bucket-accelerate-configuration';
import { putBucketAcl } from './put-bucket-acl';
import { putBucketAnalyticsConfiguration } from './put-bucket-analytics-configuration';
import { putBucketCors } from './put-bucket-cors';
import { putBucketIntelligentTieringConfiguration } from './put-bucket-intelligent-tiering-configuration';
import { putBucketLogging } from './put-bucket-logging';
import { putBucketMetricsConfiguration } from './put-bucket-metrics-configuration';
import { putBucketNotificationConfiguration } from './put-bucket-notification-configuration';
import { putBucketOwnershipControls } from './put-bucket-ownership-controls';
import { putBucketPolicy } from './put-bucket-policy';
import { putBucketRequestPayment } from './put-bucket-request-payment';
import { putBucketTagging } from './put-bucket-tagging';
import { putBucketVersioning } from './put-bucket-versioning';
import { putBucketWebsite } from './put-bucket-website';
import { putPublicAccessBlock } from './put-public-access-block';

/** The operations on buckets and their configurations. */
export const BUCKET_OPERATIONS: readonly Operation[] = [
  createBucket,
  deleteAccountPublicAccessBlock,
  deleteBucketAnalyticsConfiguration,
  deleteBucketCors,
  deleteBucketIntelligentTieringConfiguration,
  deleteBucketMetricsConfiguration,
  deleteBucketOwnershipControls,
  deleteBucketPolicy,
  deleteBucketTagging,
  deleteBucketWebsite,
  deleteBucket,
  deletePublicAccessBlock,
  getAccountPublicAccessBlock,
  getBucketAccelerateConfiguration,
  getBucketAcl,
  getBucketAnalyticsConfiguration,
  getBucketCors,
  getBucketIntelligentTieringConfiguration,
  getBucketLocation,
  getBucketLogging,
  getBucketMetricsConfiguration,
  getBucketNotificationConfiguration,
  getBucketOwnershipControls,
  getBucketPolicyStatus,
  getBucketPolicy,
  getBucketRequestPayment,
  getBucketTagging,
  getBucketVersioning,
  getBucketWebsite,
  getPublicAccessBlock,
  headBucket,
  listBucketAnalyticsConfigurations,
  listBucketIntelligentTieringConfigurations,
  listBucketMetricsConfigurations,
  listBuckets,
  putAccountPublicAccessBlock,
  putBucketAccelerateConfiguration,
  putBucketAcl,
  putBucketAnalyticsConfiguration,
  putBucketCors,
  putBucketIntelligentTieringConfiguration,
  putBucketLogging,
  putBucketMetricsConfiguration,
  putBucketNotificationConfiguration,
  putBucketOwnershipControls,
  putBucketPolicy,
  putBucketRequestPayment,
  putBucketTagging,
  putBucketVersioning,
  putBucketWebsite,
  putPublicAccessBlock,
];
