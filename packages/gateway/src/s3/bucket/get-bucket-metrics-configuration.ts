import { METRICS_KIND } from './numbered-kinds';
import { getNumbered } from './numbered-operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketMetricsConfiguration.html */
export const getBucketMetricsConfiguration = getNumbered(METRICS_KIND);
