import { METRICS_KIND } from './numbered-kinds';
import { putNumbered } from './numbered-operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketMetricsConfiguration.html */
export const putBucketMetricsConfiguration = putNumbered(METRICS_KIND);
