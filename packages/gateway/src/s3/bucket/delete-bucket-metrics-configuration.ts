import { METRICS_KIND } from './numbered-kinds';
import { deleteNumbered } from './numbered-operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketMetricsConfiguration.html */
export const deleteBucketMetricsConfiguration = deleteNumbered(METRICS_KIND);
