import { METRICS_KIND } from './numbered-kinds';
import { listNumbered } from './numbered-operation';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBucketMetricsConfigurations.html */
export const listBucketMetricsConfigurations = listNumbered(METRICS_KIND);
